//! What happened to a message, told to people: the answer to `mailward trace`.

mod words;

use crate::control::{EventRow, StoryRow};
use crate::server::Server;
use base::{AccountId, Address, MailboxId, Timestamp, TraceId};
use std::collections::HashMap;
use store::queue;
use store::story::{Event, What};
use words::Names;

/// Stories that one command gets at most.
pub const MOST_STORIES: usize = 1000;

/// Events of all of them, after which no further story is told.
const MOST_TOLD: usize = 50_000;

/// The stories that are asked for, by a trace or an address. The error is for the person.
pub fn stories(server: &Server, wanted: &str, most: usize) -> Result<Vec<StoryRow>, String> {
    let mut teller = Teller { server, accounts: HashMap::new(), mailboxes: HashMap::new() };
    let traces = match (wanted.parse::<TraceId>(), Address::parse(wanted)) {
        (Ok(trace), _) => vec![trace],
        (_, Ok(address)) => teller.latest(&address, most.clamp(1, MOST_STORIES))?,
        _ => {
            return Err(format!("{wanted} is neither a message's id (26 letters and digits) nor an address"));
        }
    };
    let (mut told, mut events) = (Vec::new(), 0);
    for trace in traces {
        let story = teller.story(trace)?;
        events += story.events.len() + story.last.len();
        told.extend(Some(story).filter(|story| !story.events.is_empty()));
        if events > MOST_TOLD {
            break;
        }
    }
    match told.is_empty() {
        true => Err(format!(
            "nothing is known of {wanted}: it never came here, or longer ago than store.keep_traces keeps"
        )),
        false => Ok(told),
    }
}

/// Tells stories, and remembers the names that it looked up.
struct Teller<'s> {
    server: &'s Server,
    accounts: HashMap<AccountId, String>,
    mailboxes: HashMap<MailboxId, String>,
}

impl Teller<'_> {
    fn latest(&self, address: &Address, most: usize) -> Result<Vec<TraceId>, String> {
        let text = address.to_string();
        let account = self.server.store.directory().login(&text).map_err(|error| error.to_string())?;
        let found = self.server.store.stories().latest(&text, account.map(|account| account.id), most);
        found.map_err(|error| error.to_string())
    }

    fn story(&mut self, trace: TraceId) -> Result<StoryRow, String> {
        let story = self.server.store.stories().story(trace).map_err(|error| error.to_string())?;
        let now =
            story.events().filter_map(|event| self.waiting(event).transpose()).collect::<Result<_, _>>()?;
        let events = story.first.iter().map(|event| self.row(event)).collect();
        let last = story.last.iter().map(|event| self.row(event)).collect();
        Ok(StoryRow { trace: trace.to_string(), events, between: story.between, last, now })
    }

    fn row(&mut self, event: &Event) -> EventRow {
        let account = event.account.map(|of| self.account(of));
        let mailbox = event.account.zip(event.mailbox).map(|(of, mailbox)| self.mailbox(of, mailbox));
        let names = Names { account: account.as_deref(), mailbox: mailbox.as_deref() };
        let text = |value: &str| Some(value.to_owned()).filter(|value| !value.is_empty());
        EventRow {
            at: moment(event.at),
            what: event.what.word().to_owned(),
            words: words::words(event, &names),
            // Empty is the null path.
            from: (event.what == What::Came || !event.from.is_empty()).then(|| event.from.clone()),
            to: text(&event.to),
            by: text(&event.by),
            said: text(&event.said),
            number: Some(event.number).filter(|number| *number > 0),
            other: event.other.map(|other| other.to_string()),
            account,
            mailbox,
        }
    }

    /// What a queued message waits for.
    fn waiting(&self, event: &Event) -> Result<Option<String>, String> {
        if event.what != What::Queued {
            return Ok(None);
        }
        let found = self.server.store.queue().entries(event.number.saturating_sub(1), 1);
        let found = found.map_err(|error| error.to_string())?;
        let entry = found.into_iter().find(|entry| entry.id == event.number && entry.trace == event.trace);
        let fault = |entry: &store::Queued| self.server.outbound.fault(&queue::destination(&entry.recipient));
        Ok(entry.map(|entry| words::waiting(&entry, fault(&entry))))
    }

    fn account(&mut self, of: AccountId) -> String {
        let look = || {
            let found = self.server.store.directory().account(of).ok().flatten();
            found.map_or_else(|| "an account that is gone".to_owned(), |account| account.address.to_string())
        };
        self.accounts.entry(of).or_insert_with(look).clone()
    }

    fn mailbox(&mut self, of: AccountId, mailbox: MailboxId) -> String {
        if !self.mailboxes.contains_key(&mailbox) {
            let all = self.server.store.mailboxes(of).unwrap_or_default();
            let named = all.into_iter().filter_map(|one| Some((one.mailbox?, one.name.to_string())));
            self.mailboxes.extend(named);
        }
        self.mailboxes.get(&mailbox).cloned().unwrap_or_else(|| "a mailbox that is gone".to_owned())
    }
}

/// RFC 3339 with milliseconds, as the log writes it.
fn moment(milliseconds: i64) -> String {
    let seconds = Timestamp(milliseconds.div_euclid(1000)).to_string();
    format!("{}.{:03}Z", seconds.trim_end_matches('Z'), milliseconds.rem_euclid(1000))
}
