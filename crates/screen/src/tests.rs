use super::*;
use base::{AccountId, Address, DomainId, Limits, Reply, ReversePath, Timestamp, TraceId};
use gate::{
    ContentEvidence, Destination, LocalTarget, Origin, PeerEvidence, RecipientEvidence, Ruling,
    SenderEvidence, Spooled,
};
use std::sync::Arc;
use wire::mime::Tree;

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn checks() -> Checks {
    Checks::new(&Settings { limits: Limits { received_fields: 3, ..Limits::default() }, record_only: false })
}

fn peer(origin: Origin) -> PeerEvidence {
    PeerEvidence { ip: "127.0.0.1".parse().unwrap(), origin }
}

/// Alice owns her address and nothing else.
fn owns_alice(address: &Address) -> bool {
    address.to_string() == "alice@example.test"
}

fn code<S: gate::Stage>(ruling: &Ruling<S>) -> u16 {
    ruling.turns_away().map_or(250, Reply::code)
}

#[test]
fn strangers_relay_nothing_and_accounts_may_send_abroad() {
    let local =
        Destination::Local(vec![LocalTarget { account: AccountId(1), domain: DomainId(1), detail: None }]);
    let full = Destination::Unavailable(Reply::new(452, (4, 2, 2), "Mailbox full"));
    for (destination, authenticated, expected) in [
        (Destination::Remote, false, 550),
        (Destination::Remote, true, 250),
        (local.clone(), false, 250),
        (local, true, 250),
        (Destination::NoSuchUser, false, 550),
        (Destination::NoSuchUser, true, 550),
        (full, false, 452),
    ] {
        let evidence = RecipientEvidence {
            peer: &peer(Origin::Mx),
            authenticated,
            reverse_path: &ReversePath::Null,
            recipient: &Address::parse("x@example.org").unwrap(),
            destination: &destination,
        };
        let ruling = block_on(Ruling::of(&checks().recipient, &evidence));
        assert_eq!(code(&ruling), expected, "{destination:?} {authenticated}");
    }
}

/// Only reports go back by the address under which mail was sent on.
#[test]
fn senders_of_mail_that_was_sent_on_get_reports_only() {
    let address = |text: &str| Address::parse(text).unwrap();
    let destination = Destination::Returned { sender: address("x@example.org"), domain: DomainId(1) };
    for (reverse_path, authenticated, expected) in [
        (ReversePath::Null, false, 250),
        (ReversePath::Address(address("x@example.net")), false, 550),
        (ReversePath::Address(address("alice@example.test")), true, 550),
    ] {
        let evidence = RecipientEvidence {
            peer: &peer(Origin::Mx),
            authenticated,
            reverse_path: &reverse_path,
            recipient: &address("SRS0=x=y=example.org=x@example.test"),
            destination: &destination,
        };
        let ruling = block_on(Ruling::of(&checks().recipient, &evidence));
        assert_eq!(code(&ruling), expected, "{reverse_path:?}");
    }
}

/// B024: behind a container's proxy all the world comes from a private address, so that none earns trust.
#[test]
fn no_address_may_relay() {
    for ip in [
        "127.0.0.1",
        "::1",
        "10.0.0.1",
        "172.17.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.0.1",
        "fd00::1",
        "fe80::1",
    ] {
        let evidence = RecipientEvidence {
            peer: &PeerEvidence { ip: ip.parse().unwrap(), origin: Origin::Mx },
            authenticated: false,
            reverse_path: &ReversePath::Address(Address::parse("alice@example.test").unwrap()),
            recipient: &Address::parse("x@example.org").unwrap(),
            destination: &Destination::Remote,
        };
        assert_eq!(code(&block_on(Ruling::of(&checks().recipient, &evidence))), 550, "{ip}");
    }
}

#[test]
fn an_account_has_its_own_reverse_path() {
    for (path, logged_in, expected) in [
        (Some("alice@example.test"), true, 250),
        (Some("bob@example.test"), true, 553),
        (Some("alice@example.org"), true, 553),
        (None, true, 250),
        (Some("anyone@example.net"), false, 250),
    ] {
        let reverse_path =
            path.map_or(ReversePath::Null, |p| ReversePath::Address(Address::parse(p).unwrap()));
        let evidence = SenderEvidence {
            peer: &peer(Origin::Submission),
            helo: "client",
            account: if logged_in { Some(&owns_alice) } else { None },
            reverse_path: &reverse_path,
        };
        assert_eq!(code(&block_on(Ruling::of(&checks().sender, &evidence))), expected, "{path:?}");
    }
}

/// The reply to a message of an origin, logged in as alice where that is submission.
fn code_of(origin: Origin, header: &str) -> u16 {
    let octets = format!("{header}Subject: x\r\n\r\nbody\r\n").into_bytes();
    let mail = Spooled {
        trace: TraceId(1),
        reverse_path: ReversePath::Null,
        tree: Arc::new(Tree::parse(&octets, &Limits { header_fields: 40, ..Limits::default() })),
        octets: Arc::new(octets),
        received: Timestamp(0),
        smtputf8: false,
    };
    let evidence = ContentEvidence { peer: None, origin, account: None, mail: &mail };
    let evidence = match origin {
        Origin::Submission => ContentEvidence { account: Some(&owns_alice), ..evidence },
        _ => evidence,
    };
    code(&block_on(Ruling::of(&checks().content, &evidence)))
}

fn check(origin: Origin, header: &str, expected: u16) {
    assert_eq!(code_of(origin, header), expected, "{header}");
}

#[test]
fn authors_of_submitted_mail_are_the_account() {
    use Origin::Submission;
    check(Submission, "From: alice@example.test\r\n", 250);
    check(Submission, "From: \"bob@example.test\" <alice@example.test>\r\n", 250);
    check(Submission, "From: Alice <ALICE@example.test>\r\n", 553);
    check(Submission, "From: bob@example.test\r\n", 553);
    check(Submission, "From: alice@example.test, bob@example.test\r\n", 553);
    check(Submission, "From: alice@example.test\r\nSender: bob@example.test\r\n", 553);
    check(Submission, "From: alice@example.test\r\nFrom: bob@example.test\r\n", 550);
    check(Submission, "From:\r\n", 550);
    check(Submission, "", 550);
    check(Submission, &format!("From: {}\r\n", vec!["alice@example.test"; 100].join(", ")), 250);
    check(Submission, &format!("From: {}\r\n", vec!["alice@example.test"; 101].join(", ")), 550);
    // Ways to show another author than the one that was checked.
    for from in [
        "bob <alice@example.test> bob@example.test",
        "<alice@example.test> (alice) \"bob\"@example.test",
        "<alice@example.test> <bob@example.test>",
        "<bob@example.test> alice@example.test",
        "alice@example.test bob@example.test",
        "alice@example.test; bob@example.test",
        "alice@example.test,\r\n bob@example.test",
        "<alice@example.test>, <bob@example.test",
        "friends: alice@example.test, bob@example.test;",
        "friends: alice@example.test; bob@example.test",
        "friends:;, bob@example.test",
        "a: b: bob@example.test;, alice@example.test",
        "alice@example.test, bob",
        "alice@example.test, =?utf-8?q?bob=40example.test?=",
        "\"alice@example.test\" <bob@example.test>",
        "alice(@example.test)@example.test, bob@example.test",
        "(alice@example.test) bob@example.test",
        "(unclosed alice@example.test, bob@example.test",
        "\"unclosed alice@example.test, bob@example.test",
        "alice@example.test <>",
        "<@relay.test:bob@example.test>",
        "<alice@example.test@example.org>",
        "<\"alice@example.test\"@example.org>",
        "alice@example.test.",
        "alice@example\0.test",
        "alice@[192.0.2.1]",
    ] {
        assert!(code_of(Submission, &format!("From: {from}\r\n")) >= 550, "{from}");
    }
}

#[test]
fn mail_from_outside_has_one_from_and_an_end_of_hops() {
    use Origin::Mx;
    check(Mx, "From: anyone@example.net\r\n", 250);
    check(Mx, "", 250);
    check(Mx, "From: a@example.net\r\nFROM: b@example.org\r\n", 550);
    check(Mx, &"Received: by a; date\r\n".repeat(3), 250);
    check(Mx, &"Received: by a; date\r\n".repeat(4), 554);
    check(Mx, &"X-A: b\r\n".repeat(100), 552);
}

/// What BINARYMIME lets through: a line end to some readers and to others none.
#[test]
fn headers_are_lines() {
    for origin in [Origin::Mx, Origin::Submission] {
        check(origin, "X: y\rFrom: bob@example.test\r\nFrom: alice@example.test\r\n", 550);
        check(origin, "X: y\nSubject: z\r\nFrom: alice@example.test\r\n", 550);
        check(origin, "X: y\0\r\nFrom: alice@example.test\r\n", 550);
        check(origin, "From: alice@example.test\r\n\r\nbody\rbody\nbody\0\r\n", 250);
    }
}

#[test]
fn recording_turns_content_verdicts_into_notes_and_leaves_the_rest() {
    let recording = Checks::new(&Settings { limits: Limits::default(), record_only: true });
    let octets = b"From: a@example.net\r\nFrom: b@example.net\r\n\r\n".to_vec();
    let mail = Spooled {
        trace: TraceId(1),
        reverse_path: ReversePath::Null,
        tree: Arc::new(Tree::parse(&octets, &Limits::default())),
        octets: Arc::new(octets),
        received: Timestamp(0),
        smtputf8: false,
    };
    let evidence = ContentEvidence { peer: None, origin: Origin::Mx, account: None, mail: &mail };
    let ruling = block_on(Ruling::of(&recording.content, &evidence));
    assert_eq!((code(&ruling), ruling.findings().count()), (250, 1));
    let evidence = ContentEvidence { origin: Origin::Submission, account: Some(&owns_alice), ..evidence };
    assert_eq!(code(&block_on(Ruling::of(&recording.content, &evidence))), 553);
}
