//! What a scene cannot say: packets, memory, SCRAM's arithmetic, noise.

use super::*;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

const OPEN: &str = "HELO c\r\nMAIL FROM:<a@bar.example>\r\nRCPT TO:<b@example.test>\r\n";

fn started(config: &str) -> Player {
    let mut player = Player::new(config);
    player.drain();
    player.replies.clear();
    player.packets = 0;
    player
}

fn check_packets(text: &str, packets: usize, replies: usize) {
    let mut player = started("");
    player.feed(Input::Bytes(text.as_bytes()));
    assert_eq!((player.packets, player.replies.lines().count()), (packets, replies), "{text}");
}

#[test]
fn a_group_of_commands_is_answered_in_one_packet() {
    check_packets("NOOP\r\n", 1, 1);
    check_packets(OPEN, 1, 3);
    check_packets(&format!("{OPEN}DATA\r\n"), 1, 4);
    check_packets(&format!("{OPEN}DATA\r\nx\r\n.\r\nNOOP\r\nQUIT\r\n"), 1, 7);
    check_packets(&format!("{OPEN}BDAT 1 LAST\r\nxQUIT\r\n"), 1, 5);
}

#[test]
fn nothing_is_read_while_something_is_awaited() {
    let mut player = Player::new("");
    assert!(!player.session.wants_bytes());
    player.drain();
    assert!(player.session.wants_bytes());
    player.answers = vec!["later".to_owned()].into_iter();
    player.feed(Input::Bytes(b"HELO c\r\nMAIL FROM:<>\r\n"));
    assert!(!player.session.wants_bytes() && player.packets == 1);
    player.feed(Input::Answer(Answer::Accepted));
    assert!(player.session.wants_bytes());
    // A second answer answers nothing.
    player.feed(Input::Answer(Answer::Reply(Reply::new(550, (5, 7, 1), "no"))));
    assert!(!player.replies.contains("550"));
    player.feed(Input::Bytes(b"STARTTLS\r\n"));
    assert!(!player.session.wants_bytes());
}

#[test]
fn an_answer_before_its_question_is_none() {
    let mut player = started("");
    player.session.feed(player.now, Input::Bytes(b"HELO c\r\nMAIL FROM:<>\r\nRCPT TO:<b@example.test>\r\n"));
    // Whoever answers twice answers only the first question.
    assert!(matches!(player.session.next(), Some(Action::Ask(Question::Sender(_)))));
    player.session.feed(player.now, Input::Answer(Answer::Accepted));
    player.session.feed(player.now, Input::Answer(Answer::Accepted));
    assert!(matches!(player.session.next(), Some(Action::Ask(Question::Recipient(_)))));
    assert!(player.session.next().is_none());
}

#[test]
fn a_driver_that_goes_on_feeding_is_cut_off() {
    let mut player = Player::new("");
    player.answers = vec!["later".to_owned()].into_iter();
    player.drain();
    for _ in 0..1000 {
        player.feed(Input::Bytes(&[b'x'; 4096]));
        assert!(player.session.input.len() <= MAX_UNREAD);
    }
    assert_eq!(player.events.last().map(String::as_str), Some("close"));
}

#[test]
fn a_line_without_end_costs_nothing() {
    // B005
    let mut player = started("");
    player.feed(Input::Bytes(b"EHLO "));
    for _ in 0..128 {
        player.feed(Input::Bytes(&[b'a'; 65536]));
        assert!(player.session.input.capacity() <= 2 * 65536);
    }
    assert_eq!(player.replies, "500 5.5.2 line too long\r\n");
    assert_eq!(player.events.last().map(String::as_str), Some("close"));
}

#[test]
fn a_response_may_be_longer_than_a_command() {
    // RFC 4954 §4.5
    let long = |octets: usize| {
        let mut player = started("service=submissions");
        player.feed(Input::Bytes(b"EHLO c\r\nAUTH PLAIN\r\n"));
        player.replies.clear();
        player.feed(Input::Bytes(format!("{}\r\n", "A".repeat(octets)).as_bytes()));
        player.replies
    };
    assert_eq!(long(12_288), "501 5.5.2 malformed log-in\r\n");
    assert_eq!(long(12_289), "500 5.5.6 line too long\r\n");
}

#[test]
fn content_goes_through_without_piling_up() {
    let mut player = started("message=4000000 line=4000000");
    player.feed(Input::Bytes(format!("{OPEN}DATA\r\n").as_bytes()));
    let mut received = 0;
    let mut take = |player: &mut Player, octets: &[u8]| {
        player.session.feed(player.now, Input::Bytes(octets));
        let mut actions = Vec::new();
        while let Some(action) = player.session.next() {
            match action {
                Action::Spool(content) => received += content.len(),
                other => actions.push(format!("{other:?}")),
            }
        }
        assert!(player.session.input.capacity() <= 2 * 65536);
        actions
    };
    for _ in 0..61 {
        assert!(take(&mut player, &[b'x'; 65536]).is_empty());
    }
    assert_eq!(take(&mut player, b"\r\n.\r\n"), ["Ask(End)"]);
    assert_eq!(received, 61 * 65536 + 2);
    // B006: the same a little longer is refused without being kept.
    player.session.feed(player.now, Input::Answer(Answer::Accepted));
    player.feed(Input::Bytes(format!("{OPEN}DATA\r\n").as_bytes()));
    player.replies.clear();
    for _ in 0..200 {
        player.feed(Input::Bytes(&[b'x'; 65536]));
        player.events.retain(|event| !event.starts_with("M: "));
    }
    assert_eq!(player.replies, "552 5.3.4 message too large\r\n");
    assert_eq!(player.events.last().map(String::as_str), Some("close"));
}

#[test]
fn an_idle_session_holds_no_buffers() {
    let mut player = started("");
    player.feed(Input::Bytes(format!("{OPEN}DATA\r\n{}\r\n.\r\n", "x".repeat(100_000)).as_bytes()));
    assert_eq!((player.session.input.capacity(), player.session.output.capacity()), (0, 0));
}

#[test]
fn commands_without_effect_do_not_go_on_for_ever() {
    let mut player = started("errors=5");
    player.feed(Input::Bytes(&b"NOOP\r\n".repeat(500)));
    let replies: Vec<&str> = player.replies.lines().collect();
    assert_eq!(replies.len(), IDLE_COMMANDS + 5 + 1);
    assert_eq!(replies.last(), Some(&"421 4.7.0 too many errors"));
    // Messages in between make it all right.
    let mut player = started("");
    player.feed(Input::Bytes(b"HELO c\r\n"));
    for _ in 0..300 {
        player.feed(Input::Bytes(&OPEN.as_bytes()[8..]));
        player.feed(Input::Bytes(b"DATA\r\n.\r\nRSET\r\n"));
    }
    assert!(!player.replies.contains("\r\n5") && !player.replies.contains("\r\n4"));
}

#[test]
fn passwords_do_not_show() {
    let mut player = started("service=submissions");
    player.answers = vec!["later".to_owned()].into_iter();
    player.feed(Input::Bytes(b"HELO c\r\nAUTH PLAIN AGFsaWNlAHNlY3JldA==\r\n"));
    for shown in [format!("{:?}", player.session), format!("{:?}", Answer::LoginFailed)] {
        assert!(!shown.contains("secret") && !shown.contains("AGFsaWNlAHNlY3JldA"), "{shown}");
        assert!(!shown.contains("[65, 71"), "{shown}");
    }
}

#[test]
fn shutting_down_says_so() {
    let mut player = started("");
    player.session.shut_down();
    player.drain();
    assert_eq!(player.replies, "421 4.3.2 service shutting down, try again later\r\n");
    assert_eq!(player.events.last().map(String::as_str), Some("close"));
}

fn mac(key: &[u8], text: &str) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().into()
}

/// A SCRAM client's exchange (RFC 5802 §3), by a client that believes the salted password to be `salted`.
fn scram(player: &mut Player, mechanism: &str, header: &str, binding: &[u8], salted: &[u8; 32]) {
    let bare = "n=alice,r=clientnonce";
    let first = wire::sasl::encode(format!("{header}{bare}").as_bytes());
    player.replies.clear();
    player.session.feed(player.now, Input::Bytes(format!("AUTH {mechanism} {first}\r\n").as_bytes()));
    assert!(matches!(player.session.next(), Some(Action::Ask(Question::Keys { user })) if user == "alice"));
    let keys = ScramKeys::from_salted_password(&[3; 32], b"salt".to_vec(), 4096);
    player.feed(Input::Answer(Answer::Keys(keys)));
    let challenge = player.replies.trim_end().strip_prefix("334 ").unwrap().to_owned();
    let server_first = wire::sasl::decode(challenge.as_bytes()).unwrap();
    let server_first = server_first.expose_str().unwrap();
    let nonce = server_first.split(',').next().unwrap();
    let bound = wire::sasl::encode(&[header.as_bytes(), binding].concat());
    let without_proof = format!("c={bound},{nonce}");
    let client_key = mac(salted, "Client Key");
    let stored_key = Sha256::digest(client_key);
    let signature = mac(&stored_key, &format!("{bare},{server_first},{without_proof}"));
    let proof: Vec<u8> = client_key.iter().zip(signature).map(|(key, sign)| key ^ sign).collect();
    let answer = format!("{without_proof},p={}", wire::sasl::encode(&proof));
    player.replies.clear();
    player.events.clear();
    player.feed(Input::Bytes(format!("{}\r\n", wire::sasl::encode(answer.as_bytes())).as_bytes()));
}

#[test]
fn scram_right_and_wrong() {
    let mut player = started("service=submissions");
    player.feed(Input::Bytes(b"EHLO c\r\n"));
    player.answers = vec!["fail".to_owned()].into_iter();
    scram(&mut player, "SCRAM-SHA-256", "n,,", b"", &[4; 32]);
    assert_eq!(player.events, ["Q: wrong-proof alice"]);
    assert_eq!(player.replies, "535 5.7.8 authentication credentials invalid\r\n");
    // An answer that does not fit can't let a wrong proof in.
    player.answers = vec!["login alice".to_owned()].into_iter();
    scram(&mut player, "SCRAM-SHA-256", "n,,", b"", &[4; 32]);
    assert!(player.session.identity().is_none());
    scram(&mut player, "SCRAM-SHA-256", "n,,", b"", &[3; 32]);
    // The server's signature is a challenge; the client's answer to it is empty (RFC 4954 §4).
    assert!(player.replies.starts_with("334 ") && player.session.identity().is_none());
    player.answers = vec!["login alice".to_owned()].into_iter();
    player.replies.clear();
    player.feed(Input::Bytes(b"\r\n"));
    assert_eq!(player.events, ["Q: account alice"]);
    assert_eq!(player.replies, "235 2.7.0 authentication succeeded\r\n");
    assert_eq!(player.session.identity().map(|identity| identity.name.as_str()), Some("alice"));
}

#[test]
fn scram_plus_binds_to_the_connection() {
    let mut player = started("service=submission");
    player.feed(Input::Bytes(b"EHLO c\r\nSTARTTLS\r\n"));
    let binding = ChannelBinding { exporter: Some(vec![9; 32]), server_end_point: None };
    player.feed(Input::TlsUp(binding));
    player.feed(Input::Bytes(b"EHLO c\r\n"));
    assert!(player.replies.ends_with("250 AUTH SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN LOGIN\r\n"));
    player.answers = vec!["fail".to_owned()].into_iter();
    scram(&mut player, "SCRAM-SHA-256-PLUS", "p=tls-exporter,,", &[8; 32], &[3; 32]);
    assert_eq!(player.events, ["Q: wrong-proof alice"]);
    scram(&mut player, "SCRAM-SHA-256-PLUS", "p=tls-exporter,,", &[9; 32], &[3; 32]);
    assert!(player.replies.starts_with("334 "));
}

/// Numbers without pattern, the same each time (Knuth's 64-bit linear congruence).
struct Noise(u64);

impl Noise {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }
}

#[test]
fn noise_reads_the_same_however_it_is_split_up() {
    const PIECES: [&str; 24] = [
        "EHLO c\r\n",
        "MAIL FROM:<a@b.example>\r\n",
        "MAIL FROM:<a@b.example> BODY=BINARYMIME\r\n",
        "RCPT TO:<c@d.example>\r\n",
        "DATA\r\n",
        "BDAT 7\r\n",
        "BDAT 0 LAST\r\n",
        "BDAT 3 LAST\r\n",
        "RSET\r\n",
        "NOOP\r\n",
        "STARTTLS\r\n",
        "AUTH PLAIN AGEAYg==\r\n",
        "AUTH LOGIN\r\n",
        "AGEAYg==\r\n",
        "*\r\n",
        "QUIT\r\n",
        ".\r\n",
        "..\r\n",
        "text\r\n",
        "\r\n",
        "\r",
        "\n",
        "\0",
        ".",
    ];
    const ANSWERS: [&str; 8] = ["ok", "ok", "ok", "ok", "ok", "login a", "451 4.3.0 later", "550 5.7.1 no"];
    let (in_data, in_chunk) = (format!("{OPEN}DATA\r\n"), format!("{OPEN}BDAT 3\r\n"));
    let mut noise = Noise(1);
    let mut taken = 0;
    for round in 0..6000 {
        let config = ["", "", "service=submission plaintext-auth", "service=submissions"][round % 4];
        // Odd octets are rare, or no dialogue would last.
        let opening = ["", OPEN, &in_data, &in_chunk][noise.below(4)];
        let noisy: String = (0..noise.below(30))
            .map(|_| {
                let all = noise.below(8) == 0;
                PIECES[noise.below(if all { PIECES.len() } else { PIECES.len() - 4 })]
            })
            .collect();
        let text = format!("{opening}{noisy}");
        let answers: Vec<String> = (0..30).map(|_| ANSWERS[noise.below(8)].to_owned()).collect();
        let play = |pieces: &mut dyn FnMut() -> usize| {
            let mut player = started(config);
            player.answers = answers.clone().into_iter();
            let mut rest = text.as_bytes();
            while !rest.is_empty() {
                let (part, after) = rest.split_at(pieces().clamp(1, rest.len()));
                player.feed(Input::Bytes(part));
                rest = after;
            }
            player.feed(Input::Eof);
            (player.replies, player.events)
        };
        let whole = play(&mut || usize::MAX);
        taken += usize::from(whole.1.iter().any(|event| event == "Q: end"));
        assert_eq!(play(&mut || 1), whole, "{text:?}");
        assert_eq!(play(&mut || noise.below(9)), whole, "{text:?}");
    }
    assert!(taken > 100, "{taken} rounds came to a whole message");
}
