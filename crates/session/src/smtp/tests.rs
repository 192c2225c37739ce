//! Plays the dialogues in `scenes/`, each with its input split up in every way that could matter.
//!
//! A scene is a list of turns. A turn starts with what the session is fed, and says all that must come out of it:
//!
//! ```text
//! config service=mx recipients=2       the listener (first line)
//! C: text      the client sends a line; C+ one without its CRLF. \r \n \0 \\ are escapes. Lines in a row are one packet.
//! ! eof        the client closes its side
//! ! tls        the handshake succeeded
//! ! wait 300   so many seconds go by
//! ! answer ok  the question that was answered `later` is answered
//! S: text      a line the session sends
//! Q: question | answer      a question it asks; without an answer it is accepted
//! M: text      a line it spools; M+ one without CRLF
//! X: close     another action: abandon, starttls, close
//! ```
//!
//! Within a turn replies are compared as one text and the rest as one list; how replies are gathered into packets
//! depends on how input comes, and is tested by itself below.

use super::*;
use crate::smtp::scene::{self, Cut, unescape};
use std::fmt::Write;
use std::time::Duration;

mod rest;

/// One step of a scene.
#[derive(Default, Debug)]
struct Turn {
    /// Where it stands, for messages.
    line: usize,
    fed: Fed,
    replies: String,
    /// Questions, spooled octets and other actions, in order.
    events: Vec<String>,
    answers: Vec<String>,
}

#[derive(Default, Debug)]
enum Fed {
    #[default]
    Nothing,
    Bytes(Vec<u8>),
    Eof,
    TlsUp,
    Wait(u64),
    Answer(String),
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
            ("C:" | "C+", Some(Turn { fed: Fed::Bytes(sent), replies, events, .. }))
                if replies.is_empty() && events.is_empty() =>
            {
                sent.extend(octets);
            }
            ("C:" | "C+", _) => scene.turns.push(fresh(Fed::Bytes(octets))),
            ("!", _) => scene.turns.push(fresh(match rest.split_once(' ') {
                Some(("wait", seconds)) => Fed::Wait(seconds.parse().unwrap()),
                Some(("answer", answer)) => Fed::Answer(answer.to_owned()),
                _ if rest == "eof" => Fed::Eof,
                _ if rest == "tls" => Fed::TlsUp,
                _ => panic!("{name}:{line}: {rest}"),
            })),
            ("S:", Some(turn)) => turn.replies.extend([rest, "\r\n"]),
            ("Q:", Some(turn)) => {
                let (question, answer) = rest.split_once(" | ").unwrap_or((rest, "ok"));
                turn.events.push(format!("Q: {question}"));
                turn.answers.push(answer.to_owned());
            }
            ("M:" | "M+", Some(turn)) => add_spooled(&mut turn.events, &octets),
            ("X:", Some(turn)) => turn.events.push(rest.to_owned()),
            _ => panic!("{name}:{line}: what is {tag:?}?"),
        }
    }
    scene
}

/// Pieces of content in a row are one event, however they came.
fn add_spooled(events: &mut Vec<String>, octets: &[u8]) {
    let text = octets.escape_ascii().to_string();
    match events.last_mut().filter(|last| last.starts_with("M: ")) {
        Some(last) => last.push_str(&text),
        None => events.push(format!("M: {text}")),
    }
}

fn config(text: &str) -> Config {
    let mut config = Config {
        service: Service::Mx,
        host: Domain::new("mx.example.test").unwrap(),
        limits: Limits::default(),
        starttls: true,
        plaintext_auth: false,
        scram: true,
        smtputf8: true,
        offers: Offers::default(),
    };
    for word in text.split_whitespace() {
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        let number = || value.parse::<usize>().unwrap();
        match (key, value) {
            ("service", "mx") => config.service = Service::Mx,
            ("service", "submission") => config.service = Service::Submission,
            ("service", "submissions") => config.service = Service::Submissions,
            ("no-starttls", _) => config.starttls = false,
            ("no-scram", _) => config.scram = false,
            ("no-smtputf8", _) => config.smtputf8 = false,
            ("dsn", _) => config.offers.dsn = true,
            ("deliver-by", _) => config.offers.deliver_by = true,
            ("mt-priority", _) => config.offers.mt_priority = true,
            ("require-tls", _) => config.offers.require_tls = true,
            ("future-release", _) => config.offers.future_release = value.parse().ok(),
            ("plaintext-auth", _) => config.plaintext_auth = true,
            ("message", _) => config.limits.message_octets = number() as u64,
            ("line", _) => config.limits.line_octets = number(),
            ("command", _) => config.limits.command_octets = number(),
            ("recipients", _) => config.limits.recipients = number(),
            ("mails", _) => config.limits.mails_per_session = number(),
            ("errors", _) => config.limits.errors = number(),
            ("failed-logins", _) => config.limits.failed_logins = number(),
            _ => panic!("config {word}"),
        }
    }
    config
}

/// A session with its clock, and what came out of it.
struct Player {
    session: Session,
    now: Instant,
    replies: String,
    packets: usize,
    events: Vec<String>,
    answers: std::vec::IntoIter<String>,
}

impl Player {
    fn new(config_line: &str) -> Self {
        let config = Arc::new(config(config_line));
        let tls = (config.service == Service::Submissions).then(ChannelBinding::default);
        let now = Instant::now();
        let mut session = Session::new(config, tls, [7; 32], now);
        session.set_date(Timestamp::from_civil(2026, 11, 25, 8, 0, 0));
        let (replies, events) = (String::new(), Vec::new());
        Player { session, now, replies, packets: 0, events, answers: Vec::new().into_iter() }
    }

    fn feed(&mut self, input: Input<'_>) {
        self.session.feed(self.now, input);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(action) = self.session.next() {
            match action {
                Action::Send(octets) => {
                    self.replies.push_str(std::str::from_utf8(&octets).unwrap());
                    self.packets += 1;
                }
                Action::Spool(octets) => add_spooled(&mut self.events, octets),
                Action::Abandon => self.void("abandon"),
                Action::StartTls => self.events.push("starttls".to_owned()),
                Action::Close => self.void("close"),
                Action::Ask(question) => {
                    self.events.push(format!("Q: {}", show(&question)));
                    assert!(!self.session.wants_bytes());
                    let answer = self.answers.next().unwrap_or_else(|| "ok".to_owned());
                    if answer != "later" {
                        self.session.feed(self.now, Input::Answer(parse_answer(&answer)));
                    }
                }
            }
        }
    }

    /// How much was spooled of a message that is void now depends on how it came.
    fn void(&mut self, why: &str) {
        self.events.pop_if(|last| last.starts_with("M: "));
        self.events.push(why.to_owned());
    }

    /// Plays one turn, its octets cut where `cut` says.
    fn play(&mut self, turn: &Turn, cut: Cut) {
        self.answers = turn.answers.clone().into_iter();
        match &turn.fed {
            Fed::Nothing => self.drain(),
            Fed::Eof => self.feed(Input::Eof),
            Fed::Answer(answer) => self.feed(Input::Answer(parse_answer(answer))),
            Fed::TlsUp => self.feed(Input::TlsUp(ChannelBinding::default())),
            Fed::Wait(seconds) => {
                self.now += Duration::from_secs(*seconds);
                self.feed(Input::Tick);
            }
            Fed::Bytes(octets) => {
                cut.pieces(octets).into_iter().for_each(|part| self.feed(Input::Bytes(part)));
            }
        }
    }
}

fn show(question: &Question) -> String {
    match question {
        Question::Peer => "peer".to_owned(),
        Question::Sender(sender) => {
            let mut text = format!("sender <{}> {}", sender.mail.reverse_path, sender.client);
            write!(text, " {} {:?}", sender.protocol(), sender.mail.body).unwrap();
            if let Some(size) = sender.mail.size {
                write!(text, " size={size}").unwrap();
            }
            if let Some(identity) = &sender.identity {
                write!(text, " as={}", identity.name).unwrap();
            }
            write_parameters(&mut text, &sender.mail);
            if sender.early_talker {
                text.push_str(" early");
            }
            text
        }
        Question::Recipient(rcpt) => {
            let notify = rcpt.notify.map_or(String::new(), |notify| format!(" notify={}", notify.value()));
            let original = rcpt.original.as_ref().map_or(String::new(), |orcpt| format!(" orcpt={orcpt}"));
            format!("recipient <{}>{notify}{original}", rcpt.path)
        }
        Question::Password { user, password } => {
            format!("password {user} {}", password.expose_str().unwrap())
        }
        Question::Keys { user } => format!("keys {user}"),
        Question::Account { user } => format!("account {user}"),
        Question::WrongProof { user } => format!("wrong-proof {user}"),
        Question::Begin => "begin".to_owned(),
        Question::End => "end".to_owned(),
    }
}

fn write_parameters(text: &mut String, mail: &Mail) {
    if let Some(ret) = mail.ret {
        write!(text, " ret={}", ret.as_str()).unwrap();
    }
    if let Some(id) = &mail.envelope_id {
        write!(text, " envid={}", id.as_str()).unwrap();
    }
    if let Some(by) = mail.deliver_by {
        write!(text, " by={}", by.value()).unwrap();
    }
    match mail.hold {
        Some(wire::smtp::Hold::For(seconds)) => write!(text, " hold={seconds}s").unwrap(),
        Some(wire::smtp::Hold::Until(end)) => write!(text, " hold={end}").unwrap(),
        None => {}
    }
    if let Some(priority) = mail.priority {
        write!(text, " priority={priority}").unwrap();
    }
    if mail.require_tls {
        text.push_str(" requiretls");
    }
}

fn parse_answer(text: &str) -> Answer {
    match text.split_once(' ') {
        None if text == "ok" => Answer::Accepted,
        None if text == "fail" => Answer::LoginFailed,
        Some(("login", name)) => Answer::LoggedIn(Identity { account: AccountId(1), name: name.to_owned() }),
        Some((code, rest)) => {
            let (enhanced, words) = rest.split_once(' ').unwrap();
            let mut numbers = enhanced.split('.').map(|n| n.parse::<u16>().unwrap());
            let mut number = || numbers.next().unwrap();
            let enhanced = (number() as u8, number(), number());
            Answer::Reply(Reply::new(code.parse().unwrap(), enhanced, words.to_owned()))
        }
        None => panic!("answer {text}"),
    }
}

/// Plays a scene; says where it first went otherwise.
fn play_scene(scene: &Scene, cut: impl Fn(usize) -> Cut) -> Result<(), String> {
    let mut player = Player::new(&scene.config);
    for (number, turn) in scene.turns.iter().enumerate() {
        let cut = cut(number);
        player.play(turn, cut);
        let replies = std::mem::take(&mut player.replies);
        let events = std::mem::take(&mut player.events);
        if (&replies, &events, player.answers.len()) != (&turn.replies, &turn.events, 0) {
            let place = format!("{}:{} cut {cut:?}", scene.name, turn.line);
            return Err(format!(
                "{place}\n got {replies:?} {events:?}\nwant {:?} {:?}",
                turn.replies, turn.events
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
    scene::check_folder("src/smtp/scenes", |name, text| play_in_all_ways(&parse_scene(name, text)));
}
