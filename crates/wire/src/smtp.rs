//! SMTP as it stands on the wire: command lines and DATA and BDAT content for the server's side, replies and outgoing
//! content for the client's.
//!
//! Nothing here resynchronises on a bare CR or LF: a line ends with CRLF, a message with CRLF.CRLF, and nothing
//! else does, so that no two readers can differ about where a message ends.

mod command;
mod content;
mod line;
pub(crate) mod parameter;
mod reply;
mod terms;
mod writer;

pub use command::{Body, ClientName, Command, CommandError, ForwardPath, Mail, Rcpt};
pub use content::{ChunkReader, DataReader, Event, Fault};
pub use line::{Line, read_line};
pub use parameter::{DeliverBy, EnvelopeId, Hold, Notify, OriginalRecipient, Ret};
pub use reply::{Heard, NotAReply, ReplyReader};
pub use terms::{By, Terms};
pub use writer::TextWriter;
