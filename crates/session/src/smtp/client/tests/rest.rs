//! What a scene cannot say: timing, memory, secrets.

use super::*;

const READY: &str = "220 mx.example\r\n";
const EHLO: &str = "250-mx.example\r\n250 PIPELINING\r\n";

fn ready() -> Player {
    let mut player = Player::new("");
    player.drain();
    player.feed(Input::Bytes(READY.as_bytes()));
    player.feed(Input::Bytes(EHLO.as_bytes()));
    assert_eq!(player.events, ["ready"]);
    player.events.clear();
    player
}

fn give(player: &mut Player, content: &[u8]) {
    player.content = content.to_vec();
    let mut mail = mail("from=a@bar.example to=b@foo.example");
    mail.size = content.len() as u64;
    player.feed(Input::Mail(Box::new(mail)));
}

#[test]
fn a_reply_before_the_message_ends_is_not_its_reply() {
    // Both in one packet: the second can't answer what was not sent yet.
    let mut player = ready();
    give(&mut player, b"x\r\n");
    player.feed(Input::Bytes(b"250 ok\r\n250 ok\r\n354 go\r\n250 taken\r\n"));
    assert!(player.events[0].starts_with("deferred Content/Protocol"), "{:?}", player.events);
    // Half of one is one.
    let mut player = ready();
    give(&mut player, b"x\r\n");
    player.feed(Input::Bytes(b"250 ok\r\n250 ok\r\n354 go\r\n250 tak"));
    assert!(player.events[0].starts_with("deferred Content/Protocol"), "{:?}", player.events);
    // So it is between commands.
    let mut player = Player::new("");
    player.feed(Input::Bytes(b"220 mx.example\r\n250-mx.exam"));
    player.feed(Input::Bytes(b"ple\r\n250 ok\r\n"));
    assert_eq!(player.events, ["ready"]);
    player.events.clear();
    player.feed(Input::Bytes(b"25"));
    give(&mut player, b"x\r\n");
    assert!(player.events[0].starts_with("deferred Idle/Protocol"), "{:?}", player.events);
}

#[test]
fn an_endless_reply_counts_and_ends_the_session() {
    // B149
    let mut player = ready();
    give(&mut player, b"x\r\n");
    player.feed(Input::Bytes(b"250 ok\r\n250 ok\r\n354 go\r\n"));
    player.client.feed(player.now, Input::Bytes(&b"250-taken\r\n".repeat(100_000)));
    player.drain();
    assert!(player.events[0].starts_with("delivered 250 taken taken"), "{:?}", player.events);
    assert!(player.events[0].len() < 10_000);
    let close =
        "close End/Protocol/host 451 4.5.0 server sent a reply without end after the message was sent";
    assert_eq!(player.events[1..], [close]);
}

#[test]
fn forged_lines_stay_text() {
    let mut player = ready();
    give(&mut player, b"x\r\n");
    let reply = b"250 ok\r\n550-5.1.1 no\r550 mail delivered\r\n550-Final-Recipient: x\0y\r\n550 \x1b[2J\r\n503 no\r\n";
    player.feed(Input::Bytes(reply));
    let expected =
        "refused Recipient/Reply/message 550 5.1.1 no?550 mail delivered Final-Recipient: x?y ?[2J";
    assert_eq!(player.events, [expected]);
}

#[test]
fn pieces_are_asked_for_one_at_a_time() {
    let mut client = ready().client;
    let now = Instant::now();
    let mail = Mail { size: 3 * PIECE + 1, ..mail("from=a@bar.example to=b@foo.example") };
    client.feed(now, Input::Mail(Box::new(mail)));
    assert!(matches!(client.next(), Some(Action::Send(_))));
    client.feed(now, Input::Bytes(b"250 ok\r\n250 ok\r\n354 go\r\n"));
    let mut at = 0;
    while let Some(action) = client.next() {
        match action {
            Action::Content(range) => {
                assert_eq!((range.start, range.end), (at, (at + PIECE).min(3 * PIECE + 1)));
                assert!(client.next().is_none());
                // The first part of what was asked for will do.
                let given = (range.end - range.start).min(PIECE - 10);
                at += given;
                client.feed(now, Input::Content(&vec![b'x'; given as usize]));
            }
            Action::Send(octets) => assert!(octets.len() as u64 <= PIECE),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(at, 3 * PIECE + 1);
    client.feed(now, Input::Bytes(b"250 ok\r\n"));
    assert!(matches!(client.next(), Some(Action::Done(_))));
}

#[test]
fn content_that_does_not_fit_is_a_fault_of_ours() {
    for octets in [&b""[..], b"four"] {
        let mut player = ready();
        let mail = Mail { size: 3, ..mail("from=a@bar.example to=b@foo.example") };
        player.feed(Input::Mail(Box::new(mail)));
        player.feed(Input::Bytes(b"250 ok\r\n250 ok\r\n354 go\r\n"));
        player.feed(Input::Content(octets));
        assert!(player.events[0].starts_with("deferred Content/Unreadable/message"), "{:?}", player.events);
    }
}

#[test]
fn a_large_message_has_more_time() {
    let mut player = ready();
    let mail = Mail { size: 4096 * 3600, ..mail("from=a@bar.example to=b@foo.example") };
    player.feed(Input::Mail(Box::new(mail)));
    player.feed(Input::Bytes(b"250 ok\r\n250 ok\r\n354 go\r\n"));
    // Half an hour and the time that its octets take at the slowest rate.
    let piece = vec![b'x'; 4096];
    for second in 0..(1800 + 3600) {
        player.now += Duration::from_secs(1);
        assert!(!player.closed, "{second}");
        player.feed(if second % 2 == 0 { Input::Content(&piece) } else { Input::Tick });
        player.sent.clear();
    }
    assert!(player.events[0].starts_with("deferred Content/Timeout"), "{:?}", player.events);
}

#[test]
fn the_reply_to_the_message_has_its_ten_minutes() {
    // RFC 5321 §4.5.3.2.6, however late it has become.
    let mut player = ready();
    give(&mut player, b"x\r\n");
    for reply in ["250 ok\r\n", "250 ok\r\n", "354 go\r\n"] {
        player.now += Duration::from_secs(119);
        player.feed(Input::Bytes(reply.as_bytes()));
    }
    player.client.bound = player.now + Duration::from_secs(1);
    player.now += Duration::from_secs(599);
    player.feed(Input::Bytes(b"250 taken\r\n"));
    assert_eq!(player.events, ["delivered 250 taken", "ready"]);
}

#[test]
fn a_mail_at_the_wrong_time_comes_back() {
    let mut client = Player::new("").client;
    let now = Instant::now();
    let give = |client: &mut Client| {
        client.feed(now, Input::Mail(Box::new(mail("to=b@foo.example to=c@foo.example"))));
        match client.next() {
            Some(Action::Done(outcome)) => outcome.recipients,
            other => panic!("{other:?}"),
        }
    };
    let not_tried = [Fate::NotTried, Fate::NotTried];
    assert_eq!(give(&mut client), not_tried);
    client.feed(now, Input::Eof);
    assert!(matches!(client.next(), Some(Action::Close(Some(_)))));
    assert_eq!(give(&mut client), not_tried);
}

#[test]
fn a_session_that_is_over_stays_over() {
    let mut player = ready();
    player.feed(Input::Eof);
    assert!(player.closed);
    for input in [
        Input::Bytes(b"220 hello\r\n"),
        Input::Eof,
        Input::TlsUp(Security { authenticated: true }),
        Input::TlsFailed(String::new()),
        Input::Content(b"x"),
        Input::ContentFailed,
        Input::Quit,
        Input::Tick,
    ] {
        // The player fails on any action.
        player.feed(input);
        assert_eq!((player.client.deadline(), player.client.wants_bytes()), (None, false));
    }
}

#[test]
fn inputs_at_the_wrong_time_do_nothing() {
    let mut player = ready();
    for input in [
        Input::TlsUp(Security { authenticated: true }),
        Input::TlsFailed(String::new()),
        Input::Content(b"x"),
        Input::Content(b""),
        Input::ContentFailed,
        Input::Tick,
        Input::Bytes(b""),
    ] {
        player.feed(input);
        assert!(player.client.is_ready() && player.client.security().is_none() && player.events.is_empty());
    }
}

#[test]
fn passwords_do_not_show() {
    let mut player = Player::new("login=secret inside-tls");
    player.client.feed(player.now, Input::Bytes(b"220 mx.example\r\n250-mx.example\r\n250 AUTH PLAIN\r\n"));
    let shown = format!("{:?} {:?}", player.client, player.client.config);
    player.drain();
    assert!(player.sent.ends_with(b"AUTH PLAIN AGFsaWNlAHNlY3JldA==\r\n"));
    assert!(!shown.contains("secret\"") && !shown.contains("AGFsaWNlAHNlY3JldA"), "{shown}");
    assert!(!shown.contains("[65, 85"), "{shown}");
}
