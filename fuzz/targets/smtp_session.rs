//! Whole SMTP sessions: any octets, any answers. However the octets are cut, the same is said, asked and kept; what is
//! said is SMTP; and no message that was kept can be read as two.
#![no_main]

use base::{AccountId, Domain, Limits, Reply, Timestamp};
use libfuzzer_sys::fuzz_target;
use mailward_fuzz::{Cut, Dice, choices, cut, packets, pieces};
use session::sasl::{ChannelBinding, ScramKeys};
use session::smtp::{Action, Answer, Config, Identity, Input, Offers, Question, Service, Session};
use std::sync::Arc;
use std::time::{Duration, Instant};
use wire::smtp::Body;

const MESSAGE: u64 = 2000;
const LINE: usize = 300;
const RECIPIENTS: usize = 5;

fuzz_target!(|input: &[u8]| {
    let Some(([choice, answers, cuts], octets)) = choices::<3>(input) else { return };
    let now = Instant::now();
    let whole = Player::play(octets, *choice, *answers, Cut::Whole, now);
    let other = Player::play(octets, *choice, *answers, cut(*cuts), now);
    assert_eq!(whole.replies.escape_ascii().to_string(), other.replies.escape_ascii().to_string());
    assert_eq!(whole.events, other.events);
    assert_replies(&whole.replies, octets.len());
});

fn config(choice: u8) -> Config {
    let bit = |n: u8| choice >> n & 1 == 1;
    Config {
        service: [Service::Mx, Service::Submission, Service::Submissions, Service::Mx]
            [usize::from(choice & 3)],
        host: Domain::new("mx.example.test").expect("a domain"),
        limits: Limits {
            message_octets: MESSAGE,
            line_octets: LINE,
            command_octets: 512,
            recipients: RECIPIENTS,
            mails_per_session: 5,
            errors: 8,
            failed_logins: 3,
            ..Limits::default()
        },
        starttls: bit(2),
        plaintext_auth: bit(3),
        scram: bit(4),
        smtputf8: bit(5),
        offers: Offers {
            dsn: bit(6),
            deliver_by: bit(6),
            mt_priority: bit(6),
            require_tls: bit(6),
            future_release: bit(7).then_some(86_400),
        },
    }
}

/// The date is given, so that HOLDUNTIL is judged.
fn dated(mut session: Session) -> Session {
    session.set_date(Timestamp(1_795_600_000));
    session
}

struct Player {
    session: Session,
    now: Instant,
    dice: Dice,
    replies: Vec<u8>,
    events: Vec<Event>,
    /// Whether the rest of the packet is not to be sent: TLS began within it.
    cut_short: bool,
    closed: bool,
    recipients: usize,
    binary: bool,
}

#[derive(PartialEq, Eq, Debug)]
enum Event {
    Asked(Question),
    Kept(Vec<u8>),
    Abandoned,
    Tls,
    Closed,
}

impl Player {
    fn play(octets: &[u8], choice: u8, answers: u8, cut: Cut, now: Instant) -> Player {
        let config = Arc::new(config(choice));
        let tls = (config.service == Service::Submissions).then(ChannelBinding::default);
        let mut player = Player {
            session: dated(Session::new(config, tls, [7; 32], now)),
            now,
            dice: Dice::new(&[answers]),
            replies: Vec::new(),
            events: Vec::new(),
            cut_short: false,
            closed: false,
            recipients: 0,
            binary: false,
        };
        player.drain();
        for (packet, waits) in packets(octets) {
            player.cut_short = false;
            for piece in pieces(packet, cut) {
                if player.cut_short {
                    break;
                }
                player.feed(Input::Bytes(piece));
            }
            if waits {
                player.now += Duration::from_secs(100);
                player.feed(Input::Tick);
            }
        }
        player.feed(Input::Eof);
        player.now += Duration::from_secs(100_000);
        player.feed(Input::Tick);
        assert!(player.closed, "still open in the end");
        player
    }

    fn feed(&mut self, input: Input<'_>) {
        self.session.feed(self.now, input);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(action) = self.session.next() {
            assert!(!self.closed, "{action:?} after the end");
            let mut tls = false;
            let mut answer = None;
            match action {
                Action::Send(octets) => self.replies.extend(octets),
                Action::Spool(octets) => match self.events.last_mut() {
                    Some(Event::Kept(sofar)) => sofar.extend_from_slice(octets),
                    _ => self.events.push(Event::Kept(octets.to_vec())),
                },
                Action::Abandon => self.void(Event::Abandoned),
                Action::Close => {
                    self.closed = true;
                    self.void(Event::Closed);
                }
                Action::StartTls => {
                    self.events.push(Event::Tls);
                    tls = true;
                }
                Action::Ask(question) => answer = Some(self.answer(question)),
            }
            if let Some(answer) = answer {
                assert!(!self.session.wants_bytes(), "reads on before the answer");
                self.session.feed(self.now, Input::Answer(answer));
            }
            if tls {
                self.cut_short = true;
                self.session.feed(self.now, Input::TlsUp(ChannelBinding::default()));
            }
        }
    }

    /// How much was kept of a message that is void now depends on how it came.
    fn void(&mut self, why: Event) {
        self.events.pop_if(|last| matches!(last, Event::Kept(_)));
        self.events.push(why);
    }

    fn answer(&mut self, question: Question) -> Answer {
        let roll = self.dice.roll(8);
        let refused = Reply::new(450, (4, 2, 1), "later\r\n250 not now");
        let answer = match (&question, roll) {
            (Question::Peer, 0) => Answer::Reply(Reply::plain(554, "no")),
            (Question::Password { .. } | Question::Account { .. }, 0..6) => {
                Answer::LoggedIn(Identity { account: AccountId(1), name: "alice".to_owned() })
            }
            (Question::Password { .. } | Question::Account { .. } | Question::WrongProof { .. }, _) => {
                Answer::LoginFailed
            }
            (Question::Keys { .. }, 1..) => {
                Answer::Keys(ScramKeys::from_salted_password(&[1; 32], b"salt".to_vec(), 4096))
            }
            (_, 0) => Answer::Reply(refused),
            // An answer to another question: a fault of ours that the peer must not profit from.
            (_, 1) if self.dice.roll(8) == 0 => Answer::LoginFailed,
            _ => Answer::Accepted,
        };
        let accepted = matches!(answer, Answer::Accepted);
        match &question {
            Question::Sender(sender) => {
                self.recipients = 0;
                self.binary = sender.mail.body == Body::BinaryMime;
            }
            Question::Recipient(_) => {
                self.recipients += usize::from(accepted);
                assert!(self.recipients <= RECIPIENTS);
            }
            Question::Begin => assert!(self.recipients > 0, "a message for nobody"),
            Question::End => self.assert_one_message(),
            _ => {}
        }
        self.events.push(Event::Asked(question));
        answer
    }

    /// Only CRLF ends a line (RFC 5321 §2.3.8): no reader finds another end in what we keep and pass on.
    fn assert_one_message(&self) {
        let Some(Event::Kept(message)) = self.events.last() else { return };
        assert!(message.len() as u64 <= MESSAGE);
        if self.binary {
            return;
        }
        let mut before = 0;
        for &b in message {
            assert_eq!(b == b'\n', before == b'\r', "{}", message.escape_ascii());
            assert_ne!(b, 0);
            before = b;
        }
        assert_ne!(before, b'\r');
        assert!(message.split(|b| *b == b'\n').all(|line| line.len() <= LINE + 1));
    }
}

/// Lines of a code and text, no longer than allowed, and no more of them than the peer gave cause for.
fn assert_replies(replies: &[u8], sent: usize) {
    assert!(replies.is_empty() || replies.ends_with(b"\r\n"));
    let lines = replies.split_inclusive(|b| *b == b'\n');
    for line in lines {
        // A challenge may be longer (RFC 4954 §4).
        assert!(line.len() <= 512 || line.starts_with(b"334 ") && line.len() <= 12_288);
        let line = line.strip_suffix(b"\r\n").expect("CRLF");
        let text = std::str::from_utf8(line).expect("UTF-8");
        assert!(!text.contains(|c: char| c.is_control()), "{text:?}");
        assert!(text.len() >= 4 && text.bytes().take(3).all(|b| b.is_ascii_digit()), "{text:?}");
    }
    assert!(replies.len() <= 2000 + sent * 200, "{} octets for {sent}", replies.len());
}
