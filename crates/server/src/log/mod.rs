//! The log: lines to read or JSON, in UTC, on standard error, in a file ([`file`]) or in the journal ([`journal`]).
//! Passwords never reach it: they travel as [`base::Secret`], which prints as hidden.

mod file;
mod journal;

use crate::config::{Config, LogFormat};
use file::LogFile;
use journal::Journal;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::fmt::writer::BoxMakeWriter;

pub use file::Settings;

/// Where the log goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LogTo {
    /// Standard error.
    Stderr,
    /// systemd's journal.
    Journald,
    /// A file.
    File(Settings),
}

/// How long the last lines may take to be written.
const FAREWELL: Duration = Duration::from_secs(2);

/// The file, if the log goes to one.
static FILE: OnceLock<LogFile> = OnceLock::new();

/// Starts logging. To be called once; the error is a text to print.
pub fn start(config: &Config) -> Result<(), String> {
    let filter: EnvFilter = config.log_level.parse().map_err(|e| format!("log.level: {e}"))?;
    let writer = match &config.log_to {
        LogTo::Stderr => BoxMakeWriter::new(std::io::stderr),
        LogTo::Journald => {
            let journal = Journal::open(Path::new(journal::SOCKET));
            BoxMakeWriter::new(
                journal.map_err(|e| format!("log.to: no journal at {}: {e}", journal::SOCKET))?,
            )
        }
        LogTo::File(settings) => {
            let path = settings.path.display();
            let file = LogFile::open(settings.clone()).map_err(|e| format!("log.to: {path}: {e}"))?;
            BoxMakeWriter::new(FILE.get_or_init(|| file).clone())
        }
    };
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_timer(Utc { is_told: config.log_to != LogTo::Journald })
        .with_ansi(false)
        // Where the log's disk is full or its pipe is gone, a line is lost. Saying so on standard error, as is usual,
        // would panic there, and with it whoever had something to log.
        .log_internal_errors(false)
        .with_writer(writer);
    match config.log_format {
        LogFormat::Text => lines.try_init().map_err(|e| e.to_string()),
        LogFormat::Json => lines.json().flatten_event(true).try_init().map_err(|e| e.to_string()),
    }
}

/// Opens a file anew that may have been moved away.
pub fn reopen() {
    if let Some(file) = FILE.get() {
        file.reopen();
    }
}

/// Has the last lines written.
pub fn finish() {
    if let Some(file) = FILE.get() {
        file.flush(FAREWELL);
    }
}

/// RFC 3339 with milliseconds, UTC; the journal has times of its own.
struct Utc {
    is_told: bool,
}

impl FormatTime for Utc {
    fn format_time(&self, writer: &mut Writer<'_>) -> std::fmt::Result {
        if !self.is_told {
            return Ok(());
        }
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let seconds = base::Timestamp(i64::try_from(since.as_secs()).unwrap_or(i64::MAX)).to_string();
        write!(writer, "{}.{:03}Z", seconds.trim_end_matches('Z'), since.subsec_millis())
    }
}
