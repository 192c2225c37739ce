//! The mail that tells of an alarm: to the postmaster's INBOX, through the gate.

use super::News;
use crate::server::Server;
use base::{Domain, Limits, ReversePath, Timestamp, TraceId};
use gate::{Delivery, Folder, Origin, Spooled};
use std::sync::Arc;
use store::Found;
use wire::mime::Tree;

/// Delivers it; the error says why nobody hears of it by mail.
pub fn send(server: &Server, news: &News) -> Result<(), String> {
    if !server.store.has_room() {
        return Err("the disk has no room for mail".into());
    }
    let directory = server.store.directory();
    let postmaster = directory.postmaster().map_err(|error| error.to_string())?;
    let first = postmaster.first().map(|id| directory.account(*id)).transpose().map_err(|e| e.to_string())?;
    let account = first.flatten().ok_or("there is no account yet")?;
    let Found::Accounts { domain, .. } = directory.find(&account.address).map_err(|e| e.to_string())? else {
        return Err(format!("{} gets no mail", account.address));
    };
    let (trace, date) = (crate::random::trace_id(), Timestamp::now());
    let octets = compose(news, &server.host, &account.address.to_string(), trace, date);
    let mail = Spooled {
        trace,
        reverse_path: ReversePath::Null,
        tree: Arc::new(Tree::parse(&octets, &Limits::default())),
        octets: Arc::new(octets),
        received: date,
        smtputf8: account.address.needs_utf8(),
    };
    let delivery = Delivery::mailbox(account.id, domain, Folder::Inbox, account.address);
    let sealed =
        server.gatehouse.judge_inside(Origin::Internal, mail, delivery).map_err(|reply| reply.to_string())?;
    server.store.accept_now(vec![sealed]).map(drop).map_err(|error| error.to_string())
}

/// RFC 3834 §5: not to be answered by machines.
pub(super) fn compose(news: &News, host: &Domain, to: &str, trace: TraceId, date: Timestamp) -> Vec<u8> {
    let (subject, text) = match news {
        News::Raised(alarm) => (
            format!("Alarm: {}", alarm.kind.word()),
            format!(
                "{}\r\n\r\nYou hear of this once, and again when it is over. What is wrong now: mailward alarms",
                alarm.what
            ),
        ),
        News::Over(alarm) => (
            format!("Over: {}", alarm.kind.word()),
            format!("Since {} it was so:\r\n\r\n{}\r\n\r\nIt is over.", alarm.since, alarm.what),
        ),
    };
    format!(
        "Return-Path: <>\r\nFrom: Mailward <postmaster@{host}>\r\nTo: <{to}>\r\nSubject: {subject} ({host})\r\nDate: {}\r\n\
         Message-ID: <{trace}@{host}>\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n\
         Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{text}\r\n",
        date.rfc5322()
    )
    .into_bytes()
}
