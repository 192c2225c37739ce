//! What senders are told: reports on one message to one sender are one notice, which goes through the gate like any
//! mail of our own.

use super::{Outbound, Report};
use base::{AccountId, Address, Domain, Flags, Limits, ReversePath, Timestamp};
use gate::{Delivery, Folder, Origin, Screened, Spooled};
use std::sync::Arc;
use store::{Found, StoreError};
use tracing::{info, warn};
use wire::dsn::{self, Action, Notice, Recipient};
use wire::mime::Tree;

/// Octets of the original that are read for a notice.
const ORIGINAL_OCTETS: u64 = 64 * 1024;

impl Outbound {
    /// The notices that tell of all reports. Of mail with a null reverse-path nobody is told (RFC 5321 §6.1).
    pub(super) async fn notices(&self, reports: Vec<Report>) -> Result<Vec<Screened>, StoreError> {
        if reports.is_empty() {
            return Ok(Vec::new());
        }
        let maker =
            Maker { store: self.store.clone(), gatehouse: self.gatehouse.clone(), host: self.host.clone() };
        let made = tokio::task::spawn_blocking(move || maker.all(&reports)).await;
        made.map_err(|error| StoreError::Failed(error.to_string()))?
    }
}

/// Makes notices; blocks.
struct Maker {
    store: Arc<dyn store::Store>,
    gatehouse: Arc<crate::gatehouse::Gatehouse>,
    host: Domain,
}

impl Maker {
    fn all(&self, reports: &[Report]) -> Result<Vec<Screened>, StoreError> {
        let alike = |one: &Report, other: &Report| {
            one.entry.mail == other.entry.mail
                && one.entry.reverse_path == other.entry.reverse_path
                && one.until == other.until
        };
        let mut notices = Vec::new();
        for group in reports.chunk_by(alike).flat_map(|group| group.chunks(dsn::RECIPIENTS)) {
            notices.extend(self.notice(group)?);
        }
        Ok(notices)
    }

    fn notice(&self, group: &[Report]) -> Result<Option<Screened>, StoreError> {
        let Some(first) = group.first() else { return Ok(None) };
        let ReversePath::Address(to) = &first.entry.reverse_path else {
            info!(trace = %first.entry.trace, "nobody to tell: the reverse-path is null");
            return Ok(None);
        };
        let (original, header_end, whole) = self.original(first)?;
        let recipients: Vec<Recipient<'_>> = group.iter().map(recipient).collect();
        let trace = crate::random::trace_id();
        let (id, original_trace) = (trace.to_string(), first.entry.trace.to_string());
        let date = Timestamp::now();
        let composed = dsn::compose(&Notice {
            host: &self.host,
            to,
            date,
            id: &id,
            arrival: first.entry.since,
            trace: &original_trace,
            envelope_id: None,
            recipients: &recipients,
            action: first.until.map_or(Action::Failed, Action::Delayed),
            original: &original,
            header_end,
            whole: whole && first.until.is_none(),
        });
        let Some(delivery) = self.delivery(to, first)? else {
            warn!(trace = %first.entry.trace, %to, "the sender is gone, and there is no postmaster: nobody can be told");
            return Ok(None);
        };
        let octets = [b"Return-Path: <>\r\n".as_slice(), &composed.octets].concat();
        let mail = Spooled {
            trace,
            reverse_path: ReversePath::Null,
            tree: Arc::new(Tree::parse(&octets, &Limits::default())),
            octets: Arc::new(octets),
            received: date,
            smtputf8: composed.smtputf8,
        };
        info!(trace = %first.entry.trace, %to, notice = %trace, failed = first.until.is_none(), "sender told");
        let sealed = self.gatehouse.judge_inside(Origin::Internal, mail, delivery);
        sealed.map(Some).map_err(|reply| StoreError::Failed(format!("the gate refuses a notice: {reply}")))
    }

    /// The start of what the notice is about, where its header ends, and whether that is all of it.
    fn original(&self, report: &Report) -> Result<(Vec<u8>, usize, bool), StoreError> {
        let message = match self.store.read(AccountId(0), report.entry.mail) {
            Ok(message) => message,
            Err(error) => {
                // Better a notice without it than none.
                warn!(trace = %report.entry.trace, %error, "a queued message cannot be read");
                return Ok((Vec::new(), 0, false));
            }
        };
        let length = message.len().min(ORIGINAL_OCTETS);
        let mut octets = Vec::new();
        message.read(0..length, &mut octets).map_err(|error| StoreError::Failed(error.to_string()))?;
        let header =
            usize::try_from(message.tree().root().body().start).unwrap_or(usize::MAX).min(octets.len());
        Ok((octets, header, length == message.len()))
    }

    /// Where the notice goes: to the sender's mailbox, or on its way to it; to the postmaster where the sender is gone.
    fn delivery(&self, to: &Address, report: &Report) -> Result<Option<Delivery>, StoreError> {
        let directory = self.store.directory();
        let failed = |error: store::DirectoryError| StoreError::Failed(error.to_string());
        let inbox = |account, domain| Delivery::Mailbox {
            account,
            domain,
            folder: Folder::Inbox,
            flags: Flags::default(),
            internal_date: None,
            recipient: Some(to.clone()),
        };
        match directory.find(to).map_err(failed)? {
            Found::Accounts { accounts, domain, .. } if !accounts.is_empty() => {
                // The one who sent it, where several get mail for the address.
                let sender = report.entry.account.filter(|account| accounts.contains(account));
                Ok(sender.or(accounts.first().copied()).map(|account| inbox(account, domain)))
            }
            Found::NotOurs => Ok(Some(Delivery::Queue {
                account: None,
                domain: report.entry.domain,
                recipient: to.clone(),
            })),
            Found::Accounts { .. } | Found::NoSuchUser => {
                let postmaster = directory.postmaster().map_err(failed)?.first().copied();
                Ok(postmaster.map(|account| inbox(account, report.entry.domain)))
            }
        }
    }
}

fn recipient(report: &Report) -> Recipient<'_> {
    let status = report.reply.enhanced().unwrap_or(match report.reply.is_permanent() {
        true => (5, 0, 0),
        false => (4, 0, 0),
    });
    Recipient {
        address: &report.entry.recipient,
        original: None,
        status,
        remote: report.server.as_deref(),
        reply: &report.reply,
    }
}
