use super::super::layout::Layout;
use super::super::message::MOST_ATTACHMENTS;
use super::*;
use std::os::unix::fs::PermissionsExt;

/// A body of an attachment, base64 or nearly so.
fn body(chance: &mut Chance) -> String {
    let size = match chance.below(8) {
        0 => chance.below(9000),
        1 => 600_000 + chance.below(600_000),
        _ => 8000 + chance.below(150_000),
    };
    let plain = if chance.below(2) == 0 { chance.octets(size) } else { vec![chance.next() as u8; size] };
    let (line, end) =
        (chance.pick(&[76, 76, 76, 64, 72, 75, 4, 1, 998, 0]), chance.pick(&["\r\n", "\r\n", "\n"]));
    let mut text = fold(&plain, line, end);
    let at = chance.below(text.len() + 1);
    match chance.below(12) {
        0 => text.insert(at, '\n'),
        1 => text.insert_str(at, "\r\n"),
        2 => text.insert(at, '*'),
        3 => text.insert(at, '='),
        4 => text.truncate(at),
        5 => text.insert(at, 'A'),
        6 => text.insert(at, '\r'),
        _ => {}
    }
    text + chance.pick(&["", "\r\n", "\n", "\r\n\r\n", "=", "====", "\r\n_______\r\nlist footer\r\n", " "])
}

#[test]
fn every_octet_comes_back() {
    let place = Place::new();
    let vault = place.open();
    let mut chance = Chance(1);
    let (mut files, mut skeletons) = (0, 0);
    for round in 0..60 {
        let text = "x".repeat(chance.below(if round % 10 == 0 { 300_000 } else { 3000 }));
        let bodies: Vec<String> = (0..chance.below(4)).map(|_| body(&mut chance)).collect();
        let mut message = message_with(&text, &bodies);
        if chance.below(3) == 0 {
            message.truncate(message.len() - chance.below(message.len()));
        }
        let sealed = seal(&vault, &message);
        files += sealed.attachments.len();
        skeletons += usize::from(matches!(sealed.body, Body::File(_)));
        assert_eq!(sealed.size, message.len() as u64);
        assert!(read(&vault, &sealed).unwrap() == message, "round {round}");
        let open = open(&vault, &sealed).unwrap();
        assert_eq!(*open.tree(), Tree::parse(&message, &Limits::default()));
        for _ in 0..20 {
            let from = chance.below(message.len() + 1);
            let most = chance.pick(&[1, 100, 70_000, usize::MAX]);
            let to = from + chance.below((message.len() - from).min(most) + 1);
            let mut out = b"kept".to_vec();
            open.read(from as u64..to as u64, &mut out).unwrap();
            assert!(
                out[4..] == message[from..to] && out.starts_with(b"kept"),
                "{from}..{to} in round {round}"
            );
        }
        let beyond = open.len()..open.len() + 1;
        assert!(open.read(beyond, &mut Vec::new()).is_err());
    }
    assert!(files > 30 && skeletons > 3, "the messages were too tame: {files} {skeletons}");
}

#[test]
fn nothing_on_disk_tells_what_it_is() {
    let place = Place::new();
    let vault = place.open();
    let marker = "MARKER-marker-MARKER";
    let attachment = marker.repeat(5000);
    let text = marker.repeat(20_000);
    let message = message_with(&text, &[fold(attachment.as_bytes(), 76, "\r\n")]);
    let sealed = seal(&vault, &message);
    assert!(matches!(sealed.body, Body::File(_)));
    let blobs = place.blobs();
    assert_eq!(blobs.len(), 2);
    for path in &blobs {
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(!name.contains("secret") && !name.contains("plans") && !name.ends_with("exe"), "{name}");
        assert!(name.len() >= 32 + 1 + 6, "{name}");
        assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o7777, 0o600, "{name}");
    }
    // Marker and name, in clear and in any of base64's three alignments.
    let encoded = ["TUFSS0VSLW1hcmtlci1N", "1BUktFUi1tYXJrZXItT", "NQVJLRVItbWFya2VyLU1"];
    for path in files_below(&place.folder()) {
        let octets = std::fs::read(&path).unwrap();
        for needle in encoded.iter().chain(&[marker, "secret-plans"]) {
            let holds = octets.windows(needle.len()).any(|window| window == needle.as_bytes());
            assert!(!holds, "{} holds {needle}", path.display());
        }
    }
    for folder in ["", "blobs", "spool", "blobs/00", "blobs/ff"] {
        let mode = std::fs::metadata(place.folder().join(folder)).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o700, "{folder}");
    }
}

#[test]
fn the_same_attachment_lies_once_in_a_domain() {
    let place = Place::new();
    let vault = place.open();
    let plain = Chance(2).octets(30_000);
    let (wide, narrow) = (fold(&plain, 76, "\r\n"), fold(&plain, 60, "\r\n"));
    // Twice in one message, then folded otherwise in another one.
    let first = seal_in(&vault, &message_with("one", &[wide.clone(), narrow.clone()]), DOMAIN, &[]);
    let second = seal_in(&vault, &message_with("two", std::slice::from_ref(&narrow)), DOMAIN, &[&first]);
    assert_eq!((first.attachments.len(), second.attachments.len(), place.blobs().len()), (1, 1, 1));
    assert_eq!((first.attachments[0].new, second.attachments[0].new), (true, false));
    assert_eq!(first.attachments[0].blob, second.attachments[0].blob);
    assert_eq!(first.attachments[0].octets, 30_000);
    let other = seal_in(&vault, &message_with("three", &[wide]), DomainId(2), &[&first]);
    assert_eq!((other.attachments[0].new, place.blobs().len()), (true, 2));
    assert_ne!(other.attachments[0].key, first.attachments[0].key);
    for (sealed, text) in [(&first, "one"), (&second, "two"), (&other, "three")] {
        let message = String::from_utf8(read(&vault, sealed).unwrap()).unwrap();
        assert!(message.contains(text));
    }
}

#[test]
fn parts_of_other_messages_do_not_fit() {
    let place = Place::new();
    let vault = place.open();
    let sealed: Vec<SealedMessage> =
        ["one", "two"].iter().map(|text| seal(&vault, &message_with(text, &[]))).collect();
    let mut mixed = sealed[0].clone();
    mixed.body = sealed[1].body.clone();
    assert!(read(&vault, &mixed).unwrap_err().contains("damaged or tampered"));

    let long = "y".repeat(200_000);
    let sealed: Vec<SealedMessage> =
        ["1", "2"].iter().map(|text| seal(&vault, &message_with(&format!("{text}{long}"), &[]))).collect();
    let mut mixed = sealed[0].clone();
    mixed.body = sealed[1].body.clone();
    assert!(read(&vault, &mixed).unwrap_err().contains("another message"));
}

#[test]
fn tampered_rows_do_not_open() {
    let place = Place::new();
    let vault = place.open();
    let sealed = seal(&vault, &message_with("a text", &[]));
    let Body::Inline(body) = sealed.body.clone() else { panic!("a small message lies inline") };
    for at in 0..body.len() {
        let mut body = body.clone();
        body[at] ^= 1;
        assert!(
            read(&vault, &SealedMessage { body: Body::Inline(body), ..sealed.clone() }).is_err(),
            "body {at}"
        );
    }
    let whole = vault.seal_layout(MAIL, &sealed).unwrap();
    for at in 0..whole.len() {
        let mut layout = whole.clone();
        layout[at] ^= 0x80;
        assert!(vault.open_message(MAIL, &sealed.body, &layout).is_err(), "layout {at}");
        assert!(vault.open_message(MAIL, &sealed.body, &whole[..at]).is_err(), "layout cut at {at}");
    }
    assert!(vault.open_message(MailId(MAIL.0 + 1), &sealed.body, &whole).is_err(), "another mail's");
}

/// A message that is made as it is read.
struct Endless {
    head: Vec<u8>,
    len: u64,
    fails_at: u64,
}

impl Endless {
    /// One attachment of base64 that ends nowhere.
    fn new(len: u64, fails_at: u64) -> Self {
        let mut head = message_with("text", &[fold(&[0; 57], 76, "\r\n")]);
        let after_body = b"\r\n--b1--\r\n".len();
        head.truncate(head.len() - after_body - 76);
        Endless { head, len, fails_at }
    }

    fn octet(&self, at: u64) -> u8 {
        match at.checked_sub(self.head.len() as u64) {
            None => self.head[at as usize],
            Some(at) => match at % 78 {
                76 => b'\r',
                77 => b'\n',
                column => b'A' + (column % 26) as u8,
            },
        }
    }
}

impl Octets for Endless {
    fn len(&self) -> u64 {
        self.len
    }

    fn read(&self, range: std::ops::Range<u64>, out: &mut Vec<u8>) -> std::io::Result<()> {
        assert!(range.end - range.start <= 1024 * 1024 + 2 && range.end <= self.len, "{range:?}");
        if range.contains(&self.fails_at) {
            return Err(std::io::Error::other("no such luck"));
        }
        out.extend(range.map(|at| self.octet(at)));
        Ok(())
    }
}

#[test]
fn a_large_message_is_read_in_windows() {
    let place = Place::new();
    let vault = place.open();
    let whole = Endless::new(78 * 4 * 10_000, u64::MAX);
    let mut octets = Vec::new();
    (0..whole.len).for_each(|at| octets.push(whole.octet(at)));
    let tree = Tree::parse(&octets, &Limits::default());
    let sealed = vault.seal_message(&whole, &tree, DOMAIN, &|_| None).unwrap();
    assert_eq!((sealed.attachments.len(), place.blobs().len()), (1, 1));
    assert!(matches!(sealed.body, Body::Inline(_)));
    assert!(read(&vault, &sealed).unwrap() == octets);

    let broken = Endless::new(whole.len, whole.len - 1000);
    assert!(vault.seal_message(&broken, &tree, DOMAIN, &|_| None).is_err());
    assert_eq!(place.blobs().len(), 1, "what failed left something");
}

#[test]
fn a_message_makes_so_many_files_and_no_more() {
    let place = Place::new();
    let vault = place.open();
    let mut chance = Chance(8);
    let bodies: Vec<String> =
        (0..MOST_ATTACHMENTS + 5).map(|_| fold(&chance.octets(8192), 76, "\r\n")).collect();
    let message = message_with("text", &bodies);
    let sealed = seal(&vault, &message);
    assert_eq!(sealed.attachments.len(), MOST_ATTACHMENTS);
    assert!(read(&vault, &sealed).unwrap() == message);
}

#[test]
fn a_structure_that_cannot_be_read_is_found_anew() {
    let place = Place::new();
    let vault = place.open();
    let message = message_with("text", &[fold(&[7; 20_000], 76, "\r\n")]);
    let mut sealed = seal(&vault, &message);
    let mut layout = Layout::decode(&sealed.layout).unwrap();
    layout.tree = b"of another version".to_vec();
    sealed.layout = layout.encode();
    let open = open(&vault, &sealed).unwrap();
    assert_eq!(*open.tree(), Tree::parse(&message, &Limits::default()));
    assert!(read(&vault, &sealed).unwrap() == message);
}
