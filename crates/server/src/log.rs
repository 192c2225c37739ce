//! The log: lines to read or JSON, on standard error, in UTC. Passwords never reach it: they travel as
//! [`base::Secret`], which prints as hidden.

use crate::config::{Config, LogFormat};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

/// Starts logging. To be called once; the error is a text to print.
pub fn start(config: &Config) -> Result<(), String> {
    let filter: EnvFilter = config.log_level.parse().map_err(|e| format!("log.level: {e}"))?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_timer(Utc)
        .with_ansi(false)
        // Where the log's disk is full or its pipe is gone, a line is lost. Saying so on standard error, as is usual,
        // would panic there, and with it whoever had something to log.
        .log_internal_errors(false)
        .with_writer(std::io::stderr);
    match config.log_format {
        LogFormat::Text => lines.try_init().map_err(|e| e.to_string()),
        LogFormat::Json => lines.json().flatten_event(true).try_init().map_err(|e| e.to_string()),
    }
}

/// RFC 3339 with milliseconds, UTC.
struct Utc;

impl FormatTime for Utc {
    fn format_time(&self, writer: &mut Writer<'_>) -> std::fmt::Result {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let seconds = base::Timestamp(i64::try_from(since.as_secs()).unwrap_or(i64::MAX)).to_string();
        write!(writer, "{}.{:03}Z", seconds.trim_end_matches('Z'), since.subsec_millis())
    }
}
