//! SETACL, DELETEACL, LISTRIGHTS (RFC 4314 §7).

use super::CommandBody;
use super::cursor::{Fault, Parsed};
use super::parse::Parser;
use base::rights::RightsEdit;

/// Octets of an identifier; an address is shorter.
const MAX_IDENTIFIER: usize = 1000;

pub(super) fn set(parser: &mut Parser<'_>) -> Parsed<CommandBody> {
    let mailbox = parser.mailbox()?;
    parser.cursor.space()?;
    let identifier = identifier(parser)?;
    parser.cursor.space()?;
    let edit = RightsEdit::parse(&parser.cursor.astring_text()?);
    // RFC 4314 §3.1: an unknown right is never passed over.
    let edit = edit.ok_or(Fault::bad("there is no such right"))?;
    Ok(CommandBody::SetAcl { mailbox, identifier, edit })
}

pub(super) fn delete(parser: &mut Parser<'_>) -> Parsed<CommandBody> {
    let mailbox = parser.mailbox()?;
    parser.cursor.space()?;
    Ok(CommandBody::DeleteAcl { mailbox, identifier: identifier(parser)? })
}

pub(super) fn list_rights(parser: &mut Parser<'_>) -> Parsed<CommandBody> {
    let mailbox = parser.mailbox()?;
    parser.cursor.space()?;
    Ok(CommandBody::ListRights { mailbox, identifier: identifier(parser)? })
}

fn identifier(parser: &mut Parser<'_>) -> Parsed<String> {
    let text = parser.cursor.astring_text()?;
    let fits = (1..=MAX_IDENTIFIER).contains(&text.len()) && !text.chars().any(char::is_control);
    if fits { Ok(text) } else { Err(Fault::bad("that can't be an identifier")) }
}
