//! Trees: parts, ranges, sections, notes, alternatives.

use crate::mime::{Kind, NoteKind, PartId, Tree};
use base::Limits;

fn parse(message: &[u8]) -> Tree {
    Tree::parse(message, &Limits::default())
}

/// A tree as text: a line a part, indented, with its body if it is a leaf.
fn outline(message: &[u8], tree: &Tree) -> String {
    let mut depth: Vec<usize> = Vec::new();
    let mut out = String::new();
    for (_, part) in tree.iter() {
        let at = part.parent.map_or(0, |parent| depth[parent.0 as usize] + 1);
        depth.push(at);
        let body = &message[part.body().start as usize..part.body().end as usize];
        out += &"  ".repeat(at);
        out += &format!("{}/{}", part.content_type.kind, part.content_type.subtype);
        if part.kind == Kind::Leaf {
            out += &format!(" {:?}", String::from_utf8_lossy(body));
        }
        out.push('\n');
    }
    out
}

fn check(message: &str, expected: &str, notes: &[NoteKind]) {
    for message in [message.to_owned(), message.replace('\n', "\r\n")] {
        let tree = parse(message.as_bytes());
        let got = outline(message.as_bytes(), &tree).replace("\\r\\n", "\\n");
        assert_eq!(got, expected, "{message}");
        let kinds: Vec<NoteKind> =
            tree.notes().iter().map(|n| n.kind).filter(|kind| *kind != NoteKind::BareLf).collect();
        assert_eq!(kinds, notes, "{message}");
    }
}

fn mixed(body: &str) -> String {
    format!("Content-Type: multipart/mixed; boundary=\"BND\"\n\n{body}")
}

#[test]
fn plain_messages() {
    check("Subject: x\n\nbody\n", "text/plain \"body\\n\"\n", &[]);
    check("Subject: x\n\n", "text/plain \"\"\n", &[]);
    check("\nbody", "text/plain \"body\"\n", &[]);
    check("", "text/plain \"\"\n", &[]);
    check("Subject: x", "text/plain \"\"\n", &[NoteKind::HeaderNeverEnds]);
    check("no header at all\nx\n", "text/plain \"\"\n", &[NoteKind::NotAField, NoteKind::HeaderNeverEnds]);
    // RFC 2045 §5.2
    check("Content-Type: text\n\nx", "text/plain \"x\"\n", &[NoteKind::BadContentType]);
}

#[test]
fn delimiters() {
    // The example of RFC 2046 §5.1.1: the first part does not end with a line end, the second does.
    check(
        "Content-type: multipart/mixed; boundary=\"simple boundary\"\n\nThis is the preamble.\n\n\
         --simple boundary\n\nThis is implicitly typed plain US-ASCII text.\nIt does NOT end with a linebreak.\n\
         --simple boundary\nContent-type: text/plain; charset=us-ascii\n\n\
         This is explicitly typed plain US-ASCII text.\nIt DOES end with a linebreak.\n\n\
         --simple boundary--\n\nThis is the epilogue.\n",
        "multipart/mixed\n  \
         text/plain \"This is implicitly typed plain US-ASCII text.\\nIt does NOT end with a linebreak.\"\n  \
         text/plain \"This is explicitly typed plain US-ASCII text.\\nIt DOES end with a linebreak.\\n\"\n",
        &[],
    );
    // B098: in the middle of a line, or behind a blank, it is text; padding behind it is nothing.
    check(
        &mixed("--BND\n\nbefore --BND after\n --BND--\n-BND\nlast\n--BND  \t\n\ntwo\n--BND-- \n"),
        "multipart/mixed\n  text/plain \"before --BND after\\n --BND--\\n-BND\\nlast\"\n  text/plain \"two\"\n",
        &[NoteKind::DelimiterMidLine],
    );
    check(
        &mixed("--BND\n\none\n--BNDMore\ntwo\n--BND--\n"),
        "multipart/mixed\n  text/plain \"one\\n--BNDMore\\ntwo\"\n",
        &[NoteKind::DelimiterPrefix],
    );
    check(
        &mixed("--BND\n\none\n--BND--\n--BND\n\ntwo\n"),
        "multipart/mixed\n  text/plain \"one\"\n",
        &[NoteKind::DelimiterAfterClose],
    );
    check(
        &mixed("--BND\n\none\n"),
        "multipart/mixed\n  text/plain \"one\\n\"\n",
        &[NoteKind::MissingCloseDelimiter],
    );
    check(&mixed("nothing\n"), "multipart/mixed \"nothing\\n\"\n", &[NoteKind::NoDelimiter]);
    check("Content-Type: multipart/mixed\n\nx", "multipart/mixed \"x\"\n", &[NoteKind::NoBoundary]);
    check(
        &mixed("--BND\nContent-Type: text/html\n--BND\n\n\n--BND--"),
        "multipart/mixed\n  text/html \"\"\n  text/plain \"\"\n",
        &[NoteKind::HeaderNeverEnds],
    );
}

#[test]
fn nesting() {
    // An outer delimiter ends inner multiparts (RFC 2046 §5.1.2).
    check(
        &mixed("--BND\nContent-Type: multipart/alternative; boundary=in\n\n--in\n\na\n--BND\n\nb\n--BND--\n"),
        "multipart/mixed\n  multipart/alternative\n    text/plain \"a\"\n  text/plain \"b\"\n",
        &[NoteKind::MissingCloseDelimiter],
    );
    check(
        &mixed("--BND\nContent-Type: message/rfc822\n\nSubject: in\n\nhello\n--BND--\n"),
        "multipart/mixed\n  message/rfc822\n    text/plain \"hello\"\n",
        &[],
    );
    // RFC 2046 §5.1.5
    check(
        "Content-Type: multipart/digest; boundary=d\n\n--d\n\nSubject: 1\n\none\n--d\nContent-Type: text/plain\n\nx\n--d--\n",
        "multipart/digest\n  message/rfc822\n    text/plain \"one\"\n  text/plain \"x\"\n",
        &[],
    );
    check(
        "Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nU3ViamVjdDogeAoKaGk=\n",
        "message/rfc822 \"U3ViamVjdDogeAoKaGk=\\n\"\n",
        &[NoteKind::EncodedContainer],
    );
}

#[test]
fn limits_leave_the_inner_in_its_parent() {
    let limits = Limits { parts: 3, nesting: 2, ..Limits::default() };
    let message = mixed("--BND\n\n1\n--BND\n\n2\n--BND\n\n3\n--BND--\n");
    let tree = Tree::parse(message.as_bytes(), &limits);
    assert_eq!((tree.parts().len(), tree.has_note(NoteKind::TooManyParts)), (3, true));
    let mut deep = String::new();
    for n in 0..5 {
        deep += &format!("Content-Type: multipart/mixed; boundary=b{n}.\n\n--b{n}.\n");
    }
    let tree = Tree::parse(deep.as_bytes(), &limits);
    let kinds: Vec<Kind> = tree.parts().iter().map(|part| part.kind).collect();
    assert_eq!(kinds, [Kind::Multipart, Kind::Multipart, Kind::Leaf]);
    assert!(tree.has_note(NoteKind::TooDeep));
}

/// The example of RFC 9051 §6.4.5.1.
#[test]
fn section_numbers() {
    let inner = "Content-Type: multipart/mixed; boundary=i\n\n--i\n\n3.1\n--i\nContent-Type: application/octet-stream\n\n3.2\n--i--";
    let image = "Content-Type: multipart/mixed; boundary=j\n\n--j\nContent-Type: image/gif\n\n4.1\n--j\nContent-Type: message/rfc822\n\n\
                 Content-Type: multipart/mixed; boundary=k\n\n--k\n\n4.2.1\n--k\nContent-Type: multipart/alternative; boundary=l\n\n\
                 --l\n\n4.2.2.1\n--l\nContent-Type: text/richtext\n\n4.2.2.2\n--l--\n--k--\n--j--";
    let message = mixed(&format!(
        "--BND\n\n1\n--BND\nContent-Type: application/octet-stream\n\n2\n--BND\nContent-Type: message/rfc822\n\n{inner}\n\
         --BND\n{image}\n--BND--\n"
    ));
    let tree = parse(message.as_bytes());
    for section in ["1", "2", "3.1", "3.2", "4.1", "4.2.1", "4.2.2.1", "4.2.2.2"] {
        let numbers: Vec<u32> = section.split('.').map(|n| n.parse().unwrap()).collect();
        let part = tree.get(tree.find(&numbers).expect(section)).unwrap();
        let body = &message.as_bytes()[part.body().start as usize..part.body().end as usize];
        assert_eq!(body, section.as_bytes());
    }
    let message_part = tree.find(&[3]).unwrap();
    assert_eq!(tree.get(message_part).unwrap().kind, Kind::Message);
    assert!(tree.is_message(tree.embedded(message_part).unwrap()));
    for absent in [&[0][..], &[5], &[1, 1], &[3, 3], &[4, 2, 2, 3]] {
        assert_eq!(tree.find(absent), None, "{absent:?}");
    }
    // A message that is no multipart has part 1, embedded ones too.
    let plain = parse(b"Subject: x\n\nhello");
    assert_eq!((plain.find(&[1]), plain.find(&[2]), plain.find(&[1, 1])), (Some(PartId::ROOT), None, None));
    let forwarded = parse(b"Content-Type: message/rfc822\n\nSubject: x\n\nhello");
    assert_eq!((forwarded.find(&[1]), forwarded.find(&[1, 1])), (Some(PartId(0)), Some(PartId(1))));
}

#[test]
fn file_names() {
    let check = |fields: &str, expected: &[&str]| {
        let tree = parse(format!("{fields}\n\n").as_bytes());
        assert_eq!(tree.root().file_names(), expected, "{fields}");
    };
    check("Content-Disposition: attachment; filename=\"a b.txt\"", &["a b.txt"]);
    check("Content-Disposition: attachment; filename=a (1).txt", &["a (1).txt"]);
    // The examples of RFC 2231 §3, §4.
    check("Content-Type: text/plain; name*0=\"ftp\"; name*1=\"://x\"", &["ftp://x"]);
    check(
        "Content-Type: a/b; name*=us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A",
        &["This is ***fun***"],
    );
    check(
        "Content-Type: application/x-stuff;\n name*1*=%2A%2A%2Afun%2A%2A%2A%20;\n name*0*=us-ascii'en'This%20is%20even%20more%20;\n name*2=\"isn't it!\"",
        &["This is even more ***fun*** isn't it!"],
    );
    // B153
    check("Content-Type: a/b;\n name*0*=utf-8''tes%74%2E;\n name*1*=b%61;\n name*2=t", &["test.bat"]);
    check("Content-Type: a/b; name=\"=?utf-8?B?eC5iYXQ=?=\"", &["x.bat"]);
    check("Content-Type: a/b; name=3D\"x.bat\"", &["x.bat", "3D\"x.bat\""]);
    check("Content-Disposition: attachment; filename=a.pdf; filename=b.exe", &["a.pdf", "b.exe"]);
    check("Content-Type: a/b; name=\"C:\\dir\\x.doc\"", &["C:\\dir\\x.doc"]);
    check("Content-Type: a/b; name=\"never ends.doc", &["never ends.doc"]);
    check("Content-Disposition: filename=x.doc", &["x.doc"]);
}

#[test]
fn alternatives_show_what_others_see() {
    let check = |message: &str, because: NoteKind, expected: &str| {
        let octets = message.as_bytes().to_vec();
        let found = parse(&octets).alternatives(&octets, &Limits::default()).unwrap();
        let shown: Vec<String> = found
            .iter()
            .filter(|a| a.because == because)
            .map(|a| outline(a.octets.as_deref().unwrap_or(&octets), a.tree.as_ref().unwrap()))
            .collect();
        assert_eq!(shown, [expected], "{message}");
    };
    check(
        &mixed("--BND\n\none\n--BNDMore\n\ntwo\n--BND--\n"),
        NoteKind::DelimiterPrefix,
        "multipart/mixed\n  text/plain \"one\"\n  text/plain \"two\"\n",
    );
    check(
        &mixed("--BND\n\none\n--BND--\n--BND\n\ntwo"),
        NoteKind::DelimiterAfterClose,
        "multipart/mixed\n  text/plain \"one\"\n  text/plain \"two\"\n",
    );
    check(
        "Content-Type: text/plain\nContent-Type: multipart/mixed; boundary=x\n\n--x\n\none\n--x--\n",
        NoteKind::DuplicateContentType,
        "multipart/mixed\n  text/plain \"one\"\n",
    );
    check(
        "Content-Type: multipart/mixed; boundary=y; boundary=x\n\n--x\n\none\n--x--\n",
        NoteKind::DuplicateBoundary,
        "multipart/mixed\n  text/plain \"one\"\n",
    );
    check(
        "Content-Type: text/html\n<html>\nhi\n\ntail",
        NoteKind::NotAField,
        "text/html \"<html>\\nhi\\n\\ntail\"\n",
    );
    check(
        "Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nU3ViamVjdDogeAoKaGk=\n",
        NoteKind::EncodedContainer,
        "text/plain \"hi\"\n",
    );
    check("Subject: x\rContent-Type: text/html\r\n\r\nx", NoteKind::BareCr, "text/html \"x\"\n");
    let clean = mixed("--BND\n\none\n--BND--\n").replace('\n', "\r\n").into_bytes();
    assert_eq!(parse(&clean).alternatives(&clean, &Limits::default()).unwrap(), []);
}

/// A part that some reader decodes in another way.
#[test]
fn alternative_octets() {
    let check = |encoding: &str, body: &str, expected: &[&str]| {
        let octets = format!("Content-Transfer-Encoding: {encoding}\r\n\r\n{body}").into_bytes();
        let found = parse(&octets).alternatives(&octets, &Limits::default()).unwrap();
        let decoded: Vec<String> =
            found.into_iter().map(|a| String::from_utf8(a.octets.unwrap()).unwrap()).collect();
        assert_eq!(decoded, expected, "{body}");
    };
    check("base64", "Zm9v\r\n", &[]);
    check("(of course) \"BASE64\" (yes)", "Zm9v\r\n", &[]);
    check("base64", "text before.\r\nZm9v\r\n", &["foo"]);
    check("base64", "fn5-\r\n", &["~~~"]);
    check("base-64", "Zm9v\r\n", &["foo"]);
    check("x-unknown", "plain text.", &[]);
}

#[test]
fn parameters_beyond_the_limit_are_noted() {
    let message = format!("Content-Type: a/b{}; name=x.exe\r\n\r\n", "; p=q".repeat(300));
    assert!(parse(message.as_bytes()).has_note(NoteKind::TooManyParameters));
}

#[test]
fn prepended_fields_move_everything() {
    let message = mixed("--BND\n\none\n--BND\nContent-Type: message/rfc822\n\nSubject: s\n\nx\n--BND--\n");
    let prefix = "Return-Path: <a@example.net>\r\nReceived: from x\r\n by y\r\n";
    let mut tree = parse(message.as_bytes());
    tree.prepend_header(prefix.as_bytes());
    let whole = parse(format!("{prefix}{message}").as_bytes());
    assert_eq!((tree.parts(), tree.size()), (whole.parts(), whole.size()));
    assert_eq!(tree.fields_named("received").count(), 1);
}
