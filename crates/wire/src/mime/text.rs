//! The text of a message, for searching and indexing.

use super::transfer::{Decoder, Encoding};
use super::tree::{Kind, Part, PartId, Tree, for_each_chunk};
use super::{charset, header, word};
use base::Octets;
use std::io;

/// Octets of text that [`search_text`] gives at most.
pub const SEARCH_TEXT_OCTETS: usize = 32 * 1024 * 1024;

/// Characters of a [`preview`] (RFC 8970 §3.2 allows 256 and advises 200).
pub const PREVIEW_CHARACTERS: usize = 200;

/// Octets of a part that a preview is taken from: enough for the style sheets that stand before the words.
const PREVIEW_OCTETS: usize = 64 * 1024;

/// Parts that are looked at for a preview.
const PREVIEW_PARTS: usize = 5;

/// The text that SEARCH BODY looks into: that of all text parts, decoded, tags taken off HTML, and the decoded
/// headers of embedded messages. Parts are separated by a line end. At most [`SEARCH_TEXT_OCTETS`].
///
/// # Errors
/// Those of reading `raw`, the message's octets.
pub fn search_text(tree: &Tree, raw: &dyn Octets) -> io::Result<String> {
    let mut out = String::new();
    let mut octets = Vec::new();
    for (id, part) in tree.iter() {
        if out.len() >= SEARCH_TEXT_OCTETS {
            break;
        }
        octets.clear();
        if id != PartId::ROOT && tree.is_message(id) {
            raw.read(part.header(), &mut octets)?;
            push_bounded(&mut out, &header_text(&octets));
        }
        if is_text(part) {
            push_bounded(&mut out, &shown(part, raw, SEARCH_TEXT_OCTETS)?);
        }
    }
    Ok(out)
}

/// The beginning of what a message says, on one line (RFC 8970 §5): the first text part that has any words in it,
/// tags taken off HTML. At most [`PREVIEW_CHARACTERS`]; empty where there is none.
///
/// # Errors
/// Those of reading `raw`, the message's octets.
pub fn preview(tree: &Tree, raw: &dyn Octets) -> io::Result<String> {
    for (_, part) in
        tree.iter().filter(|(_, part)| is_text(part) && !part.is_attachment()).take(PREVIEW_PARTS)
    {
        let text = shown(part, raw, PREVIEW_OCTETS)?;
        let mut out = String::new();
        for word in text.split(|c: char| c.is_whitespace() || c.is_control() || c == '\u{fffd}') {
            // What joins letters is shown between them only.
            let visible: String = word.chars().filter(|c| !is_unseen(*c)).collect();
            let visible = visible.trim_matches(['\u{200c}', '\u{200d}']);
            if !visible.is_empty() && !out.is_empty() {
                out.push(' ');
            }
            out.push_str(visible);
        }
        if !out.is_empty() {
            return Ok(out.chars().take(PREVIEW_CHARACTERS).collect());
        }
    }
    Ok(String::new())
}

/// Characters that are not seen, or that turn the direction of what follows: in a list of messages they would pad, or
/// write over what stands beside them.
fn is_unseen(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// Whether a part is shown as text: one of type text, or a multipart that could not be taken apart.
fn is_text(part: &Part) -> bool {
    part.kind == Kind::Leaf && (part.content_type.kind == "text" || part.content_type.kind == "multipart")
}

/// A text part's text, of about the first `most` octets, tags taken off HTML.
fn shown(part: &Part, raw: &dyn Octets, most: usize) -> io::Result<String> {
    let mut octets = Vec::new();
    let mut decoder =
        Decoder::new(if part.content_type.kind == "text" { part.encoding } else { Encoding::Identity });
    for_each_chunk(raw, part.body(), |chunk| {
        decoder.push(chunk, &mut octets);
        octets.len() < most
    })?;
    decoder.finish(&mut octets);
    let is_cut = octets.len() >= most;
    octets.truncate(most);
    if is_cut
        && let Err(error) = std::str::from_utf8(&octets)
        && error.error_len().is_none()
    {
        // Half a character at the end would have all of it taken for another charset.
        octets.truncate(error.valid_up_to());
    }
    let text = charset::to_utf8(part.content_type.get("charset"), &octets);
    Ok(if part.content_type.is("text", "html") { without_tags(&text, is_cut) } else { text })
}

/// A header as text: a line a field, unfolded, encoded words undone. What SEARCH TEXT looks into besides the body.
pub fn header_text(header: &[u8]) -> String {
    let mut out = String::with_capacity(header.len());
    for field in header::fields(header) {
        if !field.name.is_empty() {
            out.push_str(&charset::guess(field.name));
            out.push_str(": ");
        }
        out.push_str(&word::decode(field.value));
        out.push('\n');
    }
    out
}

fn push_bounded(out: &mut String, text: &str) {
    let room = SEARCH_TEXT_OCTETS.saturating_sub(out.len());
    let mut end = text.len().min(room);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    out.push_str(&text[..end]);
    out.push('\n');
}

/// HTML as text, crudely: tags and comments go, a tag that breaks the line leaves a blank, scripts and style sheets go
/// with their content, character references are undone.
pub fn html_text(html: &str) -> String {
    without_tags(html, false)
}

/// [`html_text`]; where the end `is_cut` off, what has no end may have had one there.
fn without_tags(html: &str, is_cut: bool) -> String {
    let mut out = String::with_capacity(html.len());
    let mut ends = Ends::default();
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        references(&rest[..at], &mut out);
        let tag = &rest[at..];
        let foreign = |c: char| !c.is_ascii_alphanumeric() && c != '/' && c != '!';
        let name_end = tag[1..].find(foreign).map_or(tag.len(), |n| n + 1);
        if name_end == 1 {
            // A `<` that begins no tag.
            out.push('<');
            rest = &tag[1..];
            continue;
        }
        let name = tag[1..name_end.min(20)].to_ascii_lowercase();
        // A tag or comment that never ends hides nothing from the search.
        let end = if tag.starts_with("<!--") { ends.behind(tag, "-->") } else { ends.behind(tag, ">") };
        rest = &tag[end.unwrap_or(if is_cut { tag.len() } else { name_end })..];
        if let Some(closing) = CLOSING.iter().find(|closing| closing[2..] == name) {
            rest = &rest[ends.before(rest, closing).unwrap_or(if is_cut { rest.len() } else { 0 })..];
        }
        let breaks = !INLINE.contains(&name.trim_start_matches('/')) && !name.starts_with('!');
        if breaks && !out.ends_with(char::is_whitespace) {
            out.push(' ');
        }
    }
    references(rest, &mut out);
    out
}

/// Elements within which a word goes on.
const INLINE: [&str; 14] =
    ["b", "i", "u", "a", "em", "font", "span", "strong", "small", "big", "tt", "code", "sub", "sup"];

/// The ends of elements whose content is no text.
const CLOSING: [&str; 2] = ["</script", "</style"];

/// Looks for the ends of things. What was not found once is further on not looked for again, which keeps this linear.
#[derive(Default)]
struct Ends {
    absent: Vec<&'static str>,
}

impl Ends {
    fn behind(&mut self, text: &str, mark: &'static str) -> Option<usize> {
        self.before(text, mark).map(|at| at + mark.len())
    }

    /// Where `mark` is, in any case.
    fn before(&mut self, text: &str, mark: &'static str) -> Option<usize> {
        if self.absent.contains(&mark) {
            return None;
        }
        let starts = memchr::memchr_iter(mark.as_bytes()[0], text.as_bytes());
        let is_mark = |at: &usize| {
            text.as_bytes()
                .get(*at..at + mark.len())
                .is_some_and(|found| found.eq_ignore_ascii_case(mark.as_bytes()))
        };
        let found = starts.into_iter().find(is_mark);
        if found.is_none() {
            self.absent.push(mark);
        }
        found
    }
}

/// Undoes character references: numeric ones and the common names.
fn references(text: &str, out: &mut String) {
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        let from = &rest[at + 1..];
        let head_end = from.bytes().take(12).position(|b| b == b';');
        let known = head_end.and_then(|end| Some((reference(&from[..end])?, end)));
        match known {
            Some((c, end)) => {
                out.push(c);
                rest = &from[end + 1..];
            }
            None => {
                out.push('&');
                rest = from;
            }
        }
    }
    out.push_str(rest);
}

fn reference(name: &str) -> Option<char> {
    if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(digits) => u32::from_str_radix(digits, 16).ok()?,
            None => number.parse().ok()?,
        };
        return char::from_u32(code).filter(|c| *c != '\0');
    }
    let known = [
        ("amp", '&'),
        ("lt", '<'),
        ("gt", '>'),
        ("quot", '"'),
        ("apos", '\''),
        ("nbsp", ' '),
        ("shy", '\u{ad}'),
        ("zwnj", '\u{200c}'),
        ("zwj", '\u{200d}'),
        ("lrm", '\u{200e}'),
        ("rlm", '\u{200f}'),
        ("auml", 'ä'),
        ("ouml", 'ö'),
        ("uuml", 'ü'),
        ("Auml", 'Ä'),
        ("Ouml", 'Ö'),
        ("Uuml", 'Ü'),
        ("szlig", 'ß'),
        ("eacute", 'é'),
        ("egrave", 'è'),
        ("agrave", 'à'),
        ("ccedil", 'ç'),
        ("aring", 'å'),
        ("oslash", 'ø'),
        ("copy", '©'),
        ("reg", '®'),
        ("euro", '€'),
        ("ndash", '–'),
        ("mdash", '—'),
        ("hellip", '…'),
        ("lsquo", '‘'),
        ("rsquo", '’'),
        ("ldquo", '“'),
        ("rdquo", '”'),
    ];
    known.iter().find(|(known, _)| *known == name).map(|(_, c)| *c)
}
