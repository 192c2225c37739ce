//! Another server's IMAP (RFC 3501, RFC 9051) as a source: over any stream, which whoever opened it has secured.
//!
//! What the server says is hostile: lines, literals, nesting and the number of responses have bounds, and a message that
//! was not asked for is passed by.

mod response;
#[cfg(test)]
mod tests;

use crate::{Bounds, Faults, Folder, Message, Source, Visit, file, flags, names, printable};
use base::{MailboxName, Secret, SpecialUse};
use response::{Reader, Value, weight, words};
use std::collections::{BTreeSet, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, BufReader, Read, Write};
use wire::mime::date;
use wire::sasl;

/// Characters of a server's words that are shown.
const MOST_SHOWN: usize = 500;
/// Messages that are asked for at a time.
const AT_ONCE: usize = 100;
/// What is kept of one answer: a SEARCH of two million messages.
const MOST_KEPT: usize = 128 << 20;
/// Responses until a log-in is decided.
const MOST_LOG_IN: usize = 100;

/// A stream to a server.
pub trait Stream: Read + Write + Send {}

impl<S: Read + Write + Send> Stream for S {}

/// How to log in.
pub enum Login {
    /// By name and password (SASL PLAIN).
    Password(String, Secret),
    /// By name and OAuth 2 access token (OAUTHBEARER, RFC 7628, or XOAUTH2).
    Token(String, Secret),
}

/// Reads an account of another server.
pub struct ImapReader {
    reader: Reader<BufReader<Box<dyn Stream>>>,
    bounds: Bounds,
    tags: u32,
    capabilities: HashSet<String>,
    /// Names as the server writes them.
    mailboxes: Vec<Vec<u8>>,
    /// The last of these shows what lies in the others, and more: what they had.
    seen: Option<Seen>,
}

/// Messages that were read, by keyed hashes: two, so that no two messages are taken for one.
#[derive(Default)]
struct Seen {
    keys: [RandomState; 2],
    messages: HashSet<[u64; 2]>,
}

impl Seen {
    /// Whether a message is new among them.
    fn add(&mut self, octets: &[u8]) -> bool {
        self.messages.insert(self.keys.each_ref().map(|key| key.hash_one(octets)))
    }
}

/// Asks for TLS on a connection that has none yet (RFC 3501 §6.2.1); whatever the server sent ahead of the handshake
/// is then taken for TLS, and so refused.
pub fn ask_for_tls(stream: &mut (impl Read + Write)) -> Result<(), String> {
    line_of(stream)?;
    stream.write_all(b"S1 STARTTLS\r\n").map_err(broken)?;
    for _ in 0..10 {
        let line = line_of(stream)?;
        if let Some(result) = line.strip_prefix("S1 ") {
            return match result.to_ascii_uppercase().starts_with("OK") {
                true => Ok(()),
                false => Err(format!("the server has no STARTTLS: {}", printable(result, MOST_SHOWN))),
            };
        }
    }
    Err("the server does not answer STARTTLS".into())
}

/// A line, octet by octet: nothing behind it may be read yet.
fn line_of(stream: &mut impl Read) -> Result<String, String> {
    let (mut line, mut octet) = (Vec::new(), [0]);
    while !line.ends_with(b"\n") {
        if line.len() > 8192 {
            return Err("the server's line has no end".into());
        }
        stream.read_exact(&mut octet).map_err(broken)?;
        line.extend_from_slice(&octet);
    }
    Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
}

impl ImapReader {
    /// Logs in. A server that greeted before TLS greets no more: say so.
    pub fn open(
        stream: Box<dyn Stream>,
        has_greeted: bool,
        login: &Login,
        bounds: Bounds,
    ) -> Result<Self, String> {
        let reader = Reader::new(BufReader::with_capacity(1 << 18, stream), bounds.message_octets);
        let mut this = ImapReader {
            reader,
            bounds,
            tags: 0,
            capabilities: HashSet::new(),
            mailboxes: Vec::new(),
            seen: None,
        };
        if !has_greeted {
            let greeting = this.reader.next().map_err(broken)?;
            if !matches!(words(&greeting).as_slice(), [star, ok, ..] if *star == "*" && ok.eq_ignore_ascii_case("OK"))
            {
                return Err(format!(
                    "the server does not greet: {}",
                    printable(&words(&greeting).join(" "), MOST_SHOWN)
                ));
            }
        }
        this.ask_capabilities()?;
        this.log_in(login)?;
        this.ask_capabilities()?;
        Ok(this)
    }

    fn ask_capabilities(&mut self) -> Result<(), String> {
        let responses = self.command(b"CAPABILITY", "CAPABILITY")?;
        let listed = responses.iter().flat_map(|response| words(response));
        self.capabilities = listed.map(|word| word.to_ascii_uppercase()).collect();
        Ok(())
    }

    fn log_in(&mut self, login: &Login) -> Result<(), String> {
        let can = |mechanism: &str| self.capabilities.contains(&format!("AUTH={mechanism}"));
        let (mechanism, message) = match login {
            Login::Password(user, password) => {
                ("PLAIN", [b"\0", user.as_bytes(), b"\0", password.expose()].concat())
            }
            Login::Token(user, token) if can("OAUTHBEARER") => {
                let head = format!("n,a={},\x01auth=Bearer ", user.replace('=', "=3D").replace(',', "=2C"));
                ("OAUTHBEARER", [head.as_bytes(), token.expose(), b"\x01\x01"].concat())
            }
            Login::Token(user, token) => {
                let head = format!("user={user}\x01auth=Bearer ");
                ("XOAUTH2", [head.as_bytes(), token.expose(), b"\x01\x01"].concat())
            }
        };
        let tag = self.start(format!("AUTHENTICATE {mechanism}").as_bytes())?;
        let mut said = false;
        for _ in 0..MOST_LOG_IN {
            let response = self.reader.next().map_err(broken)?;
            let words = words(&response);
            match words.first().map(String::as_str) {
                Some("+") => {
                    // A second question holds the reason of an OAuth refusal, and wants an empty answer.
                    let answer = if said { String::new() } else { sasl::encode(&message) };
                    said = true;
                    self.reader.write(&[answer.as_bytes(), b"\r\n"].concat()).map_err(broken)?;
                }
                Some(word) if word == tag => {
                    return outcome(&words).map_err(|why| format!("log-in failed: {}", String::from(why)));
                }
                _ => {}
            }
        }
        Err("log-in failed: the server's answer has no end".into())
    }

    fn start(&mut self, command: &[u8]) -> Result<String, String> {
        self.tags += 1;
        let tag = format!("M{}", self.tags);
        self.reader.begin_answer();
        self.reader.write(&[tag.as_bytes(), b" ", command, b"\r\n"].concat()).map_err(broken)?;
        Ok(tag)
    }

    /// Runs a command that must succeed; its untagged responses of one kind.
    fn command(&mut self, command: &[u8], kind: &str) -> Result<Vec<Vec<Value>>, Failed> {
        let (mut responses, mut room) = (Vec::new(), MOST_KEPT);
        self.command_each(command, &mut |response| {
            if response.get(1).is_some_and(|word| word.is(kind)) {
                room = room.checked_sub(weight(&response)).ok_or("the server's answer is too long")?;
                responses.push(response);
            }
            Ok(())
        })?;
        Ok(responses)
    }

    fn command_each(
        &mut self,
        command: &[u8],
        each: &mut dyn FnMut(Vec<Value>) -> Result<(), String>,
    ) -> Result<(), Failed> {
        let tag = self.start(command)?;
        // At most one for each message, and the outcome.
        for _ in 0..=self.bounds.files {
            let response = self.reader.next().map_err(broken)?;
            match response.first().and_then(Value::text).as_deref() {
                Some("*") => each(response)?,
                Some(word) if word == tag => return outcome(&words(&response)),
                _ => {}
            }
        }
        Err(Failed::Ended("the server's answer has no end".into()))
    }

    /// What the names of an account's own mailboxes begin with, where a server puts all below INBOX (RFC 2342).
    fn prefix(&mut self) -> Result<Vec<u8>, String> {
        if !self.capabilities.contains("NAMESPACE") {
            return Ok(Vec::new());
        }
        let responses = self.command(b"NAMESPACE", "NAMESPACE")?;
        let personal = responses.iter().find_map(|response| match response.as_slice() {
            [_, name, Value::List(spaces), ..] if name.is("NAMESPACE") => match spaces.first() {
                Some(Value::List(space)) => space.first().and_then(Value::octets).map(<[u8]>::to_vec),
                _ => None,
            },
            _ => None,
        });
        Ok(personal.unwrap_or_default())
    }
}

impl Source for ImapReader {
    fn folders(&mut self, faults: &mut Faults) -> Result<Vec<Folder>, String> {
        let prefix = self.prefix()?;
        let subscribed = self.command(b"LSUB \"\" \"*\"", "LSUB")?;
        let subscribed: HashSet<Vec<u8>> =
            subscribed.iter().filter_map(|r| listed(r)).map(|l| l.name).collect();
        let (mut folders, mut all) = (Vec::new(), None);
        self.mailboxes.clear();
        for response in self.command(b"LIST \"\" \"*\"", "LIST")? {
            let Some(listed) = listed(&response) else { continue };
            if listed.has("\\Noselect") || listed.has("\\NonExistent") {
                continue;
            }
            if listed.has("\\All") {
                all = Some(listed.name);
                continue;
            }
            if folders.len() >= self.bounds.folders {
                faults.add("the server", format!("more than {} mailboxes", self.bounds.folders));
                break;
            }
            match listed.name_here(&prefix) {
                Ok(name) => {
                    folders.push(Folder {
                        special_use: listed.attributes.iter().find_map(|a| SpecialUse::from_attribute(a)),
                        subscribed: subscribed.contains(&listed.name),
                        messages: 0,
                        name,
                    });
                    self.mailboxes.push(listed.name);
                }
                Err(why) => faults.add(String::from_utf8_lossy(&listed.name), why),
            }
        }
        // It shows what lies in all others, and what lies in none: that is what a server without it has in its archive.
        self.seen = all.is_some().then(Seen::default);
        if let Some(all) = all {
            folders.push(Folder {
                name: MailboxName::new("Archive").map_err(|why| format!("{why:?}"))?,
                special_use: Some(SpecialUse::Archive),
                subscribed: subscribed.contains(&all),
                messages: 0,
            });
            self.mailboxes.push(all);
        }
        Ok(folders)
    }

    fn read(&mut self, folder: usize, faults: &mut Faults, visit: Visit<'_>) -> Result<(), String> {
        let Some(name) = self.mailboxes.get(folder).cloned() else { return Ok(()) };
        let shown = String::from_utf8_lossy(&name).into_owned();
        match self.command(&[b"EXAMINE ".as_slice(), &quoted(&name)].concat(), "") {
            Err(Failed::Refused(why)) => {
                faults.add(shown, why);
                return Ok(());
            }
            other => other?,
        };
        let is_all = folder + 1 == self.mailboxes.len();
        let mut seen = self.seen.take();
        let mut visit = |message: Message| {
            let is_new = seen.as_mut().is_none_or(|seen| seen.add(&message.octets));
            if is_new || !is_all { visit(message) } else { Ok(()) }
        };
        let read = self.read_messages(&shown, faults, &mut visit);
        self.seen = seen;
        read
    }
}

impl ImapReader {
    /// Reads the open mailbox.
    fn read_messages(&mut self, shown: &str, faults: &mut Faults, visit: Visit<'_>) -> Result<(), String> {
        for some in self.uids(shown, faults)?.chunks(AT_ONCE) {
            self.fetch(some, shown, faults, visit)?;
        }
        Ok(())
    }

    /// UIDs of the open mailbox.
    fn uids(&mut self, mailbox: &str, faults: &mut Faults) -> Result<Vec<u32>, String> {
        let mut uids = Vec::new();
        for response in self.command(b"UID SEARCH ALL", "SEARCH")? {
            uids.extend(words(&response).iter().skip(2).filter_map(|word| word.parse::<u32>().ok()));
        }
        uids.sort_unstable();
        uids.dedup();
        if uids.len() > self.bounds.files {
            faults.add(mailbox, format!("more than {} messages", self.bounds.files));
            uids.truncate(self.bounds.files);
        }
        Ok(uids)
    }

    /// Fetches messages; where the server refuses some together, each that it did not send by itself: one that it
    /// can't read keeps no other back.
    fn fetch(
        &mut self,
        uids: &[u32],
        mailbox: &str,
        faults: &mut Faults,
        visit: Visit<'_>,
    ) -> Result<(), String> {
        let mut missing: BTreeSet<u32> = uids.iter().copied().collect();
        let refused = self.fetch_once(&mut missing, mailbox, faults, visit)?;
        for uid in missing {
            let (mut one, mut why) = (BTreeSet::from([uid]), None);
            if refused.is_some() {
                why = self.fetch_once(&mut one, mailbox, faults, visit)?;
            }
            if !one.is_empty() {
                let why = why.unwrap_or_else(|| "the server did not send it".into());
                faults.add(format!("{mailbox}, UID {uid}"), why);
            }
        }
        Ok(())
    }

    /// Asks for all that is missing, once, and takes away what came; why the server refused, if it did.
    fn fetch_once(
        &mut self,
        missing: &mut BTreeSet<u32>,
        mailbox: &str,
        faults: &mut Faults,
        visit: Visit<'_>,
    ) -> Result<Option<String>, String> {
        let set = missing.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
        let command = format!("UID FETCH {set} (UID FLAGS INTERNALDATE BODY.PEEK[])");
        let most = self.bounds.message_octets;
        let outcome = self.command_each(command.as_bytes(), &mut |response| {
            let Some((uid, message)) = fetched(&response) else { return Ok(()) };
            if !missing.remove(&uid) {
                return Ok(());
            }
            match message {
                Some(message) => visit(message)?,
                None => faults.add(format!("{mailbox}, UID {uid}"), format!("more than {most} octets")),
            }
            Ok(())
        });
        match outcome {
            Ok(()) => Ok(None),
            Err(Failed::Refused(why)) => Ok(Some(why)),
            Err(Failed::Ended(why)) => Err(why),
        }
    }
}

/// Why a command came to nothing.
#[derive(Debug)]
enum Failed {
    /// The server said NO or BAD; the connection goes on.
    Refused(String),
    /// The talk is over.
    Ended(String),
}

impl From<Failed> for String {
    fn from(failed: Failed) -> String {
        let (Failed::Refused(why) | Failed::Ended(why)) = failed;
        why
    }
}

impl From<String> for Failed {
    fn from(why: String) -> Self {
        Failed::Ended(why)
    }
}

/// A mailbox of a LIST or LSUB response.
struct Listed {
    attributes: Vec<String>,
    separator: Option<u8>,
    name: Vec<u8>,
}

impl Listed {
    fn has(&self, attribute: &str) -> bool {
        self.attributes.iter().any(|known| known.eq_ignore_ascii_case(attribute))
    }

    /// Levels are told apart before they are decoded: a decoded one may hold the separator.
    fn name_here(&self, prefix: &[u8]) -> Result<MailboxName, String> {
        let name = self.name.strip_prefix(prefix).filter(|rest| !rest.is_empty()).unwrap_or(&self.name);
        let levels = name.split(|octet| Some(*octet) == self.separator);
        let levels: Vec<String> = levels.map(|level| names::level(&String::from_utf8_lossy(level))).collect();
        names::joined(levels.iter().map(String::as_str))
    }
}

fn listed(response: &[Value]) -> Option<Listed> {
    let [_, kind, Value::List(attributes), separator, name, ..] = response else { return None };
    (kind.is("LIST") || kind.is("LSUB")).then_some(())?;
    Some(Listed {
        attributes: attributes.iter().filter_map(Value::text).collect(),
        separator: separator
            .octets()
            .filter(|octets| octets.len() == 1)
            .and_then(|octets| octets.first().copied()),
        name: name.octets()?.to_vec(),
    })
}

/// Of a FETCH response the UID and the message; no message where it was too large to be kept.
fn fetched(response: &[Value]) -> Option<(u32, Option<Message>)> {
    let [_, _, kind, Value::List(items)] = response else { return None };
    kind.is("FETCH").then_some(())?;
    let item =
        |name: &str| items.chunks_exact(2).find(|pair| pair.first().is_some_and(|v| v.is(name)))?.get(1);
    let uid = item("UID")?.text()?.parse().ok()?;
    let octets = match item("BODY[]")? {
        Value::TooLarge => return Some((uid, None)),
        Value::Text(octets) => octets.clone(),
        // NIL: the server has none to give.
        _ => return None,
    };
    let set = match item("FLAGS") {
        Some(Value::List(all)) => all.iter().filter_map(Value::text).collect(),
        _ => Vec::new(),
    };
    let at = item("INTERNALDATE").and_then(Value::octets).and_then(date::parse).map(|date| date.at);
    let flags = flags::from_names(set.iter().map(String::as_str));
    Some((uid, Some(Message { octets: file::with_crlf(octets), flags, date: at })))
}

fn quoted(name: &[u8]) -> Vec<u8> {
    let mut out = vec![b'"'];
    for octet in name {
        if matches!(octet, b'"' | b'\\') {
            out.push(b'\\');
        }
        // A line end would begin another command.
        out.push(if octet.is_ascii_control() { b'?' } else { *octet });
    }
    out.push(b'"');
    out
}

fn outcome(words: &[String]) -> Result<(), Failed> {
    match words.get(1).is_some_and(|word| word.eq_ignore_ascii_case("OK")) {
        true => Ok(()),
        false => {
            let said = printable(&words.get(1..).unwrap_or_default().join(" "), MOST_SHOWN);
            Err(Failed::Refused(format!("the server says: {said}")))
        }
    }
}

fn broken(error: io::Error) -> String {
    format!("the server: {error}")
}
