//! What the server sends for a script: vacation replies (RFC 5230 §5), notifications (RFC 5436 §2.7), and notices that a
//! message was rejected (RFC 5429 §2.2.1).

use crate::field;
use crate::outcome::{Notify, Sender, Vacation};
use base::{Address, Domain, Timestamp};
use wire::dsn::Composed;
use wire::mime::header;
use wire::mime::transfer::quoted_printable;

/// What a mail gets that only the server knows.
#[derive(Clone, Copy, Debug)]
pub struct Stamp<'a> {
    /// This server.
    pub host: &'a Domain,
    /// Now.
    pub date: Timestamp,
    /// A name that no other mail has: for Message-ID and boundaries. Letters, digits, dots and hyphens.
    pub id: &'a str,
}

impl Vacation {
    /// The reply as a mail from `own`, the account's address. Its envelope has the null path as sender (RFC 5230 §5.1),
    /// [`Vacation::to`] as recipient.
    pub fn compose(&self, own: &Address, stamp: Stamp<'_>) -> Composed {
        let from = self.from.clone().unwrap_or_else(|| Sender { name: None, address: own.clone() });
        let mut out = Vec::new();
        push_addresses(&mut out, "From", &from.print());
        push_addresses(&mut out, "To", &format!("<{}>", self.to));
        push(&mut out, "Subject", &self.subject);
        stamp.push(&mut out);
        if let Some(id) = &self.in_reply_to {
            push(&mut out, "In-Reply-To", id);
        }
        if let Some(references) = &self.references {
            push(&mut out, "References", references);
        }
        push(&mut out, "Auto-Submitted", "auto-replied (vacation)");
        push(&mut out, "MIME-Version", "1.0");
        match self.mime {
            true => push_entity(&mut out, &self.reason),
            false => push_text(&mut out, PLAIN, &self.reason),
        }
        Composed { octets: out, smtputf8: self.to.needs_utf8() || from.address.needs_utf8() }
    }
}

impl Notify {
    /// The notification as a mail from `own`, the account's address. Its envelope has the null path as sender if the
    /// message had it, else the address in `From`; [`Notify::recipients`] are the recipients.
    pub fn compose(&self, own: &Address, stamp: Stamp<'_>) -> Composed {
        let from = self.from.as_ref().unwrap_or(own);
        let to: Vec<String> = self.recipients.iter().map(|address| format!("<{address}>")).collect();
        let mut out = Vec::new();
        // RFC 5436 §2.7.1
        let owner = own.to_string().replace('\\', "\\\\").replace('"', "\\\"");
        push_addresses(&mut out, "Auto-Submitted", &format!("auto-notified; owner-email=\"{owner}\""));
        push_addresses(&mut out, "From", &format!("<{from}>"));
        push_addresses(&mut out, "To", &to.join(", "));
        push(&mut out, "Subject", &self.subject);
        stamp.push(&mut out);
        match self.importance {
            1 => push(&mut out, "Importance", "high"),
            3 => push(&mut out, "Importance", "low"),
            _ => {}
        }
        for (name, value) in &self.fields {
            push(&mut out, name, value);
        }
        push(&mut out, "MIME-Version", "1.0");
        push_text(&mut out, PLAIN, &self.body);
        let smtputf8 =
            from.needs_utf8() || own.needs_utf8() || self.recipients.iter().any(Address::needs_utf8);
        Composed { octets: out, smtputf8 }
    }
}

const PLAIN: &str = "text/plain; charset=utf-8";

/// Octets of the message's header that a notice gives back.
const HEADER_OCTETS: usize = 32 * 1024;

/// The notice that `own` rejected a message: to its envelope's sender `to`, the null path being the notice's own sender. Nobody
/// is told of a message that had the null path (RFC 5429 §2.2.1).
pub fn compose_rejection(
    reason: &str,
    message_header: &[u8],
    to: &Address,
    own: &Address,
    stamp: Stamp<'_>,
) -> Composed {
    let boundary = format!("=_{}", stamp.id);
    let mut out = Vec::new();
    push_addresses(&mut out, "From", &format!("<{own}>"));
    push_addresses(&mut out, "To", &format!("<{to}>"));
    push(&mut out, "Subject", "Your message was refused");
    stamp.push(&mut out);
    let id =
        header::get(message_header, "message-id").map(|id| field::one_line(&String::from_utf8_lossy(&id)));
    if let Some(id) = &id {
        push(&mut out, "In-Reply-To", id);
    }
    push(&mut out, "Auto-Submitted", "auto-replied (rejected)");
    push(&mut out, "MIME-Version", "1.0");
    let kind = "multipart/report; report-type=disposition-notification;";
    out.extend_from_slice(format!("Content-Type: {kind}\r\n boundary=\"{boundary}\"\r\n").as_bytes());
    let next = format!("\r\n--{boundary}\r\n");
    out.extend_from_slice(next.as_bytes());
    let told = "The message was refused by the recipient's mail filter. The reason given was:\r\n\r\n";
    push_text(&mut out, PLAIN, &format!("{told}{reason}"));
    out.extend_from_slice(next.as_bytes());
    out.extend_from_slice(b"Content-Type: message/disposition-notification\r\n\r\n");
    push(&mut out, "Reporting-UA", &format!("{}; Mailward", stamp.host));
    push_addresses(&mut out, "Final-Recipient", &format!("rfc822; {own}"));
    if let Some(id) = &id {
        push(&mut out, "Original-Message-ID", id);
    }
    push(&mut out, "Disposition", "automatic-action/MDN-sent-automatically; deleted");
    out.extend_from_slice(next.as_bytes());
    push_text(&mut out, "text/rfc822-headers; charset=utf-8", &returned(message_header));
    out.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    Composed { octets: out, smtputf8: to.needs_utf8() || own.needs_utf8() }
}

/// The whole fields that fit.
fn returned(message_header: &[u8]) -> String {
    let mut out = String::new();
    for field in header::fields(message_header) {
        if out.len() + field.raw.len() > HEADER_OCTETS {
            break;
        }
        out.push_str(&String::from_utf8_lossy(field.raw));
    }
    out
}

impl Stamp<'_> {
    fn push(&self, out: &mut Vec<u8>) {
        push(out, "Date", &self.date.rfc5322());
        push(out, "Message-ID", &format!("<{}@{}>", self.id, self.host));
    }
}

impl Sender {
    /// As a header field names it; the name in encoded words or quotes where it needs them.
    fn print(&self) -> String {
        match &self.name {
            None => format!("<{}>", self.address),
            Some(name) if name.is_ascii() => {
                let quoted = field::one_line(name).replace('\\', "\\\\").replace('"', "\\\"");
                format!("\"{quoted}\" <{}>", self.address)
            }
            Some(name) => format!("{} <{}>", field::encoded_words(&field::one_line(name)), self.address),
        }
    }
}

fn push(out: &mut Vec<u8>, name: &str, value: &str) {
    out.extend_from_slice(&field::print(name, value));
}

/// A field with addresses. One that is not ASCII stands as it is (RFC 6532 §3.2): encoded words can't be part of it.
fn push_addresses(out: &mut Vec<u8>, name: &str, value: &str) {
    match value.is_ascii() {
        true => push(out, name, value),
        false => out.extend_from_slice(format!("{name}: {value}\r\n").as_bytes()),
    }
}

/// The end of a header and a text.
fn push_text(out: &mut Vec<u8>, content_type: &str, text: &str) {
    let plain = text.bytes().all(|b| matches!(b, b'\r' | b'\n' | b'\t' | b' '..=b'~'))
        && text.lines().all(|line| line.len() <= 900);
    let text = text.replace("\r\n", "\n").replace('\r', "\n").replace('\n', "\r\n");
    let (encoding, body) = match plain {
        true => ("7bit", text),
        false => ("quoted-printable", quoted_printable(text.as_bytes())),
    };
    push(out, "Content-Type", content_type);
    push(out, "Content-Transfer-Encoding", encoding);
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(body.as_bytes());
    if !body.ends_with('\n') {
        out.extend_from_slice(b"\r\n");
    }
}

/// A MIME entity that a script brings (RFC 5230 §4.4): of its header, only what describes content.
fn push_entity(out: &mut Vec<u8>, entity: &str) {
    let entity = entity.replace("\r\n", "\n").replace(['\r', '\0'], "").replace('\n', "\r\n").into_bytes();
    if header::fields(&entity).any(|field| field.name.is_empty()) {
        // It has no header, so it is no entity: better a plain text than none.
        return push_text(out, PLAIN, &String::from_utf8_lossy(&entity));
    }
    let body_at = header::length(&entity);
    for field in header::fields(&entity) {
        let describes = field.name.get(..8).is_some_and(|start| start.eq_ignore_ascii_case(b"content-"));
        if describes && field.raw.is_ascii() && field.raw.ends_with(b"\r\n") {
            out.extend_from_slice(field.raw);
        }
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(entity.get(body_at..).unwrap_or_default());
    if !out.ends_with(b"\n") {
        out.extend_from_slice(b"\r\n");
    }
}
