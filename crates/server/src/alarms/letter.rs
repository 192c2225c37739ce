//! The mail that tells of an alarm: to the postmaster's INBOX, through the gate.

use super::News;
use crate::own_mail::Letter;
use crate::server::Server;
use base::{Address, Domain};
use gate::{Delivery, Folder, Origin, Spooled};
use store::Found;

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
    let mail = mail(news, &server.host, &account.address);
    let delivery = Delivery::mailbox(account.id, domain, Folder::Inbox, account.address);
    let sealed = server
        .gatehouse
        .judge_inside(Origin::Internal, mail, vec![delivery])
        .map_err(|reply| reply.to_string())?;
    server.store.accept_now(vec![sealed]).map(drop).map_err(|error| error.to_string())
}

/// The letter itself.
pub(super) fn mail(news: &News, host: &Domain, to: &Address) -> Spooled {
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
    let (from, subject) = (format!("Mailward <postmaster@{host}>"), format!("{subject} ({host})"));
    Letter { from, to, subject, text }.spooled(host)
}
