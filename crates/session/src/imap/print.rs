//! What the session prints on top of [`wire::imap::print`].

use base::mailbox::Changed;
use base::{Flag, Keyword, Rights, Uid};
pub(super) use wire::imap::print::*;

/// What a FETCH response that nobody asked for holds beside the flags.
#[derive(Clone, Copy)]
pub(super) struct Unsolicited {
    pub(super) uid: bool,
    pub(super) modseq: bool,
    /// UIDFETCH instead (RFC 9586 §3.3).
    pub(super) uid_only: bool,
}

/// Appends `* n FETCH (`, or `* uid UIDFETCH (`.
pub(super) fn begin_fetch(out: &mut Vec<u8>, sequence: u32, uid: Uid, uid_only: bool) {
    out.extend_from_slice(b"* ");
    let (number, name): (u32, &[u8]) =
        if uid_only { (uid.0, b" UIDFETCH (") } else { (sequence, b" FETCH (") };
    self::number(out, u64::from(number));
    out.extend_from_slice(name);
}

/// Appends `* ESEARCH (TAG "…")`, and ` UID` where the numbers are UIDs (RFC 9051 §7.3.4).
pub(super) fn begin_esearch(out: &mut Vec<u8>, tag: &str, uid: bool) {
    out.extend_from_slice(b"* ESEARCH (TAG ");
    string(out, tag.as_bytes());
    out.extend_from_slice(if uid { b") UID" } else { b")" });
}

/// Appends `* n FETCH (FLAGS (…))`.
pub(super) fn flags_changed(
    out: &mut Vec<u8>,
    sequence: u32,
    entry: &Changed,
    recent: bool,
    with: Unsolicited,
) {
    begin_fetch(out, sequence, entry.uid, with.uid_only);
    if with.uid && !with.uid_only {
        out.extend_from_slice(b"UID ");
        number(out, u64::from(entry.uid.0));
        out.push(b' ');
    }
    if with.modseq {
        out.extend_from_slice(b"MODSEQ (");
        number(out, entry.modseq.0);
        out.extend_from_slice(b") ");
    }
    out.extend_from_slice(b"FLAGS ");
    flags(out, &entry.flags, recent.then_some("\\Recent"));
    out.extend_from_slice(b")\r\n");
}

/// Appends all system flags and these keywords, without parentheses.
pub(super) fn flag_names(out: &mut Vec<u8>, keywords: &[Keyword]) {
    let system = Flag::ALL.iter().map(|(_, name)| *name);
    for (place, name) in system.chain(keywords.iter().map(Keyword::as_str)).enumerate() {
        if place > 0 {
            out.push(b' ');
        }
        out.extend_from_slice(name.as_bytes());
    }
}

/// Appends the flags that may be changed with these rights, a whole line (RFC 4314 §5.1.1).
pub(super) fn permanent_flags(out: &mut Vec<u8>, rights: Rights, keywords: &[Keyword]) {
    let needs = |flag: Flag| match flag {
        Flag::Seen => Rights::SEEN,
        Flag::Deleted => Rights::DELETE,
        _ => Rights::WRITE,
    };
    let system = Flag::ALL.iter().filter(|(flag, _)| rights.has(needs(*flag))).map(|(_, name)| *name);
    let others = keywords.iter().map(Keyword::as_str).chain(["\\*"]).filter(|_| rights.has(Rights::WRITE));
    out.extend_from_slice(b"* OK [PERMANENTFLAGS (");
    for (place, name) in system.chain(others).enumerate() {
        if place > 0 {
            out.push(b' ');
        }
        out.extend_from_slice(name.as_bytes());
    }
    out.extend_from_slice(b")] flags that can be kept\r\n");
}
