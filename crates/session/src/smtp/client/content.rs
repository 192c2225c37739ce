//! Content on its way out, by DATA or BDAT.

use super::*;
use wire::smtp::Fault;

impl Client {
    /// Asks for the message's first octets, or the next ones.
    pub(super) fn begin_content(&mut self) {
        let Some(transaction) = &self.transaction else { return };
        let (sent, size) = (transaction.sent, transaction.mail.size);
        if sent == size {
            return self.send_piece(&[]);
        }
        let room = match (transaction.chunks, transaction.chunk_left) {
            (true, 0) => self.config.chunk_octets.max(1),
            (true, left) => left,
            (false, _) => u64::MAX,
        };
        let end = size.min(sent.saturating_add(PIECE.min(room)));
        self.state = State::Content(sent..end);
        self.since = self.now;
        self.actions.push_back(Action::Content(sent..end));
    }

    /// Takes a piece of the message.
    pub(super) fn content(&mut self, octets: &[u8]) {
        let State::Content(asked) = &self.state else { return };
        let given = octets.len() as u64;
        if given == 0 || given > asked.end - asked.start {
            return self.content_failed();
        }
        // Who answers before the end may mean anything by it.
        if self.awaited.is_empty() && !self.reader.is_between_replies() {
            return self.broke_protocol(Stage::Content, "a reply before the end");
        }
        self.send_piece(octets);
    }

    fn send_piece(&mut self, octets: &[u8]) {
        let Some(transaction) = &mut self.transaction else { return };
        let given = octets.len() as u64;
        let mut out = Vec::with_capacity(octets.len() + octets.len() / 32 + 64);
        if transaction.chunks && transaction.chunk_left == 0 {
            let size = transaction.mail.size - transaction.sent;
            let chunk = size.min(self.config.chunk_octets.max(1));
            let last = if chunk == size { " LAST" } else { "" };
            transaction.chunk_left = chunk;
            out.extend_from_slice(format!("BDAT {chunk}{last}\r\n").as_bytes());
        }
        transaction.sent += given;
        if transaction.chunks {
            transaction.chunk_left -= given;
        }
        let whole = transaction.sent == transaction.mail.size;
        if let Err(refusal) = transaction.write(octets, whole, &mut out) {
            return self.end(unsendable(refusal));
        }
        transaction.is_whole = whole;
        self.piece_sent(out);
    }

    /// Sends what was made of a piece, and goes on behind it.
    fn piece_sent(&mut self, out: Vec<u8>) {
        let Some(transaction) = &self.transaction else { return };
        let chunk_is_over = transaction.chunks && transaction.chunk_left == 0;
        if transaction.is_whole {
            self.command(out, [Awaited::End]);
        } else if chunk_is_over {
            self.command(out, [Awaited::Chunk]);
            // RFC 3030 §4.2: chunks may be pipelined.
            if self.config.pipelining && self.extensions.pipelining && self.transaction.is_some() {
                self.begin_content();
            }
        } else {
            self.actions.push_back(Action::Send(out));
            self.begin_content();
        }
    }

    /// The server refused the message while it was sent. What it is owed of it can't be taken back, so that the
    /// session ends.
    pub(super) fn content_refused(&mut self, trouble: Trouble) {
        if let Some(transaction) = &mut self.transaction {
            transaction.settle_taken(&trouble.fate());
        }
        self.end(trouble);
    }

    pub(super) fn content_failed(&mut self) {
        if let State::Content(_) = self.state {
            self.end(ours(Stage::Content, Why::Unreadable, (4, 3, 0), "message could not be read"));
        }
    }
}

impl Transaction {
    /// Writes a piece as it goes out; `last` if the message ends with it.
    fn write(&mut self, octets: &[u8], last: bool, out: &mut Vec<u8>) -> Result<(), Refusal> {
        if !self.eight_bit && !octets.is_ascii() {
            return Err(Refusal::EightBit);
        }
        let Some(writer) = &mut self.writer else {
            out.extend_from_slice(octets);
            return Ok(());
        };
        writer.push(octets, out).map_err(Refusal::Text)?;
        if last { writer.finish(out).map_err(Refusal::Text) } else { Ok(()) }
    }
}

/// Why content must not go out.
enum Refusal {
    Text(Fault),
    EightBit,
}

fn unsendable(refusal: Refusal) -> Trouble {
    let (status, text) = match refusal {
        Refusal::Text(Fault::Nul) => ((5, 6, 0), "message has a NUL octet"),
        Refusal::Text(_) => ((5, 6, 0), "message has a bare CR or LF"),
        Refusal::EightBit => ((5, 6, 3), "message has 8-bit content and the server takes only 7-bit content"),
    };
    Trouble::new(Stage::Content, Why::Unsendable, 554, status, text.to_owned())
}
