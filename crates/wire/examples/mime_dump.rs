//! Prints how messages are read, one JSON line each, for `scripts/mime-compare`: the paths come on standard input,
//! a line each. With `--peer` it is the crate `mailparse` that reads them.

use base::{Limits, Octets};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fmt::Write as _;
use std::io::{BufRead, Write as _};
use wire::mime::{Kind, Tree, address, header, word};

fn main() -> std::io::Result<()> {
    let peer = std::env::args().any(|argument| argument == "--peer");
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for path in std::io::stdin().lock().lines() {
        let path = path?;
        let message = std::fs::read(&path)?;
        let read = if peer { peer_reads(&message) } else { we_read(&message)? };
        writeln!(out, "{{\"path\":{},{read}}}", quote(&path))?;
    }
    Ok(())
}

/// A part as it is printed.
struct Line {
    parent: i64,
    kind: &'static str,
    media: String,
    name: Option<String>,
    body: Option<Vec<u8>>,
}

fn we_read(message: &[u8]) -> std::io::Result<String> {
    let octets: Vec<u8> = message.to_vec();
    let tree = Tree::parse(message, &Limits::default());
    let mut lines = Vec::new();
    for (id, part) in tree.iter() {
        let mut body = Vec::new();
        if part.kind == Kind::Leaf {
            tree.decode_body(id, &octets, &mut body)?;
        }
        lines.push(Line {
            parent: part.parent.map_or(-1, |id| i64::from(id.0)),
            kind: match part.kind {
                Kind::Leaf => "leaf",
                Kind::Multipart => "multipart",
                Kind::Message => "message",
            },
            media: format!("{}/{}", part.content_type.kind, part.content_type.subtype),
            name: part.file_name(),
            body: (part.kind == Kind::Leaf).then_some(body),
        });
    }
    let mut head = Vec::new();
    octets.read(tree.root().header(), &mut head)?;
    let subject = header::get(&head, "subject").map(|value| word::decode(&value));
    let from = header::get(&head, "from").map(|value| address::mailboxes(&value)).unwrap_or_default();
    let from = from.iter().map(|m| (m.display_name().unwrap_or_default(), m.address())).collect();
    let notes: Vec<String> = tree.notes().iter().map(|note| quote(&format!("{:?}", note.kind))).collect();
    Ok(format!("\"notes\":[{}],{}", notes.join(","), print(subject, from, &lines)))
}

fn peer_reads(message: &[u8]) -> String {
    use mailparse::MailHeaderMap;
    let parsed = match mailparse::parse_mail(message) {
        Ok(parsed) => parsed,
        Err(error) => return format!("\"error\":{}", quote(&error.to_string())),
    };
    let mut lines = Vec::new();
    let mut open = vec![(-1, &parsed)];
    while let Some((parent, part)) = open.pop() {
        let index = lines.len() as i64;
        let leaf = part.subparts.is_empty();
        let disposition = part.get_content_disposition();
        let name = disposition.params.get("filename").or_else(|| part.ctype.params.get("name"));
        lines.push(Line {
            parent,
            kind: if leaf { "leaf" } else { "multipart" },
            media: part.ctype.mimetype.clone(),
            name: name.cloned(),
            body: if leaf { part.get_body_raw().ok() } else { None },
        });
        open.extend(part.subparts.iter().rev().map(|child| (index, child)));
    }
    let from = parsed.headers.get_first_header("from").and_then(|h| mailparse::addrparse_header(h).ok());
    let mut mailboxes = Vec::new();
    for entry in from.iter().flat_map(|list| list.iter()) {
        match entry {
            mailparse::MailAddr::Single(one) => mailboxes.push(one.clone()),
            mailparse::MailAddr::Group(group) => mailboxes.extend(group.addrs.iter().cloned()),
        }
    }
    let from = mailboxes.into_iter().map(|m| (m.display_name.unwrap_or_default(), m.addr)).collect();
    print(parsed.headers.get_first_value("subject"), from, &lines)
}

fn print(subject: Option<String>, from: Vec<(String, String)>, lines: &[Line]) -> String {
    let mut out = String::new();
    let optional = |text: &Option<String>| text.as_ref().map_or("null".to_owned(), |text| quote(text));
    let from: Vec<String> =
        from.iter().map(|(name, at)| format!("[{},{}]", quote(name), quote(at))).collect();
    let _ = write!(out, "\"subject\":{},\"from\":[{}],\"parts\":[", optional(&subject), from.join(","));
    for (index, line) in lines.iter().enumerate() {
        let body = line.body.as_ref().map(|body| STANDARD.encode(body));
        let _ = write!(
            out,
            "{}{{\"parent\":{},\"kind\":\"{}\",\"type\":{},\"name\":{},\"body\":{}}}",
            if index > 0 { "," } else { "" },
            line.parent,
            line.kind,
            quote(&line.media),
            optional(&line.name),
            optional(&body),
        );
    }
    out.push(']');
    out
}

/// A JSON string.
fn quote(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if u32::from(c) < 32 => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
