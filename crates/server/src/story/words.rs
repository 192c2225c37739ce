//! Events in plain words, for people who are not mail engineers.

use store::Queued;
use store::story::{Event, What};

/// The names of what an event tells by number.
pub struct Names<'a> {
    /// The account's address.
    pub account: Option<&'a str>,
    /// The mailbox's name.
    pub mailbox: Option<&'a str>,
}

/// An event in a sentence or two.
pub fn words(event: &Event, names: &Names<'_>) -> String {
    let Event { to, by, said, number, .. } = event;
    let account = names.account.unwrap_or("nobody's account");
    let mailbox = names.mailbox.unwrap_or("a mailbox");
    match event.what {
        What::Came => came(event, names),
        What::Filed => {
            let script =
                if by == "script" { " The recipient's Sieve script chose that mailbox." } else { "" };
            let meant = if to.is_empty() || to.eq_ignore_ascii_case(account) {
                String::new()
            } else {
                format!(", for {to}")
            };
            format!("Put into the mailbox {mailbox} of {account}{meant}, as number {number}.{script}")
        }
        What::Discarded => format!("Not kept for {account}: the recipient's Sieve script throws it away."),
        What::Queued if said.is_empty() => {
            format!("To be sent on to {to}: it waits in the queue as entry {number}.")
        }
        What::Queued => {
            format!("To be sent on to {to}, but held in the queue as entry {number}: {said}.")
        }
        What::Quarantined => {
            format!("Kept back from {} in quarantine, as entry {number}: {said}.", someone(to))
        }
        What::Sent => format!("Sent on: for {to} the server {by} took it and answered \"{said}\"."),
        What::Failed if by.is_empty() => format!("It cannot be delivered to {to}: \"{said}\"."),
        What::Failed => {
            format!("It cannot be delivered to {to}: the server {by} refused it with \"{said}\".")
        }
        What::PutOff if by.is_empty() => {
            format!("Not delivered to {to} yet (try {number}): \"{said}\". It will be tried again.")
        }
        What::PutOff => format!(
            "Not delivered to {to} yet (try {number}): the server {by} answered \"{said}\". It will be tried again."
        ),
        What::Late => format!("It is late for {to}: \"{said}\". It will still be tried."),
        What::Expired => format!("Given up for {to}, as it waited too long: \"{said}\"."),
        What::Answered => answered(event),
        What::Held => format!("The administrator holds it back from {to}: {said}."),
        What::Released => format!("The administrator holds it back from {to} no longer."),
        What::Retried => format!("The administrator wants it tried at once for {to}."),
        What::Dropped => format!("The administrator threw it away for {to}; nobody was told."),
        What::Moved => format!("Moved to the mailbox {mailbox} of {account}, as number {number}."),
        What::Removed => format!(
            "Deleted from the mailbox {mailbox} of {account}. For a while it can be had back: `mailward undelete`."
        ),
        What::Erased => format!("Deleted for good from the mailbox {mailbox} of {account}."),
        What::Restored => {
            format!("Put back into the mailbox {mailbox} of {account}, as number {number}: it was undeleted.")
        }
        What::Refused => refused(event),
    }
}

fn came(event: &Event, names: &Names<'_>) -> String {
    let Event { by, said, number, .. } = event;
    let size = format!("{number} octets");
    let brought = match by.as_str() {
        "append" => format!("Put here by the owner's mail program: {size}."),
        "sieve" => format!("Sent on or changed as a recipient's Sieve script says: {size}."),
        "import" => format!("Moved in from elsewhere: {size}."),
        "internal" => match event.other {
            Some(other) => format!("Written by this server because of message {other}: {size}."),
            None => format!("Written by this server: {size}."),
        },
        _ => {
            let from = path(&event.from);
            let sender =
                names.account.map_or_else(String::new, |account| format!(", logged in as {account}"));
            format!("Accepted from {by}{sender}: {size}, sent by {from}.")
        }
    };
    // That checks don't apply to mail from inside needs no word.
    match said.is_empty() || said.contains("not applicable to") {
        true => brought,
        false => format!("{brought} The checks found: {said}."),
    }
}

fn answered(event: &Event) -> String {
    let Event { to, by, .. } = event;
    let other = event.other.map_or_else(String::new, |other| format!(" (message {other})"));
    match by.as_str() {
        "failed" => format!("A notice tells {to} that it was not delivered{other}."),
        "delayed" => format!("A notice tells {to} that it is late{other}."),
        "delivered" => format!("A notice tells {to} that it was delivered{other}."),
        "relayed" => format!("A notice tells {to} that it was passed on{other}."),
        "vacation" => format!("An out-of-office reply goes to {}{other}.", someone(to)),
        "notify" => format!("A Sieve script notifies {} of it{other}.", someone(to)),
        kind => format!("Because of it, a {kind} goes to {}{other}.", someone(to)),
    }
}

fn refused(event: &Event) -> String {
    let Event { to, by, said, number, .. } = event;
    let from = path(&event.from);
    let whom = if to.is_empty() { String::new() } else { format!(" for {to}") };
    let more = match number {
        0 => String::new(),
        _ => format!(" So was mail {number} more times at that moment."),
    };
    format!("Refused: {by} brought mail from {from}{whom} and was told \"{said}\".{more}")
}

/// What an entry of the queue waits for; `fault` is what is in the way of all mail for its destination.
pub fn waiting(entry: &Queued, fault: Option<String>) -> String {
    let to = &entry.recipient;
    match (&entry.held, fault) {
        (Some(why), _) => {
            format!("Now: held back from {to} ({why}). `mailward queue release {}` lets it go on.", entry.id)
        }
        (None, Some(fault)) => {
            format!("Now: it waits in the queue, as no server for {to} can be reached: \"{fault}\".")
        }
        (None, None) if entry.last.is_empty() => {
            format!("Now: it waits in the queue for {to}, to be tried at {}.", entry.due)
        }
        (None, None) => format!(
            "Now: it waits in the queue for {to}, to be tried at {}. The last try brought \"{}\".",
            entry.due, entry.last
        ),
    }
}

fn path(reverse_path: &str) -> String {
    if reverse_path.is_empty() { "nobody (no return address)".to_owned() } else { reverse_path.to_owned() }
}

fn someone(to: &str) -> &str {
    if to.is_empty() { "its recipient" } else { to }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::{AccountId, MailboxId, TraceId};

    fn check(event: Event, expected: &str) {
        let names = Names {
            account: event.account.map(|_| "anna@example.test"),
            mailbox: event.mailbox.map(|_| "Work"),
        };
        assert_eq!(words(&event, &names), expected);
    }

    fn event(what: What) -> Event {
        Event::new(TraceId(7), what)
    }

    #[test]
    fn sentences() {
        check(
            Event {
                from: "x@other.test".into(),
                number: 99,
                ..event(What::Came).by("mx [192.0.2.1] by ESMTPS")
            },
            "Accepted from mx [192.0.2.1] by ESMTPS: 99 octets, sent by x@other.test.",
        );
        let place = Event {
            account: Some(AccountId(1)),
            mailbox: Some(MailboxId(2)),
            number: 5,
            ..event(What::Filed).to("Anna@example.test").by("script")
        };
        check(
            place.clone(),
            "Put into the mailbox Work of anna@example.test, as number 5. The recipient's Sieve script chose that \
             mailbox.",
        );
        check(
            place.to("sales@example.test").by(""),
            "Put into the mailbox Work of anna@example.test, for sales@example.test, as number 5.",
        );
        check(
            event(What::Sent).to("b@other.test").by("mx[192.0.2.2] in the clear").said("250 2.0.0 ok"),
            "Sent on: for b@other.test the server mx[192.0.2.2] in the clear took it and answered \"250 2.0.0 ok\".",
        );
        check(
            Event {
                number: 3,
                ..event(What::Refused).by("mx [192.0.2.1] by SMTP").to("no@example.test").said("550 no")
            },
            "Refused: mx [192.0.2.1] by SMTP brought mail from nobody (no return address) for no@example.test and was \
             told \"550 no\". So was mail 3 more times at that moment.",
        );
        let notice = event(What::Answered).by("failed").to("a@other.test");
        check(notice, "A notice tells a@other.test that it was not delivered.");
    }
}
