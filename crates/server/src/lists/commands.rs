//! What `mailward group` and `mailward list` ask for.

use super::address::{MOST_NAME, is_name};
use crate::admin::parse_address;
use crate::control::{ListRequest, ListRow, ListStyle, MemberRow, Response};
use base::Address;
use store::lists::{List, MOST_MEMBERS, Member, Posters, Style};
use store::{DirectoryError, Found, Store};

/// Octets of a tag.
const MOST_TAG: usize = 40;

/// Does what a command wants.
///
/// # Errors
/// Why not, and what to do, for the person.
pub fn answer(store: &dyn Store, what: ListRequest) -> Result<Response, String> {
    match what {
        ListRequest::Add { address, group, style } => add(store, &address, group, style),
        ListRequest::Set { address, style } => {
            let list = find(store, &address)?;
            let style = checked(list.style.is_group, style)?;
            store.lists().set_style(list.id, &style).map_err(|error| about(&address, error))?;
            done(format!("{address} is as you said"))
        }
        ListRequest::Remove { address } => {
            store.lists().remove(find(store, &address)?.id).map_err(|error| about(&address, error))?;
            done(format!("{address} is removed, with its members"))
        }
        ListRequest::All { groups } => {
            let all = store.lists().all().map_err(|error| error.to_string())?;
            let wanted = all.into_iter().filter(|list| list.style.is_group == groups);
            wanted.map(|list| row(store, list)).collect::<Result<_, _>>().map(Response::Lists)
        }
        ListRequest::Show { address } => {
            let members = members(store, &find(store, &address)?)?;
            Ok(Response::Members(members.into_iter().map(member_row).collect()))
        }
        ListRequest::Join { address, members, moderator } => join(store, &address, &members, moderator),
        ListRequest::Leave { address, members } => leave(store, &address, &members),
    }
}

fn add(store: &dyn Store, name: &str, group: bool, style: ListStyle) -> Result<Response, String> {
    let address = parse_address(name)?;
    if !is_name(address.local.as_str()) {
        return Err(format!(
            "{name}: before the @ stand at most {MOST_NAME} letters, digits, dots, dashes and underscores"
        ));
    }
    store.lists().add(&address, &checked(group, style)?).map_err(|error| match error {
        DirectoryError::Unknown => {
            format!("the domain of {name} isn't served here: `mailward domain add {}` first", address.host)
        }
        DirectoryError::Exists => format!("{name} is an account, an alias, a group or a list already"),
        other => about(name, other),
    })?;
    let kind = if group { "group" } else { "list" };
    done(format!("{name} is added; `mailward {kind} join {name} ADDRESS` gives it members"))
}

fn checked(is_group: bool, style: ListStyle) -> Result<Style, String> {
    let posters = Posters::from_word(&style.post);
    let posters = posters.ok_or_else(|| format!("{}: who is that to write to a list?", style.post))?;
    if let Some(tag) = &style.tag
        && (tag.len() > MOST_TAG || tag.is_empty() || !tag.bytes().all(|b| (b' '..=b'~').contains(&b)))
    {
        return Err(format!("a tag has at most {MOST_TAG} letters, digits and marks of ASCII"));
    }
    Ok(Style { is_group, posters, tag: style.tag, answers_to_list: style.answers_to_list })
}

fn join(store: &dyn Store, name: &str, members: &[String], moderates: bool) -> Result<Response, String> {
    let list = find(store, name)?;
    // All of them are looked at before one is added.
    let addresses =
        members.iter().map(|member| joining(store, &list, member)).collect::<Result<Vec<_>, _>>()?;
    for address in &addresses {
        store.lists().add_member(list.id, address, moderates).map_err(|error| match error {
            DirectoryError::TooMany => format!("{name} has {MOST_MEMBERS} members, and no more may be"),
            other => about(&address.to_string(), other),
        })?;
    }
    done(format!("{} joined {name}", members.join(", ")))
}

/// The address of somebody who is to join.
fn joining(store: &dyn Store, list: &List, member: &str) -> Result<Address, String> {
    let address = parse_address(member)?;
    match store.directory().find(&address).map_err(|error| about(member, error))? {
        Found::Accounts { .. } | Found::NotOurs => Ok(address),
        Found::NoSuchUser => Err(format!("{member}: there is no such address here")),
        Found::List { .. } => {
            Err(format!("{member} is a group or list: {} can't have it as a member", list.address))
        }
    }
}

fn leave(store: &dyn Store, name: &str, leaving: &[String]) -> Result<Response, String> {
    let list = find(store, name)?;
    for text in leaving {
        let member = store.lists().member_at(list.id, &parse_address(text)?);
        let member = member
            .map_err(|error| about(text, error))?
            .ok_or_else(|| format!("{text} is no member of {name}"))?;
        store.lists().remove_member(member.id).map_err(|error| about(text, error))?;
    }
    done(format!("{} left {name}", leaving.join(", ")))
}

fn find(store: &dyn Store, name: &str) -> Result<List, String> {
    let address = parse_address(name)?;
    let lists = store.lists().all().map_err(|error| error.to_string())?;
    lists.into_iter().find(|list| list.address.is_same_mailbox(&address)).ok_or_else(|| {
        format!(
            "{name}: there is no such group or list (`mailward group list` and `mailward list list` show all)"
        )
    })
}

fn members(store: &dyn Store, list: &List) -> Result<Vec<Member>, String> {
    store.lists().members(list.id).map_err(|error| about(&list.address.to_string(), error))
}

fn row(store: &dyn Store, list: List) -> Result<ListRow, String> {
    let members = members(store, &list)?;
    Ok(ListRow {
        address: list.address.to_string(),
        post: list.style.posters.word().to_owned(),
        tag: list.style.tag,
        answers_to_list: list.style.answers_to_list,
        members: members.len(),
        suspended: members.iter().filter(|member| member.suspended.is_some()).count(),
    })
}

fn member_row(member: Member) -> MemberRow {
    MemberRow {
        address: member.address.to_string(),
        moderator: member.moderates,
        suspended: member.suspended.map(|since| since.to_string()),
        failures: member.bounces,
        why: member.why,
    }
}

fn about(what: &str, error: DirectoryError) -> String {
    format!("{what}: {error}")
}

fn done(text: String) -> Result<Response, String> {
    Ok(Response::Done(text))
}
