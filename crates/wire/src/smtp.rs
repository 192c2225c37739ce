//! SMTP as it stands on the wire, the server's side: command lines, DATA and BDAT content.
//!
//! Nothing here resynchronises on a bare CR or LF: a line ends with CRLF, a message with CRLF.CRLF, and nothing
//! else does, so that no two readers can differ about where a message ends.

mod command;
mod content;
mod line;

pub use command::{Body, ClientName, Command, CommandError, ForwardPath, Mail};
pub use content::{ChunkReader, DataReader, Event, Fault};
pub use line::{Line, read_line};
