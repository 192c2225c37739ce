//! Our client and our server, in memory: what arrives is what was sent.

use super::*;
use crate::sasl::ChannelBinding;
use crate::smtp;
use base::{Domain, Limits};

/// Both ends, and what the server has kept.
struct Pair {
    client: Client,
    server: smtp::Session,
    now: Instant,
    content: Vec<u8>,
    spool: Vec<u8>,
    kept: Vec<Vec<u8>>,
    outcomes: Vec<Outcome>,
    closed: bool,
    tls_ends: usize,
    packets: usize,
}

impl Pair {
    fn new(config_line: &str) -> Self {
        let now = Instant::now();
        let server_config = smtp::Config {
            service: smtp::Service::Mx,
            host: Domain::new("mx.example.test").unwrap(),
            limits: Limits { recipients: 100, mails_per_session: 3, ..Limits::default() },
            starttls: true,
            plaintext_auth: false,
            scram: true,
            smtputf8: true,
            offers: smtp::Offers {
                dsn: true,
                deliver_by: true,
                mt_priority: true,
                ..smtp::Offers::default()
            },
        };
        Pair {
            client: Client::new(Arc::new(config(config_line)), None, now),
            server: smtp::Session::new(Arc::new(server_config), None, [7; 32], now),
            now,
            content: Vec::new(),
            spool: Vec::new(),
            kept: Vec::new(),
            outcomes: Vec::new(),
            closed: false,
            tls_ends: 0,
            packets: 0,
        }
    }

    /// Runs both until neither has anything to do.
    fn run(&mut self) {
        loop {
            let (to_client, server_did) = self.run_server();
            let (to_server, client_did) = self.run_client();
            if self.tls_ends == 2 {
                self.tls_ends = 0;
                self.server.feed(self.now, smtp::Input::TlsUp(ChannelBinding::default()));
                self.client.feed(self.now, Input::TlsUp(Security { authenticated: true }));
                continue;
            }
            if !server_did && !client_did {
                return;
            }
            for part in to_client.chunks(1000) {
                self.client.feed(self.now, Input::Bytes(part));
            }
            for part in to_server.chunks(1000) {
                self.server.feed(self.now, smtp::Input::Bytes(part));
                let (more, _) = self.run_server();
                self.client.feed(self.now, Input::Bytes(&more));
            }
        }
    }

    fn run_server(&mut self) -> (Vec<u8>, bool) {
        let (mut out, mut did) = (Vec::new(), false);
        loop {
            let answer = match self.server.next() {
                None => return (out, did),
                Some(smtp::Action::Send(octets)) => {
                    out.extend(octets);
                    None
                }
                Some(smtp::Action::Spool(octets)) => {
                    self.spool.extend_from_slice(octets);
                    None
                }
                Some(smtp::Action::Abandon) => {
                    self.spool.clear();
                    None
                }
                Some(smtp::Action::StartTls) => {
                    self.tls_ends += 1;
                    None
                }
                Some(smtp::Action::Close) => None,
                Some(smtp::Action::Ask(question)) => Some(question),
            };
            did = true;
            if let Some(question) = answer {
                if question == smtp::Question::End {
                    self.kept.push(std::mem::take(&mut self.spool));
                }
                self.server.feed(self.now, smtp::Input::Answer(smtp::Answer::Accepted));
            }
        }
    }

    fn run_client(&mut self) -> (Vec<u8>, bool) {
        let (mut out, mut did) = (Vec::new(), false);
        while let Some(action) = self.client.next() {
            did = true;
            match action {
                Action::Send(octets) => {
                    self.packets += 1;
                    out.extend(octets);
                }
                Action::StartTls => self.tls_ends += 1,
                Action::Ready => {}
                Action::Done(outcome) => self.outcomes.push(*outcome),
                Action::Close(trouble) => {
                    assert_eq!(trouble, None);
                    self.closed = true;
                }
                Action::Content(range) => {
                    assert!(range.end - range.start <= PIECE);
                    let piece = &self.content[range.start as usize..range.end as usize];
                    self.client.feed(self.now, Input::Content(piece));
                }
            }
        }
        (out, did)
    }

    fn send(&mut self, content: &[u8], body: Body, utf8_header: bool) {
        self.run();
        assert!(self.client.is_ready());
        self.content = content.to_vec();
        let mail = Mail {
            size: content.len() as u64,
            body,
            utf8_header,
            ..mail("from=a@bar.example to=b@foo.example to=grå@foo.example")
        };
        self.client.feed(self.now, Input::Mail(Box::new(mail)));
        self.run();
    }
}

fn check(config_line: &str, content: &[u8], body: Body, expected: &[u8]) {
    let mut pair = Pair::new(config_line);
    for count in 1..=2 {
        pair.send(content, body, false);
        let outcome = pair.outcomes.last().unwrap();
        let delivered = outcome.recipients.iter().all(|fate| matches!(fate, Fate::Delivered(_)));
        assert!(delivered && pair.outcomes.len() == count, "{config_line}: {outcome:?}");
        assert!(pair.kept.last().unwrap() == expected, "{config_line} {}", content.len());
    }
    assert!(pair.client.security().is_some());
    pair.client.feed(pair.now, Input::Quit);
    pair.run();
    assert!(pair.closed);
}

#[test]
fn what_arrives_is_what_was_sent() {
    let long: Vec<u8> = (0..5000).flat_map(|n| format!(".{n}\r\n.\r\n..\r\n").into_bytes()).collect();
    let big_line = [vec![b'.'; 300_000].as_slice(), b"\r\n"].concat();
    let texts: [&[u8]; 8] = [
        b"",
        b".\r\n",
        b"a\r\n.\r\n..\r\n\r\n.b.\r\n",
        b"\r\n",
        b"\r\n.\r\n",
        &long,
        &big_line,
        "å\r\n".as_bytes(),
    ];
    let ways = [
        "chunking=no",
        "chunking=no pipelining=no",
        "",
        "chunk=1",
        "chunk=7",
        "chunk=7 pipelining=no",
        "chunk=65537",
    ];
    for way in ways {
        for text in texts {
            // One octet a chunk takes its time.
            if way.contains("chunk=") && text.len() > 1000 && !way.contains("65537") {
                continue;
            }
            check(way, text, Body::EightBitMime, text);
        }
    }
    // DATA has no message without a last line end; BDAT has.
    check("chunking=no", b"a", Body::SevenBit, b"a\r\n");
    check("", b"a", Body::SevenBit, b"a");
    let all: Vec<u8> = (0..=255).cycle().take(200_000).collect();
    for way in ["", "chunking=no", "chunk=777"] {
        check(way, &all, Body::BinaryMime, &all);
    }
}

#[test]
fn few_packets() {
    // EHLO, STARTTLS, EHLO; the envelope with DATA; the content.
    let mut pair = Pair::new("chunking=no");
    pair.send(b"x\r\n", Body::SevenBit, false);
    assert_eq!(pair.packets, 5);
    pair.send(b"x\r\n", Body::SevenBit, false);
    assert_eq!(pair.packets, 7);
}

#[test]
fn the_servers_limit_of_mails_is_kept() {
    let mut pair = Pair::new("");
    for _ in 0..3 {
        pair.send(b"x\r\n", Body::SevenBit, true);
    }
    assert!(pair.closed && pair.kept.len() == 3);
}
