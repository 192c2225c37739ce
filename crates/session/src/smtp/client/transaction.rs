//! One mail on its way out.

use super::*;
use std::collections::HashSet;
use wire::smtp::TextWriter;

/// A mail and what is known of its recipients.
#[derive(Debug)]
pub(super) struct Transaction {
    pub(super) mail: Mail,
    standings: Vec<Standing>,
    /// The next recipient to be asked for.
    next: usize,
    /// Whether SMTPUTF8 goes along.
    utf8: bool,
    /// Whether the content goes by BDAT.
    pub(super) chunks: bool,
    /// Whether the server has a transaction that has to be reset before another begins.
    pub(super) open: bool,
    /// Whether a chunk before the last was refused.
    pub(super) chunk_refused: bool,
    /// The content's text; none for binary content, of which nothing is checked.
    pub(super) writer: Option<TextWriter>,
    /// Octets above 127 may go out.
    pub(super) eight_bit: bool,
    /// Octets of the current chunk that were not sent yet.
    pub(super) chunk_left: u64,
    /// Octets of content that were sent.
    pub(super) sent: u64,
    /// The server was sent the whole message.
    pub(super) is_whole: bool,
    dsn: bool,
    deliver_by: bool,
}

/// What is known of a recipient.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Standing {
    /// Nothing yet.
    Open,
    /// The server would take the message for it.
    Taken,
    /// All.
    Settled(Fate),
}

impl Transaction {
    fn new(mail: Mail, extensions: &Extensions, config: &Config) -> Self {
        let binary = mail.body == wire::smtp::Body::BinaryMime;
        let chunks = extensions.chunking && (config.chunking || binary);
        let writer = match (binary, chunks) {
            (true, _) => None,
            (false, true) => Some(TextWriter::chunks()),
            (false, false) => Some(TextWriter::data()),
        };
        let mut transaction = Transaction {
            standings: vec![Standing::Open; mail.recipients.len()],
            mail,
            next: 0,
            utf8: false,
            chunks,
            open: false,
            chunk_refused: false,
            writer,
            eight_bit: extensions.eight_bit_mime || binary,
            chunk_left: 0,
            sent: 0,
            is_whole: false,
            dsn: extensions.dsn,
            deliver_by: extensions.deliver_by,
        };
        transaction.choose(extensions, config);
        transaction
    }

    /// Settles those that are not asked for in this transaction.
    fn choose(&mut self, extensions: &Extensions, config: &Config) {
        let most = config.recipients.min(extensions.rcpt_max.unwrap_or(usize::MAX)).max(1);
        let most_domains = extensions.rcpt_domain_max.unwrap_or(usize::MAX);
        let (mut asked, mut domains) = (0, HashSet::new());
        for (recipient, standing) in self.mail.recipients.iter().zip(&mut self.standings) {
            let host = &recipient.address.host;
            if let Some(trouble) = recipient.trouble(extensions) {
                *standing = Standing::Settled(trouble.fate());
            } else if asked == most || (domains.len() == most_domains && !domains.contains(host)) {
                *standing = Standing::Settled(Fate::NotTried);
            } else {
                asked += 1;
                domains.insert(host);
            }
        }
        let asked = self.mail.recipients.iter().zip(&self.standings);
        let asked =
            asked.filter(|(_, standing)| **standing == Standing::Open).map(|(recipient, _)| recipient);
        self.utf8 = self.mail.needs_utf8(asked);
        self.eight_bit |= self.utf8;
    }

    /// The next recipient to be asked for, with its command.
    fn next_recipient(&mut self, extensions: &Extensions) -> Option<(usize, String)> {
        let mut rest = self.standings.iter().enumerate().skip(self.next);
        let (number, _) = rest.find(|(_, standing)| **standing == Standing::Open)?;
        self.next = number + 1;
        let recipient = self.mail.recipients.get(number)?;
        Some((number, recipient.command(extensions, self.utf8)))
    }

    /// Whether somebody is to get the message.
    pub(super) fn has_taken(&self) -> bool {
        self.standings.contains(&Standing::Taken)
    }

    fn has_open(&self) -> bool {
        self.standings.contains(&Standing::Open)
    }

    /// MAIL was refused: whoever is not settled meets that.
    pub(super) fn refuse_all(&mut self, trouble: &Trouble) {
        self.settle(&trouble.fate(), |standing| *standing == Standing::Open);
    }

    /// Settles those for whom the server would have taken the message.
    pub(super) fn settle_taken(&mut self, fate: &Fate) {
        self.settle(fate, |standing| *standing == Standing::Taken);
    }

    fn settle(&mut self, fate: &Fate, which: impl Fn(&Standing) -> bool) {
        for standing in self.standings.iter_mut().filter(|standing| which(standing)) {
            *standing = Standing::Settled(fate.clone());
        }
    }

    pub(super) fn recipient_taken(&mut self, number: usize) {
        self.set(number, Standing::Taken);
    }

    pub(super) fn recipient_refused(&mut self, number: usize, reply: Reply) {
        // The first one is not one too many: it would be so again and again.
        if !is_one_too_many(&reply) || !self.has_taken() {
            return self.set(number, Standing::Settled(theirs(Stage::Recipient, reply).fate()));
        }
        self.set(number, Standing::Settled(Fate::NotTried));
        // Nor are those tried that were not asked for yet.
        for standing in self.standings.iter_mut().skip(self.next) {
            if *standing == Standing::Open {
                *standing = Standing::Settled(Fate::NotTried);
            }
        }
    }

    /// Sets what was open. What MAIL's refusal settled stays.
    fn set(&mut self, number: usize, standing: Standing) {
        if let Some(old) = self.standings.get_mut(number).filter(|old| **old == Standing::Open) {
            *old = standing;
        }
    }

    /// The session ends under it.
    pub(super) fn broken_off(mut self, trouble: &Trouble) -> Outcome {
        let fate = match self.is_whole {
            true => Fate::Unknown(trouble.clone()),
            false => trouble.fate(),
        };
        self.settle(&fate, |standing| *standing == Standing::Taken);
        self.settle(&trouble.fate(), |standing| *standing == Standing::Open);
        self.outcome()
    }

    fn outcome(self) -> Outcome {
        let fate = |standing| match standing {
            Standing::Settled(fate) => fate,
            Standing::Open | Standing::Taken => Fate::NotTried,
        };
        Outcome {
            recipients: self.standings.into_iter().map(fate).collect(),
            dsn: self.dsn,
            deliver_by: self.deliver_by,
        }
    }
}

/// RFC 5321 §4.5.3.1.10: 452, in old servers 552, to RCPT for too many recipients; with a status it is one that says
/// so (RFC 3463 §3.6).
fn is_one_too_many(reply: &Reply) -> bool {
    match reply.enhanced() {
        Some((_, subject, detail)) => (subject, detail) == (5, 3),
        None => matches!(reply.code(), 452 | 552),
    }
}

impl Client {
    /// Takes a mail.
    pub(super) fn begin(&mut self, mail: Mail) {
        let transaction = Transaction::new(mail, &self.extensions, &self.config);
        if !self.is_ready() {
            let recipients = vec![Fate::NotTried; transaction.mail.recipients.len()];
            let outcome = Outcome { recipients, ..transaction.outcome() };
            return self.actions.push_back(Action::Done(Box::new(outcome)));
        }
        let authenticated = self.security.is_some_and(|security| security.authenticated);
        let trouble = transaction.mail.trouble(&self.extensions, authenticated);
        let mut transaction = Box::new(transaction);
        if let Some(trouble) = trouble {
            transaction.settle(&trouble.fate(), |_| true);
        }
        let waits = &self.config.waits;
        let slow = transaction.mail.size / waits.octets_per_second.max(1);
        self.bound = self.now + waits.total + Duration::from_secs(slow);
        let begins = transaction.has_open();
        self.transaction = Some(transaction);
        if begins { self.open() } else { self.finish() }
    }

    /// Sends MAIL, with all that may go along (RFC 2920 §3.1).
    fn open(&mut self) {
        let Some(transaction) = &mut self.transaction else { return };
        let mut group = transaction.mail.command(&self.extensions, transaction.utf8);
        let mut awaited = vec![Awaited::Mail];
        if self.config.pipelining && self.extensions.pipelining {
            while let Some((number, line)) = transaction.next_recipient(&self.extensions) {
                group += &line;
                awaited.push(Awaited::Recipient(number));
            }
            if !transaction.chunks {
                group += "DATA\r\n";
                awaited.push(Awaited::Data);
            }
        }
        self.mails += 1;
        self.command(group.into_bytes(), awaited);
    }

    /// Goes on after a reply, once nothing more is out.
    pub(super) fn go_on(&mut self) {
        if !self.awaited.is_empty() || !matches!(self.state, State::Talking) {
            return;
        }
        let Some(transaction) = &mut self.transaction else { return };
        if let Some((number, line)) = transaction.next_recipient(&self.extensions) {
            self.command(line.into_bytes(), [Awaited::Recipient(number)]);
        } else if !transaction.has_taken() {
            self.finish();
        } else if transaction.chunks {
            self.begin_content();
        } else {
            self.command(b"DATA\r\n".to_vec(), [Awaited::Data]);
        }
    }

    /// The mail is done with; on to the next.
    pub(super) fn finish(&mut self) {
        let Some(transaction) = self.transaction.take() else { return };
        let open = transaction.open;
        self.actions.push_back(Action::Done(Box::new(transaction.outcome())));
        if open {
            self.bound = self.now + self.config.waits.total;
            self.command(b"RSET\r\n".to_vec(), [Awaited::Rset]);
        } else {
            self.ready();
        }
    }
}
