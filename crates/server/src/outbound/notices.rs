//! What senders are told: reports on one message to one sender are one notice, which goes through the gate like any
//! mail of our own.

use super::{Outbound, Told};
use crate::gatehouse::Gatehouse;
use crate::lists::{self, address::bounced_member};
use crate::own_mail;
use crate::srs::Srs;
use base::{AccountId, Address, Domain, DomainId, Octets, Reply, ReversePath, Timestamp, TraceId};
use gate::{Delivery, Folder, Origin, Screened, Spooled};
use std::sync::Arc;
use store::{Found, Store, StoreError};
use tracing::{info, warn};
use wire::dsn::{self, Action, Notice, Recipient};
use wire::mime::Tree;
use wire::smtp::{Ret, Terms};

/// Octets of the original that are read for a notice.
const ORIGINAL_OCTETS: u64 = 64 * 1024;

/// What became of one recipient.
#[derive(Clone, Debug)]
pub struct Report {
    /// Whom the message was for.
    pub recipient: Address,
    /// What the sender asked for.
    pub terms: Terms,
    /// What happened.
    pub action: Action,
    /// What the other server said, or we say.
    pub reply: Reply,
    /// The server that said it, unless it was ourselves.
    pub server: Option<String>,
    /// When it was tried last.
    pub last_attempt: Option<Timestamp>,
}

impl Report {
    /// Whether the sender wants to be told (RFC 3461 §4.1).
    fn is_wanted(&self) -> bool {
        match self.action {
            Action::Failed => self.terms.wants_failure(),
            Action::Delayed(_) => self.terms.wants_delay(),
            Action::Delivered => self.terms.wants_success(),
            // Made only where it is.
            Action::Relayed => true,
        }
    }
}

/// What reports are about: a message.
struct Subject<'a> {
    trace: TraceId,
    sender: &'a ReversePath,
    /// Who sent it, if it is an account of ours.
    account: Option<AccountId>,
    /// The domain that a notice's attachments would be shared within.
    domain: DomainId,
    arrival: Timestamp,
}

impl Outbound {
    /// The notices that tell of all reports. Of mail with a null reverse-path nobody is told (RFC 5321 §6.1), nor are
    /// those who said that they do not want to be.
    pub(super) async fn notices(&self, told: Vec<Told>) -> Result<Vec<Screened>, StoreError> {
        if !told.iter().any(|one| one.report.is_wanted()) {
            return Ok(Vec::new());
        }
        let maker = self.maker();
        on_a_thread(move || maker.of_queued(&told)).await
    }

    /// The notice that a message is in mailboxes here, for those of its recipients of whom its sender wants to hear
    /// (RFC 3461 §5.2.3).
    pub async fn delivered(
        &self,
        mail: &Spooled,
        domain: DomainId,
        recipients: Vec<(Address, Terms)>,
    ) -> Result<Option<Screened>, StoreError> {
        let (maker, mail) = (self.maker(), mail.clone());
        on_a_thread(move || {
            let report = |(recipient, terms)| Report {
                recipient,
                terms,
                action: Action::Delivered,
                reply: Reply::new(250, (2, 0, 0), "delivered"),
                server: None,
                last_attempt: Some(mail.received),
            };
            let reports: Vec<Report> = recipients.into_iter().map(report).collect();
            maker.of_received(&mail, domain, &reports)
        })
        .await
    }

    fn maker(&self) -> Maker {
        Maker::new(self.store.clone(), self.gatehouse.clone(), self.host.clone())
    }
}

async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| StoreError::Failed(error.to_string()))?
}

/// The first part of a message.
#[derive(Default)]
struct Original {
    octets: Vec<u8>,
    header_end: usize,
    is_whole: bool,
}

impl Original {
    fn of(message: &dyn Octets, tree: &Tree) -> Result<Self, StoreError> {
        let length = message.len().min(ORIGINAL_OCTETS);
        let mut octets = Vec::new();
        message.read(0..length, &mut octets).map_err(|error| StoreError::Failed(error.to_string()))?;
        let header_end = usize::try_from(tree.root().body().start).unwrap_or(usize::MAX).min(octets.len());
        Ok(Original { octets, header_end, is_whole: length == message.len() })
    }
}

/// Makes notices; blocks.
pub struct Maker {
    store: Arc<dyn Store>,
    gatehouse: Arc<Gatehouse>,
    srs: Srs,
    host: Domain,
}

impl Maker {
    /// Over a store, in the name of `host`.
    pub fn new(store: Arc<dyn Store>, gatehouse: Arc<Gatehouse>, host: Domain) -> Self {
        Maker { srs: Srs::new(store.clone()), store, gatehouse, host }
    }

    /// One notice of what happened to a message that has just come, to recipients of `domain`.
    pub fn of_received(
        &self,
        mail: &Spooled,
        domain: DomainId,
        reports: &[Report],
    ) -> Result<Option<Screened>, StoreError> {
        let (account, arrival) = (None, mail.received);
        let subject = Subject { trace: mail.trace, sender: &mail.reverse_path, account, domain, arrival };
        let reports: Vec<&Report> = reports.iter().collect();
        self.notice(&subject, &reports, &Original::of(mail.octets.as_ref(), &mail.tree)?)
    }

    fn of_queued(&self, told: &[Told]) -> Result<Vec<Screened>, StoreError> {
        let alike = |one: &Told, other: &Told| {
            one.entry.mail == other.entry.mail
                && one.entry.reverse_path == other.entry.reverse_path
                && one.entry.terms.share_envelope(&other.entry.terms)
                && one.report.action == other.report.action
        };
        let mut notices = Vec::new();
        for group in told.chunk_by(alike) {
            let Some(Told { entry, .. }) = group.first() else { continue };
            let reports: Vec<&Report> =
                group.iter().map(|one| &one.report).filter(|report| report.is_wanted()).collect();
            let subject = Subject {
                trace: entry.trace,
                sender: &entry.reverse_path,
                account: entry.account,
                domain: entry.domain,
                arrival: entry.since,
            };
            if reports.is_empty() {
                info!(trace = %entry.trace, "nobody to tell: the sender does not want to hear of it");
                continue;
            }
            let original = self.queued_original(entry)?;
            for some in reports.chunks(dsn::RECIPIENTS) {
                notices.extend(self.notice(&subject, some, &original)?);
            }
        }
        Ok(notices)
    }

    fn queued_original(&self, entry: &store::Queued) -> Result<Original, StoreError> {
        match self.store.read(AccountId(0), entry.mail) {
            Ok(message) => Original::of(message.as_ref(), message.tree()),
            Err(error) => {
                // Better a notice without it than none.
                warn!(trace = %entry.trace, %error, "a queued message cannot be read");
                Ok(Original::default())
            }
        }
    }

    /// One notice of what happened to all of these in the same way.
    fn notice(
        &self,
        subject: &Subject<'_>,
        reports: &[&Report],
        original: &Original,
    ) -> Result<Option<Screened>, StoreError> {
        let Some(first) = reports.first() else { return Ok(None) };
        let ReversePath::Address(to) = subject.sender else {
            info!(trace = %subject.trace, "nobody to tell: the reverse-path is null");
            return Ok(None);
        };
        if let Some(member) = bounced_member(to, &*self.store) {
            if first.action == Action::Failed {
                lists::bounced(&*self.store, &member, &first.reply.text());
            }
            return Ok(None);
        }
        // Mail that was sent on from here went out under an address of ours.
        let original_sender = self.srs.original(to, Timestamp::now());
        let to = original_sender.as_ref().unwrap_or(to);
        let recipients: Vec<Recipient<'_>> = reports.iter().map(|report| recipient(report)).collect();
        let trace = crate::random::trace_id();
        let (id, original_trace) = (trace.to_string(), subject.trace.to_string());
        let date = Timestamp::now();
        let composed = dsn::compose(&Notice {
            host: &self.host,
            to,
            date,
            id: &id,
            arrival: subject.arrival,
            trace: &original_trace,
            envelope_id: first.terms.envelope_id.as_ref(),
            recipients: &recipients,
            action: first.action,
            original: &original.octets,
            header_end: original.header_end,
            // RFC 3461 §4.3: RET says what comes back with a failure. With anything else the header does, and with what
            // is to be sent by TLS only (RFC 8689 §5).
            whole: original.is_whole
                && first.action == Action::Failed
                && first.terms.ret != Some(Ret::Headers)
                && !first.terms.require_tls,
        });
        let Some(delivery) = self.delivery(to, subject, first)? else {
            warn!(trace = %subject.trace, %to, "the sender is gone: nobody can be told");
            return Ok(None);
        };
        let mail = own_mail::spooled(&composed, ReversePath::Null, trace);
        info!(trace = %subject.trace, %to, notice = %trace, action = first.action.word(), "sender told");
        let sealed = self.gatehouse.judge_inside(Origin::Internal, mail, vec![delivery]);
        let made = sealed.map(|notice| Some(notice.because_of(subject.trace, first.action.word())));
        made.map_err(|reply| StoreError::Failed(format!("the gate refuses a notice: {reply}")))
    }

    /// Where the notice goes: to the sender's mailbox, or on its way to it. Where the sender is gone it is for the
    /// postmaster, unless all went well.
    fn delivery(
        &self,
        to: &Address,
        subject: &Subject<'_>,
        about: &Report,
    ) -> Result<Option<Delivery>, StoreError> {
        let directory = self.store.directory();
        let failed = |error: store::DirectoryError| StoreError::Failed(error.to_string());
        let inbox = |account, domain| Delivery::mailbox(account, domain, Folder::Inbox, to.clone());
        match directory.find(to).map_err(failed)? {
            Found::Accounts { accounts, domain, .. } if !accounts.is_empty() => {
                // The one who sent it, where several get mail for the address.
                let sender = subject.account.filter(|account| accounts.contains(account));
                Ok(sender.or(accounts.first().copied()).map(|account| inbox(account, domain)))
            }
            Found::NotOurs => {
                let terms = Terms { require_tls: about.terms.require_tls, ..Terms::unreported() };
                Ok(Some(Delivery::queue(None, subject.domain, to.clone(), terms)))
            }
            _ if matches!(about.action, Action::Delivered | Action::Relayed) => Ok(None),
            Found::Accounts { .. } | Found::List { .. } | Found::NoSuchUser => {
                let postmaster = directory.postmaster().map_err(failed)?.first().copied();
                Ok(postmaster.map(|account| inbox(account, subject.domain)))
            }
        }
    }
}

fn recipient(report: &Report) -> Recipient<'_> {
    let class = match report.reply.code() {
        ..400 => 2,
        400..500 => 4,
        _ => 5,
    };
    Recipient {
        address: &report.recipient,
        original: report.terms.original.as_ref(),
        status: report.reply.enhanced().unwrap_or((class, 0, 0)),
        remote: report.server.as_deref(),
        reply: &report.reply,
        last_attempt: report.last_attempt,
    }
}
