//! What `mailward account share`, `shares` and `send-as` ask for.

use super::find_grantee;
use crate::control::{Response, SendAsRow, ShareRow};
use base::rights::RightsEdit;
use base::{Address, MailboxId, MailboxName};
use store::sharing::Grantee;
use store::{Account, Store};

/// Words for what is given most often.
const WORDS: [(&str, &str); 3] = [("read", "lrs"), ("write", "lrswite"), ("all", "lrswipkxtea")];

/// Gives rights in an account's mailbox, or takes all away where none are named.
///
/// # Errors
/// Why not, and what to do, for the person.
pub fn share(
    store: &dyn Store,
    account: &Account,
    mailbox: &str,
    identifier: &str,
    rights: Option<&str>,
) -> Result<Response, String> {
    let id = find(store, account, mailbox)?;
    let found = find_grantee(store, identifier).map_err(|error| error.to_string())?;
    let (grantee, negative) = found.ok_or_else(|| {
        format!("{identifier}: no such account (`mailward account list` shows all); \"anyone\" is everybody of the domain")
    })?;
    if grantee == Grantee::Account(account.id) {
        return Err(format!("{identifier} owns {mailbox} and has every right there"));
    }
    let edit = edit(rights.unwrap_or_default())?;
    store.sharing().set_acl(id, grantee, negative, edit).map_err(|error| format!("{mailbox}: {error}"))?;
    let identifier = written(store, grantee, negative)?;
    let now = shares_of(store, mailbox, id)?;
    Ok(Response::Done(match now.iter().find(|row| row.identifier == identifier) {
        Some(row) => format!("{identifier}: {} in {mailbox} of {}", row.rights, account.address),
        None => format!("{identifier} is not named in {mailbox} of {} any more", account.address),
    }))
}

/// An identifier as lists show it.
fn written(store: &dyn Store, grantee: Grantee, negative: bool) -> Result<String, String> {
    let name = match grantee {
        Grantee::Anyone => "anyone".to_owned(),
        Grantee::Account(id) => {
            let account = store.directory().account(id).map_err(|error| error.to_string())?;
            account.map(|account| account.address.to_string()).unwrap_or_default()
        }
    };
    Ok(if negative { format!("-{name}") } else { name })
}

/// What an account shares, mailbox by mailbox.
///
/// # Errors
/// Why not, for the person.
pub fn shares(store: &dyn Store, account: &Account) -> Result<Response, String> {
    let mailboxes = store.mailboxes(account.id).map_err(|error| error.to_string())?;
    let named = mailboxes.iter().filter_map(|info| Some((info.name.as_str(), info.mailbox?)));
    let rows: Result<Vec<Vec<ShareRow>>, String> =
        named.map(|(name, mailbox)| shares_of(store, name, mailbox)).collect();
    Ok(Response::Shares(rows?.into_iter().flatten().collect()))
}

/// Lets an account send from another address, or no more.
///
/// # Errors
/// Why not, and what to do, for the person.
pub fn send_as(store: &dyn Store, account: &Account, other: &str, allowed: bool) -> Result<Response, String> {
    let address = Address::parse(other).map_err(|_| format!("{other} is no mail address (user@domain)"))?;
    let domains = store.directory().domains().map_err(|error| error.to_string())?;
    if allowed && !domains.iter().any(|domain| Some(&domain.name) == address.domain()) {
        return Err(format!("the domain of {other} isn't served here: mail from it would not be believed"));
    }
    let set = store.sharing().set_send_as(account.id, &address, allowed);
    set.map_err(|_| format!("{} could not send from {other} before", account.address))?;
    Ok(Response::Done(match allowed {
        true => format!("{} may send from {other}", account.address),
        false => format!("{} may no longer send from {other}", account.address),
    }))
}

/// Which addresses accounts may send from beside their own.
///
/// # Errors
/// Why not, for the person.
pub fn list_send_as(store: &dyn Store) -> Result<Response, String> {
    let all = store.sharing().send_as().map_err(|error| error.to_string())?;
    let accounts = store.directory().accounts().map_err(|error| error.to_string())?;
    let row = |(id, address): (base::AccountId, Address)| {
        let account = accounts.iter().find(|account| account.id == id)?;
        Some(SendAsRow { account: account.address.to_string(), address: address.to_string() })
    };
    Ok(Response::SendAs(all.into_iter().filter_map(row).collect()))
}

fn find(store: &dyn Store, account: &Account, mailbox: &str) -> Result<MailboxId, String> {
    let all = store.mailboxes(account.id).map_err(|error| error.to_string())?;
    let name = MailboxName::new(mailbox).map_err(|_| format!("{mailbox} can't be a mailbox's name"))?;
    let found = all.into_iter().find(|info| info.name == name).and_then(|info| info.mailbox);
    found.ok_or_else(|| format!("{} has no mailbox {mailbox}", account.address))
}

/// All but the owner's entry.
fn shares_of(store: &dyn Store, name: &str, mailbox: MailboxId) -> Result<Vec<ShareRow>, String> {
    let entries = store.sharing().acl(mailbox).map_err(|error| error.to_string())?;
    let row = |entry: base::rights::AclEntry| ShareRow {
        mailbox: name.to_owned(),
        identifier: entry.identifier,
        rights: entry.rights.letters().collect(),
    };
    Ok(entries.into_iter().skip(1).map(row).collect())
}

fn edit(text: &str) -> Result<RightsEdit, String> {
    let letters = WORDS.iter().find(|(word, _)| *word == text).map_or(text, |(_, letters)| letters);
    RightsEdit::parse(letters)
        .ok_or_else(|| format!("{text}: rights are read, write, all, or letters of lrswipkxtea, with + or - in front to add or take away"))
}
