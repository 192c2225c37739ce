//! ENVELOPE, BODY and BODYSTRUCTURE; text for searching.

use crate::mime::{PREVIEW_CHARACTERS, Tree, describe, preview, search_text};
use base::Limits;

fn structure(message: &str, extended: bool) -> String {
    let octets = message.replace('\n', "\r\n").into_bytes();
    let tree = Tree::parse(&octets, &Limits::default());
    let text = match extended {
        true => describe::body_structure(&tree, &octets),
        false => describe::body(&tree, &octets),
    };
    String::from_utf8(text.unwrap()).unwrap()
}

/// After the example of RFC 9051 §8 and RFC 3501 §8.
#[test]
fn envelopes() {
    let header = "Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\r\nFrom: Terry Gray <gray@cac.washington.edu>\r\n\
                  Subject: IMAP4rev2 WG mtg summary and minutes\r\nTo: imap@cac.washington.edu\r\n\
                  Cc: minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>\r\n\
                  Message-Id: <B27397-0100000@cac.washington.edu>\r\n\r\n";
    let expected = "(\"Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\" \"IMAP4rev2 WG mtg summary and minutes\" \
                    ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) \
                    ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) \
                    ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) \
                    ((NIL NIL \"imap\" \"cac.washington.edu\")) \
                    ((NIL NIL \"minutes\" \"CNRI.Reston.VA.US\")(\"John Klensin\" NIL \"KLENSIN\" \"MIT.EDU\")) NIL NIL \
                    \"<B27397-0100000@cac.washington.edu>\")";
    assert_eq!(String::from_utf8(describe::envelope(header.as_bytes())).unwrap(), expected);
    assert_eq!(describe::envelope(b""), b"(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)");
    let odd = "Subject: \"q\\\" \u{e4}\r\nTo: A:a@x;\r\nSender:\r\nIn-Reply-To:\r\n";
    let expected = "(NIL {7}\r\n\"q\\\" \u{e4} NIL NIL NIL ((NIL NIL \"A\" NIL)(NIL NIL \"a\" \"x\")(NIL NIL NIL NIL)) NIL NIL \"\" NIL)";
    assert_eq!(String::from_utf8(describe::envelope(odd.as_bytes())).unwrap(), expected);
}

#[test]
fn structures() {
    // RFC 9051 §7.5.2, with the octets and lines of these bodies.
    let two = "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: TEXT/PLAIN; CHARSET=US-ASCII\n\nhello\nworld\n\
               --b\nContent-Type: TEXT/PLAIN; CHARSET=US-ASCII; NAME=\"cc.diff\"\nContent-ID: <960723163407.20117h@cac.washington.edu>\n\
               Content-Description: Compiler diff\nContent-Transfer-Encoding: BASE64\n\naGVsbG8=\n\n--b--\n";
    assert_eq!(
        structure(two, false),
        "((\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 12 1)\
         (\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\" \"NAME\" \"cc.diff\") \"<960723163407.20117h@cac.washington.edu>\" \
         \"Compiler diff\" \"BASE64\" 10 1) \"MIXED\")"
    );
    let nested = "Content-Type: message/rfc822\nContent-Disposition: attachment; filename=\"a.eml\"\nContent-Language: en, de\n\n\
                  Subject: in\nContent-Type: image/png; name*=utf-8''%C3%A4.png\nContent-MD5: Q2hlY2s=\nContent-Location: x:y\n\nabc\n";
    assert_eq!(
        structure(nested, true),
        "(\"MESSAGE\" \"RFC822\" NIL NIL NIL \"7BIT\" 116 ".to_owned()
            + "(NIL \"in\" NIL NIL NIL NIL NIL NIL NIL NIL) \
               (\"IMAGE\" \"PNG\" (\"NAME*\" \"utf-8''%C3%A4.png\") NIL NIL \"7BIT\" 5 \"Q2hlY2s=\" NIL NIL \"x:y\") 6 \
               NIL (\"ATTACHMENT\" (\"FILENAME\" \"a.eml\")) (\"en\" \"de\") NIL)"
    );
    assert_eq!(
        structure("\nx", true),
        "(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 1 0 NIL NIL NIL NIL)"
    );
    // What could not be taken apart.
    assert_eq!(
        structure("Content-Type: multipart/mixed\n\nx\n", false),
        "(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 3 1)"
    );
    assert_eq!(
        structure("Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nx\n", false),
        "(\"APPLICATION\" \"OCTET-STREAM\" NIL NIL NIL \"BASE64\" 3)"
    );
}

/// B100
#[test]
fn octets_of_parts() {
    let parts = ["one", "two\r\n", "", "\r\n", "last line"];
    let mut message = "Content-Type: multipart/mixed; boundary=b\r\n\r\n".to_owned();
    for part in parts {
        message += &format!("--b\r\nContent-Type: text/plain\r\n\r\n{part}\r\n");
    }
    message += "--b--\r\n";
    let tree = Tree::parse(message.as_bytes(), &Limits::default());
    let sizes: Vec<u64> = tree.parts()[1..].iter().map(|part| part.size()).collect();
    assert_eq!(sizes, parts.map(|part| part.len() as u64));
}

#[test]
fn text_for_searching() {
    let message = "Subject: top\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/html; charset=iso-8859-1\n\
                   Content-Transfer-Encoding: quoted-printable\n\n<p>gr=FC&szlig;e<br>an <b>al</b>le &#x26; <script>var hidden;</script>1 < 2</p>\n\
                   --b\nContent-Type: text/plain\nContent-Transfer-Encoding: base64\n\nbmVlZGxl\n\
                   --b\nContent-Type: application/pdf\n\nnot text\n\
                   --b\nContent-Type: message/rfc822\n\nSubject: =?utf-8?q?inn=C3=A9r?=\n\nbody\n--b--\n";
    let octets = message.as_bytes().to_vec();
    let tree = Tree::parse(&octets, &Limits::default());
    let text = search_text(&tree, &octets).unwrap();
    for found in ["grüße an alle & ", "1 < 2", "needle", "Subject: innér", "body"] {
        assert!(text.contains(found), "{found:?} in {text:?}");
    }
    for absent in ["hidden", "not text", "top", "<p>"] {
        assert!(!text.contains(absent), "{absent:?} in {text:?}");
    }
}

/// RFC 8970 §5: one line of the text that is shown first; nothing of attachments.
#[test]
fn previews() {
    const HTML: &str = "Content-Type: text/html; charset=utf-8\r\n\r\n";
    let long = format!("\r\n{}", "grüße ".repeat(100_000));
    let cut: String = "grüße ".repeat(100).chars().take(PREVIEW_CHARACTERS).collect();
    for (message, expected) in [
        ("Subject: x\r\n\r\n Dear\tAnn,\r\n\r\nhello\r\n", "Dear Ann, hello"),
        ("Subject: x\r\n\r\n", ""),
        ("Content-Type: text/html\r\n\r\n<title>T</title><p>a<b>b</b>&lt;\r\n<script>x()</script>", "T ab<"),
        (
            "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n \r\n--b\r\n\
             Content-Disposition: attachment\r\n\r\nfile\r\n--b\r\nContent-Type: image/png\r\n\r\npng\r\n--b\r\n\r\ntext\r\n--b--",
            "text",
        ),
        (&long, &cut),
        // What does not end where the text was cut off hides the rest, as it would with its end; half a character there
        // is none.
        (&format!("{HTML}<p>Hi<style>{}</style>", "x ".repeat(40_000)), "Hi"),
        (&format!("{HTML}<p>Hi<!--{}-->", "x ".repeat(40_000)), "Hi"),
        (&format!("\r\na{}", "ü".repeat(40_000)), &format!("a{}", "ü".repeat(PREVIEW_CHARACTERS - 1))),
        // What is not seen, and what would turn the rest of the line.
        (&format!("{HTML}&zwnj;&nbsp;&zwnj;&#8203;\u{34f} &shy;<p>&#8238;word&lrm;"), "word"),
        ("\r\n\u{200b}\u{feff}\u{2066}\r\n", ""),
        (
            "\r\n\u{1f469}\u{200d}\u{1f4bb} \u{645}\u{6cc}\u{200c}\u{62e}",
            "\u{1f469}\u{200d}\u{1f4bb} \u{645}\u{6cc}\u{200c}\u{62e}",
        ),
    ] {
        let octets = message.as_bytes().to_vec();
        let tree = Tree::parse(&octets, &base::Limits::default());
        assert_eq!(preview(&tree, &octets).unwrap(), expected);
    }
}
