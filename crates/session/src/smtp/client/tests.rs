//! Plays the dialogues in `scenes/`, each with the server's octets split up in every way that could matter.
//!
//! A scene is a list of turns. A turn starts with what the session is fed, and says all that must come out of it:
//!
//! ```text
//! config tls=required pipelining=no    the client (first line)
//! S: text      the server sends a line; S+ one without its CRLF. \r \n \0 \\ are escapes. Lines in a row are one packet
//! ! mail from=a@b.example to=c@d.example to=e@f.example|notify=SUCCESS body=8bit …
//! M: text      a line of that mail's content; M+ one without CRLF
//! ! eof        the server closes
//! ! tls        the handshake succeeded; `tls-unchecked`: whoever it is; `tls-failed`: it did not
//! ! wait 300   so many seconds go by
//! ! quit       the driver wants to end it; `content-failed`: it can't read the mail
//! C: text      a line the client sends; C+ one without CRLF
//! D: text      what became of the mail's recipients, one a line
//! X: text      another action: ready, starttls, close and why
//! ```
//!
//! Within a turn what is sent is compared as one text and the rest as one list.

use super::*;
use crate::smtp::scene::{self, Cut, unescape};
use base::{Address, ReversePath};
use wire::smtp::Body;

mod drops;
mod rest;
mod server;

#[derive(Default, Debug)]
struct Turn {
    line: usize,
    fed: Fed,
    sent: String,
    events: Vec<String>,
}

#[derive(Default, Debug)]
enum Fed {
    #[default]
    Nothing,
    Bytes(Vec<u8>),
    Mail(Box<Mail>, Vec<u8>),
    Eof,
    Tls(bool),
    TlsFailed,
    Wait(u64),
    Quit,
    ContentFailed,
}

struct Scene {
    name: String,
    config: String,
    turns: Vec<Turn>,
}

fn parse_scene(name: &str, text: &str) -> Scene {
    let mut scene = Scene { name: name.to_owned(), config: String::new(), turns: vec![Turn::default()] };
    for (number, line) in text.lines().enumerate() {
        let (tag, rest) = line.split_once(' ').unwrap_or((line, ""));
        let octets = unescape(rest, tag.ends_with(':'));
        let line = number + 1;
        let fresh = |fed| Turn { line, fed, ..Turn::default() };
        match (tag, scene.turns.last_mut()) {
            ("" | "#", _) => {}
            ("config", _) => scene.config = rest.to_owned(),
            ("S:" | "S+", Some(Turn { fed: Fed::Bytes(said), sent, events, .. }))
                if sent.is_empty() && events.is_empty() =>
            {
                said.extend(octets);
            }
            ("S:" | "S+", _) => scene.turns.push(fresh(Fed::Bytes(octets))),
            ("M:" | "M+", Some(Turn { fed: Fed::Mail(mail, content), .. })) => {
                content.extend(octets);
                mail.size = content.len() as u64;
            }
            ("!", _) => scene.turns.push(fresh(parse_input(rest))),
            ("C:" | "C+", Some(turn)) => turn.sent.push_str(&octets.escape_ascii().to_string()),
            ("D:", Some(turn)) => turn.events.push(rest.to_owned()),
            ("X:", Some(turn)) => turn.events.push(rest.to_owned()),
            _ => panic!("{name}:{line}: what is {tag:?}?"),
        }
    }
    scene
}

fn parse_input(text: &str) -> Fed {
    match text.split_once(' ').unwrap_or((text, "")) {
        ("wait", seconds) => Fed::Wait(seconds.parse().unwrap()),
        ("mail", words) => Fed::Mail(Box::new(mail(words)), Vec::new()),
        ("eof", _) => Fed::Eof,
        ("tls", _) => Fed::Tls(true),
        ("tls-unchecked", _) => Fed::Tls(false),
        ("tls-failed", _) => Fed::TlsFailed,
        ("quit", _) => Fed::Quit,
        ("content-failed", _) => Fed::ContentFailed,
        _ => panic!("{text}"),
    }
}

fn mail(text: &str) -> Mail {
    let mut mail = Mail {
        reverse_path: ReversePath::Null,
        recipients: Vec::new(),
        size: 0,
        body: Body::SevenBit,
        utf8_header: false,
        require_tls: false,
        priority: None,
        deliver_by: None,
        ret: None,
        envid: None,
    };
    for word in text.split_whitespace() {
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        match (key, value) {
            ("from", _) => mail.reverse_path = ReversePath::Address(Address::parse(value).unwrap()),
            ("to", _) => mail.recipients.push(recipient(value)),
            ("body", "8bit") => mail.body = Body::EightBitMime,
            ("body", "binary") => mail.body = Body::BinaryMime,
            ("size", _) => mail.size = value.parse().unwrap(),
            ("utf8", _) => mail.utf8_header = true,
            ("requiretls", _) => mail.require_tls = true,
            ("priority", _) => mail.priority = value.parse().ok(),
            ("ret", "FULL") => mail.ret = Some(Ret::Full),
            ("ret", "HDRS") => mail.ret = Some(Ret::Headers),
            ("envid", _) => mail.envid = Some(EnvelopeId::new(value).unwrap()),
            ("by", _) => {
                let (seconds, mode) = value.split_once(';').unwrap();
                let seconds = seconds.parse().unwrap();
                let by = DeliverBy { seconds, or_return: mode.contains('R'), trace: mode.contains('T') };
                mail.deliver_by = Some(by);
            }
            _ => panic!("mail {word}"),
        }
    }
    mail
}

fn recipient(text: &str) -> Recipient {
    let mut words = text.split('|');
    let mut recipient = Recipient::new(Address::parse(words.next().unwrap()).unwrap());
    for word in words {
        match word.split_once('=').unwrap() {
            ("notify", "NEVER") => recipient.notify = Some(Notify::Never),
            ("notify", value) => {
                let on = |name: &str| value.split(',').any(|word| word == name);
                let notify =
                    Notify::On { success: on("SUCCESS"), failure: on("FAILURE"), delay: on("DELAY") };
                recipient.notify = Some(notify);
            }
            ("orcpt", value) => {
                let (kind, address) = value.split_once(';').unwrap();
                let orcpt = OriginalRecipient { kind: kind.to_owned(), address: address.to_owned() };
                recipient.orcpt = Some(orcpt);
            }
            _ => panic!("recipient {word}"),
        }
    }
    recipient
}

fn config(text: &str) -> Config {
    let mut config = Config::new(ClientName::new("out.example.net").unwrap());
    for word in text.split_whitespace() {
        match word.split_once('=').unwrap_or((word, "")) {
            ("tls", "never") => config.tls = Tls::Never,
            ("tls", "required") => config.tls = Tls::Required,
            ("login", password) => {
                let password = Secret::new(password.as_bytes());
                config.login = Some(Login { user: "alice".to_owned(), password });
            }
            ("pipelining", "no") => config.pipelining = false,
            ("chunking", "no") => config.chunking = false,
            ("chunk", octets) => config.chunk_octets = octets.parse().unwrap(),
            ("recipients", most) => config.recipients = most.parse().unwrap(),
            ("inside-tls", _) => {}
            _ => panic!("config {word}"),
        }
    }
    config
}

/// A session with its clock, and what came out of it.
struct Player {
    client: Client,
    now: Instant,
    content: Vec<u8>,
    sent: Vec<u8>,
    events: Vec<String>,
    closed: bool,
}

impl Player {
    fn new(config_line: &str) -> Self {
        let now = Instant::now();
        let inside = config_line.contains("inside-tls").then_some(Security { authenticated: true });
        let client = Client::new(Arc::new(config(config_line)), inside, now);
        Player { client, now, content: Vec::new(), sent: Vec::new(), events: Vec::new(), closed: false }
    }

    fn feed(&mut self, input: Input<'_>) {
        self.client.feed(self.now, input);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(action) = self.client.next() {
            assert!(!self.closed || matches!(action, Action::Done(_)), "{action:?} after the end");
            self.closed |= matches!(action, Action::Close(_));
            match action {
                Action::Send(octets) => self.sent.extend(octets),
                Action::StartTls => self.events.push("starttls".to_owned()),
                Action::Ready => self.events.push("ready".to_owned()),
                Action::Done(outcome) => self.events.extend(show_outcome(&outcome)),
                Action::Close(None) => self.events.push("close".to_owned()),
                Action::Close(Some(trouble)) => self.events.push(format!("close {}", show(&trouble))),
                Action::Content(range) => {
                    if let Some(piece) = self.content.get(range.start as usize..range.end as usize) {
                        self.client.feed(self.now, Input::Content(piece));
                    }
                }
            }
        }
    }

    /// Plays one turn, its octets cut where `cut` says.
    fn play(&mut self, turn: &Turn, cut: Cut) {
        match &turn.fed {
            Fed::Nothing => self.drain(),
            Fed::Eof => self.feed(Input::Eof),
            Fed::Tls(authenticated) => self.feed(Input::TlsUp(Security { authenticated: *authenticated })),
            Fed::TlsFailed => self.feed(Input::TlsFailed("no common cipher".to_owned())),
            Fed::Quit => self.feed(Input::Quit),
            Fed::ContentFailed => self.feed(Input::ContentFailed),
            Fed::Wait(seconds) => {
                self.now += Duration::from_secs(*seconds);
                self.feed(Input::Tick);
            }
            Fed::Mail(mail, content) => {
                self.content = content.clone();
                self.feed(Input::Mail(mail.clone()));
            }
            Fed::Bytes(octets) => {
                cut.pieces(octets).into_iter().for_each(|part| self.feed(Input::Bytes(part)));
            }
        }
    }
}

fn show(trouble: &Trouble) -> String {
    let host = if trouble.is_hosts() { "host" } else { "message" };
    format!("{:?}/{:?}/{host} {}", trouble.stage, trouble.why, trouble.reply)
}

fn show_outcome(outcome: &Outcome) -> Vec<String> {
    let fates = outcome.recipients.iter().map(|fate| match fate {
        Fate::Delivered(reply) => format!("delivered {reply}"),
        Fate::Refused(trouble) => format!("refused {}", show(trouble)),
        Fate::Deferred(trouble) => format!("deferred {}", show(trouble)),
        Fate::Unknown(trouble) => format!("unknown {}", show(trouble)),
        Fate::NotTried => "not tried".to_owned(),
    });
    let taken = [(outcome.dsn, "dsn"), (outcome.deliver_by, "deliver-by")];
    let taken = taken.into_iter().filter(|(taken, _)| *taken).map(|(_, what)| format!("took {what}"));
    fates.chain(taken).collect()
}

/// Plays a scene; says where it first went otherwise.
fn play_scene(scene: &Scene, cut: impl Fn(usize) -> Cut) -> Result<(), String> {
    let mut player = Player::new(&scene.config);
    for (number, turn) in scene.turns.iter().enumerate() {
        let cut = cut(number);
        player.play(turn, cut);
        let sent = std::mem::take(&mut player.sent).escape_ascii().to_string();
        let mut events = std::mem::take(&mut player.events);
        // Whether the driver hears of STARTTLS before the octets that spoil it depends on how they come.
        if let [first, .., last] = events.as_slice()
            && first == "starttls"
            && last.starts_with("close")
        {
            events.remove(0);
        }
        if (&sent, &events) != (&turn.sent, &turn.events) {
            let place = format!("{}:{} cut {cut:?}", scene.name, turn.line);
            let wanted = turn.events.join("\n  ");
            return Err(format!(
                "{place}\n got {sent:?}\n  {}\nwant {:?}\n  {wanted}",
                events.join("\n  "),
                turn.sent
            ));
        }
    }
    Ok(())
}

/// Plays a scene with its input split up in every way.
fn play_in_all_ways(scene: &Scene) -> Result<(), String> {
    let octets = |turn: &Turn| if let Fed::Bytes(octets) = &turn.fed { octets.len() } else { 0 };
    let fed: Vec<usize> = scene.turns.iter().map(octets).collect();
    scene::in_all_ways(&fed, |cut| play_scene(scene, cut))
}

#[test]
fn scenes() {
    scene::check_folder("src/smtp/client/scenes", |name, text| play_in_all_ways(&parse_scene(name, text)));
}
