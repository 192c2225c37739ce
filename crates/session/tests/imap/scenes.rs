//! Dialogues as text, one file a scene.
//!
//! `C: ` is a line from the client, `S: ` one from the server; both get CRLF. `C|` and `S|` are the same without
//! CRLF. `C2: ` and so on are further connections. `…` in a server's line stands for anything. Other lines are
//! orders: `config clear` (or `tls`), `mail BOX TEXT` (with `\r\n` written so), `quota OCTETS`, `wait SECONDS`,
//! `changed`, `shutdown`, `closed`, `break`, `mend`, `forget`. A client's lines in a row are sent together.
//!
//! Each scene is played with the client's octets whole and one by one: the answers are the same.

use crate::driver::{Connection, config};
use session::imap::Input;
use std::collections::BTreeMap;
use std::time::Duration;
use testkit::mailstore::FakeMailstore;

#[test]
fn scenes() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/imap/scenes");
    let mut wrong = Vec::new();
    let mut played = 0;
    let mut files: Vec<_> =
        std::fs::read_dir(directory).expect("scenes").flatten().map(|e| e.path()).collect();
    files.sort();
    for path in files {
        let text = std::fs::read_to_string(&path).expect("a scene");
        for at_once in [usize::MAX, 1, 7] {
            played += 1;
            if let Err(why) = Player::new(at_once).play(&text) {
                wrong.push(format!("{} ({at_once} at once): {why}", path.display()));
                break;
            }
        }
    }
    assert!(wrong.is_empty() && played > 0, "{}", wrong.join("\n\n"));
}

struct Player {
    at_once: usize,
    clear: bool,
    store: FakeMailstore,
    connections: BTreeMap<u32, Connection>,
    /// What a connection said and was not compared yet.
    said: BTreeMap<u32, Vec<u8>>,
}

impl Player {
    fn new(at_once: usize) -> Self {
        let store = FakeMailstore::new();
        Player { at_once, clear: true, store, connections: BTreeMap::new(), said: BTreeMap::new() }
    }

    fn play(&mut self, text: &str) -> Result<(), String> {
        let mut expected: Vec<(u32, String)> = Vec::new();
        let mut sent: Option<(u32, Vec<u8>)> = None;
        for line in text.lines().chain(["end"]) {
            let spoken = line.find([':', '|']).and_then(|at| {
                let (who, rest) = line.split_at(at);
                let number = who.get(1..)?;
                let number = if number.is_empty() { 1 } else { number.parse().ok()? };
                let crlf = if rest.starts_with(':') { "\r\n" } else { "" };
                Some((
                    who.chars().next()?,
                    number,
                    rest[1..].strip_prefix(' ').unwrap_or(&rest[1..]).to_owned() + crlf,
                ))
            });
            match spoken {
                Some(('C', number, line)) => {
                    self.compare(&mut expected)?;
                    match &mut sent {
                        Some((to, octets)) if *to == number => octets.extend(line.bytes()),
                        _ => {
                            self.flush(&mut sent);
                            sent = Some((number, line.into_bytes()));
                        }
                    }
                }
                Some(('S', number, line)) => {
                    self.flush(&mut sent);
                    expected.push((number, line));
                }
                _ if line.is_empty() || line.starts_with('#') => {}
                _ => {
                    self.flush(&mut sent);
                    self.compare(&mut expected)?;
                    self.order(line)?;
                }
            }
        }
        Ok(())
    }

    fn connection(&mut self, number: u32) -> &mut Connection {
        let (store, clear) = (&self.store, self.clear);
        self.connections.entry(number).or_insert_with(|| Connection::new(config(clear), store))
    }

    fn flush(&mut self, sent: &mut Option<(u32, Vec<u8>)>) {
        let Some((number, octets)) = sent.take() else { return };
        let at_once = self.at_once;
        let answer = self.connection(number).send(&octets, at_once);
        self.said.entry(number).or_default().extend(answer);
    }

    fn compare(&mut self, expected: &mut Vec<(u32, String)>) -> Result<(), String> {
        let expected = std::mem::take(expected);
        for number in expected.iter().map(|(number, _)| *number) {
            let answer = self.connection(number).send(b"", 1);
            self.said.entry(number).or_default().extend(answer);
        }
        for (number, said) in &mut self.said {
            let wanted: String =
                expected.iter().filter(|(to, _)| to == number).map(|(_, line)| line.as_str()).collect();
            let said = String::from_utf8_lossy(&std::mem::take(said)).into_owned();
            if !fits(&said, &wanted) {
                return Err(format!("connection {number} said\n{said}expected\n{wanted}"));
            }
        }
        Ok(())
    }

    fn order(&mut self, line: &str) -> Result<(), String> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let answer = match word {
            "end" => return Ok(()),
            "config" => {
                self.clear = rest == "clear";
                return Ok(());
            }
            "mail" => {
                let (name, text) = rest.split_once(' ').unwrap_or((rest, ""));
                self.store.deliver(
                    name,
                    text.replace("\\r\\n", "\r\n").as_bytes(),
                    base::Flags::default(),
                    None,
                );
                return Ok(());
            }
            "quota" => {
                self.store.set_quota(rest.parse().ok());
                return Ok(());
            }
            "forget" => {
                self.store.forget();
                return Ok(());
            }
            "break" | "mend" => {
                self.store.set_broken(word == "break");
                return Ok(());
            }
            "closed" => {
                let closed = self.connection(1).closed;
                return if closed { Ok(()) } else { Err("the connection is still open".into()) };
            }
            "wait" => self.connection(1).wait(Duration::from_secs(rest.parse().unwrap_or(1))),
            "changed" => self.connection(1).feed(Input::Changed),
            "shutdown" => self.connection(1).feed(Input::Shutdown),
            _ => return Err(format!("no such order: {line}")),
        };
        self.said.entry(1).or_default().extend(answer);
        Ok(())
    }
}

/// Whether the text is the wanted one, `…` standing for anything within a line.
fn fits(said: &str, wanted: &str) -> bool {
    let said: Vec<&str> = said.split_inclusive('\n').collect();
    let wanted: Vec<&str> = wanted.split_inclusive('\n').collect();
    said.len() == wanted.len() && said.iter().zip(wanted).all(|(said, wanted)| line_fits(said, wanted))
}

fn line_fits(said: &str, wanted: &str) -> bool {
    let mut pieces = wanted.split('…');
    let Some(mut rest) = pieces.next().and_then(|first| said.strip_prefix(first)) else { return false };
    let mut pieces = pieces.peekable();
    while let Some(piece) = pieces.next() {
        if pieces.peek().is_none() {
            return rest.ends_with(piece);
        }
        let Some(at) = rest.find(piece) else { return false };
        rest = &rest[at + piece.len()..];
    }
    rest.is_empty()
}
