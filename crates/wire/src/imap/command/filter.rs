//! Which mailboxes a command is about (RFC 5465 §6, RFC 7377 §2.2).

use super::cursor::{Fault, Parsed};
use super::parse::Parser;
use crate::imap::response::Code;
use base::MailboxName;

/// Filters of one command. Each name of each is compared with each of the account's.
const MAX_FILTERS: usize = 10;

/// Names of one filter.
const MAX_NAMES: usize = 100;

/// `filter-mailboxes`
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum MailboxFilter {
    /// The selected one.
    Selected,
    /// Those that mail may be delivered to.
    Inboxes,
    /// All of one's own.
    Personal,
    /// Those subscribed to.
    Subscribed,
    /// These, and all below them.
    Subtree(Vec<MailboxName>),
    /// These, and those right below them.
    SubtreeOne(Vec<MailboxName>),
    /// These.
    Mailboxes(Vec<MailboxName>),
}

/// `source-mbox` (RFC 7377 §4), in parentheses.
pub(super) fn sources(parser: &mut Parser<'_>) -> Parsed<Vec<MailboxFilter>> {
    parser.cursor.expect(b'(', "a parenthesis is missing")?;
    let mut filters = vec![filter(parser)?];
    while !parser.cursor.eat(b')') {
        if filters.len() >= MAX_FILTERS {
            return Err(Fault::no(Code::Limit, "too many filters at once"));
        }
        parser.cursor.space()?;
        filters.push(filter(parser)?);
    }
    Ok(filters)
}

fn filter(parser: &mut Parser<'_>) -> Parsed<MailboxFilter> {
    let with_names = match parser.cursor.word("a filter is missing")?.as_str() {
        "SELECTED" => return Ok(MailboxFilter::Selected),
        "INBOXES" => return Ok(MailboxFilter::Inboxes),
        "PERSONAL" => return Ok(MailboxFilter::Personal),
        "SUBSCRIBED" => return Ok(MailboxFilter::Subscribed),
        "SUBTREE" => MailboxFilter::Subtree,
        "SUBTREE-ONE" => MailboxFilter::SubtreeOne,
        "MAILBOXES" => MailboxFilter::Mailboxes,
        _ => return Err(Fault::bad("unknown mailbox filter")),
    };
    parser.cursor.space()?;
    names(parser).map(with_names)
}

/// `one-or-more-mailbox`
fn names(parser: &mut Parser<'_>) -> Parsed<Vec<MailboxName>> {
    if !parser.cursor.eat(b'(') {
        return Ok(vec![parser.mailbox()?]);
    }
    let mut names = vec![parser.mailbox()?];
    while !parser.cursor.eat(b')') {
        if names.len() >= MAX_NAMES {
            return Err(Fault::no(Code::Limit, "too many mailboxes at once"));
        }
        parser.cursor.space()?;
        names.push(parser.mailbox()?);
    }
    Ok(names)
}
