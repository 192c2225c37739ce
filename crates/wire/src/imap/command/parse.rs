//! The second layer: a gathered command becomes a value, or is refused whole.

use super::append::append;
use super::cursor::{Cursor, Fault, Parsed, is_atom_char, utf8};
use super::{
    Command, CommandBody, Extension, List, ListPattern, ListReturn, ListSelect, ParseError, Qresync,
    Replaced, Select, SeqRange, SequenceSet, StatusItem, Store, Transfer, acl, fetch, metadata, search,
    urlauth,
};
use crate::imap::framer::Announced;
use crate::imap::response::Code;
use crate::imap::utf7;
use base::mail::SEPARATOR;
use base::mailbox::FlagEdit;
use base::time::MONTHS;
use base::{Flag, Flags, Keyword, MailboxName, Secret, SpecialUse, Timestamp, UidValidity};
use std::borrow::Cow;

/// The longest tag, in octets.
const MAX_TAG: usize = 255;

/// RFC 2971 §3.3: pairs of one ID, octets of a field's name, octets of a value.
const ID_LIMITS: (usize, usize, usize) = (30, 30, 1024);

/// Items of a list whose items are few by nature: options, capabilities, resources.
pub(super) const MAX_OPTIONS: usize = 100;

/// Patterns of one LIST.
const MAX_PATTERNS: usize = 100;

/// Flags of one STORE or APPEND message.
const MAX_FLAGS: usize = 1000;

/// The tag at a command's beginning, if it has one (RFC 9051 §9 `tag`).
pub fn tag_of(octets: &[u8]) -> Option<String> {
    let is_tag_char = |b: &u8| (is_atom_char(*b) || *b == b']') && *b != b'+';
    let length = octets.iter().take_while(|b| is_tag_char(b)).count();
    let (tag, rest) = octets.split_at(length);
    let whole = (1..=MAX_TAG).contains(&length) && matches!(rest.first(), None | Some(b' '));
    whole.then(|| String::from_utf8_lossy(tag).into_owned())
}

/// Parses a command that the [`Framer`](crate::imap::Framer) gathered. With `utf8` (the client enabled IMAP4rev2 or
/// UTF8=ACCEPT) mailbox names are UTF-8, without it modified UTF-7.
///
/// # Errors
///
/// The one answer to give. Names that can't be a mailbox's are answered NO, broken grammar BAD.
pub fn parse(octets: &[u8], utf8: bool) -> Result<Command, ParseError> {
    command(octets, |rest| Parser::new(rest, utf8))
}

/// Parses an APPEND up to its first literal, which is announced.
///
/// # Errors
///
/// As for [`parse`].
pub fn parse_announced(announced: &Announced, utf8: bool) -> Result<Command, ParseError> {
    let octets = announced.prefix.expose();
    command(octets, |rest| Parser { literal: Some(announced.binary), ..Parser::new(rest, utf8) })
}

fn command<'a>(octets: &'a [u8], parser: impl Fn(&'a [u8]) -> Parser<'a>) -> Result<Command, ParseError> {
    let Some(tag) = tag_of(octets) else { return Err(Fault::bad("a tag is missing").of(None)) };
    match parser(octets.get(tag.len()..).unwrap_or_default()).command() {
        Ok(body) => Ok(Command { tag, body }),
        Err(fault) => Err(fault.of(Some(tag))),
    }
}

/// Reads one command's arguments.
pub(super) struct Parser<'a> {
    pub(super) cursor: Cursor<'a>,
    utf8: bool,
    /// Whether a literal was announced behind the octets, and as `~{n}`: one of APPEND's.
    pub(super) literal: Option<bool>,
}

impl<'a> Parser<'a> {
    fn new(octets: &'a [u8], utf8: bool) -> Self {
        Parser { cursor: Cursor::new(octets), utf8, literal: None }
    }

    fn command(&mut self) -> Parsed<CommandBody> {
        self.cursor.space()?;
        let word = self.cursor.word("a command is missing")?;
        let body = match word.as_str() {
            "CAPABILITY" => CommandBody::Capability,
            "NOOP" => CommandBody::Noop,
            "LOGOUT" => CommandBody::Logout,
            "STARTTLS" => CommandBody::StartTls,
            "NAMESPACE" => CommandBody::Namespace,
            "IDLE" => CommandBody::Idle,
            "CHECK" => CommandBody::Check,
            "CLOSE" => CommandBody::Close,
            "UNSELECT" => CommandBody::Unselect,
            "EXPUNGE" => CommandBody::Expunge(None),
            "RESETKEY" if self.cursor.at_end() => CommandBody::ResetKey { mailbox: None },
            "UNAUTHENTICATE" => CommandBody::Unauthenticate,
            "LANGUAGE" if self.cursor.at_end() => CommandBody::Language(Vec::new()),
            _ => {
                self.cursor.space()?;
                self.with_arguments(&word)?
            }
        };
        self.cursor.end()?;
        Ok(body)
    }

    fn with_arguments(&mut self, word: &str) -> Parsed<CommandBody> {
        match word {
            "ID" => self.id(),
            "AUTHENTICATE" => self.authenticate(),
            "LOGIN" => self.login(),
            "ENABLE" => self.enable(),
            "COMPRESS" => Ok(CommandBody::Compress(self.cursor.word("an algorithm is missing")?)),
            "LANGUAGE" => Ok(CommandBody::Language(self.texts(Cursor::astring_text)?)),
            "CANCELUPDATE" => Ok(CommandBody::CancelUpdate(self.texts(|cursor| utf8(cursor.string()?))?)),
            "SELECT" => self.select(false),
            "EXAMINE" => self.select(true),
            "CREATE" => self.create(),
            "DELETE" => Ok(CommandBody::Delete(self.mailbox()?)),
            "RENAME" => self.rename(),
            "SUBSCRIBE" => Ok(CommandBody::Subscribe(self.mailbox()?)),
            "UNSUBSCRIBE" => Ok(CommandBody::Unsubscribe(self.mailbox()?)),
            "LIST" => self.list(),
            "LSUB" => self.lsub(),
            "STATUS" => self.status(),
            "APPEND" => append(self, None).map(CommandBody::Append),
            "RESETKEY" => urlauth::reset_key(self),
            "GENURLAUTH" => urlauth::gen_url_auth(self),
            "URLFETCH" => urlauth::url_fetch(self),
            "ESEARCH" => search::multi_search(self),
            "SETACL" => acl::set(self),
            "DELETEACL" => acl::delete(self),
            "GETACL" => Ok(CommandBody::GetAcl(self.mailbox()?)),
            "LISTRIGHTS" => acl::list_rights(self),
            "MYRIGHTS" => Ok(CommandBody::MyRights(self.mailbox()?)),
            "GETMETADATA" => metadata::get(self).map(CommandBody::GetMetadata),
            "SETMETADATA" => metadata::set(self).map(CommandBody::SetMetadata),
            "GETQUOTA" => Ok(CommandBody::GetQuota(self.cursor.astring_text()?)),
            "GETQUOTAROOT" => Ok(CommandBody::GetQuotaRoot(self.mailbox()?)),
            "SETQUOTA" => self.set_quota(),
            "UID" => {
                let word = self.cursor.word("a command is missing behind UID")?;
                self.cursor.space()?;
                match word.as_str() {
                    "EXPUNGE" => Ok(CommandBody::Expunge(Some(self.sequence_set()?))),
                    word => self.with_numbers(word, true),
                }
            }
            word => self.with_numbers(word, false),
        }
    }

    /// The commands that have a UID form.
    fn with_numbers(&mut self, word: &str, uid: bool) -> Parsed<CommandBody> {
        match word {
            "FETCH" => fetch::fetch(self, uid).map(CommandBody::Fetch),
            "STORE" => self.store(uid).map(CommandBody::Store),
            "SEARCH" => search::search(self, uid).map(CommandBody::Search),
            "SORT" => search::sort(self, uid).map(CommandBody::Sort),
            "THREAD" => search::thread(self, uid).map(CommandBody::Thread),
            "COPY" => self.transfer(uid).map(CommandBody::Copy),
            "MOVE" => self.transfer(uid).map(CommandBody::Move),
            "REPLACE" => {
                let number = sequence_number(&mut self.cursor)?;
                self.cursor.space()?;
                let set = SequenceSet::Ranges(vec![SeqRange { from: number, to: number }]);
                append(self, Some(Replaced { uid, set })).map(CommandBody::Append)
            }
            _ => Err(Fault::bad("unknown command")),
        }
    }

    /// RFC 2971 §3.1
    fn id(&mut self) -> Parsed<CommandBody> {
        let (max_pairs, max_field, max_value) = ID_LIMITS;
        if self.eat_nil() {
            return Ok(CommandBody::Id(Vec::new()));
        }
        let pairs = self.cursor.list(max_pairs, |cursor| {
            let field = utf8(cursor.string()?)?;
            cursor.space()?;
            let value = match cursor.eat_word("NIL") {
                true => None,
                false => Some(utf8(cursor.string()?)?),
            };
            if field.len() > max_field || value.as_ref().is_some_and(|value| value.len() > max_value) {
                return Err(Fault::bad("a field of ID is too long"));
            }
            Ok((field, value))
        })?;
        Ok(CommandBody::Id(pairs))
    }

    fn eat_nil(&mut self) -> bool {
        self.cursor.eat_word("NIL")
    }

    fn authenticate(&mut self) -> Parsed<CommandBody> {
        let mechanism = self.cursor.atom("a mechanism is missing")?.to_owned();
        let initial = match self.cursor.at_end() {
            true => None,
            false => {
                self.cursor.space()?;
                Some(Secret::new(self.cursor.until_space()))
            }
        };
        Ok(CommandBody::Authenticate { mechanism, initial })
    }

    fn login(&mut self) -> Parsed<CommandBody> {
        let user = utf8(self.login_word()?)?;
        self.cursor.space()?;
        let password = Secret::new(self.login_word()?.into_owned());
        Ok(CommandBody::Login { user, password })
    }

    /// An astring; users type log-ins by hand and clients forget to quote, so any octets but a space make an atom.
    fn login_word(&mut self) -> Parsed<Cow<'a, [u8]>> {
        match self.cursor.peek() {
            Some(b'"' | b'{') => self.cursor.string(),
            _ => match self.cursor.take_while(|b| b > b' ' && b != 0x7f) {
                [] => Err(Fault::bad("a user name or a password is missing")),
                word => Ok(Cow::Borrowed(word)),
            },
        }
    }

    fn enable(&mut self) -> Parsed<CommandBody> {
        let mut extensions = Vec::new();
        for _ in 0..MAX_OPTIONS {
            let known = match self.cursor.atom("a capability is missing")?.to_ascii_uppercase().as_str() {
                "IMAP4REV2" => Some(Extension::Imap4Rev2),
                "CONDSTORE" => Some(Extension::Condstore),
                "QRESYNC" => Some(Extension::Qresync),
                "UTF8=ACCEPT" => Some(Extension::Utf8Accept),
                "UIDONLY" => Some(Extension::UidOnly),
                _ => None,
            };
            extensions.extend(known.filter(|extension| !extensions.contains(extension)));
            if self.cursor.at_end() {
                return Ok(CommandBody::Enable(extensions));
            }
            self.cursor.space()?;
        }
        Err(Fault::bad("too many capabilities"))
    }

    /// At least one text, up to the command's end.
    fn texts(&mut self, text: impl Fn(&mut Cursor<'a>) -> Parsed<String>) -> Parsed<Vec<String>> {
        let mut texts = vec![text(&mut self.cursor)?];
        while !self.cursor.at_end() {
            if texts.len() >= MAX_OPTIONS {
                return Err(Fault::bad("too many arguments"));
            }
            self.cursor.space()?;
            texts.push(text(&mut self.cursor)?);
        }
        Ok(texts)
    }

    fn select(&mut self, read_only: bool) -> Parsed<CommandBody> {
        let mut select = Select { mailbox: self.mailbox()?, read_only, condstore: false, qresync: None };
        if !self.cursor.at_end() {
            self.cursor.space()?;
            self.cursor.list1(MAX_OPTIONS, |cursor| {
                match cursor.word("an option is missing")?.as_str() {
                    "CONDSTORE" => select.condstore = true,
                    "QRESYNC" if select.qresync.is_none() => {
                        cursor.space()?;
                        select.qresync = Some(qresync(cursor)?);
                    }
                    _ => return Err(Fault::bad("unknown option of SELECT")),
                }
                Ok(())
            })?;
        }
        Ok(CommandBody::Select(select))
    }

    fn create(&mut self) -> Parsed<CommandBody> {
        let name = self.mailbox_text()?;
        // RFC 9051 §6.3.4: a separator at the end only says that there will be children.
        let name = name.map(|name| name.strip_suffix(SEPARATOR).map(str::to_owned).unwrap_or(name));
        let mailbox = mailbox_name(name)?;
        let mut special_use = Vec::new();
        if !self.cursor.at_end() {
            self.cursor.space()?;
            self.cursor.list1(1, |cursor| {
                if !cursor.eat_word("USE") {
                    return Err(Fault::bad("unknown option of CREATE"));
                }
                cursor.space()?;
                special_use = cursor.list(MAX_OPTIONS, special_use_attribute)?;
                Ok(())
            })?;
        }
        Ok(CommandBody::Create { mailbox, special_use })
    }

    fn rename(&mut self) -> Parsed<CommandBody> {
        let from = self.mailbox()?;
        self.cursor.space()?;
        Ok(CommandBody::Rename { from, to: self.mailbox()? })
    }

    /// RFC 9051 §6.3.9
    fn list(&mut self) -> Parsed<CommandBody> {
        let mut select = ListSelect::default();
        let mut extended = self.cursor.peek() == Some(b'(');
        if extended {
            self.cursor.list(MAX_OPTIONS, |cursor| list_select_option(cursor, &mut select))?;
            self.cursor.space()?;
        }
        // RFC 5258 §3: RECURSIVEMATCH changes another option.
        if select.recursive_match && !select.subscribed {
            return Err(Fault::bad("RECURSIVEMATCH needs SUBSCRIBED"));
        }
        let reference = self.mailbox_text()?;
        self.cursor.space()?;
        let utf8 = self.utf8;
        let pattern = |cursor: &mut Cursor<'a>| {
            Ok(ListPattern::new(reference.clone(), name_text(&cursor.list_mailbox()?, utf8)))
        };
        let patterns = match self.cursor.peek() {
            Some(b'(') => {
                extended = true;
                self.cursor.list1(MAX_PATTERNS, pattern)?
            }
            _ => vec![pattern(&mut self.cursor)?],
        };
        let mut returns = None;
        if !self.cursor.at_end() {
            self.cursor.space()?;
            returns = Some(list_return(&mut self.cursor)?);
            extended = true;
        }
        Ok(CommandBody::List(List { select, patterns, returns, extended }))
    }

    fn lsub(&mut self) -> Parsed<CommandBody> {
        let reference = self.mailbox_text()?;
        self.cursor.space()?;
        let pattern = name_text(&self.cursor.list_mailbox()?, self.utf8);
        Ok(CommandBody::Lsub(ListPattern::new(reference, pattern)))
    }

    fn status(&mut self) -> Parsed<CommandBody> {
        let mailbox = self.mailbox()?;
        self.cursor.space()?;
        let items = status_items(&mut self.cursor)?;
        Ok(CommandBody::Status { mailbox, items })
    }

    fn set_quota(&mut self) -> Parsed<CommandBody> {
        let root = self.cursor.astring_text()?;
        self.cursor.space()?;
        let limits = self.cursor.list(MAX_OPTIONS, |cursor| {
            let resource = cursor.atom("a resource is missing")?.to_ascii_uppercase();
            cursor.space()?;
            Ok((resource, cursor.number64()?))
        })?;
        Ok(CommandBody::SetQuota { root, limits })
    }

    fn transfer(&mut self, uid: bool) -> Parsed<Transfer> {
        let set = self.sequence_set()?;
        self.cursor.space()?;
        Ok(Transfer { uid, set, mailbox: self.mailbox()? })
    }

    /// RFC 9051 §6.4.6, RFC 7162 §3.1.3
    fn store(&mut self, uid: bool) -> Parsed<Store> {
        let set = self.sequence_set()?;
        self.cursor.space()?;
        let mut unchanged_since = None;
        if self.cursor.peek() == Some(b'(') {
            self.cursor.list1(1, |cursor| {
                if !cursor.eat_word("UNCHANGEDSINCE") {
                    return Err(Fault::bad("unknown modifier of STORE"));
                }
                cursor.space()?;
                unchanged_since = Some(cursor.number64()?);
                Ok(())
            })?;
            self.cursor.space()?;
        }
        let edit = match self.cursor.peek() {
            Some(b'+') => FlagEdit::Add,
            Some(b'-') => FlagEdit::Remove,
            _ => FlagEdit::Replace,
        };
        let _ = self.cursor.eat(b'+') || self.cursor.eat(b'-');
        let silent = match self.cursor.word("FLAGS is missing")?.as_str() {
            "FLAGS" => false,
            "FLAGS.SILENT" => true,
            _ => return Err(Fault::bad("STORE changes FLAGS only")),
        };
        self.cursor.space()?;
        Ok(Store { uid, set, edit: edit(self.flags()?), silent, unchanged_since })
    }

    /// Flags in parentheses, or at least one without.
    fn flags(&mut self) -> Parsed<Flags> {
        if self.cursor.peek() == Some(b'(') {
            return flag_list(&mut self.cursor);
        }
        let mut flags = Flags::default();
        for _ in 0..MAX_FLAGS {
            flag(&mut self.cursor, &mut flags)?;
            if self.cursor.at_end() {
                return Ok(flags);
            }
            self.cursor.space()?;
        }
        Err(Fault::bad("too many flags"))
    }

    pub(super) fn sequence_set(&mut self) -> Parsed<SequenceSet> {
        sequence_set(&mut self.cursor)
    }

    pub(super) fn mailbox(&mut self) -> Parsed<MailboxName> {
        mailbox_name(self.mailbox_text()?)
    }

    /// A name; `None` for the empty one, which stands for the server (RFC 5464 §4.1).
    pub(super) fn mailbox_or_server(&mut self) -> Parsed<Option<MailboxName>> {
        match self.mailbox_text()? {
            Some(name) if name.is_empty() => Ok(None),
            name => mailbox_name(name).map(Some),
        }
    }

    /// A name in UTF-8; `None` for one that can't be any mailbox's.
    fn mailbox_text(&mut self) -> Parsed<Option<String>> {
        let octets = self.cursor.astring()?;
        Ok(name_text(&octets, self.utf8))
    }
}

/// A name or pattern as UTF-8. RFC 6855 §3 wants UTF-8 understood also where the client did not enable it; mixed
/// with modified UTF-7 it has no one meaning.
fn name_text(octets: &[u8], utf8: bool) -> Option<String> {
    if utf8 || (!octets.is_ascii() && !octets.contains(&b'&')) {
        return std::str::from_utf8(octets).ok().map(str::to_owned);
    }
    utf7::decode(octets)
}

fn mailbox_name(text: Option<String>) -> Parsed<MailboxName> {
    let name = text.and_then(|text| MailboxName::new(&text).ok());
    name.ok_or(Fault::no(Code::Cannot, "that can't be a mailbox's name"))
}

/// RFC 7162 §3.2.5
fn qresync(cursor: &mut Cursor<'_>) -> Parsed<Qresync> {
    cursor.expect(b'(', "a parenthesis is missing")?;
    let uid_validity = UidValidity(cursor.nz_number()?);
    cursor.space()?;
    let modseq = match cursor.number64()? {
        0 => return Err(Fault::bad("a MODSEQ is not 0")),
        modseq => modseq,
    };
    let (mut known_uids, mut known_numbers) = (None, None);
    let mut more = cursor.eat(b' ');
    if more && cursor.peek() != Some(b'(') {
        known_uids = Some(closed_set(cursor)?);
        more = cursor.eat(b' ');
    }
    if more {
        cursor.expect(b'(', "a parenthesis is missing")?;
        let numbers = closed_set(cursor)?;
        cursor.space()?;
        known_numbers = Some((numbers, closed_set(cursor)?));
        cursor.expect(b')', "a parenthesis is missing")?;
    }
    cursor.expect(b')', "a parenthesis is missing")?;
    Ok(Qresync { uid_validity, modseq, known_uids, known_numbers })
}

fn closed_set(cursor: &mut Cursor<'_>) -> Parsed<SequenceSet> {
    let set = sequence_set(cursor)?;
    if set.is_open() { Err(Fault::bad("* and $ are not allowed here")) } else { Ok(set) }
}

pub(super) fn sequence_set(cursor: &mut Cursor<'_>) -> Parsed<SequenceSet> {
    if cursor.eat(b'$') {
        return Ok(SequenceSet::Saved);
    }
    let mut ranges = Vec::new();
    loop {
        let from = sequence_number(cursor)?;
        let to = if cursor.eat(b':') { sequence_number(cursor)? } else { from };
        ranges.push(SeqRange { from, to });
        if !cursor.eat(b',') {
            return Ok(SequenceSet::Ranges(ranges));
        }
    }
}

fn sequence_number(cursor: &mut Cursor<'_>) -> Parsed<Option<u32>> {
    if cursor.eat(b'*') { Ok(None) } else { cursor.nz_number().map(Some) }
}

fn special_use_attribute(cursor: &mut Cursor<'_>) -> Parsed<SpecialUse> {
    cursor.expect(b'\\', "a special use is missing")?;
    let attribute = format!("\\{}", cursor.atom("a special use is missing")?);
    // RFC 6154 §3
    SpecialUse::from_attribute(&attribute)
        .ok_or(Fault::no(Code::UseAttr, "that special use is not supported"))
}

fn list_select_option(cursor: &mut Cursor<'_>, select: &mut ListSelect) -> Parsed<()> {
    match cursor.word("an option is missing")?.as_str() {
        "SUBSCRIBED" => select.subscribed = true,
        "REMOTE" => select.remote = true,
        "RECURSIVEMATCH" => select.recursive_match = true,
        "SPECIAL-USE" => select.special_use = true,
        _ => return Err(Fault::bad("unknown selection option of LIST")),
    }
    Ok(())
}

fn list_return(cursor: &mut Cursor<'_>) -> Parsed<ListReturn> {
    if !cursor.eat_word("RETURN") {
        return Err(Fault::bad("RETURN is missing"));
    }
    cursor.space()?;
    let mut returns = ListReturn::default();
    cursor.list(MAX_OPTIONS, |cursor| {
        match cursor.word("an option is missing")?.as_str() {
            "SUBSCRIBED" => returns.subscribed = true,
            "CHILDREN" => returns.children = true,
            "SPECIAL-USE" => returns.special_use = true,
            "STATUS" => {
                cursor.space()?;
                returns.status = status_items(cursor)?;
            }
            "MYRIGHTS" => returns.my_rights = true,
            "METADATA" => {
                cursor.space()?;
                returns.metadata = metadata::entries(cursor)?;
            }
            _ => return Err(Fault::bad("unknown return option of LIST")),
        }
        Ok(())
    })?;
    Ok(returns)
}

fn status_items(cursor: &mut Cursor<'_>) -> Parsed<Vec<StatusItem>> {
    let all = cursor.list1(MAX_OPTIONS, |cursor| {
        let word = cursor.word("a STATUS item is missing")?;
        let found = StatusItem::ALL.iter().find(|(_, name)| *name == word);
        found.map(|(item, _)| *item).ok_or(Fault::bad("unknown STATUS item"))
    })?;
    let mut items = Vec::new();
    all.into_iter().for_each(|item| {
        if !items.contains(&item) {
            items.push(item);
        }
    });
    Ok(items)
}

pub(super) fn flag_list(cursor: &mut Cursor<'_>) -> Parsed<Flags> {
    let mut flags = Flags::default();
    cursor.list(MAX_FLAGS, |cursor| flag(cursor, &mut flags))?;
    Ok(flags)
}

/// Adds one flag. `\Recent` can't be set and is let pass; other system flags don't exist.
fn flag(cursor: &mut Cursor<'_>, flags: &mut Flags) -> Parsed<()> {
    if !cursor.eat(b'\\') {
        flags.set_keyword(&keyword(cursor)?, true);
        return Ok(());
    }
    let name = cursor.atom("a flag is missing")?;
    let is_it = |flag: &&(Flag, &str)| flag.1.get(1..).is_some_and(|known| known.eq_ignore_ascii_case(name));
    match Flag::ALL.iter().find(is_it) {
        Some((flag, _)) => flags.set(*flag, true),
        None if name.eq_ignore_ascii_case("Recent") => {}
        None => return Err(Fault::bad("unknown system flag")),
    }
    Ok(())
}

pub(super) fn keyword(cursor: &mut Cursor<'_>) -> Parsed<Keyword> {
    let text = cursor.atom("a flag is missing")?;
    Keyword::new(text).ok_or(Fault::no(Code::Limit, "the keyword is too long"))
}

/// `date-text` (RFC 9051 §9): the day's beginning, UTC.
pub(super) fn date(text: &[u8]) -> Parsed<Timestamp> {
    const WRONG: &str = "that is no date";
    let text = std::str::from_utf8(text).map_err(|_| Fault::bad(WRONG))?;
    let mut fields = text.split('-');
    let fields = (fields.next(), fields.next(), fields.next(), fields.next());
    let (Some(day), Some(month), Some(year), None) = fields else { return Err(Fault::bad(WRONG)) };
    let month = MONTHS.iter().position(|name| name.eq_ignore_ascii_case(month));
    let number = |digits: &str, lengths: std::ops::RangeInclusive<usize>| {
        let fits = lengths.contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        digits.parse::<u16>().ok().filter(|_| fits)
    };
    let (Some(day), Some(month), Some(year)) = (number(day, 1..=2), month, number(year, 4..=4)) else {
        return Err(Fault::bad(WRONG));
    };
    let (day, month) = (day as u8, month as u8 + 1);
    let time = Timestamp::from_civil(i64::from(year), month, day, 0, 0, 0);
    // A day that the month doesn't have would carry over.
    let civil = time.civil();
    if (civil.day, civil.month) == (day, month) { Ok(time) } else { Err(Fault::bad(WRONG)) }
}

/// `date-time` (RFC 9051 §9) without its quotes: `dd-Mon-yyyy hh:mm:ss +hhmm`, the day's first digit perhaps a space.
pub(super) fn date_time(text: &[u8]) -> Parsed<Timestamp> {
    const WRONG: &str = "that is no date and time";
    let text = std::str::from_utf8(text).map_err(|_| Fault::bad(WRONG))?;
    let mut fields = text.trim_start_matches(' ').split(' ');
    let fields = (fields.next(), fields.next(), fields.next(), fields.next());
    let (Some(day), Some(time), Some(zone), None) = fields else { return Err(Fault::bad(WRONG)) };
    let day = date(day.as_bytes())?;
    let seconds = clock(time, &[24, 60, 61]).ok_or(Fault::bad(WRONG))?;
    let (sign, zone) = match (zone.strip_prefix('+'), zone.strip_prefix('-')) {
        (Some(zone), _) => (1, zone),
        (_, Some(zone)) => (-1, zone),
        _ => return Err(Fault::bad(WRONG)),
    };
    let parts = zone.split_at_checked(2).map(|(hours, minutes)| format!("{hours}:{minutes}:00"));
    let east = parts.and_then(|zone| clock(&zone, &[24, 60, 61])).ok_or(Fault::bad(WRONG))?;
    Ok(Timestamp(day.0 + seconds - sign * east))
}

/// `hh:mm:ss` in seconds, each field below its bound.
fn clock(text: &str, below: &[i64; 3]) -> Option<i64> {
    let fields: Vec<&str> = text.split(':').collect();
    if fields.len() != below.len() {
        return None;
    }
    fields.iter().zip(below).try_fold(0, |sum, (field, below)| {
        let digits = field.len() == 2 && field.bytes().all(|b| b.is_ascii_digit());
        let number = field.parse::<i64>().ok().filter(|number| digits && number < below)?;
        Some(sum * 60 + number)
    })
}
