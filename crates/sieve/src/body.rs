//! The body as `body` tests see it (RFC 5173). Each part is decoded at most once.

use crate::Limits;
use crate::compare::Value;
use base::Octets;
use std::cell::{Cell, OnceCell};
use std::io;
use std::ops::Range;
use wire::mime::{Decoder, Encoding, Kind, Part, PartId, Tree, charset, html_text};

/// A message's body.
pub(crate) struct BodyView<'a> {
    tree: &'a Tree,
    raw: &'a dyn Octets,
    limits: &'a Limits,
    /// Octets of `Limits::body_octets` that are left for each of the two ways of looking at parts.
    left_for_text: Cell<usize>,
    left_for_content: Cell<usize>,
    undecoded: OnceCell<Vec<Value>>,
    text: OnceCell<Vec<Value>>,
    /// What each part shows to `:content`.
    parts: Vec<OnceCell<Vec<Value>>>,
}

impl<'a> BodyView<'a> {
    pub(crate) fn new(tree: &'a Tree, raw: &'a dyn Octets, limits: &'a Limits) -> Self {
        BodyView {
            tree,
            raw,
            limits,
            left_for_text: Cell::new(limits.body_octets),
            left_for_content: Cell::new(limits.body_octets),
            undecoded: OnceCell::new(),
            text: OnceCell::new(),
            parts: tree.parts().iter().map(|_| OnceCell::new()).collect(),
        }
    }

    /// The body as it stands (§5.1).
    ///
    /// # Errors
    /// Those of reading the message, as for the others.
    pub(crate) fn undecoded(&self) -> io::Result<&[Value]> {
        cached(&self.undecoded, || {
            let octets = self.read(self.tree.root().body(), &Cell::new(self.limits.body_octets))?;
            Ok(vec![Value::new(charset::guess(&octets))])
        })
    }

    /// The text of the text parts, tags taken off HTML (§5.3).
    pub(crate) fn text(&self) -> io::Result<&[Value]> {
        cached(&self.text, || {
            let mut texts = Vec::new();
            for part in self.tree.parts() {
                // A multipart that could not be taken apart is shown as text.
                let shown = part.content_type.kind == "text" || part.content_type.kind == "multipart";
                if part.kind == Kind::Leaf && shown {
                    let text = self.decoded(part, &self.left_for_text)?;
                    let is_html = part.content_type.is("text", "html");
                    texts.push(Value::new(if is_html { html_text(&text) } else { text }));
                }
            }
            Ok(texts)
        })
    }

    /// The parts of a content type (§5.2): `type/subtype`, `type`, or nothing for all.
    pub(crate) fn parts_of_type(&self, wanted: &str) -> impl Iterator<Item = PartId> {
        let wanted = wanted.to_ascii_lowercase();
        let fits = move |part: &Part| {
            let declared = &part.content_type;
            match wanted.split_once('/') {
                Some((kind, subtype)) => {
                    declared.kind == kind && declared.subtype == subtype && !subtype.is_empty()
                }
                None => wanted.is_empty() || declared.kind == wanted,
            }
        };
        self.tree.iter().filter(move |(_, part)| fits(part)).map(|(id, _)| id)
    }

    /// What `:content` looks at in one part.
    pub(crate) fn content(&self, id: PartId) -> io::Result<&[Value]> {
        let (Some(part), Some(cell)) = (self.tree.get(id), self.parts.get(id.0 as usize)) else {
            return Ok(&[]);
        };
        cached(cell, || match part.kind {
            Kind::Leaf => Ok(vec![Value::new(self.decoded(part, &self.left_for_content)?)]),
            Kind::Message => {
                let header = self.tree.embedded(id).and_then(|id| self.tree.get(id)).map(Part::header);
                let octets = header
                    .map(|range| self.read(range, &self.left_for_content))
                    .transpose()?
                    .unwrap_or_default();
                Ok(vec![Value::new(charset::guess(&octets))])
            }
            Kind::Multipart => self.between(id, part),
        })
    }

    /// Prologue and epilogue of a multipart, the delimiter lines left out.
    fn between(&self, id: PartId, part: &Part) -> io::Result<Vec<Value>> {
        let children: Vec<&Part> = self.tree.children(id).filter_map(|child| self.tree.get(child)).collect();
        let body = part.body();
        let first = children.first().map_or(body.end, |child| child.whole().start);
        let last = children.last().map_or(body.end, |child| child.whole().end);
        let prologue = self.read(body.start..first, &self.left_for_content)?;
        let epilogue = self.read(last..body.end, &self.left_for_content)?;
        let boundary = format!("--{}", part.content_type.get("boundary").unwrap_or_default()).into_bytes();
        let is_delimiter = |line: &[u8]| line.starts_with(&boundary);
        let lines = |octets: &[u8]| -> Vec<u8> {
            octets
                .split_inclusive(|b| *b == b'\n')
                .filter(|line| !is_delimiter(line))
                .flatten()
                .copied()
                .collect()
        };
        Ok([prologue, epilogue].iter().map(|octets| Value::new(charset::guess(&lines(octets)))).collect())
    }

    fn decoded(&self, part: &Part, left: &Cell<usize>) -> io::Result<String> {
        let raw = self.read(part.body(), left)?;
        let mut out = Vec::new();
        let is_text = part.content_type.kind == "text";
        let mut decoder =
            Decoder::new(if part.kind == Kind::Leaf { part.encoding } else { Encoding::Identity });
        decoder.push(&raw, &mut out);
        decoder.finish(&mut out);
        let label = part.content_type.get("charset").filter(|_| is_text);
        Ok(charset::to_utf8(label, &out))
    }

    /// The beginning of a range, as much as is looked at.
    fn read(&self, range: Range<u64>, left: &Cell<usize>) -> io::Result<Vec<u8>> {
        let most = self.limits.part_octets.min(left.get());
        let end = range.end.min(range.start.saturating_add(most as u64)).max(range.start);
        let mut out = Vec::new();
        self.raw.read(range.start..end, &mut out)?;
        left.set(left.get().saturating_sub(out.len()));
        Ok(out)
    }
}

fn cached(
    cell: &OnceCell<Vec<Value>>,
    make: impl FnOnce() -> io::Result<Vec<Value>>,
) -> io::Result<&[Value]> {
    if cell.get().is_none() {
        let _ = cell.set(make()?);
    }
    Ok(cell.get().map_or(&[], Vec::as_slice))
}
