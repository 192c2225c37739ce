//! A server that fails at each of its replies, in each way.

use super::*;

/// What a server does instead of a reply.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Failure {
    Hangs,
    Silent,
    ShutsDown,
    Garbage,
    Endless,
    EndlessLine,
    WrongCode,
}

const FAILURES: [Failure; 7] = [
    Failure::Hangs,
    Failure::Silent,
    Failure::ShutsDown,
    Failure::Garbage,
    Failure::Endless,
    Failure::EndlessLine,
    Failure::WrongCode,
];

/// An ordinary session's replies, each with what it answers. The mail comes before MAIL's.
fn script(extensions: &str, body: &[(Stage, &'static str)]) -> Vec<(Stage, String)> {
    let hello = |more: &str| format!("250-mx.example\r\n{more}{extensions}250 8BITMIME\r\n");
    let mut script = vec![
        (Stage::Greeting, "220 mx.example\r\n".to_owned()),
        (Stage::Hello, hello("250-STARTTLS\r\n")),
        (Stage::StartTls, "220 go\r\n".to_owned()),
        (Stage::Hello, hello("250-AUTH LOGIN\r\n")),
        (Stage::Login, "334 VXNlcm5hbWU6\r\n".to_owned()),
        (Stage::Login, "334 UGFzc3dvcmQ6\r\n".to_owned()),
        (Stage::Login, "235 ok\r\n".to_owned()),
        (Stage::Mail, "250 ok\r\n".to_owned()),
        (Stage::Recipient, "250 ok\r\n".to_owned()),
        (Stage::Recipient, "550 5.1.1 no\r\n".to_owned()),
    ];
    script.extend(body.iter().map(|(stage, text)| (*stage, format!("{text}\r\n"))));
    script
}

fn give_mail(player: &mut Player) {
    player.content = b"0123456789\r\n".to_vec();
    let mut mail = mail("from=a@bar.example to=b@foo.example to=c@foo.example");
    mail.size = player.content.len() as u64;
    player.feed(Input::Mail(Box::new(mail)));
}

/// Plays replies up to the one that fails, and that one.
fn play_to(script: &[(Stage, String)], at: usize, failure: Failure) -> Player {
    let mut player = Player::new("login=secret chunk=7");
    player.drain();
    for (number, (stage, text)) in script.iter().enumerate() {
        if *stage == Stage::Mail {
            assert_eq!(player.events.pop().as_deref(), Some("ready"));
            give_mail(&mut player);
        }
        if number == at {
            fail(&mut player, *stage, text, failure);
            return player;
        }
        player.feed(Input::Bytes(text.as_bytes()));
        if *stage == Stage::StartTls {
            assert_eq!(player.events.pop().as_deref(), Some("starttls"));
            player.feed(Input::TlsUp(Security { authenticated: true }));
        }
    }
    player
}

fn fail(player: &mut Player, stage: Stage, text: &str, failure: Failure) {
    match failure {
        Failure::Hangs => player.feed(Input::Eof),
        Failure::ShutsDown => player.feed(Input::Bytes(b"421 4.3.2 bye\r\n")),
        Failure::Garbage => player.feed(Input::Bytes(b"\0\x01hello\r\n")),
        Failure::WrongCode if stage == Stage::Data => player.feed(Input::Bytes(b"250 ok\r\n")),
        Failure::WrongCode => player.feed(Input::Bytes(b"354 go\r\n")),
        Failure::Silent => {
            player.now += Duration::from_secs(601);
            player.feed(Input::Tick);
        }
        Failure::Endless => {
            let line = format!("{}-x\r\n", &text[..3]);
            for _ in 0..1000 {
                player.client.feed(player.now, Input::Bytes(line.repeat(100).as_bytes()));
            }
            player.drain();
        }
        Failure::EndlessLine => {
            player.client.feed(player.now, Input::Bytes(&text.as_bytes()[..4]));
            for _ in 0..1000 {
                player.client.feed(player.now, Input::Bytes(&[b'x'; 1024]));
            }
            player.drain();
        }
    }
}

fn check(script: &[(Stage, String)], at: usize, failure: Failure) {
    let player = play_to(script, at, failure);
    let stage = script[at].0;
    let place = format!("{failure:?} at reply {at}, {stage:?}: {:?}", player.events);
    assert!(player.closed, "{place}");
    let (close, fates) = player.events.split_last().unwrap();
    let why = match failure {
        Failure::Hangs => Why::Lost,
        Failure::Silent => Why::Timeout,
        Failure::ShutsDown => Why::Reply,
        _ => Why::Protocol,
    };
    // The code of a reply without end counts: what it said of a recipient or the message stands. Then the client was
    // one step further.
    let heard = matches!(failure, Failure::Endless | Failure::EndlessLine);
    assert!(close.contains(&format!("/{why:?}/host")), "{place}");
    if !heard {
        assert!(close.starts_with(&format!("close {stage:?}/")), "{place}");
    }
    let mails = script.iter().position(|(stage, _)| *stage == Stage::Mail).unwrap();
    if at < mails {
        // No mail was there yet.
        assert!(fates.is_empty(), "{place}");
        return;
    }
    let [first, second] = fates else { panic!("{place}") };
    let expected = match (failure, stage) {
        (_, Stage::End) if heard => "delivered 250",
        (Failure::ShutsDown, _) => "deferred",
        (_, Stage::End) => "unknown End/",
        // All chunks were on their way already.
        (_, Stage::Content) => "unknown Content/",
        _ => "deferred",
    };
    assert!(first.starts_with(expected), "{place}");
    // A refusal that was heard stays one.
    if at > mails + 2 || (at == mails + 2 && heard) {
        assert!(second.starts_with("refused Recipient/Reply/message 550"), "{place}");
    } else {
        assert!(second.starts_with("deferred"), "{place}");
    }
}

#[test]
fn a_server_that_fails_at_each_reply() {
    let data = [(Stage::Data, "354 go"), (Stage::End, "250 ok")];
    let chunks = [(Stage::Content, "250 ok"), (Stage::End, "250 ok")];
    let scripts = [
        script("", &data),
        script("250-PIPELINING\r\n", &data),
        script("250-PIPELINING\r\n250-CHUNKING\r\n", &chunks),
    ];
    for script in &scripts {
        let whole = play_to(script, usize::MAX, Failure::Hangs);
        let wanted = ["delivered 250 ok", "refused Recipient/Reply/message 550 5.1.1 no", "ready"];
        assert_eq!(whole.events, wanted);
        for at in 0..script.len() {
            FAILURES.iter().for_each(|failure| check(script, at, *failure));
        }
    }
}
