//! The message's header as a script sees and changes it. Each field is decoded at most once.

use crate::compare::Value;
use crate::program::{AddressPart, Index};
use base::address::Host;
use base::{Address, Octets};
use std::borrow::Cow;
use std::cell::OnceCell;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use wire::mime::{Tree, address, word};

/// A header, with what the script changed (RFC 5293).
pub(crate) struct HeaderView<'a> {
    fields: Vec<HeaderField<'a>>,
    /// The octets of the fields that the tree lists.
    octets: Cow<'a, [u8]>,
    /// What of the header follows them: the blank line, and fields beyond our bounds.
    tail: Range<u64>,
    raw: &'a dyn Octets,
    /// The changed header, made when an action needs it.
    printed: Option<Arc<[u8]>>,
    changed: bool,
}

pub(crate) struct HeaderField<'a> {
    /// Lower case; empty for a line that is no field.
    name: Cow<'a, str>,
    /// The whole field, in the header's octets or added.
    raw: RawField,
    /// Where its value lies in `raw`.
    value: Range<usize>,
    text: OnceCell<Value>,
    addresses: OnceCell<Vec<Mailbox>>,
}

enum RawField {
    At(Range<usize>),
    Added(Vec<u8>),
}

/// A mailbox, its parts ready to be compared.
pub(crate) struct Mailbox {
    all: Value,
    local: Value,
    domain: Value,
    user: Value,
    detail: Option<Value>,
}

impl Mailbox {
    pub(crate) fn new(local: &str, domain: &str) -> Self {
        let (user, detail) = match local.split_once('+') {
            Some((user, detail)) => (user, Some(detail)),
            None => (local, None),
        };
        let all = if domain.is_empty() { local.to_owned() } else { format!("{local}@{domain}") };
        Mailbox {
            all: Value::new(all),
            local: Value::new(local),
            domain: Value::new(domain),
            user: Value::new(user),
            detail: detail.map(Value::new),
        }
    }

    /// The null path: empty, and so are its parts.
    pub(crate) fn null() -> Self {
        Mailbox { detail: Some(Value::default()), ..Mailbox::new("", "") }
    }

    /// Whether it is the null path.
    pub(crate) fn is_null(&self) -> bool {
        self.all.as_str().is_empty()
    }

    /// Whether this is an address of ours: case does not count.
    pub(crate) fn is(&self, address: &Address) -> bool {
        self.local.as_str().eq_ignore_ascii_case(address.local.as_str())
            && match Host::parse(self.domain.as_str()) {
                Ok(host) => host == address.host,
                Err(_) => false,
            }
    }

    /// A part, if it has that.
    pub(crate) fn part(&self, part: AddressPart) -> Option<&Value> {
        match part {
            AddressPart::All => Some(&self.all),
            AddressPart::Local => Some(&self.local),
            AddressPart::Domain => Some(&self.domain),
            AddressPart::User => Some(&self.user),
            // RFC 5233 §4: without a separator there is no detail, not even an empty one.
            AddressPart::Detail => self.detail.as_ref(),
        }
    }
}

impl HeaderField<'_> {
    /// Lower case.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

impl<'a> HeaderView<'a> {
    /// # Errors
    /// Those of reading `raw`.
    pub(crate) fn read(tree: &'a Tree, raw: &'a dyn Octets) -> io::Result<Self> {
        let header = tree.root().header();
        let start = header.start;
        let end = tree.fields().last().map_or(start, |field| field.whole().end);
        let local = |range: Range<u64>| to_usize(range.start - start)..to_usize(range.end - start);
        let octets = match raw.as_slice().and_then(|all| all.get(to_usize(start)..to_usize(end))) {
            Some(slice) => Cow::Borrowed(slice),
            None => {
                let mut octets = Vec::new();
                raw.read(start..end, &mut octets)?;
                Cow::Owned(octets)
            }
        };
        let field = |field: &'a wire::mime::Field| {
            let whole = local(field.whole());
            let value = local(field.value());
            HeaderField {
                name: Cow::Borrowed(&*field.name),
                value: value.start - whole.start..value.end - whole.start,
                raw: RawField::At(whole),
                text: OnceCell::new(),
                addresses: OnceCell::new(),
            }
        };
        let fields = tree.fields().iter().map(field).collect();
        Ok(HeaderView { fields, octets, tail: end..header.end, raw, printed: None, changed: false })
    }

    /// The fields of a name, which is in lower case.
    pub(crate) fn named<'s>(&'s self, name: &'s str) -> impl DoubleEndedIterator<Item = &'s HeaderField<'a>> {
        self.fields.iter().filter(move |field| *field.name == *name)
    }

    /// How many fields there are.
    pub(crate) fn len(&self) -> usize {
        self.fields.len()
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.named(name).next().is_some()
    }

    /// The fields of some names, in their order, or the one of them that an index means (RFC 5260 §6).
    pub(crate) fn select<'s>(
        &'s self,
        names: &'s [Cow<'s, str>],
        index: Option<Index>,
    ) -> Vec<&'s HeaderField<'a>> {
        let all: Vec<_> = names.iter().flat_map(|name| self.named(name)).collect();
        let Some(index) = index else { return all };
        pick(all.len(), index).and_then(|at| all.get(at)).copied().into_iter().collect()
    }

    /// The value's text: unfolded, trimmed, encoded words undone (RFC 5228 §2.4.2.2).
    pub(crate) fn text<'s>(&'s self, field: &'s HeaderField<'a>) -> &'s Value {
        field.text.get_or_init(|| Value::new(word::decode(self.value(field))))
    }

    /// The mailboxes in the value.
    pub(crate) fn mailboxes<'s>(&'s self, field: &'s HeaderField<'a>) -> &'s [Mailbox] {
        field.addresses.get_or_init(|| {
            let plain = |octets: &[u8]| wire::mime::charset::guess(octets);
            address::mailboxes(self.value(field))
                .iter()
                .map(|m| Mailbox::new(&plain(&m.local), &plain(&m.host)))
                .collect()
        })
    }

    /// The first field of a name, decoded.
    pub(crate) fn first_text<'s>(&'s self, name: &'s str) -> Option<&'s str> {
        self.named(name).next().map(|field| self.text(field).as_str())
    }

    fn value<'s>(&'s self, field: &'s HeaderField<'a>) -> &'s [u8] {
        self.octets_of(field).get(field.value.clone()).unwrap_or_default()
    }

    fn octets_of<'s>(&'s self, field: &'s HeaderField<'a>) -> &'s [u8] {
        match &field.raw {
            RawField::At(range) => self.octets.get(range.clone()).unwrap_or_default(),
            RawField::Added(octets) => octets,
        }
    }

    /// Adds a field at the top, or at the bottom; `raw` is the whole field with its line end.
    pub(crate) fn add(&mut self, name: &str, raw: Vec<u8>, last: bool) {
        let value = name.len() + 1..raw.len().saturating_sub(2);
        let field = HeaderField {
            name: Cow::Owned(name.to_ascii_lowercase()),
            value,
            raw: RawField::Added(raw),
            text: OnceCell::new(),
            addresses: OnceCell::new(),
        };
        let at = if last { self.fields.len() } else { 0 };
        self.fields.insert(at, field);
        self.touch();
    }

    /// Removes the fields of a name, or the one that an index means, of which `each` says so, in their order; gives how
    /// many.
    pub(crate) fn delete(
        &mut self,
        name: &str,
        index: Option<Index>,
        mut each: impl FnMut() -> bool,
    ) -> usize {
        let places: Vec<usize> =
            (0..self.fields.len()).filter(|at| *self.fields[*at].name == *name).collect();
        let chosen: Vec<usize> = match index {
            Some(index) => pick(places.len(), index).map(|at| places[at]).into_iter().collect(),
            None => places,
        };
        let doomed: Vec<usize> = chosen.into_iter().filter(|_| each()).collect();
        for at in doomed.iter().rev() {
            self.fields.remove(*at);
        }
        if !doomed.is_empty() {
            self.touch();
        }
        doomed.len()
    }

    fn touch(&mut self) {
        self.changed = true;
        self.printed = None;
    }

    /// The changed header with its blank line; `None` if nothing was changed.
    ///
    /// # Errors
    /// Those of reading the message.
    pub(crate) fn printed(&mut self) -> io::Result<Option<Arc<[u8]>>> {
        if !self.changed {
            return Ok(None);
        }
        if self.printed.is_none() {
            let mut out = Vec::with_capacity(self.octets.len());
            for field in &self.fields {
                out.extend_from_slice(self.octets_of(field));
                // A header that ends with the message may lack its last line end.
                if !out.ends_with(b"\n") {
                    out.extend_from_slice(b"\r\n");
                }
            }
            let before = out.len();
            self.raw.read(self.tail.clone(), &mut out)?;
            if out.len() == before {
                out.extend_from_slice(b"\r\n");
            }
            self.printed = Some(out.into());
        }
        Ok(self.printed.clone())
    }
}

/// Which of `count` things an index means.
fn pick(count: usize, index: Index) -> Option<usize> {
    let number = usize::try_from(index.number).ok()?;
    if index.last {
        count.checked_sub(number).filter(|_| number > 0)
    } else {
        number.checked_sub(1).filter(|at| *at < count)
    }
}

fn to_usize(n: u64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}
