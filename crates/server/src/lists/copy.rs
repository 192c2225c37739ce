//! What a list's members get: the message with the list's fields (RFC 2369, RFC 2919).

use super::address::Purpose;
use base::{Address, Limits, ReversePath};
use gate::Spooled;
use std::io;
use std::sync::Arc;
use store::lists::{List, Posters};
use store::{Spool, Store, StoreError};
use wire::mime::{HeaderFilter, Parser};

/// Octets of a message that are copied at a time.
const PIECE: u64 = 64 * 1024;

/// Octets of a field's value that are looked at.
const FIELD_OCTETS: u64 = 4096;

/// Octets of a subject that gets a tag.
const MOST_SUBJECT: usize = 800;

/// Fields of another list, which are replaced (RFC 2369 §4, RFC 2919 §4).
const OF_LISTS: [&str; 9] = [
    "List-Id",
    "List-Post",
    "List-Help",
    "List-Owner",
    "List-Subscribe",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
    "List-Archive",
    "Precedence",
];

/// Precedences of what nobody wrote by hand.
const BY_MACHINES: [&str; 4] = ["auto_reply", "bulk", "junk", "list"];

/// Fields of answers by machines from before RFC 3834.
const ANSWERS: [&str; 4] = ["X-Autoreply", "X-Autorespond", "X-Auto-Response", "X-Autoresponder"];

/// What is wrong with a message for a list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unfit {
    /// It was here before.
    Loops,
    /// A machine answers (RFC 3834 §5).
    Answers,
}

/// Says if a message must not go to a list's members.
pub fn judge(mail: &Spooled, list: &List) -> io::Result<Option<Unfit>> {
    let name = list.address.to_string();
    for value in values(mail, "Delivered-To")? {
        if value.trim().eq_ignore_ascii_case(&name) {
            return Ok(Some(Unfit::Loops));
        }
    }
    if list.style.is_group {
        return Ok(None);
    }
    for value in values(mail, "List-Id")? {
        // RFC 2919 §2: the identifier stands in angle brackets, a phrase before it.
        let id = value.rsplit_once('<').map_or(value.as_str(), |(_, id)| id);
        if id.trim().trim_end_matches('>').eq_ignore_ascii_case(&list_id(list)) {
            return Ok(Some(Unfit::Loops));
        }
    }
    let answers = |value: &String| value.trim_start().to_ascii_lowercase().starts_with("auto-replied");
    Ok(values(mail, "Auto-Submitted")?.iter().any(answers).then_some(Unfit::Answers))
}

/// Whether a machine wrote it by itself (RFC 3834 §5); older ones say so by their precedence or fields of their own.
pub fn is_by_machine(mail: &Spooled) -> io::Result<bool> {
    let word = |value: &String| value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if values(mail, "Auto-Submitted")?.iter().any(|value| word(value) != "no") {
        return Ok(true);
    }
    if values(mail, "Precedence")?.iter().any(|value| BY_MACHINES.contains(&word(value).as_str())) {
        return Ok(true);
    }
    Ok(ANSWERS.iter().any(|name| mail.tree.fields_named(name).next().is_some()))
}

/// The copy for a list's members; blocks.
pub fn make(mail: &Spooled, list: &List, store: &dyn Store) -> Result<Spooled, StoreError> {
    let failed = |error: io::Error| StoreError::Failed(error.to_string());
    let reverse_path = match list.style.is_group {
        true => mail.reverse_path.clone(),
        false => Purpose::Owner
            .address(list, store)
            .map_or_else(|| ReversePath::Address(list.address.clone()), ReversePath::Address),
    };
    let subject = match &list.style.tag {
        Some(tag) if !list.style.is_group => tagged(mail, tag).map_err(failed)?,
        _ => None,
    };
    let top = top(list, &reverse_path, subject.as_deref());
    let style = list.style.clone();
    let drops = move |name: &[u8], _: &[u8]| {
        let is = |wanted: &str| name.eq_ignore_ascii_case(wanted.as_bytes());
        is("Return-Path")
            || !style.is_group
                && (OF_LISTS.iter().any(|one| is(one))
                    || subject.is_some() && is("Subject")
                    || style.answers_to_list && is("Reply-To"))
    };
    let mut copy = Copy { spool: store.spool()?, parser: Parser::new(&Limits::default()) };
    copy.push(top.as_bytes())?;
    let mut filter = HeaderFilter::new(drops);
    let (length, mut at) = (mail.octets.len(), 0);
    while at < length {
        let (mut piece, mut passed) = (Vec::new(), Vec::new());
        let end = length.min(at + PIECE);
        mail.octets.read(at..end, &mut piece).map_err(failed)?;
        let rest = filter.push(&piece, &mut passed);
        copy.push(&passed)?;
        copy.push(rest)?;
        at = end;
    }
    let mut held = Vec::new();
    filter.finish(&mut held);
    copy.push(&held)?;
    let Copy { spool, parser } = copy;
    let (trace, octets) = (crate::random::trace_id(), spool.finish()?);
    Ok(Spooled { trace, reverse_path, octets, tree: Arc::new(parser.finish()), ..mail.clone() })
}

/// A message while it is written.
struct Copy {
    spool: Spool,
    parser: Parser,
}

impl Copy {
    fn push(&mut self, octets: &[u8]) -> Result<(), StoreError> {
        if octets.is_empty() {
            return Ok(());
        }
        self.parser.push(octets);
        self.spool.push(octets)
    }
}

/// The fields that stand before all others.
fn top(list: &List, reverse_path: &ReversePath, subject: Option<&str>) -> String {
    let Address { local, host } = &list.address;
    // Other lists replace our List-Id. This they leave, so that `judge` knows what was here before.
    let mut top = format!("Return-Path: <{reverse_path}>\r\nDelivered-To: {local}@{host}\r\n");
    if list.style.is_group {
        return top;
    }
    let own = |detail: &str| format!("<mailto:{local}+{detail}@{host}>");
    let post = match list.style.posters {
        // RFC 2369 §3.4
        Posters::Moderators => "NO".to_owned(),
        Posters::Anyone | Posters::Members => format!("<mailto:{local}@{host}>"),
    };
    let fields = [
        ("List-Id", format!("<{}>", list_id(list))),
        ("List-Post", post),
        ("List-Help", own("owner")),
        ("List-Owner", own("owner")),
        ("List-Unsubscribe", own("unsubscribe")),
        ("Precedence", "list".to_owned()),
    ];
    for (name, value) in fields {
        top += &format!("{name}: {value}\r\n");
    }
    if list.style.answers_to_list {
        top += &format!("Reply-To: <{local}@{host}>\r\n");
    }
    if let Some(subject) = subject {
        top += &format!("Subject: {subject}\r\n");
    }
    top
}

/// RFC 2919 §3: the list's name below its domain.
fn list_id(list: &List) -> String {
    format!("{}.{}", list.address.local, list.address.host)
}

/// The subject with the list's tag, unless it has it already, or would make no good line (RFC 5322 §2.1.1).
fn tagged(mail: &Spooled, tag: &str) -> io::Result<Option<String>> {
    let subject = values(mail, "Subject")?.into_iter().next().unwrap_or_default();
    let mark = format!("[{tag}]");
    let subject = subject.trim();
    let bad = |c: char| c.is_control() || c == char::REPLACEMENT_CHARACTER;
    let stays = subject.to_lowercase().contains(&mark.to_lowercase())
        || subject.contains(bad)
        || subject.len() > MOST_SUBJECT;
    Ok((!stays).then(|| format!("{mark} {subject}").trim_end().to_owned()))
}

/// The values of a field, unfolded; what is not UTF-8 in them shows as U+FFFD. Only their beginning where they are long.
fn values(mail: &Spooled, name: &str) -> io::Result<Vec<String>> {
    let mut values = Vec::new();
    for field in mail.tree.fields_named(name) {
        let range = field.value();
        let (mut value, end) = (Vec::new(), range.end.min(range.start + FIELD_OCTETS));
        mail.octets.read(range.start..end, &mut value)?;
        let unfolded = wire::mime::header::unfold(&value).into_owned();
        values.push(String::from_utf8_lossy(&unfolded).trim_end_matches(['\r', '\n']).to_owned());
    }
    Ok(values)
}
