//! Mail that recipients' scripts reject (RFC 5429): refused while the peer waits where all of them do, else its sender is
//! told.

use super::{Copy, Filing};
use crate::outbound::notices::{Maker, Report};
use crate::own_mail;
use base::{AccountId, Address, DomainId, Reply, ReversePath, Timestamp};
use gate::{Origin, Screened, Spooled};
use sieve::Stamp;
use std::sync::Arc;
use tracing::{info, warn};
use wire::dsn::Action;
use wire::smtp::Terms;

/// What a reply may say of a reason: lines, and octets of each.
const LINES: usize = 20;
const LINE_OCTETS: usize = 450;

/// Octets of the message's header that are read for a notice.
const HEADER_OCTETS: u64 = 64 * 1024;

/// What a script rejected.
pub struct Rejection {
    mail: Spooled,
    account: AccountId,
    domain: DomainId,
    recipient: Address,
    is_junk: bool,
    reason: String,
    at_smtp: bool,
}

impl Rejection {
    /// Of a copy.
    pub fn new(mail: &Spooled, copy: &Copy, reason: String, at_smtp: bool) -> Self {
        Rejection {
            mail: mail.clone(),
            account: copy.account,
            domain: copy.domain,
            recipient: copy.recipient.clone(),
            is_junk: copy.is_junk(),
            reason,
            at_smtp,
        }
    }

    /// The reply that says it. `reject` wants its words unchanged, which a reply can't do for what is not ASCII (RFC
    /// 5429 §2.2); `ereject` rather has others (§2.1.1).
    fn reply(&self) -> Option<Reply> {
        let mut lines = self.reason.lines().map(str::trim_end).filter(|line| !line.is_empty());
        let fits = self.reason.is_ascii()
            && lines.clone().count() <= LINES
            && lines.clone().all(|line| line.len() <= LINE_OCTETS);
        match (fits, self.at_smtp) {
            (true, _) => {
                let first = Reply::new(550, (5, 7, 1), lines.next().unwrap_or(REFUSED).to_owned());
                Some(lines.fold(first, |reply, line| reply.line(line.to_owned())))
            }
            (false, true) => Some(Reply::new(550, (5, 7, 1), REFUSED)),
            (false, false) => None,
        }
    }
}

const REFUSED: &str = "The recipient's mail filter refuses this message";

/// The reply to the peer, if all `expected` deliveries of a message are rejected in a way that a reply can tell.
pub fn refusal(rejected: &[Rejection], expected: usize) -> Option<Reply> {
    if rejected.len() < expected {
        return None;
    }
    let replies: Option<Vec<Reply>> = rejected.iter().map(Rejection::reply).collect();
    replies?.into_iter().next()
}

impl Filing {
    /// The notices to senders of what was rejected and can't be refused.
    pub(super) async fn reject(self: &Arc<Self>, rejected: Vec<Rejection>) -> Vec<Screened> {
        if rejected.is_empty() {
            return Vec::new();
        }
        let this = self.clone();
        let work = move || rejected.iter().filter_map(|one| this.notice(one)).collect();
        // A panic is in the log already.
        tokio::task::spawn_blocking(work).await.unwrap_or_default()
    }

    /// RFC 5429 §2.1.2, §2.2.1
    fn notice(&self, rejected: &Rejection) -> Option<Screened> {
        let Rejection { mail, account, .. } = rejected;
        let trace = mail.trace;
        let ReversePath::Address(to) = &mail.reverse_path else {
            info!(%trace, %account, "rejected by the recipient's script; nobody to tell: the reverse-path is null");
            return None;
        };
        if rejected.is_junk {
            info!(%trace, %account, "rejected by the recipient's script; nobody is told of what was taken for spam");
            return None;
        }
        if !self.may_send(mail, *account, 1) {
            return None;
        }
        let notice = match rejected.at_smtp {
            true => self.failure(rejected),
            false => self.disposition(rejected, to),
        };
        info!(%trace, %account, %to, action = "reject", "rejected by the recipient's script");
        notice.unwrap_or_else(|why| {
            warn!(%trace, %account, why, "the sender of a rejected message can't be told");
            None
        })
    }

    /// `ereject`: a report that it failed.
    fn failure(&self, rejected: &Rejection) -> Result<Option<Screened>, String> {
        let report = Report {
            recipient: rejected.recipient.clone(),
            terms: Terms::default(),
            action: Action::Failed,
            reply: Reply::new(550, (5, 7, 1), format!("{REFUSED}: {}", rejected.reason)),
            server: None,
            last_attempt: Some(Timestamp::now()),
        };
        let maker = Maker::new(self.store.clone(), self.gatehouse.clone(), self.host.clone());
        maker.of_received(&rejected.mail, rejected.domain, &[report]).map_err(|error| error.to_string())
    }

    /// `reject`: a disposition notification.
    fn disposition(&self, rejected: &Rejection, to: &Address) -> Result<Option<Screened>, String> {
        let Rejection { mail, recipient, .. } = rejected;
        let mut header = Vec::new();
        let range = mail.tree.root().header();
        let end = range.end.min(range.start + HEADER_OCTETS);
        mail.octets.read(range.start..end, &mut header).map_err(|error| error.to_string())?;
        let (trace, now) = (crate::random::trace_id(), Timestamp::now());
        let id = trace.to_string();
        let stamp = Stamp { host: &self.host, date: now, id: &id };
        let composed = sieve::compose_rejection(&rejected.reason, &header, to, recipient, stamp);
        let notice = own_mail::spooled(&composed, ReversePath::Null, trace);
        let deliveries = self.deliveries(rejected.account, rejected.domain, to, Terms::unreported())?;
        let sealed = self
            .gatehouse
            .judge_inside(Origin::Internal, notice, deliveries)
            .map_err(|reply| reply.to_string())?;
        Ok(Some(sealed.because_of(mail.trace, "notice of its rejection")))
    }
}
