//! Commands: each is judged first, then acted upon.

use super::*;
use wire::smtp::{CommandError as Wrong, Hold};

impl Session {
    /// Takes a command line, read or not.
    pub(super) fn command(&mut self, parsed: Result<Command, CommandError>) {
        self.since = self.now;
        if let State::Unwelcome = self.state {
            return self.command_of_the_unwelcome(parsed);
        }
        let command = match parsed {
            Ok(command) => command,
            Err(error) => return self.broken_command(error),
        };
        // A chunk's octets follow whatever is thought of its command.
        if let Command::Bdat { size, last } = command {
            return self.chunk(size, last);
        }
        match self.judge(&command) {
            Ok(()) => self.act(command),
            Err(reply) => {
                if let Command::Mail(mail) = command {
                    self.refusal = Some(Refusal { reply: reply.clone(), from: Some(mail.reverse_path) });
                }
                self.refuse(&reply);
            }
        }
    }

    fn broken_command(&mut self, error: CommandError) {
        match error {
            // Nobody knows where the next command begins, or who really speaks.
            Wrong::ChunkSize | Wrong::OtherProtocol => self.give_up(error.reply()),
            _ => self.refuse(&error.reply()),
        }
    }

    /// RFC 5321 §3.1: after a refusal at the greeting QUIT is awaited, all else is 503.
    fn command_of_the_unwelcome(&mut self, parsed: Result<Command, CommandError>) {
        match parsed {
            Ok(Command::Quit) => self.act(Command::Quit),
            // Its chunk would be read as commands.
            Ok(Command::Bdat { .. }) => self.give_up(out_of_order("no service here")),
            _ => self.refuse(&out_of_order("no service here")),
        }
    }

    /// Whether a command may be given now.
    fn judge(&self, command: &Command) -> Result<(), Reply> {
        match command {
            Command::Ehlo(_) | Command::Helo(_) | Command::Noop | Command::Quit => Ok(()),
            Command::Help | Command::Rset => Ok(()),
            Command::StartTls => self.judge_starttls(),
            Command::Auth { .. } => self.judge_auth(),
            Command::Vrfy => self.needs_protection(),
            // RFC 5321 §7.3: lists are nobody's business.
            Command::Expn => Err(Reply::new(502, (5, 5, 1), "command not implemented")),
            Command::Mail(mail) => self.judge_mail(mail),
            Command::Rcpt(rcpt) => self.judge_rcpt(rcpt),
            Command::Data => self.judge_data(),
            Command::Bdat { size, .. } => self.judge_chunk(*size),
        }
    }

    /// RFC 3207 §4: a submission service wants TLS before anything that matters.
    fn needs_protection(&self) -> Result<(), Reply> {
        let open = self.config.service != Service::Mx && !self.is_protected();
        if open { Err(Reply::new(530, (5, 7, 0), "must issue a STARTTLS command first")) } else { Ok(()) }
    }

    /// Whether a password may be sent.
    fn is_protected(&self) -> bool {
        self.tls.is_some() || self.config.plaintext_auth
    }

    fn judge_starttls(&self) -> Result<(), Reply> {
        match (self.tls.is_some(), self.offers_starttls()) {
            (true, _) => Err(out_of_order("TLS is active already")),
            (false, false) => Err(Reply::new(502, (5, 5, 1), "STARTTLS is not offered")),
            (false, true) => Ok(()),
        }
    }

    fn offers_starttls(&self) -> bool {
        self.config.starttls && self.tls.is_none() && self.config.service != Service::Submissions
    }

    fn judge_auth(&self) -> Result<(), Reply> {
        if self.config.service == Service::Mx {
            return Err(Reply::new(502, (5, 5, 1), "no log-in here; use the submission service"));
        }
        if !self.is_protected() {
            return Err(Reply::new(538, (5, 7, 11), "encryption required; issue STARTTLS first"));
        }
        self.needs_client()?;
        // RFC 4954 §4. That AUTH can't come during a transaction follows: MAIL needs a log-in.
        match self.dialogue.identity {
            Some(_) => Err(out_of_order("already logged in")),
            None => Ok(()),
        }
    }

    fn needs_client(&self) -> Result<(), Reply> {
        match self.dialogue.client {
            Some(_) => Ok(()),
            None => Err(out_of_order("say EHLO first")),
        }
    }

    fn judge_mail(&self, mail: &Mail) -> Result<(), Reply> {
        self.needs_protection()?;
        self.needs_client()?;
        // RFC 4954 §6, RFC 6409 §4.3
        if self.config.service != Service::Mx && self.dialogue.identity.is_none() {
            return Err(Reply::new(530, (5, 7, 0), "authentication required"));
        }
        if self.dialogue.transaction.is_some() {
            return Err(out_of_order("nested MAIL command"));
        }
        if self.tally.mails >= self.config.limits.mails_per_session {
            return Err(Reply::new(421, (4, 7, 0), "too many messages in one session"));
        }
        self.judge_parameters(mail)?;
        // RFC 1870 §6.1
        if mail.size.is_some_and(|size| size > self.config.limits.message_octets) {
            return Err(too_large());
        }
        Ok(())
    }

    /// Whether all parameters belong to something that is offered.
    fn judge_parameters(&self, mail: &Mail) -> Result<(), Reply> {
        let offers = &self.config.offers;
        let pairs = [
            (mail.smtputf8, self.config.smtputf8),
            (mail.ret.is_some() || mail.envelope_id.is_some(), offers.dsn),
            (mail.deliver_by.is_some(), offers.deliver_by),
            (mail.priority.is_some(), offers.mt_priority),
            (mail.require_tls, self.offers_require_tls()),
        ];
        if pairs.iter().any(|(used, offered)| *used && !*offered) {
            return Err(CommandError::Parameter.reply());
        }
        mail.hold.map_or(Ok(()), |hold| self.judge_hold(hold))
    }

    fn offers_require_tls(&self) -> bool {
        self.config.offers.require_tls && self.tls.is_some()
    }

    /// A message is held for the announced time at most, and not until what is past.
    fn judge_hold(&self, hold: Hold) -> Result<(), Reply> {
        let Some((seconds, now)) = self.future_release() else {
            return Err(CommandError::Parameter.reply());
        };
        let end = hold.end(now);
        if end < now || end > Hold::For(seconds).end(now) {
            return Err(Reply::new(501, (5, 5, 4), "held too long, or until a time that is past"));
        }
        Ok(())
    }

    /// The longest time in seconds that a message may be held, where that is offered, and the date.
    fn future_release(&self) -> Option<(u32, Timestamp)> {
        // RFC 4865 §3: for submission only.
        let seconds = self.config.offers.future_release.filter(|_| self.config.service != Service::Mx)?;
        let (date, then) = self.date?;
        let passed = self.now.saturating_duration_since(then).as_secs();
        let now = date.0.saturating_add(i64::try_from(passed).unwrap_or(i64::MAX));
        Some((seconds, Timestamp(now)))
    }

    fn judge_rcpt(&self, rcpt: &Rcpt) -> Result<(), Reply> {
        let Some(transaction) = &self.dialogue.transaction else {
            return Err(self.needs_protection().err().unwrap_or_else(|| out_of_order("need MAIL first")));
        };
        if transaction.chunks.is_some() || transaction.refused.is_some() {
            return Err(out_of_order("the message has begun"));
        }
        // RFC 5321 §4.5.3.1.10
        if transaction.recipients_tried >= self.config.limits.recipients {
            return Err(Reply::new(452, (4, 5, 3), "too many recipients"));
        }
        if (rcpt.notify.is_some() || rcpt.original.is_some()) && !self.config.offers.dsn {
            return Err(CommandError::Parameter.reply());
        }
        Ok(())
    }

    /// What DATA and BDAT have in common (RFC 5321 §3.3, §4.1.1.4).
    pub(super) fn judge_content(&self) -> Result<&Transaction, Reply> {
        let Some(transaction) = &self.dialogue.transaction else {
            return Err(self.needs_protection().err().unwrap_or_else(|| out_of_order("need MAIL first")));
        };
        match (transaction.recipients, transaction.recipients_tried) {
            (0, 0) => Err(out_of_order("need RCPT first")),
            (0, _) => Err(Reply::new(554, (5, 5, 1), "no valid recipients")),
            _ => Ok(transaction),
        }
    }

    fn judge_data(&self) -> Result<(), Reply> {
        let transaction = self.judge_content()?;
        // RFC 3030 §2: not both in one transaction.
        if transaction.chunks.is_some() || transaction.refused.is_some() {
            return Err(out_of_order("BDAT was used"));
        }
        // RFC 3030 §3
        if transaction.body == Body::BinaryMime {
            return Err(out_of_order("BINARYMIME needs BDAT"));
        }
        Ok(())
    }

    /// Does what was judged good.
    fn act(&mut self, command: Command) {
        match command {
            Command::Ehlo(name) => self.hello(name, true),
            Command::Helo(name) => self.hello(name, false),
            Command::Mail(mail) => self.mail(mail),
            Command::Rcpt(rcpt) => self.rcpt(rcpt),
            Command::Data => self.ask(Asked::BeginData, Question::Begin),
            Command::Bdat { size, last } => self.chunk(size, last),
            Command::Rset => {
                self.abandon();
                self.say_idle(Reply::new(250, (2, 0, 0), "OK"));
            }
            Command::Vrfy => {
                self.say_idle(Reply::new(252, (2, 5, 0), "cannot verify, but will take mail and try"));
            }
            Command::Noop => self.say_idle(Reply::new(250, (2, 0, 0), "OK")),
            Command::Help | Command::Expn => {
                self.say_idle(Reply::new(214, (2, 0, 0), "see RFC 5321; questions to postmaster"));
            }
            Command::Quit => self.give_up(Reply::new(221, (2, 0, 0), "bye")),
            Command::StartTls => self.start_tls(),
            Command::Auth { mechanism, initial } => self.start_login(&mechanism, initial.as_ref()),
        }
    }

    /// Replies to a command that brings nobody further; a peer that goes on so is in error.
    pub(super) fn say_idle(&mut self, reply: Reply) {
        self.tally.idle_commands += 1;
        if self.tally.idle_commands <= IDLE_COMMANDS {
            return self.say(&reply);
        }
        self.refuse(&out_of_order("too many commands without a message"));
    }

    /// EHLO and HELO also do what RSET does (RFC 5321 §4.1.1.1).
    fn hello(&mut self, name: ClientName, extended: bool) {
        self.abandon();
        self.dialogue.client = Some((name, extended));
        let own_name = Reply::plain(250, self.config.host.to_string());
        let reply = if extended { self.extensions(own_name) } else { own_name };
        self.say_idle(reply);
    }

    /// What EHLO announces, and nothing that isn't done.
    fn extensions(&self, reply: Reply) -> Reply {
        let limits = &self.config.limits;
        let mut reply = reply
            .line("PIPELINING")
            .line(format!("SIZE {}", limits.message_octets))
            .line("8BITMIME")
            .line("ENHANCEDSTATUSCODES")
            .line("CHUNKING")
            .line("BINARYMIME")
            // RFC 9422 §3
            .line(format!("LIMITS MAILMAX={} RCPTMAX={}", limits.mails_per_session, limits.recipients));
        if self.config.smtputf8 {
            reply = reply.line("SMTPUTF8");
        }
        let offers = &self.config.offers;
        let words = [
            (offers.dsn, "DSN"),
            (offers.deliver_by, "DELIVERBY"),
            (offers.mt_priority, "MT-PRIORITY"),
            (self.offers_require_tls(), "REQUIRETLS"),
        ];
        for (_, word) in words.into_iter().filter(|(offered, _)| *offered) {
            reply = reply.line(word);
        }
        if let Some((seconds, now)) = self.future_release() {
            let until = Hold::For(seconds).end(now);
            reply = reply.line(format!("FUTURERELEASE {seconds} {until}"));
        }
        if self.offers_starttls() {
            reply = reply.line("STARTTLS");
        }
        if self.config.service != Service::Mx && self.is_protected() {
            let names: Vec<&str> = self.mechanisms().map(|mechanism| mechanism.name()).collect();
            reply = reply.line(format!("AUTH {}", names.join(" ")));
        }
        reply
    }

    /// What was judged good came after EHLO, so there is a client.
    fn mail(&mut self, mail: Mail) {
        let Some((client, extended)) = self.dialogue.client.clone() else { return };
        self.tally.mails += 1;
        let sender = Sender {
            mail: mail.clone(),
            client,
            extended,
            tls: self.tls.is_some(),
            identity: self.dialogue.identity.clone(),
            early_talker: self.early_talker,
        };
        self.ask(Asked::Sender(mail), Question::Sender(Box::new(sender)));
    }

    pub(super) fn open_transaction(&mut self, mail: &Mail, verdict: Verdict) {
        match verdict {
            Verdict::Yes(reply) => {
                self.dialogue.transaction = Some(Transaction {
                    body: mail.body,
                    smtputf8: mail.smtputf8,
                    recipients_tried: 0,
                    recipients: 0,
                    chunks: None,
                    refused: None,
                });
                self.say(&reply.unwrap_or_else(|| Reply::new(250, (2, 1, 0), "sender OK")));
            }
            Verdict::No(reply) => self.refuse_for_driver(&reply),
        }
    }

    fn rcpt(&mut self, rcpt: Rcpt) {
        if let Some(transaction) = &mut self.dialogue.transaction {
            transaction.recipients_tried += 1;
        }
        self.ask(Asked::Recipient, Question::Recipient(Box::new(rcpt)));
    }

    pub(super) fn add_recipient(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::Yes(reply) => {
                if let Some(transaction) = &mut self.dialogue.transaction {
                    transaction.recipients += 1;
                }
                self.say(&reply.unwrap_or_else(|| Reply::new(250, (2, 1, 5), "recipient OK")));
            }
            Verdict::No(reply) => self.refuse_for_driver(&reply),
        }
    }

    /// RFC 3207 §4.2: all that was said before is forgotten, and what was already sent behind it is thrown away.
    fn start_tls(&mut self) {
        self.abandon();
        self.say(&Reply::new(220, (2, 0, 0), "ready to start TLS"));
        self.input = Vec::new();
        self.at = 0;
        self.wait_for(State::Handshake { begun: false });
    }
}

pub(super) fn out_of_order(text: &'static str) -> Reply {
    Reply::new(503, (5, 5, 1), text)
}

pub(super) fn too_large() -> Reply {
    Reply::new(552, (5, 3, 4), "message too large")
}
