use super::*;

fn check(url: &str, expected: Option<Url>) {
    assert_eq!(Url::parse(url), expected, "{url:?}");
}

fn refused(url: &str) {
    check(url, None);
}

/// All of message 20 of a mailbox.
fn message(mailbox: &str) -> Url {
    Url {
        mailbox: Some(MailboxName::new(mailbox).unwrap()),
        uid_validity: None,
        uid: Uid(20),
        section: section(&[], SectionText::All),
        partial: None,
    }
}

fn section(part: &[u32], text: SectionText) -> Section {
    Section { part: part.to_vec(), text }
}

/// RFC 4469 §3 has, in its examples, `/Drafts;UIDVALIDITY=385759045/;UID=20/;section=…`.
#[test]
fn the_forms_of_rfc_4469() {
    let valid = Url { uid_validity: Some(UidValidity(385_759_045)), ..message("Drafts") };
    let with = |part: &[u32], text| Url { section: section(part, text), ..valid.clone() };
    check("/Drafts;UIDVALIDITY=385759045/;UID=20", Some(valid.clone()));
    check("/Drafts;UIDVALIDITY=385759045/;UID=20/;section=HEADER", Some(with(&[], SectionText::Header)));
    check("/Drafts;UIDVALIDITY=385759045/;UID=20/;section=1.MIME", Some(with(&[1], SectionText::Mime)));
    check("/Drafts;uidvalidity=385759045/;uid=20/;SECTION=1.2", Some(with(&[1, 2], SectionText::All)));
    check("/Drafts/;UID=20", Some(message("Drafts")));
    check(";UID=20", Some(Url { mailbox: None, ..message("Drafts") }));
}

#[test]
fn what_is_encoded_is_decoded() {
    check("/Entw%C3%BCrfe/;UID=20", Some(message("Entwürfe")));
    check("/a/b/;UID=20", Some(message("a/b")));
    check("/a%2fb/;UID=20", Some(message("a/b")));
    check("/a%3BUID=1/;UID=20", Some(message("a;UID=1")));
    // Undone once only: no mailbox's name holds a percent sign.
    refused("/a%252Fb/;UID=20");
    // A name that looks like modified UTF-7 is just that name.
    check("/a&AOQ-/;UID=20", Some(message("a&AOQ-")));
    let names = vec!["From".to_owned(), "To".to_owned()];
    let fields = section(&[2], SectionText::HeaderFields { names, not: true });
    let expected = Url { section: fields, ..message("a") };
    check("/a/;UID=20/;SECTION=2.HEADER.FIELDS.NOT%20(From%20To)", Some(expected));
}

#[test]
fn pieces() {
    let piece = |start, length| Some(Url { partial: Some(Partial { start, length }), ..message("a") });
    check("/a/;UID=20/;PARTIAL=0.1024", piece(0, 1024));
    check("/a/;UID=20/;partial=100000.1", piece(100_000, 1));
    check("/a/;UID=20/;PARTIAL=7", piece(7, u64::MAX));
    check("/a/;UID=20/;PARTIAL=9223372036854775807.4294967295", piece(i64::MAX as u64, u32::MAX.into()));
    refused("/a/;UID=20/;PARTIAL=9223372036854775808");
    refused("/a/;UID=20/;PARTIAL=0.4294967296");
    refused("/a/;UID=20/;PARTIAL=99999999999999999999999999.1");
    refused("/a/;UID=20/;PARTIAL=0.0");
    refused("/a/;UID=20/;PARTIAL=.5");
    refused("/a/;UID=20/;PARTIAL=-1");
    refused("/a/;UID=20/;PARTIAL=0.");
}

#[test]
fn other_servers_are_never_meant() {
    for url in [
        "imap://example.org/a/;UID=20",
        "imap:///a/;UID=20",
        "//example.org/a/;UID=20",
        "//;UID=20",
        "http://example.org/",
        "file:///etc/passwd",
        "imap://joe@example.com/INBOX/;uid=20/;section=1.2;urlauth=submit+fred:internal:91354a47",
        "/INBOX/;uid=20/;section=1.2;urlauth=submit+fred:internal:91354a47",
        "/INBOX/;uid=20;EXPIRE=2011-12-31T23:59:59Z",
    ] {
        refused(url);
    }
}

#[test]
fn broken_ones() {
    for url in [
        "",
        "/",
        ";",
        "/;UID=20",
        "/a",
        "/a/",
        "a/;UID=20",
        "/a;UID=20",
        "/a/;UID",
        "/a/;UID=",
        "/a/;UID=0",
        "/a/;UID=4294967296",
        "/a/;UID=*",
        "/a/;UID=1:20",
        "/a/;UID=20 ",
        "/a/;UID=20/",
        "/a/;UID=20/;",
        "/a/;UID=20/;UID=21",
        "/a;UIDVALIDITY=0/;UID=20",
        "/a;UIDVALIDITY=/;UID=20",
        "/a;UIDVALIDITY=1;UIDVALIDITY=1/;UID=20",
        "/a/;UID=20/;SECTION=",
        "/a/;UID=20/;SECTION=MIME",
        "/a/;UID=20/;SECTION=1.",
        "/a/;UID=20/;SECTION=0",
        "/a/;UID=20/;SECTION=1%5D",
        "/a/;UID=20/;SECTION=HEADER%20",
        "/a/;UID=20/;SECTION=BODY",
        "/a/;UID=20/;SECTION=1/;SECTION=2",
        "/a/;UID=20/;PARTIAL=1/;SECTION=1",
        "/a/;UID=20/;SECTION=HEADER.FIELDS%20({3}%0d%0aa%00b)",
        "/a b/;UID=20",
        "/ä/;UID=20",
        "/a%/;UID=20",
        "/a%2/;UID=20",
        "/a%+1/;UID=20",
        "/a%00b/;UID=20",
        "/a%0d%0a/;UID=20",
        "/%FF/;UID=20",
        "/a%2a/;UID=20",
        "/a\0/;UID=20",
    ] {
        refused(url);
    }
    refused(&format!("/a/;UID=20/;SECTION={}1", "1.".repeat(100)));
    refused(&format!("/a/;UID=20{}", "/;PARTIAL=1".repeat(10_000)));
}
