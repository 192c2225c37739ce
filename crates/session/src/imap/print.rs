//! What the session prints on top of [`wire::imap::print`].

use base::mailbox::Changed;
use base::{Flag, Keyword};
pub(super) use wire::imap::print::*;

/// What a FETCH response that nobody asked for holds beside the flags.
#[derive(Clone, Copy)]
pub(super) struct Unsolicited {
    pub(super) uid: bool,
    pub(super) modseq: bool,
}

/// Appends `* n FETCH (FLAGS (…))`.
pub(super) fn flags_changed(
    out: &mut Vec<u8>,
    sequence: u32,
    entry: &Changed,
    recent: bool,
    with: Unsolicited,
) {
    out.extend_from_slice(b"* ");
    number(out, u64::from(sequence));
    out.extend_from_slice(b" FETCH (");
    if with.uid {
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
