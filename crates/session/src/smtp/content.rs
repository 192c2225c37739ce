//! Message content: DATA and BDAT.

use super::commands::too_large;
use super::*;
use wire::smtp::{Event, Fault};

impl Session {
    pub(super) fn begin_data(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::Yes(_) => {
                self.say(&Reply::plain(354, "end data with <CR><LF>.<CR><LF>"));
                self.start_content_clock();
                let limits = &self.config.limits;
                let reader = DataReader::new(limits.message_octets, limits.line_octets);
                self.wait_for(State::Data(Box::new(reader)));
            }
            Verdict::No(reply) => {
                self.abandon();
                self.refuse_for_driver(&reply);
            }
        }
    }

    pub(super) fn step_data(&mut self) -> Step {
        let State::Data(reader) = &mut self.state else { return Step::Wait };
        let unread = self.input.get(self.at..).unwrap_or_default();
        let (used, event) = reader.read(unread);
        let piece = if let Event::Content(content) = event { content.len() } else { 0 };
        let over = matches!(event, Event::End);
        let needs_more = matches!(event, Event::More);
        self.at += used;
        let (fault, octets) = (reader.fault(), reader.octets());
        // It was told what we take, and sends more than twice that: no end is waited for.
        if let Some(fault) = fault
            && octets > self.config.limits.message_octets.saturating_mul(2)
        {
            let reply = fault_reply(fault);
            self.abandon_because(&reply);
            self.give_up(reply);
            return Step::Again;
        }
        match (over, needs_more, piece) {
            (true, ..) => self.data_is_over(fault),
            (_, true, _) => return self.need_more(),
            (.., 0) => {}
            (.., piece) => return Step::Content(self.at.saturating_sub(piece)..self.at),
        }
        Step::Again
    }

    fn data_is_over(&mut self, fault: Option<Fault>) {
        self.content_deadline = None;
        match fault {
            None => self.ask(Asked::End, Question::End),
            Some(fault) => {
                let reply = fault_reply(fault);
                self.abandon_because(&reply);
                self.wait_for(State::Commands);
                match fault {
                    // The peer's idea of where its message ended may be another one; what it sends next may have
                    // been meant as content. So nothing more is read.
                    Fault::BareCrLf => self.give_up(reply),
                    _ => self.refuse(&reply),
                }
            }
        }
    }

    /// Takes a BDAT command. Whatever becomes of it, its octets are read away (RFC 3030 §2).
    pub(super) fn chunk(&mut self, size: u64, last: bool) {
        if let Err(reply) = self.judge_chunk(size) {
            return self.discard(size, last, reply);
        }
        match self.dialogue.transaction.as_ref().map(|transaction| transaction.chunks.is_some()) {
            Some(true) => self.start_chunk(size, last),
            _ => self.ask(Asked::BeginChunk { size, last }, Question::Begin),
        }
    }

    pub(super) fn judge_chunk(&self, size: u64) -> Result<(), Reply> {
        let transaction = self.judge_content()?;
        if let Some(reply) = &transaction.refused {
            return Err(reply.clone());
        }
        let before = transaction.chunks.as_ref().map_or(0, ChunkReader::octets);
        let fits = before.saturating_add(size) <= self.config.limits.message_octets;
        if fits { Ok(()) } else { Err(too_large()) }
    }

    pub(super) fn begin_chunk(&mut self, size: u64, last: bool, verdict: Verdict) {
        let limits = &self.config.limits;
        match (verdict, &mut self.dialogue.transaction) {
            (Verdict::Yes(_), Some(transaction)) => {
                let binary = transaction.body == Body::BinaryMime;
                let reader = ChunkReader::new(limits.message_octets, limits.line_octets, binary);
                transaction.chunks = Some(reader);
                self.start_chunk(size, last);
            }
            (Verdict::Yes(_), None) => self.discard(size, last, local_error()),
            (Verdict::No(reply), _) => self.discard(size, last, reply),
        }
    }

    fn start_chunk(&mut self, size: u64, last: bool) {
        self.start_content_clock();
        if let Some(reader) = self.chunk_reader() {
            reader.start(size, last);
        }
        self.wait_for(State::Chunk { last });
    }

    fn chunk_reader(&mut self) -> Option<&mut ChunkReader> {
        self.dialogue.transaction.as_mut().and_then(|transaction| transaction.chunks.as_mut())
    }

    pub(super) fn step_chunk(&mut self) -> Step {
        let State::Chunk { last } = self.state else { return Step::Wait };
        let unread = self.input.get(self.at..).unwrap_or_default();
        let reader = self.dialogue.transaction.as_mut().and_then(|transaction| transaction.chunks.as_mut());
        let Some(reader) = reader else {
            self.give_up(local_error());
            return Step::Again;
        };
        let (used, event) = reader.read(unread);
        let start = self.at;
        self.at += used;
        match event {
            Event::Content(content) if !content.is_empty() => return Step::Content(start..self.at),
            Event::Content(_) => {}
            Event::More => return self.need_more(),
            Event::End => {
                let (fault, octets) = (reader.fault(), reader.octets());
                self.chunk_is_over(last, fault, octets);
            }
        }
        Step::Again
    }

    fn chunk_is_over(&mut self, last: bool, fault: Option<Fault>, octets: u64) {
        self.wait_for(State::Commands);
        match (fault, last) {
            (None, true) => {
                self.content_deadline = None;
                self.ask(Asked::End, Question::End);
            }
            (None, false) => self.say(&Reply::new(250, (2, 0, 0), format!("{octets} octets so far"))),
            (Some(fault), _) => self.chunk_refused(last, &fault_reply(fault)),
        }
    }

    /// Reads a chunk away before its refusal.
    fn discard(&mut self, size: u64, last: bool, reply: Reply) {
        if size > self.config.limits.message_octets.saturating_mul(2) {
            return self.give_up(reply);
        }
        self.start_content_clock();
        self.wait_for(State::Discard { left: size, last, reply });
    }

    pub(super) fn step_discard(&mut self) -> Step {
        let State::Discard { left, last, reply } = &mut self.state else { return Step::Wait };
        let unread = self.input.len().saturating_sub(self.at);
        let used = usize::try_from(*left).map_or(unread, |left| left.min(unread));
        *left -= used as u64;
        self.at += used;
        if *left > 0 {
            return self.need_more();
        }
        let (last, reply) = (*last, reply.clone());
        self.wait_for(State::Commands);
        self.chunk_refused(last, &reply);
        Step::Again
    }

    /// Refuses a chunk, and with it the message: its other chunks get the same reply.
    fn chunk_refused(&mut self, last: bool, reply: &Reply) {
        match &mut self.dialogue.transaction {
            Some(transaction) if !last => transaction.refused = Some(reply.clone()),
            _ => self.abandon_because(reply),
        }
        self.refuse(reply);
    }

    /// The message was judged and, if the reply says so, kept.
    pub(super) fn end_transaction(&mut self, verdict: Verdict) {
        self.dialogue.transaction = None;
        match verdict {
            Verdict::Yes(reply) => {
                self.tally.errors = 0;
                self.tally.idle_commands = 0;
                self.say(&reply.unwrap_or_else(|| Reply::new(250, (2, 0, 0), "message accepted")));
            }
            Verdict::No(reply) => self.refuse_for_driver(&reply),
        }
    }
}

fn fault_reply(fault: Fault) -> Reply {
    match fault {
        Fault::BareCrLf => Reply::new(550, (5, 6, 0), "message has a bare CR or LF"),
        Fault::Nul => Reply::new(550, (5, 6, 0), "message has a NUL octet"),
        Fault::LineTooLong => Reply::new(550, (5, 6, 0), "message has a line that is too long"),
        Fault::TooLarge => too_large(),
    }
}
