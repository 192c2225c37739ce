//! The command line as sendmail has had it since 1983. What other programs pass and nothing here depends on is ignored, as
//! other sendmails do.

use std::ffi::OsString;
use std::path::PathBuf;

/// What is asked for.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Flags {
    /// `-t`: to whom To, Cc and Bcc name, too.
    pub from_header: bool,
    /// `-i`, `-oi`: a line with only a dot does not end the message.
    pub dots: bool,
    /// `-f`, `-r`: the reverse-path; empty or `<>` is the null one.
    pub sender: Option<String>,
    /// `-F`: the full name in a From that is added.
    pub name: Option<String>,
    /// `-N`: when the sender wants a report (RFC 3461 §4.1).
    pub notify: Option<String>,
    /// `-R`: what a report returns (RFC 3461 §4.3).
    pub ret: Option<String>,
    /// `-V`: what reports name (RFC 3461 §4.4).
    pub envelope_id: Option<String>,
    /// `-v`: say how it went.
    pub verbose: bool,
    /// `--socket`: where the server is.
    pub socket: Option<PathBuf>,
    /// To whom.
    pub recipients: Vec<String>,
}

/// Options that take a value, in the same word or the next.
const WITH_VALUE: &str = "BCDFLNORVXbefhopr";

/// Options whose value is in the same word, if there is one.
const WITH_REST: &str = "Adqs";

impl Flags {
    /// Reads the words behind the command's name; an error is for the person.
    pub fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Self, String> {
        let mut flags = Flags::default();
        let mut words = words
            .into_iter()
            .map(|word| word.into_string().map_err(|word| format!("{} is not UTF-8", word.display())));
        while let Some(word) = words.next().transpose()? {
            if word == "--" {
                for word in words.by_ref() {
                    flags.recipients.push(word?);
                }
            } else if word == "--socket" {
                let path = words.next().transpose()?.ok_or("--socket: which one?")?;
                flags.socket = Some(path.into());
            } else if let Some(letters) = word.strip_prefix('-').filter(|letters| !letters.is_empty()) {
                flags.letters(letters, &mut words)?;
            } else {
                flags.recipients.push(word);
            }
        }
        Ok(flags)
    }

    /// Reads a word of options: letters, of which the last may have a value.
    fn letters(
        &mut self,
        letters: &str,
        words: &mut impl Iterator<Item = Result<String, String>>,
    ) -> Result<(), String> {
        let mut rest = letters.chars();
        while let Some(letter) = rest.next() {
            if WITH_REST.contains(letter) {
                return self.set(letter, rest.as_str().to_owned());
            }
            if WITH_VALUE.contains(letter) {
                let value = match rest.as_str() {
                    "" => words.next().transpose()?.ok_or(format!("-{letter}: its value is missing"))?,
                    value => value.to_owned(),
                };
                return self.set(letter, value);
            }
            self.set(letter, String::new())?;
        }
        Ok(())
    }

    fn set(&mut self, letter: char, value: String) -> Result<(), String> {
        match letter {
            't' => self.from_header = true,
            'i' => self.dots = true,
            'v' => self.verbose = true,
            'o' if value == "i" => self.dots = true,
            'f' | 'r' => self.sender = Some(value),
            'F' => self.name = Some(value),
            'N' => self.notify = Some(value),
            'R' => self.ret = Some(value),
            'V' => self.envelope_id = Some(value),
            'b' => return mode(&value),
            'q' => {
                return Err(
                    "-q: the server tries its queue by itself; at once: mailward queue retry --all".into()
                );
            }
            _ => {}
        }
        Ok(())
    }
}

/// `-b`: what other sendmails do beside sending.
fn mode(value: &str) -> Result<(), String> {
    let instead = match value {
        "m" => return Ok(()),
        "p" => "mailward queue list",
        "d" | "D" => "mailward serve",
        "i" | "I" => "mailward alias add: aliases are known at once, in no file",
        "s" => "a port of the server: see [submission] in its configuration",
        _ => "mailward --help",
    };
    Err(format!("-b{value}: not done here; instead: {instead}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: Result<Flags, &str>) {
        let found = Flags::parse(line.split_whitespace().map(OsString::from));
        match (&found, &expected) {
            (Err(found), Err(part)) => assert!(found.contains(part), "{line}: {found}"),
            _ => assert_eq!(found, expected.map_err(str::to_owned), "{line}"),
        }
    }

    fn to(recipients: &[&str]) -> Flags {
        Flags { recipients: recipients.iter().map(|r| (*r).to_owned()).collect(), ..Flags::default() }
    }

    /// As these programs call it: PHP's sendmail_path, Debian's and Cronie's cron, monit, mutt, git, mdadm, at.
    #[test]
    fn as_programs_call_it() {
        check("-t -i", Ok(Flags { from_header: true, dots: true, ..Flags::default() }));
        check("-ti", Ok(Flags { from_header: true, dots: true, ..Flags::default() }));
        let cron = Flags { dots: true, name: Some("CronDaemon".into()), ..to(&["root"]) };
        check("-FCronDaemon -i -B8BITMIME -oem root", Ok(cron.clone()));
        check("-F CronDaemon -i -odi -oem -oi root", Ok(cron));
        let sender = Some("a@example.org".to_owned());
        let mutt = Flags { dots: true, sender: sender.clone(), ..to(&["b@example.org", "-c@example.org"]) };
        check("-oem -oi -f a@example.org -- b@example.org -c@example.org", Ok(mutt));
        check(
            "-t -fa@example.org",
            Ok(Flags { from_header: true, sender: sender.clone(), ..Flags::default() }),
        );
        check("-bm -r a@example.org b", Ok(Flags { sender, ..to(&["b"]) }));
        check("-f <> b", Ok(Flags { sender: Some("<>".into()), ..to(&["b"]) }));
        check("-i root", Ok(Flags { dots: true, ..to(&["root"]) }));
        let dsn = |flags| Flags { notify: Some("success,delay".into()), ret: Some("hdrs".into()), ..flags };
        let dsn = dsn(Flags { envelope_id: Some("x1".into()), ..to(&["b"]) });
        check("-N success,delay -Rhdrs -V x1 b", Ok(dsn));
        check("-om -n -U -oQ/tmp -O DeliveryMode=b -L tag -Ac -h 5 -d7 -G b", Ok(to(&["b"])));
        check("--socket /run/s b", Ok(Flags { socket: Some("/run/s".into()), ..to(&["b"]) }));
        check("-vv - b", Ok(Flags { verbose: true, ..to(&["-", "b"]) }));
    }

    #[test]
    fn what_is_refused_says_what_to_do() {
        check("-f", Err("-f: its value is missing"));
        check("-bp", Err("mailward queue list"));
        check("-bd -q30m", Err("mailward serve"));
        check("-bs", Err("[submission]"));
        check("-q", Err("mailward queue retry --all"));
        check("--socket", Err("which one?"));
    }
}
