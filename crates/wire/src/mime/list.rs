//! The header fields that clients list messages by.

use super::header;

/// Names of the fields that [`list_head`] gives, lower case.
pub const LIST_FIELDS: &[&str] = &[
    "date",
    "from",
    "sender",
    "reply-to",
    "to",
    "cc",
    "bcc",
    "subject",
    "message-id",
    "in-reply-to",
    "references",
    "newsgroups",
    "list-id",
    "list-post",
    "list-unsubscribe",
    "content-type",
    "content-transfer-encoding",
    "mime-version",
    "importance",
    "priority",
    "x-priority",
    "delivered-to",
];

/// The fields of a header that clients list messages by, unchanged and in order, without a blank line.
pub fn list_head(header: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for field in header::fields(header) {
        if LIST_FIELDS.iter().any(|name| field.is(name)) {
            out.extend_from_slice(field.raw);
        }
    }
    out
}
