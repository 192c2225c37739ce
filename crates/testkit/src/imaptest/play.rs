//! Playing a script against a server.

use super::script::{Command, Mail, Script, State, Step};
use super::value::{self, Matching, Value, Variables};
use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// The server to play against: an address that allows clear-text log-in, and an account whose test mailboxes may be
/// deleted.
#[derive(Clone, Debug)]
pub struct Server {
    /// The IMAP address.
    pub address: SocketAddr,
    /// The log-in name.
    pub user: String,
    /// The password.
    pub password: String,
    /// The mailbox to test in.
    pub mailbox: String,
}

/// How a script ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// All was as expected.
    Passed,
    /// The server lacks this capability.
    Skipped(String),
    /// What was wrong.
    Failed(String),
}

/// Plays a script from a fresh start.
pub fn run(script: &Script, server: &Server) -> Outcome {
    let mut player = match Player::prepare(script, server) {
        Ok(Ok(player)) => player,
        Ok(Err(missing)) => return Outcome::Skipped(missing),
        Err(error) => return Outcome::Failed(format!("preparing: {error}")),
    };
    for step in &script.steps {
        if let Err(why) = player.step(step) {
            return Outcome::Failed(format!("line {}: {why}", step.line));
        }
    }
    Outcome::Passed
}

/// A mailbox's name as a URL has it (RFC 5092 §3).
fn percent_encoded(name: &str) -> String {
    let shown = |octet: u8| match octet.is_ascii_alphanumeric() || b"-_./".contains(&octet) {
        true => char::from(octet).to_string(),
        false => format!("%{octet:02X}"),
    };
    name.bytes().map(shown).collect()
}

struct Player<'s> {
    script: &'s Script,
    connections: Vec<Connection>,
    variables: Variables,
    next_mail: usize,
}

impl<'s> Player<'s> {
    fn prepare(script: &'s Script, server: &Server) -> io::Result<Result<Self, String>> {
        let mut variables = Variables::new();
        let (name, domain) = server.user.split_once('@').unwrap_or((&server.user, ""));
        for (key, text) in [
            ("user", server.user.as_str()),
            ("username", name),
            ("domain", domain),
            ("password", &server.password),
            ("mailbox", &server.mailbox),
            ("mailbox_url", &percent_encoded(&server.mailbox)),
        ] {
            variables.insert(key.to_owned(), text.to_owned());
        }
        let connections: io::Result<Vec<_>> =
            (0..script.connections).map(|_| Connection::open(server.address)).collect();
        let mut player = Player { script, connections: connections?, variables, next_mail: 0 };
        for at in 0..script.connections {
            if script.state >= State::Auth {
                player.must(at, &format!("login \"{}\" \"{}\"", server.user, server.password))?;
            }
        }
        let capabilities = player.must(0, "capability")?.join(" ").to_ascii_uppercase();
        let has = |wanted: &&String| capabilities.split_whitespace().any(|have| have == wanted.as_str());
        if let Some(missing) = script.capabilities.iter().find(|wanted| !has(wanted)) {
            return Ok(Err(missing.clone()));
        }
        player.set_up(&server.mailbox)?;
        Ok(Ok(player))
    }

    fn set_up(&mut self, mailbox: &str) -> io::Result<()> {
        if self.script.state >= State::Auth {
            self.clear(mailbox)?;
        }
        if self.script.state >= State::Created {
            self.must(0, &format!("create \"{mailbox}\""))?;
        }
        if self.script.state >= State::Appended {
            for _ in 0..self.script.messages.unwrap_or(self.script.mail.len()) {
                let mail = self.mail();
                let parts = [format!("append \"{mailbox}\" {}", date(&mail)), mail.text, String::new()];
                self.connections[0].send("setup", &parts)?;
                self.connections[0].finish(&["setup".to_owned()])?;
            }
        }
        for at in 0..self.connections.len() {
            if self.script.state >= State::Selected {
                self.must(at, &format!("select \"{mailbox}\""))?;
            }
        }
        Ok(())
    }

    /// Deletes what an earlier script left.
    fn clear(&mut self, mailbox: &str) -> io::Result<()> {
        for (list, remove) in [("list", "delete"), ("lsub", "unsubscribe")] {
            let lines = self.must(0, &format!("{list} \"\" \"{mailbox}*\""))?;
            let mut names: Vec<String> = lines.iter().filter_map(|l| last_text(l)).collect();
            names.sort_by_key(|name| std::cmp::Reverse(name.len()));
            for name in names {
                // A name that can't be selected can't be deleted either: it goes with its last child.
                self.connections[0].send("setup", &[format!("{remove} \"{name}\"")])?;
                self.connections[0].finish(&["setup".to_owned()])?;
            }
        }
        Ok(())
    }

    /// A command that has to succeed; gives its untagged replies.
    fn must(&mut self, at: usize, command: &str) -> io::Result<Vec<String>> {
        self.connections[at].send("setup", &[command.to_owned()])?;
        let (untagged, tagged) = self.connections[at].finish(&["setup".to_owned()])?;
        match tagged.get("setup") {
            Some(text) if text.to_ascii_lowercase().starts_with("ok") => Ok(untagged),
            other => Err(io::Error::other(format!("{command}: {other:?}"))),
        }
    }

    fn mail(&mut self) -> Mail {
        let count = self.script.mail.len().max(1);
        let mail = self.script.mail.get(self.next_mail % count).cloned().unwrap_or_default();
        self.next_mail += 1;
        mail
    }

    fn step(&mut self, step: &Step) -> Result<(), String> {
        let at = step.connection - 1;
        let mut tags = Vec::new();
        for (number, command) in step.commands.iter().enumerate() {
            let tag = format!("t{}n{number}", step.line);
            self.variables.insert("tag".to_owned(), tag.clone());
            let parts = self.expanded(command);
            if parts.first().is_some_and(|p| p.to_ascii_lowercase().contains("search ")) {
                self.variables.insert("searchtag".to_owned(), tag.clone());
            }
            let connection = self.connections.get_mut(at).ok_or("no such connection")?;
            connection.send(&tag, &parts).map_err(|e| format!("sending: {e}"))?;
            tags.push(tag);
        }
        let (untagged, tagged) = self.connections[at].finish(&tags).map_err(|e| format!("reading: {e}"))?;
        for (command, tag) in step.commands.iter().zip(&tags) {
            let got = tagged.get(tag).cloned().unwrap_or_default();
            self.check_end(command, &got)
                .map_err(|why| format!("{:?}: {why}; untagged: {untagged:#?}", command.parts))?;
        }
        self.check_replies(step, &untagged)
            .map_err(|why| format!("{:?}: {why}; untagged: {untagged:#?}", step.commands[0].parts))
    }

    fn expanded(&mut self, command: &Command) -> Vec<String> {
        let same = |n| n;
        let mut parts: Vec<String> =
            command.parts.iter().map(|p| value::expand(p, &self.variables, &same)).collect();
        let words: Vec<String> = parts[0].split_whitespace().map(str::to_ascii_lowercase).collect();
        // `append` without a message takes the next one, without a mailbox the one under test.
        if words.first().is_some_and(|w| w == "append") && parts.len() == 1 {
            if words.len() == 1 {
                let mailbox = self.variables.get("mailbox").cloned().unwrap_or_default();
                parts[0] = format!("append {mailbox}");
            }
            let mail = self.mail();
            parts[0].push_str(&format!(" {}", date(&mail)));
            parts.push(mail.text);
            parts.push(String::new());
        }
        parts
    }

    fn check_end(&mut self, command: &Command, got: &str) -> Result<(), String> {
        let (status, text) = got.split_once(' ').unwrap_or((got, ""));
        if !command.status.is_empty() && !status.eq_ignore_ascii_case(&command.status) {
            return Err(format!("expected {}, got {got}", command.status));
        }
        if command.text.is_empty() {
            return Ok(());
        }
        let want = value::parse(&command.text).ok_or("unbalanced expectation")?;
        let have = value::parse(text).unwrap_or_default();
        let same = |n| n;
        let mut matching = Matching { variables: &mut self.variables, sequence: &same };
        let prefix = have.get(..want.len()).unwrap_or_default();
        match matching.reply(&want, prefix) {
            true => Ok(()),
            false => Err(format!("expected {} {}, got {got}", command.status, command.text)),
        }
    }

    fn check_replies(&mut self, step: &Step, untagged: &[String]) -> Result<(), String> {
        let mut got: Vec<(Vec<Value>, Vec<u32>)> = Vec::new();
        let mut matched = vec![false; untagged.len()];
        let mut expunged = Vec::new();
        for line in untagged {
            let values = value::parse(line).ok_or(format!("unbalanced reply {line}"))?;
            let number = expunge_number(&values);
            got.push((values, expunged.clone()));
            expunged.extend(number);
        }
        for expected in &step.replies {
            let want = value::parse(&expected.text).ok_or(format!("unbalanced: {}", expected.text))?;
            // One reply may be what two lines expect; one that none had yet goes first.
            let mut order: Vec<usize> = (0..got.len()).collect();
            order.sort_by_key(|at| matched[*at]);
            let found = order.into_iter().find(|at| {
                let (have, gone) = &got[*at];
                let sequence = |n| present_number(n, gone);
                Matching { variables: &mut self.variables, sequence: &sequence }.reply(&want, have)
            });
            match (expected.mark, found) {
                ('*', Some(at)) => matched[at] = true,
                ('*', None) => return Err(format!("missing: * {}", expected.text)),
                ('!', Some(_)) => return Err(format!("must not come: {}", expected.text)),
                _ => {}
            }
        }
        let extra = got.iter().zip(&matched).find(|(_, matched)| !**matched);
        match (self.script.strict, extra) {
            (true, Some(((extra, _), _))) => Err(format!("unexpected: {extra:?}")),
            _ => Ok(()),
        }
    }
}

/// A message's date as an argument of APPEND.
fn date(mail: &Mail) -> String {
    if mail.date.is_empty() { String::new() } else { format!("\"{}\" ", mail.date) }
}

/// The number of an EXPUNGE reply.
fn expunge_number(values: &[Value]) -> Option<u32> {
    match values {
        [Value::Text(number), Value::Text(word)] if word.eq_ignore_ascii_case("expunge") => {
            number.parse().ok()
        }
        _ => None,
    }
}

/// What a message's number has become after these expunges, each as it was announced.
fn present_number(number: u32, expunged: &[u32]) -> u32 {
    expunged.iter().fold(number, |now, gone| if *gone < now { now - 1 } else { now })
}

fn last_text(line: &str) -> Option<String> {
    match value::parse(line)?.pop()? {
        Value::Text(text) => Some(text),
        Value::List(_) => None,
    }
}

/// A client's connection.
struct Connection {
    reader: BufReader<TcpStream>,
    /// A tagged reply that came instead of leave to send a literal.
    early: Option<String>,
}

impl Connection {
    fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        let mut connection = Connection { reader: BufReader::new(stream), early: None };
        connection.line()?;
        Ok(connection)
    }

    /// Sends text and literals in turn, waiting for leave to send each literal.
    fn send(&mut self, tag: &str, parts: &[String]) -> io::Result<()> {
        let mut out = format!("{tag} ");
        for (number, part) in parts.iter().enumerate() {
            if number % 2 == 0 {
                out.push_str(part);
                continue;
            }
            out.push_str(&format!("{{{}}}\r\n", part.len()));
            self.write(&out)?;
            out.clear();
            let leave = self.line()?;
            if leave.starts_with(tag) {
                self.early = Some(leave);
                return Ok(());
            }
            if !leave.starts_with('+') {
                return Err(io::Error::other(format!("no leave for a literal: {leave}")));
            }
            out.push_str(part);
        }
        out.push_str("\r\n");
        self.write(&out)
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        self.reader.get_mut().write_all(text.as_bytes())
    }

    /// Reads until every tag is answered: untagged replies, and the tagged ones by tag.
    fn finish(&mut self, tags: &[String]) -> io::Result<(Vec<String>, HashMap<String, String>)> {
        let mut untagged = Vec::new();
        let mut tagged = HashMap::new();
        while tagged.len() < tags.len() {
            let line = self.early.take().map_or_else(|| self.line(), Ok)?;
            let (tag, rest) = line.split_once(' ').unwrap_or((&line, ""));
            match tag {
                "*" => untagged.push(rest.to_owned()),
                _ if tags.iter().any(|t| t == tag) => drop(tagged.insert(tag.to_owned(), rest.to_owned())),
                _ => return Err(io::Error::other(format!("unknown tag: {line}"))),
            }
        }
        Ok((untagged, tagged))
    }

    /// A reply with its literals, its last line end left out.
    fn line(&mut self) -> io::Result<String> {
        let mut whole = Vec::new();
        loop {
            if self.reader.read_until(b'\n', &mut whole)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let Some(length) = literal_length(&whole) else { break };
            let start = whole.len();
            whole.resize(start + length, 0);
            self.reader.read_exact(&mut whole[start..])?;
        }
        let text: String = whole.iter().map(|b| *b as char).collect();
        // One alone: a literal at the end has line ends of its own.
        Ok(text.strip_suffix("\r\n").unwrap_or(&text).to_owned())
    }
}

fn literal_length(line: &[u8]) -> Option<usize> {
    let text = line.strip_suffix(b"}\r\n")?;
    let open = text.iter().rposition(|b| *b == b'{')?;
    std::str::from_utf8(&text[open + 1..]).ok()?.parse().ok()
}
