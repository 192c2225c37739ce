use super::super::{Command, CommandBody, parse, parse_announced};
use super::*;
use base::Secret;

/// The pieces of an APPEND whose texts stand between its literals, `~` at a text's end for a literal8; Begin as `B`,
/// a URL as itself, a literal as `L`, End as `E`. An error is `NO` or `BAD`.
fn read(texts: &[&str]) -> String {
    let shown = |error: ParseError| if error.no { "NO" } else { "BAD" }.to_owned();
    pieces(texts).map_or_else(shown, |pieces| pieces.iter().map(show).collect::<Vec<_>>().join(" "))
}

fn show(piece: &AppendPiece) -> String {
    match piece {
        AppendPiece::Begin(_) => "B".into(),
        AppendPiece::Url(url) => url.clone(),
        AppendPiece::Literal => "L".into(),
        AppendPiece::End => "E".into(),
    }
}

fn pieces(texts: &[&str]) -> Result<Vec<AppendPiece>, ParseError> {
    let (rest, before) = texts.split_last().unwrap();
    let Some((first, others)) = before.split_first() else {
        return parse(rest.as_bytes(), false).map(|command| append_of(command).pieces);
    };
    let Append { mut reader, mut pieces, .. } = append_of(parse_announced(&announced(first), false)?);
    for text in others {
        pieces.extend(reader.next(&announced(text))?);
    }
    pieces.extend(reader.end(rest.as_bytes())?);
    Ok(pieces)
}

fn append_of(command: Command) -> Append {
    let CommandBody::Append(append) = command.body else { panic!("{command:?}") };
    append
}

fn announced(text: &str) -> Announced {
    let prefix = text.strip_suffix('~').unwrap_or(text);
    Announced { prefix: Secret::new(prefix), octets: 310, synchronising: true, binary: prefix != text }
}

fn check(texts: &[&str], expected: &str) {
    assert_eq!(read(texts), expected, "{texts:?}");
}

#[test]
fn messages_of_one_literal() {
    check(&["a APPEND box ", ""], "B L E");
    check(&["a APPEND box (\\Seen) ", " "], "B L E");
    check(&["a APPEND box ", " (\\Seen) ", "  ", ""], "B L E B L E B L E");
    check(&["a APPEND box UTF8 (~", ") UTF8 (~", ")"], "B L E B L E");
    for broken in [&["a APPEND box", ""][..], &["a APPEND box  ", ""], &["a APPEND box ", "x"]] {
        check(broken, "BAD");
    }
    for broken in
        [&["a APPEND box UTF8 (~", ""][..], &["a APPEND box ", ")"], &["a APPEND box "], &["a APPEND box"]]
    {
        check(broken, "BAD");
    }
}

/// RFC 4469 §3, §5
#[test]
fn messages_of_parts() {
    check(&["a APPEND box CATENATE (URL \"/a/;UID=1\")"], "B /a/;UID=1 E");
    check(&["a APPEND box catenate (url {9}\r\n/a/;UID=1)"], "B /a/;UID=1 E");
    check(&["a APPEND box (\\Seen) CATENATE (URL x TEXT ", " TEXT ", " URL y)"], "B x L L y E");
    check(&["a APPEND box CATENATE (TEXT ", ") CATENATE (TEXT ", ")"], "B L E B L E");
    check(&["a APPEND box CATENATE (URL x) (\\Answered) ", " CATENATE (URL y)"], "B x E B L E B y E");
    check(&["a APPEND box CATENATE (UTF8 (~", ") TEXT ~", ")"], "B L L E");
    let flagged = pieces(&["a APPEND box (\\Seen) CATENATE (URL x)"]).unwrap();
    let AppendPiece::Begin(message) = &flagged[0] else { panic!("{flagged:?}") };
    assert_eq!(message.flags, Flags::from_bits(base::Flag::Seen as u8));
}

#[test]
fn broken_parts() {
    for texts in [
        &["a APPEND box CATENATE ()"][..],
        &["a APPEND box CATENATE (URL x"],
        &["a APPEND box CATENATE (URL x "],
        &["a APPEND box CATENATE (URL x )"],
        &["a APPEND box CATENATE (URL)"],
        &["a APPEND box CATENATE(URL x)"],
        &["a APPEND box CATENATE URL x"],
        &["a APPEND box CATENATE (URL x))"],
        &["a APPEND box CATENATE (URL xURL y)"],
        &["a APPEND box CATENATE (URL \"a\0\")"],
        &["a APPEND box CATENATE (URL {3}\r\na\0b)"],
        &["a APPEND box CATENATE (TEXT \"x\")"],
        &["a APPEND box CATENATE (TEXT ", ""],
        &["a APPEND box CATENATE (TEXT", ")"],
        &["a APPEND box CATENATE (", ")"],
        &["a APPEND box CATENATE (UTF8 (", "))"],
        &["a APPEND box CATENATE (UTF8 (~", ")"],
        &["a APPEND box CATENATE (CATENATE (URL x))"],
        &["a APPEND box CATENATE (URL x) x"],
    ] {
        check(texts, "BAD");
    }
}

#[test]
fn parts_are_counted_over_all_messages() {
    let urls = |count: usize| format!("a APPEND box CATENATE (URL x{})", " URL x".repeat(count - 1));
    assert_eq!(pieces(&[&urls(MAX_APPEND_PARTS)]).unwrap().len(), MAX_APPEND_PARTS + 2);
    check(&[&urls(MAX_APPEND_PARTS + 1)], "NO");
    check(&[&format!("{} ", urls(MAX_APPEND_PARTS)), ""], "NO");
}

/// RFC 8508 §3.2, §3.3, §4.2
#[test]
fn replace_has_one_message() {
    check(&["A003 REPLACE 4 Drafts (\\Seen \\Draft) ", ""], "B L E");
    check(&["A004 UID REPLACE 2000 Drafts (\\Seen \\Draft) ", ""], "B L E");
    check(
        &["A011 UID REPLACE 3002 Drafts CATENATE (TEXT ", " URL \"/Drafts/;UID=3002\")"],
        "B L /Drafts/;UID=3002 E",
    );
    check(&["a replace * Drafts CATENATE (URL x)"], "B x E");
    for texts in [&["a REPLACE 4 Drafts ", " "][..], &["a REPLACE 4 {6}\r\nDrafts ", ""]] {
        check(texts, "B L E");
    }
    for texts in [
        &["a REPLACE 4 Drafts ", " (\\Seen) ", ""][..],
        &["a REPLACE 4 Drafts CATENATE (URL x) CATENATE (URL y)"],
        &["a REPLACE Drafts ", ""],
        &["a REPLACE 0 Drafts ", ""],
        &["a REPLACE 1:2 Drafts ", ""],
        &["a REPLACE $ Drafts ", ""],
        &["a UID REPLACE Drafts ", ""],
        &["a REPLACE 4 ", ""],
        &["a REPLACE 4 Drafts"],
    ] {
        check(texts, "BAD");
    }
}
