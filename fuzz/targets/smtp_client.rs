//! The SMTP client against any server: any octets, time, TLS. However the octets are cut, the same is sent and the same
//! becomes of each mail; no bare CR, LF or NUL goes out unless by BINARYMIME; nobody is told "delivered" before the
//! message was sent; nothing that the server says is kept beyond its limits.
#![no_main]

use base::{Address, ReversePath, Secret};
use libfuzzer_sys::fuzz_target;
use mailward_fuzz::{Cut, Dice, choices, cut, packets, pieces};
use session::smtp::client::{
    Action, Client, Config, DeliverBy, EnvelopeId, Fate, Input, Login, Mail, Notify, OriginalRecipient,
    Outcome, Recipient, Ret, Security, Tls, Trouble,
};
use std::sync::Arc;
use std::time::{Duration, Instant};
use wire::smtp::{Body, ClientName};

const MAILS: usize = 6;
const RECIPIENTS: [&str; 5] =
    ["b@foo.example", "c@foo.example", "grå@bar.example", "\"a b\"@[192.0.2.1]", "d@bar.example"];
const CONTENTS: [&[u8]; 8] = [
    b"Subject: x\r\n\r\n.\r\n..a\r\n",
    b"",
    b"no end",
    "gr\u{e5}\r\n".as_bytes(),
    b".",
    b"a\r\n.\r\nMAIL FROM:<>\r\n",
    b"bare\n.\n",
    b"\0 \r",
];

fuzz_target!(|input: &[u8]| {
    let Some(([choice, mails, cuts], octets)) = choices::<3>(input) else { return };
    let now = Instant::now();
    let whole = Player::play(octets, *choice, *mails, Cut::Whole, now);
    let other = Player::play(octets, *choice, *mails, cut(*cuts), now);
    assert_eq!(whole.sent.escape_ascii().to_string(), other.sent.escape_ascii().to_string());
    assert_eq!(whole.events, other.events);
    whole.assert_text();
});

fn config(choice: u8) -> Config {
    let bit = |n: u8| choice >> n & 1 == 1;
    Config {
        tls: [Tls::Opportunistic, Tls::Required, Tls::Never, Tls::Opportunistic][usize::from(choice & 3)],
        login: bit(2).then(|| Login { user: "alice".to_owned(), password: Secret::new(&b"secret"[..]) }),
        recipients: if bit(3) { 2 } else { 100 },
        chunk_octets: if bit(4) { 5 } else { 1000 },
        chunking: !bit(5),
        pipelining: !bit(6),
        ..Config::new(ClientName::new("out.example.net").expect("a name"))
    }
}

#[derive(PartialEq, Eq, Debug)]
enum Event {
    Tls,
    Given(usize),
    Done(Outcome),
    Closed(Option<Trouble>),
}

struct Player {
    client: Client,
    now: Instant,
    dice: Dice,
    sent: Vec<u8>,
    /// Where in `sent` the current mail began.
    mail_at: usize,
    content: &'static [u8],
    given: usize,
    done: usize,
    binary: bool,
    closed: bool,
    events: Vec<Event>,
    /// What the driver has to answer. It does so between packets, so that how a packet is cut makes no difference.
    asked: Option<Action>,
}

impl Player {
    fn play(octets: &[u8], choice: u8, mails: u8, cut: Cut, now: Instant) -> Player {
        let inside = (choice >> 7 == 1).then_some(Security { authenticated: true });
        let mut player = Player {
            client: Client::new(Arc::new(config(choice)), inside, now),
            now,
            dice: Dice::new(&[mails]),
            sent: Vec::new(),
            mail_at: 0,
            content: b"",
            given: 0,
            done: 0,
            binary: false,
            closed: false,
            events: Vec::new(),
            asked: None,
        };
        player.drain();
        for (packet, waits) in packets(octets) {
            for piece in pieces(packet, cut) {
                player.feed(Input::Bytes(piece));
            }
            player.answer();
            if waits {
                player.now += Duration::from_secs(100);
                player.feed(Input::Tick);
            }
        }
        player.feed(Input::Eof);
        assert!(player.closed && player.given == player.done, "still open in the end");
        player
    }

    fn feed(&mut self, input: Input<'_>) {
        self.client.feed(self.now, input);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(action) = self.client.next() {
            assert!(!self.closed, "{action:?} after the end");
            match action {
                Action::Send(octets) => self.sent.extend(octets),
                Action::Done(outcome) => self.mail_is_done(*outcome),
                Action::Close(trouble) => {
                    self.closed = true;
                    self.asked = None;
                    self.events.push(Event::Closed(trouble.map(|trouble| *trouble)));
                }
                Action::StartTls | Action::Content(_) | Action::Ready => {
                    assert!(self.asked.replace(action).is_none(), "two questions at once");
                }
            }
        }
        assert!(self.closed || self.client.is_ready() || self.client.deadline().is_some());
    }

    /// Does what was asked for, and what that leads to.
    fn answer(&mut self) {
        while let Some(action) = self.asked.take() {
            match action {
                Action::StartTls => {
                    self.events.push(Event::Tls);
                    let authenticated = self.dice.roll(4) > 0;
                    match self.dice.roll(8) {
                        0 => self.feed(Input::TlsFailed("no".to_owned())),
                        _ => self.feed(Input::TlsUp(Security { authenticated })),
                    }
                }
                Action::Content(range) => {
                    let (start, end) = (range.start as usize, range.end as usize);
                    let piece = self.content.get(start..end).expect("within the message");
                    self.feed(Input::Content(piece));
                }
                _ if self.given < MAILS => self.give(),
                _ => self.feed(Input::Quit),
            }
        }
    }

    fn give(&mut self) {
        let mail = self.mail();
        self.given += 1;
        self.mail_at = self.sent.len();
        self.binary = mail.body == Body::BinaryMime;
        self.events.push(Event::Given(mail.recipients.len()));
        self.feed(Input::Mail(Box::new(mail)));
    }

    fn mail(&mut self) -> Mail {
        let dice = &mut self.dice;
        self.content = CONTENTS[dice.roll(CONTENTS.len())];
        let recipient = |address: &str, dice: &mut Dice| Recipient {
            address: Address::parse(address).expect("an address"),
            notify: [
                None,
                Some(Notify::Never),
                Some(Notify::On { success: true, failure: true, delay: false }),
            ][dice.roll(3)],
            orcpt: (dice.roll(3) == 0).then(|| OriginalRecipient {
                kind: "rfc822".to_owned(),
                address: address.replace('b', "å\r\n"),
            }),
        };
        let wanted = dice.roll(RECIPIENTS.len() + 1);
        Mail {
            reverse_path: match dice.roll(3) {
                0 => ReversePath::Null,
                _ => ReversePath::Address(Address::parse("a@bar.example").expect("an address")),
            },
            recipients: RECIPIENTS.iter().take(wanted).map(|address| recipient(address, dice)).collect(),
            size: self.content.len() as u64,
            body: [Body::SevenBit, Body::EightBitMime, Body::BinaryMime][dice.roll(3)],
            utf8_header: dice.roll(4) == 0,
            require_tls: dice.roll(6) == 0,
            priority: (dice.roll(3) == 0).then_some(3),
            deliver_by: (dice.roll(4) == 0).then(|| DeliverBy {
                seconds: 60,
                or_return: dice.roll(2) == 0,
                trace: false,
            }),
            ret: (dice.roll(3) == 0).then_some(Ret::Headers),
            envid: (dice.roll(3) == 0).then(|| EnvelopeId::new("a b\t+=").expect("an identifier")),
        }
    }

    fn mail_is_done(&mut self, outcome: Outcome) {
        self.done += 1;
        assert_eq!(self.events.last(), Some(&Event::Given(outcome.recipients.len())));
        let sent = &self.sent[self.mail_at..];
        let delivered = outcome.recipients.iter().any(|fate| matches!(fate, Fate::Delivered(_)));
        if delivered {
            let by_chunks = sent.windows(7).any(|window| window == b" LAST\r\n");
            assert!(sent.ends_with(b"\r\n.\r\n") || by_chunks, "{}", sent.escape_ascii());
        }
        // Chunks of 5 octets may end between CR and LF.
        let chunks = sent.windows(5).any(|window| window == b"BDAT ");
        if !self.binary && !chunks {
            let mut before = 0;
            for &octet in sent {
                assert_eq!(octet == b'\n', before == b'\r', "{}", sent.escape_ascii());
                assert_ne!(octet, 0);
                before = octet;
            }
            assert_ne!(before, b'\r');
        }
        self.events.push(Event::Done(outcome));
    }

    /// What is kept of the server's words is bounded and can be shown.
    fn assert_text(&self) {
        let fates = self.events.iter().flat_map(|event| match event {
            Event::Done(outcome) => outcome.recipients.iter().collect(),
            _ => Vec::new(),
        });
        let texts = fates.map(|fate| match fate {
            Fate::Delivered(reply) => reply.to_string(),
            Fate::Refused(trouble) | Fate::Deferred(trouble) | Fate::Unknown(trouble) => {
                trouble.reply.to_string()
            }
            Fate::NotTried => String::new(),
        });
        for text in texts {
            assert!(text.len() < 10_000 && !text.contains(|c: char| c.is_control()), "{text:?}");
        }
        assert!(self.sent.len() < 2000 * (MAILS + 2), "{}", self.sent.len());
    }
}
