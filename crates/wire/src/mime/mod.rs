//! Messages: structure, header fields, encodings, and what IMAP tells of them.
//!
//! [`Parser`] reads a message once, while it arrives, into a [`Tree`] of octet ranges that everyone shares. What
//! was odd is kept as [`Note`]s, and [`Tree::alternatives`] gives the other readings of an ambiguous structure.

pub mod address;
mod casemap;
pub mod charset;
mod code;
pub mod date;
pub mod describe;
mod filter;
pub mod header;
mod list;
pub mod message_id;
pub mod parameter;
mod parser;
mod reading;
mod seven_bit;
pub mod subject;
mod text;
pub mod transfer;
mod tree;
pub mod word;

pub use casemap::casemap;
pub use filter::HeaderFilter;
pub use list::{LIST_FIELDS, list_head};
pub use parameter::{ContentType, Disposition, Parameter};
pub use parser::Parser;
pub use reading::{Alternative, Reading};
pub use seven_bit::seven_bit;
pub use text::{PREVIEW_CHARACTERS, SEARCH_TEXT_OCTETS, header_text, html_text, preview, search_text};
pub use transfer::{Decoder, Encoding};
pub use tree::{Field, Kind, Note, NoteKind, Part, PartId, Tree};

#[cfg(test)]
mod tests;
