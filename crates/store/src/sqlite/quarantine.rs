//! Quarantine: its entries, and the delivery that a quarantined message would have been.

use super::fault::Fault;
use super::{Sqlite, schema::int};
use crate::{Quarantined, StoreError};
use base::{AccountId, Address, DomainId, Flags, Keyword, MailId, MailboxId, SpecialUse, Timestamp, TraceId};
use gate::{Delivery, Folder};
use wire::smtp::Terms;

impl Sqlite {
    pub(super) fn read_quarantine(&self, after: u64, most: usize) -> Result<Vec<Quarantined>, StoreError> {
        let sql = "SELECT id, trace, mail, reverse_path, recipient, reason, since, instead_of FROM quarantine
                   WHERE id > ?1 ORDER BY id LIMIT ?2";
        let read = |reader: &rusqlite::Connection| -> Result<Vec<Quarantined>, Fault> {
            let mut statement = reader.prepare_cached(sql)?;
            let mut rows = statement.query([int(after), int(most as u64)])?;
            let mut entries = Vec::new();
            while let Some(row) = rows.next()? {
                let recipient: Option<String> = row.get(4)?;
                let kept: Vec<u8> = row.get(7)?;
                entries.push(Quarantined {
                    id: row.get::<_, i64>(0)? as u64,
                    trace: trace(row.get(1)?),
                    mail: MailId(row.get::<_, i64>(2)? as u64),
                    reverse_path: row.get(3)?,
                    recipient: recipient.and_then(|text| Address::parse(&text).ok()),
                    reason: row.get(5)?,
                    since: Timestamp(row.get(6)?),
                    instead_of: parse(&kept).ok_or_else(|| Fault::broken("a quarantined delivery"))?,
                });
            }
            Ok(entries)
        };
        self.parts.readers.lend(read).map_err(StoreError::from)
    }
}

pub(super) fn trace(octets: [u8; 16]) -> TraceId {
    TraceId(u128::from_be_bytes(octets))
}

/// Whom a delivery is for.
pub(super) fn recipient(delivery: &Delivery) -> Option<&Address> {
    match delivery {
        Delivery::Mailbox { recipient, .. } => recipient.as_ref(),
        Delivery::Queue { recipient, .. } => Some(recipient),
        Delivery::Quarantine { instead_of, .. } => match instead_of.as_ref() {
            Delivery::Mailbox { recipient, .. } => recipient.as_ref(),
            Delivery::Queue { recipient, .. } => Some(recipient),
            Delivery::Quarantine { .. } => None,
        },
    }
}

/// A delivery as it is kept: one value a field, fields ended by NUL (which no value holds).
pub(super) fn print(delivery: &Delivery) -> Vec<u8> {
    let fields = match delivery {
        Delivery::Mailbox { account, domain, folder, flags, internal_date, recipient } => {
            let (kind, which) = match folder {
                Folder::Inbox => ("inbox", String::new()),
                Folder::Special(kind) => ("special", kind.attribute().to_owned()),
                Folder::Named(name) => ("named", name.replace('\0', "")),
                Folder::Exact(mailbox) => ("exact", mailbox.to_string()),
            };
            vec![
                "mailbox".to_owned(),
                account.to_string(),
                domain.to_string(),
                kind.to_owned(),
                which,
                flags.system_bits().to_string(),
                super::rows::join(flags.keywords()).unwrap_or_default(),
                internal_date.map(|date| date.0.to_string()).unwrap_or_default(),
                recipient.as_ref().map(ToString::to_string).unwrap_or_default(),
            ]
        }
        Delivery::Queue { account, domain, recipient, terms, sender } => vec![
            "queue".to_owned(),
            account.map(|account| account.to_string()).unwrap_or_default(),
            domain.to_string(),
            recipient.to_string(),
            terms.to_string(),
            sender.as_ref().map(Address::to_string).unwrap_or_default(),
        ],
        // A held delivery that was to be held is still the one it would have been.
        Delivery::Quarantine { instead_of, .. } => match instead_of.as_ref() {
            Delivery::Quarantine { .. } => Vec::new(),
            inner => return print(inner),
        },
    };
    fields.into_iter().flat_map(|field| field.into_bytes().into_iter().chain([0])).collect()
}

/// Reads what [`print`] wrote.
pub(super) fn parse(kept: &[u8]) -> Option<Delivery> {
    let text = std::str::from_utf8(kept).ok()?.strip_suffix('\0')?;
    let fields: Vec<&str> = text.split('\0').collect();
    match *fields.as_slice() {
        ["mailbox", account, domain, kind, which, bits, keywords, date, recipient] => {
            let mut flags = Flags::from_bits(bits.parse().ok()?);
            keywords
                .split(' ')
                .filter_map(Keyword::new)
                .for_each(|keyword| flags.set_keyword(&keyword, true));
            Some(Delivery::Mailbox {
                account: AccountId(account.parse().ok()?),
                domain: DomainId(domain.parse().ok()?),
                folder: match kind {
                    "inbox" => Folder::Inbox,
                    "special" => Folder::Special(SpecialUse::from_attribute(which)?),
                    "named" => Folder::Named(which.to_owned()),
                    "exact" => Folder::Exact(MailboxId(which.parse().ok()?)),
                    _ => return None,
                },
                flags,
                internal_date: optional(date, |date| date.parse().ok().map(Timestamp))?,
                recipient: optional(recipient, |text| Address::parse(text).ok())?,
            })
        }
        ["queue", account, domain, recipient] => queued(account, domain, recipient, "", ""),
        ["queue", account, domain, recipient, terms] => queued(account, domain, recipient, terms, ""),
        ["queue", account, domain, recipient, terms, sender] => {
            queued(account, domain, recipient, terms, sender)
        }
        _ => None,
    }
}

fn queued(account: &str, domain: &str, recipient: &str, terms: &str, sender: &str) -> Option<Delivery> {
    Some(Delivery::Queue {
        account: optional(account, |account| account.parse().ok().map(AccountId))?,
        domain: DomainId(domain.parse().ok()?),
        recipient: Address::parse(recipient).ok()?,
        terms: Terms::parse(terms)?,
        sender: optional(sender, |text| Address::parse(text).ok())?,
    })
}

/// Nothing where the text is empty; what `read` makes of it, where that is something.
fn optional<T>(text: &str, read: impl FnOnce(&str) -> Option<T>) -> Option<Option<T>> {
    if text.is_empty() { Some(None) } else { read(text).map(Some) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(delivery: Delivery) {
        assert_eq!(parse(&print(&delivery)), Some(delivery));
    }

    #[test]
    fn deliveries_come_back() {
        let to = Address::parse("\"a b\"@example.net").unwrap();
        let mut flags = Flags::from_bits(17);
        flags.set_keyword(&Keyword::new("$Forwarded").unwrap(), true);
        flags.set_keyword(&Keyword::new("b").unwrap(), true);
        let folders = [
            Folder::Inbox,
            Folder::Special(SpecialUse::Sent),
            Folder::Named("näme/of it".into()),
            Folder::Exact(MailboxId(7 << 40)),
        ];
        for folder in folders {
            check(Delivery::Mailbox {
                account: AccountId(7),
                domain: DomainId(3),
                folder,
                flags: flags.clone(),
                internal_date: Some(Timestamp(-5)),
                recipient: Some(to.clone()),
            });
        }
        check(Delivery::Mailbox {
            account: AccountId(1),
            domain: DomainId(2),
            folder: Folder::Inbox,
            flags: Flags::default(),
            internal_date: None,
            recipient: None,
        });
        let terms = Terms::parse("NOTIFY=NEVER ORCPT=utf-8;å@b RET=FULL ENVID=+2B").unwrap();
        let recipient = to.clone();
        let (account, domain, sender) = (Some(AccountId(9)), DomainId(1), Some(to.clone()));
        check(Delivery::Queue { account, domain, recipient, terms, sender });
        let terms = Terms::default();
        let plain = Delivery::Queue { account: None, domain, recipient: to, terms, sender: None };
        check(plain.clone());
        // As it was kept before there were terms, and before there were senders.
        assert_eq!(parse(b"queue\0\x001\0\"a b\"@example.net\0\0"), Some(plain.clone()));
        assert_eq!(parse(b"queue\0\x001\0\"a b\"@example.net\0"), Some(plain));
        assert_eq!(parse(b""), None);
        assert_eq!(parse(b"queue\0\0x\0a@b\0"), None);
    }
}
