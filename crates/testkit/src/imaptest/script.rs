//! Reading a script.

use std::collections::HashMap;
use std::path::Path;
use std::{fs, io};

/// How far a connection is led before the script begins.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum State {
    /// Connected.
    NonAuth,
    /// Logged in, the test mailboxes deleted.
    Auth,
    /// The test mailbox made.
    Created,
    /// Its messages appended.
    Appended,
    /// It is selected.
    Selected,
}

/// A script, its messages beside it.
#[derive(Debug)]
pub struct Script {
    /// The file's name.
    pub name: String,
    /// Capabilities that it needs.
    pub capabilities: Vec<String>,
    /// How many connections it uses.
    pub connections: usize,
    /// Where it begins.
    pub state: State,
    /// How many messages to append; all, where it doesn't say.
    pub messages: Option<usize>,
    /// Whether only the expected untagged replies may come.
    pub strict: bool,
    /// The messages, with CRLF.
    pub mail: Vec<Mail>,
    /// What to do.
    pub steps: Vec<Step>,
}

/// Commands that are sent together on one connection, what is to come back, and how each is to end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Step {
    /// The first command's line in the file.
    pub line: usize,
    /// Which connection, from 1.
    pub connection: usize,
    /// The commands.
    pub commands: Vec<Command>,
    /// Expected untagged replies.
    pub replies: Vec<Expected>,
}

/// A command: its text, literals in place as `{{{…}}}` were, and its expected end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Command {
    /// The script's own tag, where it has one.
    pub tag: Option<String>,
    /// Text and literals in turn, beginning with text.
    pub parts: Vec<String>,
    /// `ok`, `no`, `bad`; empty: any.
    pub status: String,
    /// How the tagged reply's text is to begin.
    pub text: String,
}

/// An expected untagged reply, as text with literals in wire form.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Expected {
    /// Whether it must come (`*`), must not (`!`), or may (`?`).
    pub mark: char,
    /// The reply.
    pub text: String,
}

impl Script {
    /// Reads a script and its mailbox, `default.mbox` where it has none of its own.
    pub fn load(path: &Path) -> io::Result<Script> {
        let text = fs::read_to_string(path)?;
        let own = path.with_extension("mbox");
        let mbox = if own.exists() { own } else { path.with_file_name("default.mbox") };
        let mail = messages(&String::from_utf8_lossy(&fs::read(mbox)?));
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        parse(name, &text, mail).map_err(|why| io::Error::other(format!("{}: {why}", path.display())))
    }
}

/// A message of an mbox file.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Mail {
    /// Its lines, ended by CRLF, with the blank line that stands before the next message.
    pub text: String,
    /// Its internal date as APPEND takes it, from the `From ` line.
    pub date: String,
}

/// The messages of an mbox file.
fn messages(mbox: &str) -> Vec<Mail> {
    let whole = format!("\n{}", mbox.trim_start_matches('\n'));
    let mut pieces: Vec<String> = whole.split("\nFrom ").skip(1).map(str::to_owned).collect();
    let last = pieces.len().saturating_sub(1);
    // The split took a line end off all but the last.
    pieces.iter_mut().take(last).for_each(|piece| piece.push('\n'));
    let mail = |piece: &String| {
        let (from, text) = piece.split_once('\n').unwrap_or((piece, ""));
        Mail { text: text.replace("\r\n", "\n").replace('\n', "\r\n"), date: internal_date(from) }
    };
    pieces.iter().map(mail).collect()
}

/// `user  Fri Feb 22 17:06:23 2008 +0200` as `22-Feb-2008 17:06:23 +0200`; UTC where there is no zone.
fn internal_date(from: &str) -> String {
    let words: Vec<&str> = from.split_whitespace().collect();
    match words.as_slice() {
        [_, _, month, day, time, year, zone @ ..] => {
            format!("{day:0>2}-{month}-{year} {time} {}", zone.first().unwrap_or(&"+0000"))
        }
        _ => String::new(),
    }
}

fn parse(name: String, text: &str, mail: Vec<Mail>) -> Result<Script, String> {
    let mut lines = text.split('\n').enumerate().map(|(n, l)| (n + 1, l)).peekable();
    let mut header = HashMap::new();
    for (_, line) in lines.by_ref() {
        if line.trim().is_empty() {
            break;
        }
        let (key, value) = line.split_once(':').ok_or("a header line without a colon")?;
        header.insert(key.trim().to_ascii_lowercase(), value.trim().to_owned());
    }
    let get = |key: &str| header.get(key).map(String::as_str);
    let connections = get("connections").and_then(|v| v.parse().ok()).unwrap_or(1);
    let state = match get("state") {
        Some("nonauth") => State::NonAuth,
        Some("auth") => State::Auth,
        Some("created") => State::Created,
        Some("appended") => State::Appended,
        None | Some("selected") => State::Selected,
        Some(other) => return Err(format!("unknown state {other}")),
    };
    let mut reader = Reader { connections, steps: Vec::new(), open: None };
    while let Some((number, line)) = lines.next() {
        let skip = line.trim().is_empty() || line.starts_with('#') || line.starts_with("!ifenv");
        if skip || line.starts_with("!endif") {
            continue;
        }
        let mut parts = vec![String::new()];
        let mut current = line;
        loop {
            let Some((before, _)) = current.split_once("{{{") else {
                let part = parts.pop().unwrap_or_default();
                parts.push(part + current);
                break;
            };
            let part = parts.pop().unwrap_or_default();
            parts.push(part + before);
            let mut literal: Vec<&str> = Vec::new();
            current = loop {
                let (_, next) = lines.next().ok_or("a literal without end")?;
                if let Some(rest) = next.strip_prefix("}}}") {
                    break rest;
                }
                literal.push(next);
            };
            // `~{{{`: the octets as they stand.
            let raw = parts.last().is_some_and(|before| before.ends_with('~'));
            parts.push(literal.join(if raw { "\n" } else { "\r\n" }));
            parts.push(String::new());
        }
        reader.line(number, parts)?;
    }
    reader.finish();
    Ok(Script {
        name,
        capabilities: get("capabilities")
            .map(|v| v.split_whitespace().map(str::to_ascii_uppercase).collect())
            .unwrap_or_default(),
        connections,
        state,
        messages: get("messages").and_then(|v| v.parse().ok()),
        strict: get("ignore_extra_untagged") == Some("no"),
        mail,
        steps: reader.steps,
    })
}

/// Groups lines into steps.
struct Reader {
    connections: usize,
    steps: Vec<Step>,
    open: Option<Step>,
}

impl Reader {
    fn finish(&mut self) {
        self.steps.extend(self.open.take());
    }

    fn line(&mut self, number: usize, mut parts: Vec<String>) -> Result<(), String> {
        let first = parts.first().cloned().unwrap_or_default();
        if let Some(mark) = first.chars().next().filter(|c| "*!?".contains(*c) && first[1..].starts_with(' '))
        {
            let step = self.open.as_mut().ok_or(format!("line {number}: a reply without a command"))?;
            parts[0] = first[2..].to_owned();
            step.replies.push(Expected { mark, text: wire_form(&parts) });
            return Ok(());
        }
        let mut text = first.trim_start().to_owned();
        let mut connection = 1;
        if self.connections > 1 {
            let (number_word, rest) = text.split_once(' ').ok_or("a line without a connection number")?;
            connection = number_word.parse().map_err(|_| format!("line {number}: no connection number"))?;
            text = rest.to_owned();
        }
        let (word, rest) = split_word(&text);
        if is_status(word) {
            return self.status(number, connection, None, word, rest, &parts);
        }
        if word.starts_with("tag") && !rest.is_empty() {
            let (status, after) = split_word(rest);
            if is_status(status) {
                return self.status(number, connection, Some(word.to_owned()), status, after, &parts);
            }
            let (tag, rest) = (word.to_owned(), rest.to_owned());
            parts[0] = rest;
            self.command(number, connection, Some(tag), parts);
            return Ok(());
        }
        parts[0] = text;
        self.command(number, connection, None, parts);
        Ok(())
    }

    /// `ok`, `no`, `bad` in front: the end of an open command, or a command with its end.
    fn status(
        &mut self,
        number: usize,
        connection: usize,
        tag: Option<String>,
        status: &str,
        rest: &str,
        parts: &[String],
    ) -> Result<(), String> {
        let status = if status == "\"\"" { String::new() } else { status.to_ascii_lowercase() };
        let waiting = self
            .open
            .as_mut()
            .filter(|s| s.connection == connection)
            .and_then(|s| s.commands.iter_mut().find(|c| c.status == UNKNOWN && c.tag == tag));
        if let Some(command) = waiting {
            command.status = status;
            command.text = rest.to_owned();
            return Ok(());
        }
        if tag.is_some() || rest.is_empty() {
            return Err(format!("line {number}: a result without a command"));
        }
        self.finish();
        let mut parts = parts.to_vec();
        parts[0] = rest.to_owned();
        let command = Command { tag: None, parts, status, text: String::new() };
        self.open = Some(Step { line: number, connection, commands: vec![command], replies: Vec::new() });
        Ok(())
    }

    fn command(&mut self, number: usize, connection: usize, tag: Option<String>, parts: Vec<String>) {
        let command = Command { tag: tag.clone(), parts, status: UNKNOWN.to_owned(), text: String::new() };
        // A tagged command joins a group that is still being sent.
        let joins = |s: &&mut Step| {
            tag.is_some()
                && s.connection == connection
                && s.replies.is_empty()
                && s.commands.iter().all(|c| c.tag.is_some() && c.status == UNKNOWN)
        };
        if let Some(step) = self.open.as_mut().filter(joins) {
            step.commands.push(command);
            return;
        }
        self.finish();
        self.open = Some(Step { line: number, connection, commands: vec![command], replies: Vec::new() });
    }
}

const UNKNOWN: &str = "?";

fn split_word(text: &str) -> (&str, &str) {
    text.split_once(' ').map_or((text, ""), |(word, rest)| (word, rest.trim_start()))
}

fn is_status(word: &str) -> bool {
    word == "\"\"" || ["ok", "no", "bad"].iter().any(|s| word.eq_ignore_ascii_case(s))
}

/// Text and literals in turn, as they would go over the wire.
fn wire_form(parts: &[String]) -> String {
    let mut out = String::new();
    for (number, part) in parts.iter().enumerate() {
        if number % 2 == 1 {
            out.push_str(&format!("{{{}}}\r\n", part.len()));
        }
        out.push_str(part);
    }
    out
}
