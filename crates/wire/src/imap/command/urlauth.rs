//! URLs that carry an access right (RFC 4467, RFC 5092 §6.1), and the commands about them.

use super::cursor::{Cursor, Fault, Parsed};
use super::url::{Url, decode_text};
use super::{CommandBody, Parser};
use crate::imap::response::Code;
use crate::smtp::parameter::date_time;
use base::Timestamp;

/// URLs of one GENURLAUTH or URLFETCH.
pub const MAX_URLS: usize = 100;

/// Octets of one URL.
const MAX_URL: usize = 4096;

/// Mechanisms of one RESETKEY.
const MAX_MECHANISMS: usize = 10;

/// A URL that names octets of a message of someone's, and who may have them.
///
/// `imap://user@host/mailbox/;UID=n;EXPIRE=…;URLAUTH=access`, and `:mechanism:token` behind it once it is authorized.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UrlAuth {
    /// The URL as the client wrote it, without what authorizes it: what a token is made of (RFC 4467 §1.2).
    pub rump: String,
    /// Whose mailbox it is: a log-in name, perhaps without its domain.
    pub user: String,
    /// The server's name.
    pub host: String,
    /// What it names; the mailbox is said.
    pub url: Url,
    /// When it ends.
    pub expire: Option<Timestamp>,
    /// Who may use it.
    pub access: Access,
    /// What authorizes it.
    pub verifier: Option<Verifier>,
}

/// Who may use a URL (RFC 5092 §6.1.1).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Access {
    /// A server that submits mail for this user.
    Submit(String),
    /// This user.
    User(String),
    /// Any user who is logged in.
    AuthUser,
    /// Anybody.
    Anonymous,
}

/// `:mechanism:token`
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verifier {
    /// Whether the mechanism is INTERNAL, the one that there is.
    internal: bool,
    /// The token; `None`: none that we could have made.
    token: Option<[u8; 32]>,
}

/// A URL of URLFETCH.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UrlFetch {
    /// As the client wrote it, for [`UrlAuth::parse`].
    pub url: String,
    /// What of it; empty where the client did not say, which is BODY in the plain form of RFC 4467.
    pub items: Vec<UrlItem>,
}

/// What URLFETCH gives of a URL (RFC 5524).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum UrlItem {
    /// The structure of the part.
    BodyPartStructure,
    /// The part with its transfer encoding undone.
    Binary,
    /// The octets as they are.
    Body,
}

impl UrlItem {
    /// The item's name.
    pub fn as_str(self) -> &'static str {
        match self {
            UrlItem::BodyPartStructure => "BODYPARTSTRUCTURE",
            UrlItem::Binary => "BINARY",
            UrlItem::Body => "BODY",
        }
    }
}

impl UrlAuth {
    /// Reads a URL; `None` for one that is broken or carries no access right.
    pub fn parse(text: &str) -> Option<Self> {
        let (start, right) = split_at_parameter(text, ";URLAUTH=")?;
        let (access, verifier) = match right.split_once(':') {
            Some((access, verifier)) => (access, Some(Verifier::parse(verifier)?)),
            None => (right, None),
        };
        let rump = text.get(..text.len() - right.len() + access.len())?.to_owned();
        let (place, expire) = match split_at_parameter(start, ";EXPIRE=") {
            Some((place, expire)) => (place, Some(date_time(expire)?)),
            None => (start, None),
        };
        let (scheme, place) = place.split_at_checked("imap://".len())?;
        let (server, _) = place.split_once('/').filter(|_| scheme.eq_ignore_ascii_case("imap://"))?;
        let (user, host) = server.rsplit_once('@')?;
        Some(UrlAuth {
            rump,
            user: decode_text(user)?,
            host: host_name(host)?.to_ascii_lowercase(),
            url: Url::parse(place.get(server.len()..)?)?,
            expire,
            access: Access::parse(access)?,
            verifier,
        })
    }

    /// The log-in name of the mailbox's owner, `host` being this server's name; `None` where another server is meant.
    pub fn owner(&self, host: &str) -> Option<String> {
        let is_here = self.host.eq_ignore_ascii_case(host);
        match self.user.rsplit_once('@') {
            Some((_, domain)) => {
                (is_here || self.host.eq_ignore_ascii_case(domain)).then(|| self.user.clone())
            }
            None if is_here => Some(self.user.clone()),
            None => Some(format!("{}@{}", self.user, self.host)),
        }
    }

    /// Its token, if there is one that we could have made: 32 octets, written as hexadecimal digits.
    pub fn token(&self) -> Option<&[u8; 32]> {
        self.verifier.as_ref().filter(|verifier| verifier.internal)?.token.as_ref()
    }

    /// The URL with a token of the mechanism INTERNAL.
    pub fn authorized(&self, token: &[u8; 32]) -> String {
        let hex: String = token.iter().map(|octet| format!("{octet:02x}")).collect();
        format!("{}:internal:{hex}", self.rump)
    }
}

impl Access {
    fn parse(text: &str) -> Option<Self> {
        let user = |prefix: &str| {
            let (start, user) = text.split_at_checked(prefix.len())?;
            start.eq_ignore_ascii_case(prefix).then(|| decode_text(user)).flatten()
        };
        match text.to_ascii_lowercase().as_str() {
            "authuser" => Some(Access::AuthUser),
            "anonymous" => Some(Access::Anonymous),
            _ => user("submit+").map(Access::Submit).or_else(|| user("user+").map(Access::User)),
        }
    }
}

impl Verifier {
    fn parse(text: &str) -> Option<Self> {
        let (mechanism, token) = text.split_once(':')?;
        Some(Verifier { internal: is_internal(mechanism), token: unhex(token) })
    }
}

/// RESETKEY's arguments, if there are any (RFC 4467 §7).
pub(super) fn reset_key(parser: &mut Parser<'_>) -> Parsed<CommandBody> {
    let mailbox = Some(parser.mailbox()?);
    for _ in 0..MAX_MECHANISMS {
        if parser.cursor.at_end() {
            return Ok(CommandBody::ResetKey { mailbox });
        }
        parser.cursor.space()?;
        mechanism(&mut parser.cursor)?;
    }
    Err(Fault::bad("too many mechanisms"))
}

/// GENURLAUTH's arguments (RFC 4467 §7).
pub(super) fn gen_url_auth(parser: &mut Parser<'_>) -> Parsed<CommandBody> {
    let one = |cursor: &mut Cursor<'_>| {
        let url = url(cursor)?;
        cursor.space()?;
        mechanism(cursor)?;
        // RFC 4467 §7: what can't be authorized is an error of the client's.
        let url = UrlAuth::parse(&url).filter(|url| url.verifier.is_none());
        url.ok_or(Fault::bad("that is no URL that can be authorized"))
    };
    Ok(CommandBody::GenUrlAuth(urls(&mut parser.cursor, one)?))
}

/// URLFETCH's arguments (RFC 4467 §7, RFC 5524).
pub(super) fn url_fetch(parser: &mut Parser<'_>) -> Parsed<CommandBody> {
    Ok(CommandBody::UrlFetch(urls(&mut parser.cursor, one_fetched)?))
}

/// `url-full`, or `(url-full item …)`; each item once, in the order in which they are answered.
fn one_fetched(cursor: &mut Cursor<'_>) -> Parsed<UrlFetch> {
    if !cursor.eat(b'(') {
        return Ok(UrlFetch { url: url(cursor)?, items: Vec::new() });
    }
    let url = url(cursor)?;
    let mut items = Vec::new();
    while !cursor.eat(b')') {
        cursor.space()?;
        let name = cursor.word("an item is missing")?;
        let known = [UrlItem::BodyPartStructure, UrlItem::Binary, UrlItem::Body];
        let item = known.into_iter().find(|item| item.as_str() == name);
        let item = item.filter(|item| !items.contains(item));
        items.push(item.ok_or(Fault::bad("unknown item of URLFETCH, or one twice"))?);
    }
    items.sort_unstable();
    Ok(UrlFetch { url, items })
}

fn urls<T>(cursor: &mut Cursor<'_>, one: impl Fn(&mut Cursor<'_>) -> Parsed<T>) -> Parsed<Vec<T>> {
    let mut urls = vec![one(cursor)?];
    while !cursor.at_end() {
        if urls.len() >= MAX_URLS {
            return Err(Fault::no(Code::Limit, "too many URLs at once"));
        }
        cursor.space()?;
        urls.push(one(cursor)?);
    }
    Ok(urls)
}

fn url(cursor: &mut Cursor<'_>) -> Parsed<String> {
    let url = cursor.astring_text()?;
    if url.len() > MAX_URL { Err(Fault::no(Code::Limit, "the URL is too long")) } else { Ok(url) }
}

fn mechanism(cursor: &mut Cursor<'_>) -> Parsed<()> {
    match is_internal(cursor.atom("a mechanism is missing")?) {
        true => Ok(()),
        false => Err(Fault::bad("the one mechanism is INTERNAL")),
    }
}

fn is_internal(mechanism: &str) -> bool {
    mechanism.eq_ignore_ascii_case("INTERNAL")
}

/// What stands before a parameter, and its value. What is encoded holds no semicolon.
fn split_at_parameter<'a>(text: &'a str, parameter: &str) -> Option<(&'a str, &'a str)> {
    let is_there = |at: &usize| {
        let found = text.get(*at..*at + parameter.len());
        found.is_some_and(|found| found.eq_ignore_ascii_case(parameter))
    };
    let at = text.match_indices(';').map(|(at, _)| at).find(is_there)?;
    Some((text.get(..at)?, text.get(at + parameter.len()..)?))
}

/// The name in `host [":" port]`.
fn host_name(text: &str) -> Option<&str> {
    let (host, port) = text.split_once(':').unwrap_or((text, "143"));
    let is_host = |b: u8| b.is_ascii_alphanumeric() || b"-.".contains(&b);
    let sound = !host.is_empty() && host.bytes().all(is_host) && port.parse::<u16>().is_ok();
    sound.then_some(host)
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut token = [0; 32];
    if text.len() != 2 * token.len() {
        return None;
    }
    for (octet, digits) in token.iter_mut().zip(text.as_bytes().chunks(2)) {
        let digits = std::str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'))?;
        *octet = u8::from_str_radix(digits, 16).ok()?;
    }
    Some(token)
}

#[cfg(test)]
mod tests;
