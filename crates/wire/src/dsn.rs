//! Delivery status notifications: what a sender is told of mail that is late, did not arrive, or did where it asked to
//! be told (RFC 3461, 3464, 6522; 6533 where addresses or header are not ASCII).
//!
//! UTF-8 goes out as it is to a sender whose own address has it, and who can take it therefore. For all others the report
//! is 7-bit.

use crate::mime::transfer::quoted_printable;
use crate::smtp::{EnvelopeId, OriginalRecipient};
use base::{Address, Domain, Reply, Timestamp};

/// Octets of the original's header that are returned at most.
const HEADER_OCTETS: usize = 32 * 1024;

/// Octets of a whole message that is returned at most.
const WHOLE_OCTETS: usize = 64 * 1024;

/// Recipients that one notice names at most; of further ones it says how many they are.
pub const RECIPIENTS: usize = 100;

/// Octets of a line in a mail (RFC 5322 §2.1.1), and of a line that is folded before it.
const LINE: usize = 998;
const FOLD: usize = 900;

/// A notice to a sender.
#[derive(Clone, Debug)]
pub struct Notice<'a> {
    /// This server.
    pub host: &'a Domain,
    /// The sender: the reverse-path. Nobody is told of mail with a null one (RFC 5321 §6.1).
    pub to: &'a Address,
    /// Now.
    pub date: Timestamp,
    /// A name that no other notice has: for Message-ID and boundary.
    pub id: &'a str,
    /// When the message came.
    pub arrival: Timestamp,
    /// The trace id that this server gave the message: what an administrator searches for.
    pub trace: &'a str,
    /// ENVID (RFC 3461 §4.4).
    pub envelope_id: Option<&'a EnvelopeId>,
    /// What is said of whom; all with the same action.
    pub recipients: &'a [Recipient<'a>],
    /// What is said of all.
    pub action: Action,
    /// The message, or the first part of it.
    pub original: &'a [u8],
    /// Where in `original` the header ends.
    pub header_end: usize,
    /// Whether `original` is the whole message and the sender gets it back (RFC 3461 §4.3): RET=FULL, or a failure
    /// without RET.
    pub whole: bool,
}

/// One recipient.
#[derive(Clone, Debug)]
pub struct Recipient<'a> {
    /// Its address.
    pub address: &'a Address,
    /// ORCPT (RFC 3461 §4.2).
    pub original: Option<&'a OriginalRecipient>,
    /// The enhanced status (RFC 3463).
    pub status: (u8, u16, u16),
    /// The other server, if it was one that said no.
    pub remote: Option<&'a str>,
    /// What it said, or what we say.
    pub reply: &'a Reply,
    /// When it was tried last, where that is known.
    pub last_attempt: Option<Timestamp>,
}

/// What happened (RFC 3464 §2.3.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// It will not be delivered.
    Failed,
    /// It is late; it is tried until then.
    Delayed(Timestamp),
    /// It is in the mailbox.
    Delivered,
    /// A server has it that sends no such notices.
    Relayed,
}

/// A notice as a mail.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Composed {
    /// The mail: 7-bit, unless `smtputf8`.
    pub octets: Vec<u8>,
    /// Whether the sender's address is not ASCII, so that it needs SMTPUTF8.
    pub smtputf8: bool,
}

/// Writes a notice.
pub fn compose(notice: &Notice<'_>) -> Composed {
    let smtputf8 = notice.to.needs_utf8();
    let parts = [explanation(notice, smtputf8), status(notice, smtputf8), returned(notice, smtputf8)];
    let boundary = boundary(notice.id, &parts);
    let mut out = header(notice, &boundary);
    for part in &parts {
        out += &format!("--{boundary}\r\n{part}\r\n");
    }
    out += &format!("--{boundary}--\r\n");
    Composed { octets: out.into_bytes(), smtputf8 }
}

fn header(notice: &Notice<'_>, boundary: &str) -> String {
    let subject = match notice.action {
        Action::Failed => "Your message could not be delivered",
        Action::Delayed(_) => "Your message is late",
        Action::Delivered => "Your message was delivered",
        Action::Relayed => "Your message was passed on",
    };
    let mut out = format!(
        "From: Mail delivery <postmaster@{host}>\r\nTo: <{}>\r\nSubject: {subject}\r\nDate: {}\r\n\
         Message-ID: <{}@{host}>\r\n",
        notice.to,
        notice.date.rfc5322(),
        notice.id,
        host = notice.host,
    );
    if let Some(original) = message_id(notice) {
        out += &format!("In-Reply-To: {original}\r\nReferences: {original}\r\n");
    }
    // RFC 3834 §5: not to be answered by machines.
    out += &format!(
        "Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"{boundary}\"\r\n\r\n\
         This is a report about mail that you sent, in a form that programs can read, too.\r\n\r\n"
    );
    out
}

/// The original's Message-ID, if it is one that can be repeated.
fn message_id(notice: &Notice<'_>) -> Option<String> {
    let header = notice.original.get(..notice.header_end)?;
    let tree = crate::mime::Tree::parse(header, &base::Limits::default());
    let field = tree.fields_named("Message-ID").next()?.value();
    let value = header.get(usize::try_from(field.start).ok()?..usize::try_from(field.end).ok()?)?;
    let text = std::str::from_utf8(value).ok()?.trim();
    let sound = text.len() < 250 && text.bytes().all(|b| b.is_ascii_graphic());
    (sound && text.starts_with('<') && text.ends_with('>')).then(|| text.to_owned())
}

/// The part for people.
fn explanation(notice: &Notice<'_>, utf8: bool) -> String {
    let text = words(notice);
    let charset = if text.is_ascii() { "us-ascii" } else { "utf-8" };
    let (encoding, text) = encoded(text, utf8);
    format!(
        "Content-Type: text/plain; charset={charset}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n{text}"
    )
}

/// Text as it goes out, and in which encoding: as it is, if it is ASCII or `utf8` may go.
fn encoded(text: String, utf8: bool) -> (&'static str, String) {
    match (text.is_ascii(), utf8) {
        (true, _) => ("7bit", text),
        (false, true) => ("8bit", text),
        (false, false) => ("quoted-printable", quoted_printable(text.as_bytes())),
    }
}

fn words(notice: &Notice<'_>) -> String {
    let mut text = match notice.action {
        Action::Failed => "Your message could not be delivered to:\r\n".to_owned(),
        Action::Delayed(_) => {
            "Your message is not delivered yet. Nothing is lost, and you need not send it again.\r\n\
                               It is late for:\r\n"
                .to_owned()
        }
        Action::Delivered => "Your message is in the mailbox of:\r\n".to_owned(),
        Action::Relayed => {
            "Your message was passed on to a server that does not confirm delivery, for:\r\n".to_owned()
        }
    };
    for one in notice.recipients.iter().take(RECIPIENTS) {
        text += &format!("\r\n  {}\r\n    {}\r\n", one.address, meaning(one.status));
        if notice.action != Action::Delivered {
            let said = printable(&one.reply.to_string(), true);
            let who = one
                .remote
                .map_or("This server says".to_owned(), |name| format!("{} said", printable(name, false)));
            text += &fold(&format!("    {who}: {said}"), "      ");
        }
    }
    if let Some(more) = notice.recipients.len().checked_sub(RECIPIENTS).filter(|more| *more > 0) {
        text += &format!("\r\n  and {more} more\r\n");
    }
    text += &match notice.action {
        Action::Delayed(until) => format!("\r\nIt is tried again until {}.\r\n", until.rfc5322()),
        Action::Failed => {
            "\r\nIt is not tried again. Below is what you sent, or the top of it.\r\n".to_owned()
        }
        Action::Delivered | Action::Relayed => String::new(),
    };
    text + &format!(
        "\r\nIf you need help, write to postmaster@{} and name {}.\r\n",
        notice.host, notice.trace
    )
}

/// What a status means, for who does not read RFC 3463.
fn meaning((class, subject, detail): (u8, u16, u16)) -> &'static str {
    match (subject, detail) {
        (1, 1) | (1, 6) | (2, 1) if class == 5 => "There is no such mailbox there. Check the address.",
        (1, 2) => "The domain does not exist. Check what stands behind the @.",
        (1, 10) => "The domain takes no mail.",
        (1, _) => "Something is wrong with the address.",
        (2, 2) => "The mailbox is full.",
        (2, 3) | (3, 4) => "The message is too large for them.",
        (2, _) => "The mailbox takes no mail.",
        (3, 2) => "Their server takes no mail.",
        (3, _) => "Their mail system has a fault.",
        (4, 1) | (4, 2) => "Their server does not answer.",
        (4, 3) => "Their server could not be found.",
        (4, 4) => "There is no way to their server.",
        (4, 6) => "The message went in circles.",
        (4, 7) => "It could not be delivered in time.",
        (4, _) => "Something is wrong on the way to their server.",
        (6, 7) => "Their server takes no addresses like this one.",
        (6, _) => "Their server can't take the message in this form.",
        (7, 1) => "Their server does not want this message.",
        (7, _) => "Their rules, or ours, forbid it.",
        _ if class == 2 => "All is well.",
        _ if class == 4 => "Their server asked to try later.",
        _ => "Their server refused it.",
    }
}

/// The part for programs.
fn status(notice: &Notice<'_>, utf8: bool) -> String {
    let (kind, encoding) = match utf8 {
        true => ("message/global-delivery-status", "8bit"),
        false => ("message/delivery-status", "7bit"),
    };
    let mut out = format!("Content-Type: {kind}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n");
    if let Some(id) = notice.envelope_id {
        out += &field("Original-Envelope-Id", &printable(id.as_str(), false));
    }
    out += &field("Reporting-MTA", &format!("dns; {}", notice.host));
    out += &field("Arrival-Date", &notice.arrival.rfc5322());
    for one in notice.recipients.iter().take(RECIPIENTS) {
        out += "\r\n";
        if let Some(original) = one.original {
            out += &field("Original-Recipient", &original.field(utf8));
        }
        out += &field("Final-Recipient", &final_recipient(one.address, utf8));
        out += &field("Action", notice.action.word());
        out += &field("Status", &format!("{}.{}.{}", one.status.0, one.status.1, one.status.2));
        if let Some(remote) = one.remote {
            out += &field("Remote-MTA", &format!("dns; {}", printable(remote, false)));
            out += &field("Diagnostic-Code", &format!("smtp; {}", printable(&one.reply.to_string(), utf8)));
        }
        if let Some(date) = one.last_attempt {
            out += &field("Last-Attempt-Date", &date.rfc5322());
        }
        if let Action::Delayed(until) = notice.action {
            out += &field("Will-Retry-Until", &until.rfc5322());
        }
    }
    out
}

fn final_recipient(address: &Address, utf8: bool) -> String {
    match address.needs_utf8() {
        true => OriginalRecipient { kind: "utf-8".to_owned(), address: address.to_string() }.field(utf8),
        false => format!("rfc822; {address}"),
    }
}

impl Action {
    /// As the field Action has it.
    pub fn word(self) -> &'static str {
        match self {
            Action::Failed => "failed",
            Action::Delayed(_) => "delayed",
            Action::Delivered => "delivered",
            Action::Relayed => "relayed",
        }
    }
}

fn field(name: &str, value: &str) -> String {
    fold(&format!("{name}: {value}"), " ")
}

/// The original, or its header.
fn returned(notice: &Notice<'_>, utf8: bool) -> String {
    let header = notice.original.get(..notice.header_end).unwrap_or(notice.original);
    if notice.whole && notice.original.len() <= WHOLE_OCTETS {
        match std::str::from_utf8(notice.original) {
            Ok(text) if text.is_ascii() && is_plain(text) => {
                return format!(
                    "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 7bit\r\n\r\n{text}"
                );
            }
            Ok(text) if utf8 && !header.is_ascii() && is_plain(text) => {
                return global("message/global", text, utf8);
            }
            _ => {}
        }
    }
    let cut = match header.get(..HEADER_OCTETS) {
        None => header,
        Some(start) => {
            let end = memchr::memrchr(b'\n', start).map_or(start.len(), |at| at + 1);
            start.get(..end).unwrap_or(start)
        }
    };
    match std::str::from_utf8(cut) {
        Ok(text) if text.is_ascii() && is_plain(text) => {
            format!("Content-Type: text/rfc822-headers\r\nContent-Transfer-Encoding: 7bit\r\n\r\n{text}")
        }
        Ok(text) if !text.is_ascii() && is_plain(text) => global("message/global-headers", text, utf8),
        _ => format!(
            "Content-Type: text/rfc822-headers; charset=unknown-8bit\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n{}",
            quoted_printable(cut)
        ),
    }
}

fn global(kind: &str, text: &str, utf8: bool) -> String {
    let (encoding, text) = encoded(text.to_owned(), utf8);
    format!("Content-Type: {kind}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n{text}")
}

/// Whether text has CRLF line ends only, no NUL and no long line.
fn is_plain(text: &str) -> bool {
    let line = |line: &str| line.len() <= LINE && !line.contains(['\r', '\n', '\0']);
    text.split("\r\n").all(line)
}

/// Text without control characters; without what is not ASCII, unless `utf8`.
fn printable(text: &str, utf8: bool) -> String {
    text.chars().map(|c| if c.is_control() || !utf8 && !c.is_ascii() { '?' } else { c }).collect()
}

/// A line, broken where it gets too long: at a blank if there is one.
fn fold(line: &str, indent: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while rest.len() > FOLD {
        let mut end = FOLD;
        while !rest.is_char_boundary(end) {
            end -= 1;
        }
        let at = rest.get(..end).and_then(|head| head.rfind(' ')).filter(|at| *at > FOLD / 2).unwrap_or(end);
        let (head, tail) = rest.split_at(at);
        out += head;
        out += "\r\n";
        out += indent;
        rest = tail.trim_start();
    }
    out + rest + "\r\n"
}

/// A boundary that occurs in no part.
fn boundary(id: &str, parts: &[String]) -> String {
    let mut boundary = format!("=_{id}");
    while parts.iter().any(|part| part.contains(&boundary)) {
        boundary.push('_');
    }
    boundary
}

#[cfg(test)]
mod tests;
