//! What replies come to.

use super::*;

impl Client {
    /// Takes a reply to the first of the commands that are out.
    pub(super) fn reply(&mut self, reply: Reply) {
        let Some(awaited) = self.awaited.pop_front() else { return self.uncalled(reply) };
        let stage = awaited.stage();
        self.since = self.now;
        match awaited {
            Awaited::Quit => self.left(),
            _ if matches!(self.state, State::Quitting(_)) => {}
            // RFC 5321 §3.8: the server closes now.
            _ if reply.code() == 421 => self.shut_down(stage, reply),
            Awaited::Greeting if reply.code() == 220 => self.hello(),
            Awaited::Ehlo if completes(&reply) => self.extended(&reply),
            // RFC 5321 §3.2
            Awaited::Ehlo if matches!(reply.code(), 500 | 502) => {
                let line = format!("HELO {}\r\n", self.config.name);
                self.command(line.into_bytes(), [Awaited::Helo]);
            }
            Awaited::Helo if completes(&reply) => self.secure(),
            Awaited::Greeting | Awaited::Ehlo | Awaited::Helo if !reply.is_positive() => {
                self.leave(Some(theirs(stage, reply)));
            }
            Awaited::StartTls => self.starttls_reply(reply),
            Awaited::Auth(exchange) => self.login_reply(exchange, reply),
            Awaited::Mail => self.mail_reply(reply),
            Awaited::Recipient(number) => self.recipient_reply(number, reply),
            Awaited::Data => self.data_reply(reply),
            Awaited::Chunk => self.chunk_reply(reply),
            Awaited::End => self.end_reply(reply),
            Awaited::Rset if completes(&reply) => self.ready(),
            Awaited::Rset if !reply.is_positive() => self.leave(Some(theirs(stage, reply))),
            Awaited::Greeting | Awaited::Ehlo | Awaited::Helo | Awaited::Rset => {
                self.wrong_reply(stage, &reply)
            }
        }
    }

    /// A reply that the command can't have: the server answers something else than what we asked.
    pub(super) fn wrong_reply(&mut self, stage: Stage, reply: &Reply) {
        self.broke_protocol(stage, &format!("a wrong reply ({})", reply.code()));
    }

    /// A reply while no command is out.
    fn uncalled(&mut self, reply: Reply) {
        match self.state {
            State::Content(_) if !reply.is_positive() => self.content_refused(theirs(Stage::Content, reply)),
            State::Content(_) => self.broke_protocol(Stage::Content, "a reply before the end"),
            _ if reply.code() == 421 => self.shut_down(Stage::Idle, reply),
            _ => self.broke_protocol(Stage::Idle, "a reply to nothing"),
        }
    }

    /// The server says that it closes.
    fn shut_down(&mut self, stage: Stage, reply: Reply) {
        // A message that was wholly sent was answered by that.
        if let Some(transaction) = &mut self.transaction {
            transaction.settle_taken(&theirs(stage, reply.clone()).fate());
        }
        self.end(theirs(stage, reply));
    }

    /// QUIT was answered.
    fn left(&mut self) {
        if let State::Quitting(why) = std::mem::replace(&mut self.state, State::Closed) {
            self.close(why);
        }
    }

    fn extended(&mut self, reply: &Reply) {
        self.extensions = Extensions::parse(reply);
        self.secure();
    }

    /// After EHLO: TLS, if there is to be TLS and there is none yet.
    fn secure(&mut self) {
        match (self.security, self.config.tls, self.extensions.starttls) {
            (None, Tls::Opportunistic | Tls::Required, true) => {
                self.command(b"STARTTLS\r\n".to_vec(), [Awaited::StartTls]);
            }
            (None, Tls::Required, false) => {
                let text = "TLS is required and the server does not offer STARTTLS".to_owned();
                self.leave(Some(Trouble::new(Stage::StartTls, Why::NoTls, 454, (4, 7, 10), text)));
            }
            _ => self.log_in(),
        }
    }

    fn starttls_reply(&mut self, reply: Reply) {
        match (reply.code(), self.config.tls) {
            (220, _) => {
                self.state = State::Handshake;
                self.actions.push_back(Action::StartTls);
            }
            (400.., Tls::Required) => self.leave(Some(theirs(Stage::StartTls, reply))),
            // RFC 3207 §4: the client decides whether it goes on without.
            (400.., _) => self.log_in(),
            _ => self.wrong_reply(Stage::StartTls, &reply),
        }
    }

    fn mail_reply(&mut self, reply: Reply) {
        let Some(transaction) = &mut self.transaction else { return };
        if completes(&reply) {
            transaction.open = true;
            return self.go_on();
        }
        if reply.is_positive() {
            return self.wrong_reply(Stage::Mail, &reply);
        }
        transaction.refuse_all(&theirs(Stage::Mail, reply));
        self.go_on();
    }

    fn recipient_reply(&mut self, number: usize, reply: Reply) {
        let Some(transaction) = &mut self.transaction else { return };
        match reply.code() {
            _ if !reply.is_positive() => transaction.recipient_refused(number, reply),
            _ if completes(&reply) => transaction.recipient_taken(number),
            _ => return self.wrong_reply(Stage::Recipient, &reply),
        }
        self.go_on();
    }

    fn data_reply(&mut self, reply: Reply) {
        let Some(transaction) = &mut self.transaction else { return };
        match reply.code() {
            354 if transaction.has_taken() => self.begin_content(),
            // RFC 2920 §3.1: the message is ended, to be an empty one for nobody.
            354 => self.command(b".\r\n".to_vec(), [Awaited::End]),
            400.. => {
                transaction.settle_taken(&theirs(Stage::Data, reply).fate());
                self.finish();
            }
            _ => self.wrong_reply(Stage::Data, &reply),
        }
    }

    fn chunk_reply(&mut self, reply: Reply) {
        let trouble = match reply.code() {
            _ if completes(&reply) => return self.go_on(),
            400.. => theirs(Stage::Content, reply),
            _ => return self.wrong_reply(Stage::Content, &reply),
        };
        // RFC 3030 §2: no more chunks. In the midst of one there is no way back.
        if let State::Content(_) = self.state {
            return self.content_refused(trouble);
        }
        if let Some(transaction) = &mut self.transaction {
            transaction.settle_taken(&trouble.fate());
            transaction.chunk_refused = true;
        }
        self.go_on();
    }

    fn end_reply(&mut self, reply: Reply) {
        let Some(transaction) = &mut self.transaction else { return };
        let fate = match reply.code() {
            _ if completes(&reply) => Fate::Delivered(reply),
            400.. => theirs(Stage::End, reply).fate(),
            _ => return self.wrong_reply(Stage::End, &reply),
        };
        transaction.settle_taken(&fate);
        // Unless a chunk before the last was refused, which leaves the server in nobody knows what state.
        transaction.open &= transaction.chunk_refused;
        self.finish();
    }
}

/// Whether a command was done, as far as its reply tells. An unknown code counts by its first digit (RFC 5321
/// §4.3.2), but one that belongs to another command shows that the server and we are not at the same place.
pub(super) fn completes(reply: &Reply) -> bool {
    matches!(reply.code(), 200..300) && !matches!(reply.code(), 211 | 214 | 220 | 221 | 235)
}
