//! Commands out of octets that hold them whole.

use super::framer::announced;
use super::{Command, MOST_QUOTED, Unparsed};
use base::Secret;

/// Reads a command.
pub(super) fn command(octets: &[u8]) -> Result<Command, Unparsed> {
    let end = octets.iter().position(|b| !b.is_ascii_alphabetic()).unwrap_or(octets.len());
    let (keyword, rest) = octets.split_at(end);
    let arguments = Arguments(rest);
    let command = match keyword.to_ascii_uppercase().as_slice() {
        b"AUTHENTICATE" => authenticate(arguments),
        b"STARTTLS" => bare(arguments, Command::StartTls),
        b"LOGOUT" => bare(arguments, Command::Logout),
        b"CAPABILITY" => bare(arguments, Command::Capability),
        b"HAVESPACE" => have_space(arguments),
        b"PUTSCRIPT" => two(arguments).map(|(name, text)| Command::PutScript { name, text }),
        b"LISTSCRIPTS" => bare(arguments, Command::ListScripts),
        b"SETACTIVE" => {
            one(arguments).map(|name| Command::SetActive(Some(name).filter(|name| !name.is_empty())))
        }
        b"GETSCRIPT" => one(arguments).map(Command::GetScript),
        b"DELETESCRIPT" => one(arguments).map(Command::DeleteScript),
        b"RENAMESCRIPT" => two(arguments).map(|(from, to)| Command::RenameScript { from, to }),
        b"CHECKSCRIPT" => one(arguments).map(Command::CheckScript),
        b"NOOP" if rest.iter().all(|b| *b == b' ') => Some(Command::Noop(None)),
        b"NOOP" => one(arguments).map(|tag| Command::Noop(Some(tag))),
        b"UNAUTHENTICATE" => bare(arguments, Command::Unauthenticate),
        _ => return Err(Unparsed::Unknown),
    };
    command.ok_or(Unparsed::Arguments)
}

/// Reads one string that stands alone.
pub(super) fn only_string(octets: &[u8]) -> Option<Secret> {
    let mut arguments = Arguments(octets);
    let string = arguments.string()?;
    arguments.is_over().then(|| Secret::new(string))
}

fn authenticate(mut arguments: Arguments<'_>) -> Option<Command> {
    let mechanism = text(arguments.spaced_string()?)?;
    let initial = match arguments.is_over() {
        true => None,
        false => Some(Secret::new(arguments.spaced_string()?)),
    };
    arguments.is_over().then_some(Command::Authenticate { mechanism, initial })
}

fn have_space(mut arguments: Arguments<'_>) -> Option<Command> {
    let name = text(arguments.spaced_string()?)?;
    let size = arguments.spaced_number()?;
    arguments.is_over().then_some(Command::HaveSpace { name, size })
}

fn bare(arguments: Arguments<'_>, command: Command) -> Option<Command> {
    arguments.is_over().then_some(command)
}

fn one(mut arguments: Arguments<'_>) -> Option<String> {
    let only = text(arguments.spaced_string()?)?;
    arguments.is_over().then_some(only)
}

fn two(mut arguments: Arguments<'_>) -> Option<(String, String)> {
    let (first, second) = (text(arguments.spaced_string()?)?, text(arguments.spaced_string()?)?);
    arguments.is_over().then_some((first, second))
}

fn text(octets: Vec<u8>) -> Option<String> {
    String::from_utf8(octets).ok()
}

/// What is left of a command.
struct Arguments<'a>(&'a [u8]);

impl Arguments<'_> {
    /// Spaces at a line's end are forgiven.
    fn is_over(&self) -> bool {
        self.0.iter().all(|b| *b == b' ')
    }

    fn space(&mut self) -> Option<()> {
        let rest = self.0.strip_prefix(b" ")?;
        self.0 = rest.trim_ascii_start();
        Some(())
    }

    fn spaced_string(&mut self) -> Option<Vec<u8>> {
        self.space()?;
        self.string()
    }

    fn spaced_number(&mut self) -> Option<u32> {
        self.space()?;
        let end = self.0.iter().position(|b| !b.is_ascii_digit()).unwrap_or(self.0.len());
        let (digits, rest) = self.0.split_at(end);
        self.0 = rest;
        std::str::from_utf8(digits).ok()?.parse().ok()
    }

    fn string(&mut self) -> Option<Vec<u8>> {
        match self.0.first()? {
            b'"' => self.quoted(),
            b'{' => self.literal(),
            _ => None,
        }
    }

    fn quoted(&mut self) -> Option<Vec<u8>> {
        let mut string = Vec::new();
        let mut octets = self.0.iter().enumerate().skip(1);
        while let Some((at, octet)) = octets.next() {
            match octet {
                b'"' => {
                    self.0 = self.0.get(at + 1..)?;
                    return (at - 1 <= MOST_QUOTED).then_some(string);
                }
                b'\\' => string.push(octets.next().map(|(_, b)| *b).filter(|b| matches!(b, b'"' | b'\\'))?),
                b'\r' | b'\n' | 0 => return None,
                octet => string.push(*octet),
            }
        }
        None
    }

    fn literal(&mut self) -> Option<Vec<u8>> {
        let end = memchr::memchr(b'\n', self.0)?;
        let (line, rest) = self.0.split_at_checked(end + 1)?;
        let length = announced(line.trim_ascii_end())?;
        let (string, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
        self.0 = rest;
        Some(string.to_vec())
    }
}
