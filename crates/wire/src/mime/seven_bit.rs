//! Messages made 7-bit, for servers that take nothing else (RFC 6152 §3): leaf parts are encoded, what holds them is
//! relabelled, nothing else changes.

use super::header;
use super::transfer::{base64_lines, quoted_printable};
use super::tree::{Kind, Part, Tree};
use super::{Encoding, NoteKind};
use std::ops::Range;

/// The message with its 8-bit and binary parts encoded. None where that can't be: in what is signed or encrypted as it
/// stands (RFC 1847 §2.1), in header fields, between parts, in a part that is labelled as encoded, and where the message
/// was not read to its end.
pub fn seven_bit(tree: &Tree, raw: &[u8]) -> Option<Vec<u8>> {
    if tree.has_note(NoteKind::HeaderTooLong) || tree.has_note(NoteKind::TooManyParts) {
        return None;
    }
    let mut out = Vec::with_capacity(raw.len() + raw.len() / 2);
    let mut at = 0;
    // Where the part ends that must stay as it is, with all that is in it.
    let mut fixed_to = 0;
    for (id, part) in tree.iter() {
        if part.header().start < fixed_to {
            continue;
        }
        let header = slice(raw, part.header())?;
        let body = slice(raw, part.body())?;
        let needs_coding = part.kind == Kind::Leaf && !is_seven_bit(body);
        if is_fixed(part) {
            if !is_seven_bit(body) {
                return None;
            }
            fixed_to = part.body().end;
        }
        if !needs_coding && !matches!(part.encoding_name.as_deref(), Some("8bit" | "binary")) {
            continue;
        }
        out.extend_from_slice(raw.get(at..usize::try_from(part.header().start).ok()?)?);
        at = usize::try_from(part.header().end).ok()?;
        if needs_coding {
            let (encoding, coded) = encode(part, body)?;
            write_header(header, tree.is_message(id), Some(encoding), &mut out);
            out.extend_from_slice(coded.as_bytes());
            at = usize::try_from(part.body().end).ok()?;
        } else {
            write_header(header, tree.is_message(id), None, &mut out);
        }
    }
    out.extend_from_slice(raw.get(at..)?);
    is_seven_bit(&out).then_some(out)
}

fn slice(raw: &[u8], range: Range<u64>) -> Option<&[u8]> {
    raw.get(usize::try_from(range.start).ok()?..usize::try_from(range.end).ok()?)
}

/// Whether octets are text as every server takes it: ASCII, CRLF line ends only, no NUL.
fn is_seven_bit(octets: &[u8]) -> bool {
    let mut before = 0;
    let sound = |&octet: &u8| {
        let pair = (std::mem::replace(&mut before, octet), octet);
        octet.is_ascii() && octet != 0 && (pair.0 == b'\r') == (pair.1 == b'\n')
    };
    octets.iter().all(sound) && octets.last() != Some(&b'\r')
}

/// Whether a part's octets must stay what they are.
fn is_fixed(part: &Part) -> bool {
    part.content_type.is("multipart", "signed") || part.content_type.is("multipart", "encrypted")
}

fn encode(part: &Part, body: &[u8]) -> Option<(&'static str, String)> {
    let kind = &part.content_type.kind;
    if part.encoding != Encoding::Identity || kind == "multipart" || kind == "message" {
        return None;
    }
    // A text's line ends are CRLF: where others stand in it, only its octets are sure.
    let is_text = kind == "text" && is_seven_bit(&body.iter().map(|octet| octet & 0x7f).collect::<Vec<u8>>());
    Some(match is_text {
        true => ("quoted-printable", quoted_printable(body)),
        false => ("base64", base64_lines(body)),
    })
}

/// Writes a part's header with another transfer encoding, or none, and what a message lacks then.
fn write_header(header: &[u8], is_message: bool, encoding: Option<&str>, out: &mut Vec<u8>) {
    let (mut is_mime, mut has_type) = (!is_message, false);
    for field in header::fields(header) {
        is_mime |= field.is("MIME-Version");
        has_type |= field.is("Content-Type");
        if !field.is("Content-Transfer-Encoding") {
            out.extend_from_slice(field.raw);
        }
    }
    if let Some(encoding) = encoding {
        if !is_mime {
            out.extend_from_slice(b"MIME-Version: 1.0\r\n");
        }
        if !has_type {
            // RFC 1428 §3
            out.extend_from_slice(b"Content-Type: text/plain; charset=unknown-8bit\r\n");
        }
        out.extend_from_slice(format!("Content-Transfer-Encoding: {encoding}\r\n").as_bytes());
    }
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::super::PartId;
    use super::*;
    use base::Limits;

    fn convert(message: &[u8]) -> Option<Vec<u8>> {
        seven_bit(&Tree::parse(message, &Limits::default()), message)
    }

    fn check(message: &str, expected: &str) {
        let crlf = |text: &str| text.replace('\n', "\r\n");
        let converted = convert(crlf(message).as_bytes()).unwrap();
        assert_eq!(String::from_utf8(converted).unwrap(), crlf(expected));
    }

    /// RFC 2045 §6.7.
    #[test]
    fn text_is_quoted() {
        check(
            "Subject: s\n\nGrüße =\n",
            "Subject: s\nMIME-Version: 1.0\nContent-Type: text/plain; charset=unknown-8bit\n\
               Content-Transfer-Encoding: quoted-printable\n\nGr=C3=BC=C3=9Fe =3D\n",
        );
        check(
            "MIME-Version: 1.0\nContent-Transfer-Encoding: 8bit\nContent-Type: text/html; charset=utf-8\nX: y\n\n<p>ü\n",
            "MIME-Version: 1.0\nContent-Type: text/html; charset=utf-8\nX: y\n\
             Content-Transfer-Encoding: quoted-printable\n\n<p>=C3=BC\n",
        );
        check("Subject: s\n\nplain\n", "Subject: s\n\nplain\n");
    }

    /// Parts that are 7-bit stay as they are; a container says no more that it is 8-bit (RFC 2045 §6.4).
    #[test]
    fn parts_are_coded_one_by_one() {
        check(
            "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: 8bit\n\n\
             --b\nContent-Type: text/plain; charset=utf-8\n\nä\n--b\n\nplain\n--b\nContent-Type: message/rfc822\n\
             Content-Transfer-Encoding: 8bit\n\nSubject: inner\nMIME-Version: 1.0\nContent-Type: image/x\n\nö\n--b--\n",
            "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n\
             --b\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n=C3=A4\n--b\n\nplain\n\
             --b\nContent-Type: message/rfc822\n\n\
             Subject: inner\nMIME-Version: 1.0\nContent-Type: image/x\nContent-Transfer-Encoding: base64\n\nw7Y=\n--b--\n",
        );
    }

    /// What was binary comes back octet by octet, its line ends too.
    #[test]
    fn binary_content_comes_back() {
        let content = [b"\0\r\n\n\r\xff--b".as_slice(), &[b'x'; 300], b"\n"].concat();
        let head =
            b"MIME-Version: 1.0\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: binary\r\n\r\n";
        let converted = convert(&[head.as_slice(), &content].concat()).unwrap();
        let tree = Tree::parse(&converted, &Limits::default());
        assert_eq!(tree.root().encoding, Encoding::Base64);
        assert!(tree.longest_line() <= 76);
        let mut back = Vec::new();
        tree.decode_body(PartId::ROOT, &converted, &mut back).unwrap();
        assert_eq!(back, content);
    }

    /// RFC 1847 §2.1: what is signed is not touched, its labels included, though another part is encoded.
    #[test]
    fn what_is_signed_keeps_its_labels() {
        let signed = "Content-Type: multipart/signed; boundary=s\n\n--s\nContent-Transfer-Encoding: 8bit\n\nplain\n\
                      --s\nContent-Type: multipart/mixed; boundary=t\nContent-Transfer-Encoding: binary\n\n--t--\n--s--\n";
        let head = "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\n";
        check(
            &format!("{head}{signed}--b\nContent-Transfer-Encoding: 8bit\n\nplain\n--b--\n"),
            &format!("{head}{signed}--b\n\nplain\n--b--\n"),
        );
    }

    #[test]
    fn what_must_stay_is_not_touched() {
        for message in [
            "Subject: ü\r\n\r\nplain\r\n",
            "Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n\r\nü\r\n--b\r\n\r\nx\r\n--b--\r\n",
            "Content-Type: multipart/mixed; boundary=b\r\n\r\nü\r\n--b\r\n\r\nx\r\n--b--\r\n",
            "Content-Transfer-Encoding: base64\r\n\r\nü\r\n",
            "Content-Type: message/delivery-status\r\n\r\nü\r\n",
            "Content-Type: multipart/mixed\r\n\r\nü\r\n",
        ] {
            assert_eq!(convert(message.as_bytes()), None, "{message}");
        }
    }
}
