//! How far a long command has come: a bar on a terminal, a line every ten seconds elsewhere.

use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// How often a line is printed where no terminal is.
const EVERY: Duration = Duration::from_secs(10);

/// Progress of one command.
pub struct Progress {
    bar: Option<ProgressBar>,
    what: String,
    of: u64,
    done: u64,
    started: Instant,
    said: Instant,
}

impl Progress {
    /// Of `of` things, about; 0 where that is not known.
    pub fn new(of: u64, things: &str) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = if of == 0 { ProgressBar::no_length() } else { ProgressBar::new(of) };
            let template = match of {
                0 => format!("{{spinner}} {{human_pos}} {things} {{per_sec}} {{elapsed}} {{wide_msg}}"),
                _ => format!(
                    "{{bar:30}} {{human_pos}} of {{human_len}} {things} {{per_sec}} {{eta}} {{wide_msg}}"
                ),
            };
            // A template that is wrong would show a plain bar.
            if let Ok(style) = ProgressStyle::with_template(&template) {
                bar.set_style(style);
            }
            bar
        });
        let now = Instant::now();
        Progress { bar, what: things.to_owned(), of, done: 0, started: now, said: now }
    }

    /// What is worked on now.
    pub fn at(&self, what: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(what.replace(char::is_control, "?"));
        }
    }

    /// So many more are done.
    pub fn add(&mut self, count: u64) {
        self.done += count;
        if let Some(bar) = &self.bar {
            bar.inc(count);
        } else if self.said.elapsed() >= EVERY {
            self.said = Instant::now();
            let of = if self.of == 0 { String::new() } else { format!(" of about {}", self.of) };
            eprintln!("{}{of} {} after {} s", self.done, self.what, self.started.elapsed().as_secs());
        }
    }

    /// How long it took.
    pub fn finish(self) -> Duration {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        self.started.elapsed()
    }
}
