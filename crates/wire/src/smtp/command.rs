//! Commands, parsed into values that cannot be wrong.

use super::parameter::{
    DeliverBy, EnvelopeId, Hold, Notify, OriginalRecipient, Ret, from_xtext, parse_priority,
};
use base::address::{Address, AddressError, Domain, Host, ReversePath};
use base::{Reply, Secret};
use std::fmt;
use std::sync::Arc;

/// A command line of a client (RFC 5321 §4.1.1 and its extensions).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// `EHLO name`
    Ehlo(ClientName),
    /// `HELO name`
    Helo(ClientName),
    /// `MAIL FROM:<path> parameters`
    Mail(Mail),
    /// `RCPT TO:<path> parameters`
    Rcpt(Rcpt),
    /// `DATA`
    Data,
    /// `BDAT size [LAST]` (RFC 3030 §2)
    Bdat {
        /// Octets that follow the command line.
        size: u64,
        /// Whether the message ends with them.
        last: bool,
    },
    /// `RSET`
    Rset,
    /// `VRFY …`
    Vrfy,
    /// `EXPN …`
    Expn,
    /// `HELP …`
    Help,
    /// `NOOP …`
    Noop,
    /// `QUIT`
    Quit,
    /// `STARTTLS` (RFC 3207 §4)
    StartTls,
    /// `AUTH mechanism [initial response]` (RFC 4954 §4)
    Auth {
        /// The mechanism's name as it was sent.
        mechanism: String,
        /// The initial response, still in base64; it may hold a password.
        initial: Option<Secret>,
    },
}

impl Command {
    /// Reads a command line, its CRLF left out. `utf8`: addresses of RCPT may hold UTF-8, because the MAIL of their
    /// transaction asked for it (RFC 6531 §3.4).
    pub fn parse(line: &[u8], utf8: bool) -> Result<Self, CommandError> {
        let line = std::str::from_utf8(line).map_err(|_| CommandError::Syntax)?;
        let line = line.trim_end_matches([' ', '\t']);
        if line.chars().any(|c| c.is_control() && c != '\t') {
            return Err(CommandError::Syntax);
        }
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        let argument = rest.trim_start_matches(' ');
        let name = verb.to_ascii_uppercase();
        match name.as_str() {
            "EHLO" => ClientName::new(argument).map(Command::Ehlo),
            "HELO" => ClientName::new(argument).map(Command::Helo),
            "MAIL" => Mail::parse(after_keyword(argument, "FROM:")?).map(Command::Mail),
            "RCPT" => Rcpt::parse(after_keyword(argument, "TO:")?, utf8).map(Command::Rcpt),
            "BDAT" => parse_bdat(argument),
            "AUTH" => parse_auth(argument),
            "VRFY" if argument.is_empty() => Err(CommandError::Argument),
            "EXPN" if argument.is_empty() => Err(CommandError::Argument),
            "VRFY" => Ok(Command::Vrfy),
            "EXPN" => Ok(Command::Expn),
            "HELP" => Ok(Command::Help),
            "NOOP" => Ok(Command::Noop),
            "DATA" => alone(argument, Command::Data),
            "RSET" => alone(argument, Command::Rset),
            "QUIT" => alone(argument, Command::Quit),
            "STARTTLS" => alone(argument, Command::StartTls),
            "SEND" | "SOML" | "SAML" | "TURN" | "ETRN" | "ATRN" => Err(CommandError::NotImplemented),
            "GET" | "POST" | "PUT" | "HEAD" | "OPTIONS" | "CONNECT" => Err(CommandError::OtherProtocol),
            _ => Err(CommandError::Unknown),
        }
    }
}

/// Why a line is no command; each has its reply.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CommandError {
    /// The line holds control characters or is not UTF-8.
    Syntax,
    /// No such command.
    Unknown,
    /// A request of HTTP: a web page drives a browser to speak to us, and its body may look like commands.
    OtherProtocol,
    /// A command of the RFCs that this server does not have.
    NotImplemented,
    /// An argument is missing, superfluous or malformed.
    Argument,
    /// What BDAT says of its size can't be read, so that nobody knows where the next command begins.
    ChunkSize,
    /// MAIL's path is malformed.
    ReversePath,
    /// RCPT's path is malformed.
    ForwardPath,
    /// An address that isn't ASCII, where SMTPUTF8 was not asked for (RFC 6531 §3.5).
    NotAscii,
    /// A parameter of MAIL or RCPT that isn't known, came twice or has a bad value (RFC 5321 §4.1.1.11).
    Parameter,
    /// A parameter for reports, times or priorities came twice, has a bad value or excludes another (RFC 3461 §5.1).
    Value,
}

impl CommandError {
    /// What to tell the peer.
    pub fn reply(self) -> Reply {
        match self {
            CommandError::Syntax => Reply::new(500, (5, 5, 2), "syntax error"),
            CommandError::OtherProtocol => Reply::new(500, (5, 5, 1), "this is SMTP"),
            CommandError::Unknown => Reply::new(500, (5, 5, 1), "unknown command"),
            CommandError::NotImplemented => Reply::new(502, (5, 5, 1), "command not implemented"),
            CommandError::Argument => Reply::new(501, (5, 5, 4), "syntax error in arguments"),
            CommandError::ChunkSize => Reply::new(501, (5, 5, 4), "bad chunk size"),
            CommandError::ReversePath => Reply::new(501, (5, 1, 7), "malformed sender address"),
            CommandError::ForwardPath => Reply::new(501, (5, 1, 3), "malformed recipient address"),
            CommandError::NotAscii => Reply::new(553, (5, 6, 7), "address needs SMTPUTF8"),
            CommandError::Parameter => {
                Reply::new(555, (5, 5, 4), "parameter not recognized or not implemented")
            }
            CommandError::Value => Reply::new(501, (5, 5, 4), "syntax error in parameter"),
        }
    }
}

/// What a client calls itself in EHLO or HELO: 1 to 255 printable ASCII characters, of which none can end or
/// comment out part of a Received field. Others were replaced by `?`.
///
/// Whether it is a name at all is for the checks: clients at home send what their machine is called.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ClientName(Arc<str>);

impl ClientName {
    /// The longest name (RFC 5321 §4.5.3.1.2).
    pub const MAX_OCTETS: usize = 255;

    /// Takes whatever the client sent, unless it is empty or too long.
    pub fn new(text: &str) -> Result<Self, CommandError> {
        if text.is_empty() || text.len() > Self::MAX_OCTETS {
            return Err(CommandError::Argument);
        }
        let safe = |c: char| if c.is_ascii_graphic() && !"()<>\\\",;".contains(c) { c } else { '?' };
        Ok(ClientName(text.chars().map(safe).collect::<String>().into()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The domain or the address literal, if it is one.
    pub fn host(&self) -> Option<Host> {
        Host::parse(&self.0).ok()
    }
}

impl fmt::Display for ClientName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ClientName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How a message's content may look (RFC 6152 §3, RFC 3030 §3).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Body {
    /// `7BIT`, or not said. Octets above 127 are taken all the same.
    #[default]
    SevenBit,
    /// `8BITMIME`
    EightBitMime,
    /// `BINARYMIME`: any octets, by BDAT only.
    BinaryMime,
}

/// The argument of MAIL. Which parameters are offered is for the session to judge.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mail {
    /// Where failures are reported.
    pub reverse_path: ReversePath,
    /// Octets of the message as the client estimates them (RFC 1870 §6).
    pub size: Option<u64>,
    /// What the content is.
    pub body: Body,
    /// Whether addresses and header may hold UTF-8 (RFC 6531 §3.4).
    pub smtputf8: bool,
    /// RET: what a report on failure is to return (RFC 3461 §4.3).
    pub ret: Option<Ret>,
    /// ENVID: what reports are to name (RFC 3461 §4.4).
    pub envelope_id: Option<EnvelopeId>,
    /// BY: by when it is to be delivered, counted from now (RFC 2852 §4).
    pub deliver_by: Option<DeliverBy>,
    /// HOLDFOR, HOLDUNTIL: from when it is to be sent (RFC 4865 §5).
    pub hold: Option<Hold>,
    /// MT-PRIORITY, -9 to 9 (RFC 6710 §4).
    pub priority: Option<i8>,
    /// REQUIRETLS (RFC 8689 §2).
    pub require_tls: bool,
}

impl Mail {
    fn parse(text: &str) -> Result<Self, CommandError> {
        let (path, rest) = split_path(text).ok_or(CommandError::ReversePath)?;
        let mut mail = Mail {
            reverse_path: ReversePath::Null,
            size: None,
            body: Body::SevenBit,
            smtputf8: false,
            ret: None,
            envelope_id: None,
            deliver_by: None,
            hold: None,
            priority: None,
            require_tls: false,
        };
        each_parameter(rest, |keyword, value| mail.set(keyword, value))?;
        if !path.is_empty() {
            let address = parse_address(path, mail.smtputf8, CommandError::ReversePath)?;
            mail.reverse_path = ReversePath::Address(address);
        }
        Ok(mail)
    }

    fn set(&mut self, keyword: &str, value: Option<&str>) -> Result<(), CommandError> {
        match (keyword, value) {
            ("SIZE", Some(size)) => self.size = Some(parse_size(size).ok_or(CommandError::Parameter)?),
            ("BODY", Some(body)) => self.body = parse_body(body).ok_or(CommandError::Parameter)?,
            ("SMTPUTF8", None) => self.smtputf8 = true,
            // Whom the client believes the message to be from. Only a trusted peer's word would count (RFC 4954
            // §5), and nobody is trusted: taken and ignored.
            ("AUTH", Some(xtext)) if !xtext.is_empty() && from_xtext(xtext).is_some() => {}
            ("RET", value) => put(&mut self.ret, value, Ret::parse)?,
            ("ENVID", value) => put(&mut self.envelope_id, value, EnvelopeId::parse)?,
            ("BY", value) => put(&mut self.deliver_by, value, DeliverBy::parse)?,
            // One of the two, not both.
            ("HOLDFOR", value) => put(&mut self.hold, value, Hold::parse_for)?,
            ("HOLDUNTIL", value) => put(&mut self.hold, value, Hold::parse_until)?,
            ("MT-PRIORITY", value) => put(&mut self.priority, value, parse_priority)?,
            ("REQUIRETLS", None) => self.require_tls = true,
            ("REQUIRETLS", Some(_)) => return Err(CommandError::Value),
            _ => return Err(CommandError::Parameter),
        }
        Ok(())
    }
}

/// Takes a value that must be there, be sound, and not come twice.
fn put<T>(
    place: &mut Option<T>,
    value: Option<&str>,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<(), CommandError> {
    let value = value.and_then(parse).ok_or(CommandError::Value)?;
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(CommandError::Value),
    }
}

/// The argument of RCPT.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rcpt {
    /// Who is to get it.
    pub path: ForwardPath,
    /// NOTIFY: when the sender wants a report (RFC 3461 §4.1).
    pub notify: Option<Notify>,
    /// ORCPT: what reports call the recipient (RFC 3461 §4.2).
    pub original: Option<OriginalRecipient>,
}

impl Rcpt {
    fn parse(text: &str, utf8: bool) -> Result<Self, CommandError> {
        let (path, rest) = split_path(text).ok_or(CommandError::ForwardPath)?;
        let (mut notify, mut original) = (None, None);
        each_parameter(rest, |keyword, value| match keyword {
            "NOTIFY" => put(&mut notify, value, Notify::parse),
            "ORCPT" => put(&mut original, value, |value| OriginalRecipient::parse(value, utf8)),
            _ => Err(CommandError::Parameter),
        })?;
        let path = if path.eq_ignore_ascii_case("postmaster") {
            ForwardPath::Postmaster
        } else {
            ForwardPath::Address(parse_address(path, utf8, CommandError::ForwardPath)?)
        };
        Ok(Rcpt { path, notify, original })
    }
}

/// Whom RCPT names.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum ForwardPath {
    /// `<Postmaster>` without a domain: this host's (RFC 5321 §4.5.1).
    Postmaster,
    /// A mailbox.
    Address(Address),
}

impl fmt::Display for ForwardPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ForwardPath::Postmaster => f.write_str("Postmaster"),
            ForwardPath::Address(address) => address.fmt(f),
        }
    }
}

impl fmt::Debug for ForwardPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn parse_address(path: &str, utf8: bool, error: CommandError) -> Result<Address, CommandError> {
    if !utf8 && !path.is_ascii() {
        return Err(CommandError::NotAscii);
    }
    let mailbox = without_route(path).ok_or(error)?;
    Address::parse(mailbox).map_err(|why| match why {
        AddressError::NotAscii => CommandError::NotAscii,
        AddressError::Syntax | AddressError::TooLong => error,
    })
}

/// Takes a source route off: `@a,@b:user@c` is `user@c` (RFC 5321 §4.1.1.3, App. F.2). It is never followed, so
/// what remains is judged like any other address.
fn without_route(path: &str) -> Option<&str> {
    if !path.starts_with('@') {
        return Some(path);
    }
    let (route, mailbox) = path.split_once(':')?;
    let hop = |hop: &str| hop.strip_prefix('@').is_some_and(|domain| Domain::new(domain).is_ok());
    route.split(',').all(hop).then_some(mailbox)
}

fn after_keyword<'a>(argument: &'a str, keyword: &str) -> Result<&'a str, CommandError> {
    let (found, rest) = argument.split_at_checked(keyword.len()).ok_or(CommandError::Argument)?;
    // A blank behind the colon is wrong and common.
    if found.eq_ignore_ascii_case(keyword) {
        Ok(rest.trim_start_matches(' '))
    } else {
        Err(CommandError::Argument)
    }
}

/// Splits `<path> rest`; the path without its brackets. A `>` may stand in a quoted local part.
fn split_path(text: &str) -> Option<(&str, &str)> {
    let inner = text.strip_prefix('<')?;
    let (mut quoted, mut escaped) = (false, false);
    for (at, c) in inner.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '>' if !quoted => return Some((&inner[..at], &inner[at + 1..])),
            _ => {}
        }
    }
    None
}

/// Goes through the parameters behind a path, which a blank must set off: keyword in upper case, value. Blanks may be
/// doubled, keywords not.
pub(super) fn each_parameter(
    rest: &str,
    mut take: impl FnMut(&str, Option<&str>) -> Result<(), CommandError>,
) -> Result<(), CommandError> {
    if !rest.is_empty() && !rest.starts_with(' ') {
        return Err(CommandError::Argument);
    }
    let mut seen = Vec::new();
    for parameter in rest.split(' ').filter(|parameter| !parameter.is_empty()) {
        let (keyword, value) = match parameter.split_once('=') {
            Some((keyword, value)) => (keyword.to_ascii_uppercase(), Some(value)),
            None => (parameter.to_ascii_uppercase(), None),
        };
        take(&keyword, value)?;
        if seen.contains(&keyword) {
            return Err(CommandError::Parameter);
        }
        seen.push(keyword);
    }
    Ok(())
}

/// RFC 1870 §3, RFC 3030 §2: up to 20 digits.
fn parse_size(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.len() <= 20 && text.bytes().all(|b| b.is_ascii_digit());
    // A number of 20 digits need not fit; it is too large for any limit either way.
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

fn parse_body(text: &str) -> Option<Body> {
    let bodies =
        [("7BIT", Body::SevenBit), ("8BITMIME", Body::EightBitMime), ("BINARYMIME", Body::BinaryMime)];
    bodies.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|(_, body)| body)
}

fn parse_bdat(argument: &str) -> Result<Command, CommandError> {
    let (size, rest) = argument.split_once(' ').unwrap_or((argument, ""));
    let size = parse_size(size).ok_or(CommandError::ChunkSize)?;
    match rest.trim_start_matches(' ') {
        "" => Ok(Command::Bdat { size, last: false }),
        word if word.eq_ignore_ascii_case("LAST") => Ok(Command::Bdat { size, last: true }),
        _ => Err(CommandError::ChunkSize),
    }
}

fn parse_auth(argument: &str) -> Result<Command, CommandError> {
    let mut words = argument.split(' ').filter(|word| !word.is_empty());
    let mechanism = words.next().ok_or(CommandError::Argument)?.to_owned();
    let initial = words.next().map(|response| Secret::new(response.as_bytes()));
    match words.next() {
        None => Ok(Command::Auth { mechanism, initial }),
        Some(_) => Err(CommandError::Argument),
    }
}

fn alone(argument: &str, command: Command) -> Result<Command, CommandError> {
    if argument.is_empty() { Ok(command) } else { Err(CommandError::Argument) }
}

#[cfg(test)]
mod tests;
