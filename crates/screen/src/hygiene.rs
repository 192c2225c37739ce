//! What every mail server must see to, whatever the content: loops, headers without bounds, one author.

use base::{BoxFuture, Reply};
use gate::{Check, Content, ContentEvidence, Finding, Item, Origin, Unsure, Verdict};
use std::future::ready;
use wire::mime::NoteKind;

/// A check that can always decide, since all it looks at is in the message: a plain function.
pub struct Sure<F> {
    item: Item,
    judge: F,
}

/// Makes one of a function.
pub fn sure<F>(item: Item, judge: F) -> Box<dyn Check<Content>>
where
    F: Fn(&ContentEvidence<'_>) -> Verdict + Send + Sync + 'static,
{
    Box::new(Sure { item, judge })
}

impl<F: Fn(&ContentEvidence<'_>) -> Verdict + Send + Sync> Check<Content> for Sure<F> {
    fn item(&self) -> Item {
        self.item
    }

    fn if_unsure(&self) -> Verdict {
        Verdict::Pass
    }

    fn judge<'a>(&'a self, asked: &'a ContentEvidence<'_>) -> BoxFuture<'a, Result<Verdict, Unsure>> {
        Box::pin(ready(Ok((self.judge)(asked))))
    }
}

/// A message that went through too many hands is taken to loop (RFC 5321 §6.3): `most` Received fields, ours included,
/// are still all right.
pub fn no_loop(asked: &ContentEvidence<'_>, most: usize) -> Verdict {
    let hops = asked.mail.tree.fields_named("Received").count();
    match hops > most {
        true => refuse(format!("{hops} Received fields"), Reply::new(554, (5, 4, 6), "Mail loop detected")),
        false => Verdict::Pass,
    }
}

/// A header that goes past our bounds was not wholly read, so nothing further can be said of it.
pub fn header_size(asked: &ContentEvidence<'_>) -> Verdict {
    match asked.mail.tree.header_is_whole() {
        true => Verdict::Pass,
        false => refuse("header too large".into(), Reply::new(552, (5, 3, 4), "Message header is too large")),
    }
}

/// A header is made of lines that end with CRLF. Only BINARYMIME lets a bare CR, a bare LF or a NUL come this far
/// (RFC 3030 §3 has no rule for headers), and readers differ in what they take for a field then.
pub fn header_lines(asked: &ContentEvidence<'_>) -> Verdict {
    let tree = &asked.mail.tree;
    let end = tree.root().header().end;
    let odd = tree.notes().iter().find(|note| {
        matches!(note.kind, NoteKind::BareCr | NoteKind::BareLf | NoteKind::Nul) && note.at < end
    });
    odd.map_or(Verdict::Pass, |note| {
        let reply = Reply::new(550, (5, 6, 0), "Malformed message header");
        refuse(format!("{:?} in the header", note.kind), reply)
    })
}

/// A message has one From field (RFC 5322 §3.6): with two, one may be verified and the other shown. Mail from our
/// own accounts must have it; mail from outside without any is only noted, since old mail is like that.
pub fn one_from(asked: &ContentEvidence<'_>) -> Verdict {
    match asked.mail.tree.fields_named("From").count() {
        1 => Verdict::Pass,
        0 if asked.origin == Origin::Submission => {
            refuse("no From".into(), Reply::new(550, (5, 6, 0), "The message has no From field"))
        }
        0 => Verdict::Note(Finding::note(Item::Identity, "no From")),
        many => refuse(format!("{many} From fields"), Reply::new(550, (5, 6, 0), "More than one From field")),
    }
}

fn refuse(what: String, reply: Reply) -> Verdict {
    Verdict::Refuse(Finding::new(Item::Hygiene, what, reply))
}
