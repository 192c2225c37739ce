//! The command's end.

use super::flags::Flags;
use super::message::{self, Message, Preparation, qualified};
use super::{Envelope, PATIENCE, STANDARD_SOCKET, Said};
use base::Address;
use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::ExitCode;

/// Octets of what the server says.
const MOST_SAID: u64 = 64 * 1024;

/// Exit codes (sysexits.h), as the programs that call sendmail know them.
mod exit {
    pub const USAGE: u8 = 64;
    pub const DATA: u8 = 65;
    pub const NO_USER: u8 = 67;
    pub const UNAVAILABLE: u8 = 69;
    pub const IO: u8 = 74;
    pub const TRY_AGAIN: u8 = 75;
    pub const NOT_ALLOWED: u8 = 77;
}

/// Why nothing was sent: an exit code, and a line for the person.
type Failure = (u8, String);

/// The words behind the command's name, if this program was called as sendmail: by that name, or with it as its first
/// word. Options of sendmail are none of clap's, so it must not see them.
pub fn called(mut words: impl Iterator<Item = OsString>) -> Option<Vec<OsString>> {
    let program = words.next()?;
    let by_name = Path::new(&program).file_name().is_some_and(|name| name == "sendmail");
    if !by_name && words.next().as_deref() != Some("sendmail".as_ref()) {
        return None;
    }
    let words: Vec<OsString> = words.collect();
    let is_help = words.iter().any(|word| word == "--help");
    (by_name || !is_help).then_some(words)
}

/// Sends what comes by standard input; the exit code.
pub fn run(words: Vec<OsString>) -> ExitCode {
    match send(words) {
        Ok(()) => ExitCode::SUCCESS,
        Err((code, why)) => {
            // Standard error may be closed: callers like cron's do that.
            let _ = writeln!(io::stderr(), "sendmail: {why}");
            ExitCode::from(code)
        }
    }
}

fn send(words: Vec<OsString>) -> Result<(), Failure> {
    let flags = Flags::parse(words).map_err(|why| (exit::USAGE, why))?;
    if flags.recipients.is_empty() && !flags.from_header {
        return Err((exit::USAGE, "no recipient: name one, or take them from the header with -t".into()));
    }
    let socket = flags.socket.as_deref().unwrap_or(Path::new(STANDARD_SOCKET));
    // Whoever writes the message may take long: the server is asked twice rather than kept waiting.
    let (_, welcome) = connect(socket)?;
    let text = message::read(&mut io::stdin().lock(), welcome.octets, flags.dots)
        .map_err(|e| (exit::IO, format!("standard input: {e}")))?;
    let Some(text) = text else {
        return Err((
            exit::DATA,
            format!("the message has more than {} octets (limits.message)", welcome.octets),
        ));
    };
    let sender = sender(&flags, &welcome.own)?;
    let preparation = Preparation {
        own: &welcome.own,
        from: sender.as_ref().unwrap_or(&welcome.own),
        name: flags.name.as_deref(),
        from_header: flags.from_header,
    };
    let message = preparation.prepare(&text);
    let envelope = envelope(&flags, &message, sender.as_ref(), &welcome.own)?;
    let (mut stream, _) = connect(socket)?;
    let said = hand_over(&mut stream, &envelope, &message.octets);
    match said.map_err(|e| (exit::TRY_AGAIN, format!("the server broke off ({e}); try again later")))? {
        Said::Reply { code: 200..=299, text, .. } => {
            if flags.verbose {
                let _ = writeln!(io::stdout(), "{text}");
            }
            Ok(())
        }
        said => Err(refused(&said)),
    }
}

/// What the server says at first.
struct Welcome {
    own: Address,
    octets: u64,
}

fn connect(socket: &Path) -> Result<(BufReader<UnixStream>, Welcome), Failure> {
    let place = socket.display();
    let stream = UnixStream::connect(socket).map_err(|e| match e.kind() {
        io::ErrorKind::PermissionDenied => (
            exit::NOT_ALLOWED,
            format!("this user may not reach {place}: its directory must be open (mode 0755)"),
        ),
        _ => (
            exit::TRY_AGAIN,
            format!(
                "no server at {place} ({e}): is it running, and [sendmail] enabled in its configuration?"
            ),
        ),
    })?;
    let mut stream = BufReader::new(stream);
    let broken = |e: io::Error| {
        (exit::TRY_AGAIN, format!("the server at {place} does not answer ({e}); try again later"))
    };
    let timed = stream.get_ref().set_read_timeout(Some(PATIENCE));
    match timed.and_then(|()| listen(&mut stream)).map_err(broken)? {
        Said::Welcome { address, octets } => {
            let own = Address::parse(&address);
            let own =
                own.map_err(|e| (exit::TRY_AGAIN, format!("the server calls this user {address}: {e:?}")))?;
            Ok((stream, Welcome { own, octets }))
        }
        said => Err(refused(&said)),
    }
}

fn listen(stream: &mut BufReader<UnixStream>) -> io::Result<Said> {
    let mut line = Vec::new();
    stream.take(MOST_SAID).read_until(b'\n', &mut line)?;
    match line.is_empty() {
        true => Err(io::ErrorKind::UnexpectedEof.into()),
        false => Ok(serde_json::from_slice(&line)?),
    }
}

fn hand_over(stream: &mut BufReader<UnixStream>, envelope: &Envelope, message: &[u8]) -> io::Result<Said> {
    let mut line = serde_json::to_vec(envelope)?;
    line.push(b'\n');
    stream.get_ref().set_write_timeout(Some(PATIENCE))?;
    stream.get_ref().set_read_timeout(Some(crate::control::ANSWER))?;
    // A refusal may come before all is written: it says more than the broken pipe.
    let written = stream.get_mut().write_all(&line).and_then(|()| stream.get_mut().write_all(message));
    listen(stream).map_err(|error| written.err().unwrap_or(error))
}

/// The reverse-path; `None` is the null one.
fn sender(flags: &Flags, own: &Address) -> Result<Option<Address>, Failure> {
    match flags.sender.as_deref().map(bare) {
        None => Ok(Some(own.clone())),
        Some("") => Ok(None),
        Some(text) => address(text, own).map(Some),
    }
}

fn envelope(
    flags: &Flags,
    message: &Message,
    sender: Option<&Address>,
    own: &Address,
) -> Result<Envelope, Failure> {
    let mut recipients: Vec<String> = Vec::new();
    for text in
        flags.recipients.iter().flat_map(|list| list.split(',')).map(str::trim).filter(|r| !r.is_empty())
    {
        recipients.push(address(bare(text), own)?.to_string());
    }
    for text in &message.recipients {
        recipients.push(address(text, own)?.to_string());
    }
    recipients.sort_unstable();
    recipients.dedup();
    if recipients.is_empty() {
        return Err((exit::USAGE, "no recipient: the header has no To, Cc or Bcc".into()));
    }
    let parameter = |name: &str, value: &Option<String>| {
        value.as_ref().map_or_else(String::new, |value| format!(" {name}={value}"))
    };
    let utf8 = recipients.iter().chain(&sender.map(Address::to_string)).any(|address| !address.is_ascii());
    let from = sender.map_or_else(String::new, Address::to_string);
    let mail = format!(
        "MAIL FROM:<{from}> SIZE={}{}{}{}",
        message.octets.len(),
        parameter("RET", &flags.ret),
        parameter("ENVID", &flags.envelope_id),
        if utf8 { " SMTPUTF8" } else { "" },
    );
    let notify = parameter("NOTIFY", &flags.notify);
    let rcpt = recipients.iter().map(|recipient| format!("RCPT TO:<{recipient}>{notify}")).collect();
    Ok(Envelope { mail, rcpt, size: message.octets.len() as u64 })
}

fn bare(text: &str) -> &str {
    text.strip_prefix('<').and_then(|text| text.strip_suffix('>')).unwrap_or(text)
}

fn address(text: &str, own: &Address) -> Result<Address, Failure> {
    let full = qualified(text, own.domain());
    Address::parse(&full).map_err(|_| (exit::USAGE, format!("\"{}\" is no address", text.escape_debug())))
}

/// What a refusal means to the one who called, and what can be done.
fn refused(said: &Said) -> Failure {
    let Said::Reply { code, status, text } = said else {
        return (exit::TRY_AGAIN, "the server says something odd: are both of one version?".into());
    };
    match (code, status) {
        (400..=499, _) => (exit::TRY_AGAIN, format!("{text}; try again later")),
        (_, Some((5, 1, 1))) => (
            exit::NO_USER,
            format!("{text}. The administrator can have its mail: mailward alias add ADDRESS ACCOUNT"),
        ),
        (_, Some((5, 7, _))) => {
            (exit::NOT_ALLOWED, format!("{text}. The administrator can allow it: sendmail.trusted_users"))
        }
        (500..=504, _) => (exit::USAGE, text.clone()),
        (552, _) | (_, Some((5, 6, _))) => (exit::DATA, text.clone()),
        _ => (exit::UNAVAILABLE, text.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_called(line: &str, expected: Option<&[&str]>) {
        let found = called(line.split(' ').map(OsString::from));
        let expected: Option<Vec<OsString>> =
            expected.map(|words| words.iter().map(OsString::from).collect());
        assert_eq!(found, expected, "{line}");
    }

    #[test]
    fn by_which_names() {
        check_called("/usr/sbin/sendmail -t -i", Some(&["-t", "-i"]));
        check_called("mailward sendmail -t -h 5", Some(&["-t", "-h", "5"]));
        check_called("mailward serve", None);
        check_called("mailward sendmail --help", None);
        check_called("mailward", None);
        check_called("mailward account sendmail", None);
    }

    fn check_refused(code: u16, status: (u8, u16, u16), expected: u8) {
        let said = Said::Reply { code, status: Some(status), text: "x".into() };
        assert_eq!(refused(&said).0, expected, "{code} {status:?}");
    }

    /// sysexits.h: EX_NOUSER 67, EX_TEMPFAIL 75, EX_NOPERM 77, EX_DATAERR 65, EX_UNAVAILABLE 69, EX_USAGE 64.
    #[test]
    fn exit_codes() {
        check_refused(550, (5, 1, 1), 67);
        check_refused(452, (4, 7, 0), 75);
        check_refused(553, (5, 7, 1), 77);
        check_refused(552, (5, 3, 4), 65);
        check_refused(550, (5, 6, 0), 65);
        check_refused(554, (5, 4, 6), 69);
        check_refused(501, (5, 5, 4), 64);
    }

    fn check_envelope(line: &str, mail: &str, rcpt: &[&str]) {
        let flags = Flags::parse(line.split(' ').map(OsString::from)).unwrap();
        let own = Address::parse("anna@example.test").unwrap();
        let message = Message { octets: b"12345".to_vec(), recipients: vec!["h@example.org".into()] };
        let envelope = envelope(&flags, &message, sender(&flags, &own).unwrap().as_ref(), &own).unwrap();
        assert_eq!((envelope.mail.as_str(), envelope.size), (mail, 5), "{line}");
        assert_eq!(envelope.rcpt, rcpt, "{line}");
    }

    #[test]
    fn envelopes() {
        check_envelope(
            "root,b@example.org <h@example.org>",
            "MAIL FROM:<anna@example.test> SIZE=5",
            &["RCPT TO:<b@example.org>", "RCPT TO:<h@example.org>", "RCPT TO:<root@example.test>"],
        );
        check_envelope(
            "-f <> -R hdrs -V e1 -N never x",
            "MAIL FROM:<> SIZE=5 RET=hdrs ENVID=e1",
            &["RCPT TO:<h@example.org> NOTIFY=never", "RCPT TO:<x@example.test> NOTIFY=never"],
        );
        check_envelope(
            "-fb x",
            "MAIL FROM:<b@example.test> SIZE=5",
            &["RCPT TO:<h@example.org>", "RCPT TO:<x@example.test>"],
        );
    }
}
