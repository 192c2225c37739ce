//! Carries out what a script decided about one copy of a message.

use super::host::Owner;
use super::rejecting::Rejection;
use super::{Copy, Filing, HOPS, PASSED_ON, Round};
use crate::own_mail;
use crate::topped::Topped;
use base::mailbox::MailError;
use base::{AccountId, Address, Flags, Limits, MailboxName, Octets, ReversePath, SpecialUse, Timestamp};
use gate::{Delivery, Folder, Origin, Screened, Spooled};
use sieve::{Action, Header, Notify, Seen, Stamp, Vacation};
use std::io;
use std::sync::Arc;
use store::Remembered;
use tracing::{debug, info, warn};
use wire::dsn::Composed;
use wire::mime::{Parser, header};
use wire::smtp::{Notify as When, Terms};

/// Seconds for which a message is known that was sent on: one that comes back sooner goes in a circle.
const CIRCLE: i64 = 86_400;

/// Octets of a message that are parsed at a time.
const PIECE: usize = 64 * 1024;

/// What becomes of one copy.
pub struct Carried {
    /// Whose it is.
    pub account: AccountId,
    /// Where the message goes as it came.
    pub places: Vec<(Folder, Flags)>,
    /// What is committed besides: altered copies, what is sent on, notifications.
    pub sent: Vec<Screened>,
    /// What is sent on to accounts here, whose scripts run in turn.
    pub passed_on: Vec<Round>,
    /// What is to be remembered, and replies that depend on it.
    pub memory: Vec<Remembered>,
    /// Whether it is rejected, and why.
    pub rejected: Option<Rejection>,
}

impl Carried {
    /// Whether nothing becomes of the message, because the script says so.
    pub fn is_discarded(&self) -> bool {
        let sent_on = self.sent.iter().any(|one| one.inside() == Some(Origin::Sieve));
        self.places.is_empty() && !sent_on && self.passed_on.is_empty() && self.rejected.is_none()
    }
}

/// A header, and where copies with it go.
struct Altered {
    header: Arc<[u8]>,
    places: Vec<(Folder, Flags)>,
}

/// What a script decided, on its way to be done.
pub struct Errand<'a> {
    filing: &'a Filing,
    mail: &'a Spooled,
    copy: &'a Copy,
    owner: &'a Owner<'a>,
    /// The account's addresses, its name first.
    own: &'a [Address],
    altered: Vec<Altered>,
    carried: Carried,
}

impl<'a> Errand<'a> {
    /// Nothing is done yet.
    pub fn new(
        filing: &'a Filing,
        mail: &'a Spooled,
        copy: &'a Copy,
        owner: &'a Owner<'a>,
        own: &'a [Address],
    ) -> Self {
        let carried = Carried {
            account: copy.account,
            places: Vec::new(),
            sent: Vec::new(),
            passed_on: Vec::new(),
            memory: Vec::new(),
            rejected: None,
        };
        Errand { filing, mail, copy, owner, own, altered: Vec::new(), carried }
    }

    /// Does all that a script decided.
    pub fn carry_out(mut self, outcome: sieve::Outcome) -> Carried {
        for action in outcome.actions {
            match action {
                Action::Keep { flags, header, .. } => self.keep(flags, header),
                Action::FileInto { mailbox, flags, create, special_use, header } => {
                    let there = self.owner.folder(mailbox.as_str(), special_use);
                    let created = || create.then(|| self.create(&mailbox, special_use)).flatten();
                    let folder = there.or_else(created).unwrap_or_else(|| self.copy.folder.clone());
                    self.place(folder, flags, header);
                }
                Action::Redirect { address, header } => {
                    if let Err(why) = self.redirect(&address, header.as_ref()) {
                        self.warn(&format!("not sent on to {address}: {why}; it is kept"));
                        self.keep(Flags::default(), None);
                    }
                }
                Action::Reject { reason, at_smtp } => {
                    self.carried.rejected = Some(Rejection::new(self.mail, self.copy, reason, at_smtp));
                }
                Action::Vacation(vacation) => self.vacation(&vacation),
                Action::Notify(notify) => self.notify(&notify),
            }
        }
        self.keep_altered();
        for seen in &outcome.duplicates {
            self.carried.memory.push(self.seen(seen));
        }
        self.carried
    }

    fn warn(&self, what: &str) {
        warn!(trace = %self.mail.trace, account = %self.copy.account, what, "script's action failed");
    }

    // ---- Into mailboxes

    fn keep(&mut self, flags: Flags, header: Header) {
        self.place(self.copy.folder.clone(), flags, header);
    }

    /// Chooses a place: once each mailbox, with the flags of all that chose it.
    fn place(&mut self, folder: Folder, flags: Flags, header: Header) {
        let name = self.owner.name(&folder);
        let altered = self.altered.iter_mut().flat_map(|one| &mut one.places);
        let known =
            self.carried.places.iter_mut().chain(altered).find(|(other, _)| self.owner.name(other) == name);
        match (known, header) {
            (Some((_, all)), _) => all.add(&flags),
            (None, None) => self.carried.places.push((folder, flags)),
            (None, Some(header)) => match self.altered.iter_mut().find(|one| one.header == header) {
                Some(altered) => altered.places.push((folder, flags)),
                None => self.altered.push(Altered { header, places: vec![(folder, flags)] }),
            },
        }
    }

    /// Makes a mailbox and subscribes to it, so that clients show it (RFC 5490 §3.2).
    fn create(&self, name: &MailboxName, special_use: Option<SpecialUse>) -> Option<Folder> {
        let (account, store) = (self.copy.account, &self.filing.store);
        match store.create(account, name, special_use) {
            Ok(_) => {
                if let Err(error) = store.subscribe(account, name, true) {
                    warn!(%account, %error, "a script's new mailbox is not subscribed to");
                }
            }
            Err(MailError::Exists) => {}
            Err(error) => {
                warn!(%account, %error, "a script's mailbox can't be made: mail is kept");
                return None;
            }
        }
        self.owner.look_again();
        Some(Folder::Named(name.to_string()))
    }

    /// Makes the copies whose header was changed; where that can't be, the message is kept as it came.
    fn keep_altered(&mut self) {
        for Altered { header, places } in std::mem::take(&mut self.altered) {
            let altered = match self.alter(&header) {
                Ok(altered) => altered,
                Err(error) => {
                    self.warn(&format!("the header can't be changed: {error}"));
                    self.carried.places.extend(places);
                    continue;
                }
            };
            let copy = &self.copy;
            let delivery =
                Delivery::mailbox(copy.account, copy.domain, Folder::Inbox, copy.recipient.clone());
            match self.filing.gatehouse.judge_inside(Origin::Sieve, altered, vec![delivery]) {
                Ok(screened) => self.carried.sent.push(screened.filed(copy.account, &places)),
                Err(reply) => {
                    self.warn(&format!("the changed message is refused: {reply}"));
                    self.carried.places.extend(places);
                }
            }
        }
    }

    fn alter(&self, header: &[u8]) -> io::Result<Spooled> {
        altered(self.mail, header, self.filing.gatehouse.limits())
    }

    // ---- Sent on

    /// RFC 5228 §4.2
    fn redirect(&mut self, to: &Address, header: Option<&Arc<[u8]>>) -> Result<(), String> {
        if self.copy.is_junk() {
            return Err("it was taken for spam".into());
        }
        let mut mail = match header {
            Some(header) => self.alter(header).map_err(|error| error.to_string())?,
            None => self.mail.clone(),
        };
        let terms = Terms {
            // It is not the sender's matter that mail is late for somebody it did not write to.
            notify: Some(When::On { success: false, failure: true, delay: false }),
            require_tls: self.copy.journey.require_tls,
            ..Terms::default()
        };
        let deliveries = self.deliveries(to, terms)?;
        let accounts: Vec<AccountId> = deliveries.iter().filter_map(account_of).collect();
        match accounts.is_empty() {
            true => {
                let memory = self.leave(to)?;
                let own = self.own.first().ok_or("the account has no address")?;
                mail.reverse_path =
                    self.filing.srs.reverse_path(&self.mail.reverse_path, own, Timestamp::now());
                self.carried.sent.push(self.send_on(mail, deliveries)?);
                self.carried.memory.push(memory);
            }
            false => {
                let passed = self.pass(&accounts)?;
                let screened = self.send_on(mail, deliveries)?;
                self.carried.passed_on.push(Round { screened, passed });
            }
        }
        info!(trace = %self.mail.trace, account = %self.copy.account, %to, action = "redirect", "sent on by the recipient's script");
        Ok(())
    }

    fn send_on(&self, mail: Spooled, deliveries: Vec<Delivery>) -> Result<Screened, String> {
        self.filing.gatehouse.judge_sent_on(mail, deliveries).map_err(|reply| reply.to_string())
    }

    /// What is to be remembered of a message that leaves for an address; an error where it left a short while ago, and came
    /// back.
    fn leave(&self, to: &Address) -> Result<Remembered, String> {
        let (account, now) = (self.copy.account, Timestamp::now());
        let id = identity(self.mail).map_err(|error| error.to_string())?;
        let mark = self.filing.store.mark(&[b"redirect", to.to_string().as_bytes(), &id]);
        if self.filing.store.remembers(account, mark, now).map_err(|error| error.to_string())? {
            return Err("it was sent there already, and came again".into());
        }
        let until = Timestamp(now.0 + CIRCLE);
        Ok(Remembered { of: account, mark, until, renew: false, unless_known: None })
    }

    /// The accounts that sent it on, this one the last; an error where it would come to one of them again, or where it
    /// goes to too many.
    fn pass(&self, to: &[AccountId]) -> Result<Arc<[AccountId]>, String> {
        let passed: Arc<[AccountId]> = self.copy.passed.iter().copied().chain([self.copy.account]).collect();
        if to.iter().any(|account| passed.contains(account)) {
            return Err("it would go in a circle".into());
        }
        if passed.len() > HOPS {
            return Err(format!("it was sent on by {HOPS} accounts already"));
        }
        if !self.copy.journey.pass() {
            return Err(format!("it was sent on {PASSED_ON} times already"));
        }
        Ok(passed)
    }

    // ---- Written for the account

    /// RFC 5230
    fn vacation(&mut self, vacation: &Vacation) {
        let (account, to, now) = (self.copy.account, &vacation.to, Timestamp::now());
        let Some(own) = self.sender() else { return };
        if self.copy.is_junk() {
            return debug!(trace = %self.mail.trace, %account, "no vacation reply: taken for spam");
        }
        let sender = to.to_string().to_lowercase();
        let mark = self.filing.store.mark(&[b"vacation", vacation.handle.as_bytes(), sender.as_bytes()]);
        match self.filing.store.remembers(account, mark, now) {
            Ok(false) => {}
            Ok(true) => {
                return debug!(trace = %self.mail.trace, %account, %to, "no vacation reply: had one lately");
            }
            Err(error) => return self.warn(&format!("no vacation reply to {to}: {error}")),
        }
        if !self.filing.may_send(self.mail, account, 1) {
            return;
        }
        let write = |stamp: Stamp<'_>| vacation.compose(own, stamp);
        match self.write(write, ReversePath::Null, std::slice::from_ref(to), "vacation reply") {
            Ok(reply) => self.carried.memory.push(Remembered {
                of: account,
                mark,
                until: Timestamp(now.0.saturating_add_unsigned(vacation.seconds)),
                renew: true,
                unless_known: Some(reply),
            }),
            Err(why) => self.warn(&format!("no vacation reply to {to}: {why}")),
        }
    }

    /// RFC 5435, RFC 5436
    fn notify(&mut self, notify: &Notify) {
        let Some(own) = self.sender() else { return };
        if self.copy.is_junk() || !self.filing.may_send(self.mail, self.copy.account, notify.recipients.len())
        {
            return;
        }
        // RFC 5436 §2.7: a notification of mail that nobody wants reports on wants none either.
        let reverse_path = match &self.mail.reverse_path {
            ReversePath::Null => ReversePath::Null,
            ReversePath::Address(_) => ReversePath::Address(notify.from.as_ref().unwrap_or(own).clone()),
        };
        let write = |stamp: Stamp<'_>| notify.compose(own, stamp);
        match self.write(write, reverse_path, &notify.recipients, "notification") {
            Ok(notification) => self.carried.sent.push(notification),
            Err(why) => self.warn(&format!("no notification: {why}")),
        }
    }

    /// The address that writes for the account: the one that was written to, if it is its own, else its name.
    fn sender(&self) -> Option<&'a Address> {
        self.own.iter().find(|own| own.is_same_mailbox(&self.copy.recipient)).or(self.own.first())
    }

    /// A mail of ours on its way to those of the recipients that there are.
    fn write(
        &self,
        compose: impl FnOnce(Stamp<'_>) -> Composed,
        reverse_path: ReversePath,
        to: &[Address],
        action: &'static str,
    ) -> Result<Screened, String> {
        let trace = crate::random::trace_id();
        let id = trace.to_string();
        let stamp = Stamp { host: &self.filing.host, date: Timestamp::now(), id: &id };
        let mail = own_mail::spooled(&compose(stamp), reverse_path, trace);
        let found = to.iter().map(|to| self.deliveries(to, Terms::unreported()));
        let (found, lost): (Vec<_>, Vec<_>) = found.partition(Result::is_ok);
        let deliveries: Vec<Delivery> = found.into_iter().flatten().flatten().collect();
        if let (true, Some(Err(why))) = (deliveries.is_empty(), lost.into_iter().next()) {
            return Err(why);
        }
        let screened = self
            .filing
            .gatehouse
            .judge_inside(Origin::Internal, mail, deliveries)
            .map_err(|reply| reply.to_string())?;
        let to: Vec<String> = to.iter().map(Address::to_string).collect();
        info!(trace = %self.mail.trace, account = %self.copy.account, to = to.join(" "), action, mail = %trace, "written by the recipient's script");
        Ok(screened.because_of(self.mail.trace, action))
    }

    fn deliveries(&self, to: &Address, terms: Terms) -> Result<Vec<Delivery>, String> {
        self.filing.deliveries(self.copy.account, self.copy.domain, to, terms)
    }

    /// RFC 7352 §3
    fn seen(&self, seen: &Seen) -> Remembered {
        Remembered {
            of: self.copy.account,
            mark: self.owner.mark(&seen.id),
            until: Timestamp(Timestamp::now().0.saturating_add_unsigned(seen.seconds)),
            renew: seen.renew,
            unless_known: None,
        }
    }
}

fn account_of(delivery: &Delivery) -> Option<AccountId> {
    match delivery {
        Delivery::Mailbox { account, .. } => Some(*account),
        _ => None,
    }
}

/// What tells a message from all others: its Message-ID, else what people see of it.
fn identity(mail: &Spooled) -> io::Result<Vec<u8>> {
    let mut id = Vec::new();
    let names: &[&str] = match mail.tree.fields_named("Message-ID").next() {
        Some(_) => &["Message-ID"],
        None => &["Date", "From", "Subject"],
    };
    for name in names {
        if let Some(field) = mail.tree.fields_named(name).next() {
            mail.octets.read(field.value(), &mut id)?;
        }
        id.push(0);
    }
    Ok(id)
}

/// The message with another header (RFC 5293).
fn altered(mail: &Spooled, header: &[u8], limits: &Limits) -> io::Result<Spooled> {
    let from = mail.tree.root().body().start;
    let octets = Topped { top: return_path_first(header), rest: mail.octets.clone(), from };
    let mut parser = Parser::new(limits);
    octets.pieces(PIECE, &mut |piece| {
        parser.push(piece);
        Ok(())
    })?;
    Ok(Spooled { octets: Arc::new(octets), tree: Arc::new(parser.finish()), ..mail.clone() })
}

/// A header with its Return-Path on top, where what sends mail on looks for it: scripts add their fields above.
fn return_path_first(header: &[u8]) -> Vec<u8> {
    let path = header::fields(header).find(|field| field.name.eq_ignore_ascii_case(b"Return-Path"));
    let Some(path) = path else { return header.to_vec() };
    let (above, rest) = header.split_at(path.at);
    [path.raw, above, rest.get(path.raw.len()..).unwrap_or_default()].concat()
}
