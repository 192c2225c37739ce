//! The base subject, by which IMAP sorts and threads (RFC 5256 §2.1).

use super::word;
use std::borrow::Cow;

/// A subject without the marks of replies and forwards.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BaseSubject {
    /// What is left, case kept. Compare it folded by [`super::casemap`].
    pub text: String,
    /// Whether a mark of a reply or a forward was taken off (RFC 5256 §3).
    pub is_reply_or_forward: bool,
}

/// The base subject of a Subject field's value.
pub fn base(value: &[u8]) -> BaseSubject {
    // Step 1.
    let decoded = word::decode(value);
    let spaced: Cow<'_, str> = decoded
        .split(|c: char| c.is_ascii_whitespace())
        .filter(|w| !w.is_empty())
        .fold(Cow::Owned(String::with_capacity(decoded.len())), |mut all, word| {
            if !all.is_empty() {
                all.to_mut().push(' ');
            }
            all.to_mut().push_str(word);
            all
        });
    let mut rest: &str = &spaced;
    let mut is_reply_or_forward = false;
    loop {
        rest = without_trailers(rest, &mut is_reply_or_forward);
        rest = without_leaders(rest, &mut is_reply_or_forward);
        // Step 6.
        let forwarded = prefix(rest, "[fwd:").and_then(|inner| inner.strip_suffix(']'));
        let Some(inner) = forwarded else { break };
        is_reply_or_forward = true;
        rest = inner;
    }
    BaseSubject { text: rest.to_owned(), is_reply_or_forward }
}

/// Step 2.
fn without_trailers<'a>(text: &'a str, found: &mut bool) -> &'a str {
    let mut rest = text.trim_end();
    while let Some(at) = rest.len().checked_sub(5)
        && rest.get(at..).is_some_and(|end| end.eq_ignore_ascii_case("(fwd)"))
    {
        *found = true;
        rest = rest[..at].trim_end();
    }
    rest
}

/// Steps 3 to 5.
fn without_leaders<'a>(text: &'a str, found: &mut bool) -> &'a str {
    let mut rest = text.trim_start();
    loop {
        // All blobs at the beginning, and the place of the last one.
        let (mut after, mut last) = (rest, rest);
        while let Some(more) = blob(after) {
            (last, after) = (after, more);
        }
        if let Some(more) = reply_mark(after) {
            *found = true;
            rest = more.trim_start();
        } else if after.is_empty() {
            return last;
        } else {
            return after;
        }
    }
}

/// subj-blob: `[…]` and blanks.
fn blob(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('[')?;
    let end = inner.find(['[', ']'])?;
    inner[end..].strip_prefix(']').map(str::trim_start)
}

/// subj-refwd: `Re:`, `Fw:`, `Fwd:`, with blanks and a blob before the colon.
fn reply_mark(text: &str) -> Option<&str> {
    let rest = ["re", "fwd", "fw"].iter().find_map(|mark| prefix(text, mark))?;
    let rest = rest.trim_start();
    blob(rest).unwrap_or(rest).strip_prefix(':')
}

fn prefix<'a>(text: &'a str, start: &str) -> Option<&'a str> {
    let head = text.get(..start.len())?;
    head.eq_ignore_ascii_case(start).then(|| &text[start.len()..])
}
