//! Whom a URL that somebody authorized lets read (RFC 4467).

use base::mailbox::MailError;
use base::{Address, Timestamp};
use store::{Account, AccountState, DirectoryError, Store};
use wire::imap::command::{Access, UrlAuth};

/// Whether a log-in name is an account's.
pub fn is_user(store: &dyn Store, account: &Account, name: &str) -> Result<bool, MailError> {
    Ok(find(store, name)?.is_some_and(|found| found.id == account.id))
}

/// The account of the log-in name `owner`, if its URL lets `reader` read. A suspended account lets nobody.
pub fn owner(
    store: &dyn Store,
    reader: &Account,
    url: &UrlAuth,
    owner: &str,
) -> Result<Option<Account>, MailError> {
    let (Some(token), Some(mailbox)) = (url.token(), &url.url.mailbox) else { return Ok(None) };
    if url.expire.is_some_and(|end| end <= Timestamp::now()) {
        return Ok(None);
    }
    let owner = find(store, owner)?.filter(|owner| owner.state == AccountState::Active);
    let Some(owner) = owner else { return Ok(None) };
    let is_meant = match &url.access {
        // No server that submits for others logs in here.
        Access::Submit(_) => false,
        Access::User(name) => is_named(store, &owner, name, reader)?,
        Access::AuthUser | Access::Anonymous => true,
    };
    if !is_meant {
        return Ok(None);
    }
    let mailboxes = store.mailboxes(owner.id)?;
    let named = mailboxes.into_iter().find(|info| info.name == *mailbox).and_then(|info| info.mailbox);
    let holds = match named {
        Some(mailbox) => store.is_url_token(owner.id, mailbox, &url.rump, token)?,
        None => false,
    };
    Ok(holds.then_some(owner))
}

/// Whether the owner of a URL means `reader` by a name. A name without a domain is one of the owner's domain: another
/// domain's user of that name is a stranger.
fn is_named(store: &dyn Store, owner: &Account, name: &str, reader: &Account) -> Result<bool, MailError> {
    let address = match (name.contains('@'), owner.address.domain()) {
        (false, Some(domain)) => format!("{name}@{domain}"),
        _ => name.to_owned(),
    };
    Ok(Address::parse(&address).is_ok() && is_user(store, reader, &address)?)
}

fn find(store: &dyn Store, name: &str) -> Result<Option<Account>, MailError> {
    store.directory().login(name).map_err(|error: DirectoryError| MailError::Unavailable(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::{Domain, MailboxName};

    #[test]
    fn a_url_lets_those_read_whom_it_names() {
        let place = tempfile::tempdir().unwrap();
        let store = crate::server::new_store(place.path());
        let directory = store.directory();
        for domain in ["example.test", "other.test"] {
            directory.add_domain(&Domain::new(domain).unwrap()).unwrap();
        }
        let add = |address: &str| directory.add_account(&Address::parse(address).unwrap(), b"").unwrap();
        let (alice, bob) = (add("alice@example.test"), add("bob@example.test"));
        let dave = add("dave@other.test");
        let account = |id| directory.account(id).unwrap().unwrap();
        let inbox = store.mailboxes(alice).unwrap();
        let inbox = inbox.iter().find(|info| info.name == MailboxName::inbox()).unwrap().mailbox.unwrap();
        let authorized = |right: &str| {
            let rump = format!("imap://alice@example.test/INBOX/;UID=1{right}");
            let token = store.url_token(alice, inbox, &rump).unwrap();
            UrlAuth::parse(&UrlAuth::parse(&rump).unwrap().authorized(&token)).unwrap()
        };
        let reads = |reader, url: &UrlAuth, name: &str| owner(&*store, &account(reader), url, name).unwrap();
        for (right, alice_may, bob_may) in [
            (";URLAUTH=user+bob", false, true),
            (";URLAUTH=user+BOB@example.test", false, true),
            (";URLAUTH=user+alice@example.test", true, false),
            (";URLAUTH=user+carol", false, false),
            (";URLAUTH=authuser", true, true),
            (";URLAUTH=anonymous", true, true),
            (";URLAUTH=submit+bob", false, false),
            (";EXPIRE=2020-01-01T00:00:00Z;URLAUTH=authuser", false, false),
            (";EXPIRE=9999-01-01T00:00:00Z;URLAUTH=authuser", true, true),
        ] {
            for (reader, may) in [(alice, alice_may), (bob, bob_may)] {
                let found = reads(reader, &authorized(right), "alice@example.test");
                assert_eq!(found.map(|owner| owner.id), may.then_some(alice), "{right}");
            }
        }
        // A name without a domain is one of the owner's, even where only another has it.
        for (right, may) in [(";URLAUTH=user+dave", false), (";URLAUTH=user+dave@other.test", true)] {
            let found = reads(dave, &authorized(right), "alice@example.test");
            assert_eq!(found.is_some(), may, "{right}");
        }
        // Another owner's mailbox has another key; nobody's has none.
        let url = authorized(";URLAUTH=authuser");
        for name in ["bob", "bob@example.test", "carol", "carol@example.test", ""] {
            assert_eq!(reads(bob, &url, name), None, "{name}");
        }
        directory.set_state(alice, AccountState::Suspended).unwrap();
        assert_eq!(reads(bob, &url, "alice"), None);
        directory.set_state(alice, AccountState::Active).unwrap();
        assert!(reads(bob, &url, "alice").is_some());
        store.reset_url_keys(alice, Some(inbox)).unwrap();
        assert_eq!(reads(bob, &url, "alice"), None);
        store.close();
    }
}
