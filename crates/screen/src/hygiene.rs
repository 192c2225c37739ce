//! What every mail server must see to, whatever the content: loops, headers without bounds, one author.

use base::{BoxFuture, Reply};
use gate::{Check, Content, ContentEvidence, Finding, Item, Origin, Unsure, Verdict};
use std::future::ready;
use wire::mime::NoteKind;

type Judged<'a> = BoxFuture<'a, Result<Verdict, Unsure>>;

/// A message that went through too many hands is taken to loop (RFC 5321 §6.3).
pub struct Loop {
    /// `Received` fields that are still all right, ours included.
    pub most: usize,
}

impl Check<Content> for Loop {
    fn item(&self) -> Item {
        Item::Hygiene
    }

    fn if_unsure(&self) -> Verdict {
        Verdict::Pass
    }

    fn judge<'a>(&'a self, asked: &'a ContentEvidence<'_>) -> Judged<'a> {
        let hops = asked.mail.tree.fields_named("Received").count();
        let verdict = match hops > self.most {
            true => {
                refuse(format!("{hops} Received fields"), Reply::new(554, (5, 4, 6), "Mail loop detected"))
            }
            false => Verdict::Pass,
        };
        Box::pin(ready(Ok(verdict)))
    }
}

/// A header that goes past our bounds was not wholly read, so nothing further can be said of it.
pub struct HeaderSize;

impl Check<Content> for HeaderSize {
    fn item(&self) -> Item {
        Item::Hygiene
    }

    fn if_unsure(&self) -> Verdict {
        Verdict::Pass
    }

    fn judge<'a>(&'a self, asked: &'a ContentEvidence<'_>) -> Judged<'a> {
        let tree = &asked.mail.tree;
        let verdict = match tree.has_note(NoteKind::HeaderTooLong) || tree.has_note(NoteKind::TooManyFields) {
            true => {
                refuse("header too large".into(), Reply::new(552, (5, 3, 4), "Message header is too large"))
            }
            false => Verdict::Pass,
        };
        Box::pin(ready(Ok(verdict)))
    }
}

/// A header is made of lines that end with CRLF. Only BINARYMIME lets a bare CR, a bare LF or a NUL come this far
/// (RFC 3030 §3 has no rule for headers), and readers differ in what they take for a field then.
pub struct HeaderLines;

impl Check<Content> for HeaderLines {
    fn item(&self) -> Item {
        Item::Hygiene
    }

    fn if_unsure(&self) -> Verdict {
        Verdict::Pass
    }

    fn judge<'a>(&'a self, asked: &'a ContentEvidence<'_>) -> Judged<'a> {
        let tree = &asked.mail.tree;
        let end = tree.root().header().end;
        let odd = tree.notes().iter().find(|note| {
            matches!(note.kind, NoteKind::BareCr | NoteKind::BareLf | NoteKind::Nul) && note.at < end
        });
        let verdict = odd.map_or(Verdict::Pass, |note| {
            refuse(
                format!("{:?} in the header", note.kind),
                Reply::new(550, (5, 6, 0), "Malformed message header"),
            )
        });
        Box::pin(ready(Ok(verdict)))
    }
}

/// A message has one From field (RFC 5322 §3.6): with two, one may be verified and the other shown. Mail from our
/// own accounts must have it; mail from outside without any is only noted, since old mail is like that.
pub struct OneFrom;

impl Check<Content> for OneFrom {
    fn item(&self) -> Item {
        Item::Identity
    }

    fn if_unsure(&self) -> Verdict {
        Verdict::Pass
    }

    fn judge<'a>(&'a self, asked: &'a ContentEvidence<'_>) -> Judged<'a> {
        let verdict = match asked.mail.tree.fields_named("From").count() {
            1 => Verdict::Pass,
            0 if asked.origin == Origin::Submission => {
                refuse("no From".into(), Reply::new(550, (5, 6, 0), "The message has no From field"))
            }
            0 => Verdict::Note(Finding::note(Item::Identity, "no From")),
            many => {
                refuse(format!("{many} From fields"), Reply::new(550, (5, 6, 0), "More than one From field"))
            }
        };
        Box::pin(ready(Ok(verdict)))
    }
}

fn refuse(what: String, reply: Reply) -> Verdict {
    Verdict::Refuse(Finding::new(Item::Hygiene, what, reply))
}
