//! Trial mode: `mailward serve` without a configuration. Everything stays in the working directory and on loopback.

use crate::config::{Config, ConfigError, Written};
use crate::control::{Admin, Password, Request, Response};
use base::Secret;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Where it keeps its data, in the working directory.
const DATA: &str = "mailward-data";

const DOMAIN: &str = "example.test";

const USERS: [&str; 2] = ["alice", "bob"];

/// Its configuration, in the words of a file.
const CONFIGURATION: &str = r#"
[server]
hostname = "mail.example.test"
data = "mailward-data"
key_file = "mailward-data.key"

[tls]
self_signed = true

[smtp]
addresses = ["127.0.0.1", "::1"]
port = 20025

[submission]
addresses = ["127.0.0.1", "::1"]
port = 20465
[submission.also]
port = 20587

[imap]
addresses = ["127.0.0.1", "::1"]
port = 20993
[imap.also]
port = 20143

[pop3]
enabled = true
addresses = ["127.0.0.1", "::1"]
port = 20995
[pop3.also]
port = 20110

[outbound]
enabled = false

[store]
least_free = "64 MiB"

[log]
level = "warn"
"#;

/// The trial's domain and accounts.
#[derive(Clone, Debug)]
pub struct Trial {
    accounts: Vec<(String, Secret)>,
    certificate_authority: PathBuf,
}

/// Trial mode's configuration as it is written.
pub fn written() -> Result<Written, ConfigError> {
    let here =
        std::env::current_dir().map_err(|e| ConfigError(vec![format!("no working directory: {e}")]))?;
    Written::parse(&[("trial mode".into(), CONFIGURATION.into(), here)])
}

/// Trial mode's configuration. Makes the data directory and the passwords on its first start.
pub fn prepare() -> Result<Config, ConfigError> {
    let mut config = written()?.convert(&[])?;
    if !has_ipv6_loopback() {
        for door in &mut config.doors {
            door.addresses.retain(|address| address.is_ipv4());
        }
    }
    let failed = |e: io::Error| ConfigError(vec![format!("cannot set up {DATA}: {e}")]);
    match fs::DirBuilder::new().mode(0o700).create(&config.data) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(failed(e)),
        _ => {}
    }
    let accounts = accounts(&config.data.join("trial-passwords")).map_err(failed)?;
    let certificate_authority = config.data.join("tls").join("ca.pem");
    config.trial = Some(Trial { accounts, certificate_authority });
    Ok(config)
}

fn has_ipv6_loopback() -> bool {
    std::net::UdpSocket::bind("[::1]:0").is_ok()
}

/// The accounts and their passwords, the same ones at every start.
fn accounts(file: &Path) -> io::Result<Vec<(String, Secret)>> {
    match fs::read_to_string(file) {
        Ok(text) => Ok(text.lines().filter_map(|line| line.split_once(' ')).map(to_account).collect()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            let made: Vec<_> = USERS.iter().map(|user| (format!("{user}@{DOMAIN}"), password())).collect();
            let made = made
                .into_iter()
                .map(|(address, word)| Ok((address, word?)))
                .collect::<io::Result<Vec<_>>>()?;
            let text: String = made.iter().map(|(address, word)| format!("{address} {word}\n")).collect();
            let mut out = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
            out.write_all(text.as_bytes())?;
            out.sync_all()?;
            Ok(made.iter().map(|(address, word)| to_account((address, word))).collect())
        }
        Err(e) => Err(e),
    }
}

fn to_account((address, password): (&str, &str)) -> (String, Secret) {
    (address.to_owned(), Secret::new(password))
}

/// A password that can be read aloud: four groups of four letters, 64 bits by choice among 16 consonants and
/// vowels each.
fn password() -> io::Result<String> {
    const LETTERS: [&[u8; 16]; 2] = [b"bcdfghjklmnprstv", b"aeiouyaeiouyaeio"];
    let mut random = [0; 20];
    aws_lc_rs::rand::fill(&mut random).map_err(|_| io::Error::other("no random numbers"))?;
    let letter = |(place, octet): (usize, &u8)| char::from(LETTERS[place % 2][usize::from(octet % 16)]);
    let letters: Vec<char> = random.iter().enumerate().map(letter).collect();
    Ok(letters.chunks(4).map(String::from_iter).collect::<Vec<_>>().join("-"))
}

impl Trial {
    /// Makes what is missing of the domain and its accounts. The error is a text to print.
    pub async fn seed(&self, admin: &dyn Admin) -> Result<(), String> {
        let has = |response: Response, name: &str| match response {
            Response::Domains(rows) => rows.iter().any(|row| row.domain == name),
            Response::Accounts(rows) => rows.iter().any(|row| row.address == name),
            _ => false,
        };
        if !has(admin.handle(Request::DomainList).await, DOMAIN) {
            done(admin.handle(Request::DomainAdd { domain: DOMAIN.into() }).await)?;
        }
        for (address, password) in &self.accounts {
            if !has(admin.handle(Request::AccountList).await, address) {
                let password = Password(password.clone());
                done(admin.handle(Request::AccountAdd { address: address.clone(), password }).await)?;
            }
        }
        Ok(())
    }

    /// What is printed once the server is ready: addresses, passwords, lines to paste.
    pub fn welcome(&self) -> String {
        let mut out = String::from(
            "Mailward is running in trial mode: on this machine only, data in ./mailward-data.\n\
             Mail for other domains is taken and waits in the queue: nothing leaves this machine.\n\n",
        );
        for (address, password) in &self.accounts {
            out += &format!("  {address:<20}  password  {}\n", password.expose_str().unwrap_or(""));
        }
        out += "\n  mail from servers    127.0.0.1:20025  STARTTLS\n";
        for (name, secure, starttls) in
            [("submission", 20465, 20587), ("IMAP", 20993, 20143), ("POP3", 20995, 20110)]
        {
            out +=
                &format!("  {name:<19}  127.0.0.1:{secure}  TLS        or  127.0.0.1:{starttls}  STARTTLS\n");
        }
        out += &self.lines_to_paste();
        out += "\nCtrl-C stops it. Delete ./mailward-data and ./mailward-data.key to start afresh.\n";
        out
    }

    fn lines_to_paste(&self) -> String {
        let word = |place: usize| self.accounts.get(place).and_then(|(_, p)| p.expose_str()).unwrap_or("");
        let (alice, bob) = (word(0), word(1));
        let authority = self.certificate_authority.display();
        format!(
            "\nSend a mail from alice to bob:\n\n  \
             printf 'From: alice@{DOMAIN}\\r\\nTo: bob@{DOMAIN}\\r\\nSubject: hello\\r\\n\\r\\nIt works.\\r\\n' |\n  \
             curl -sS --cacert {authority} \\\n       \
             --url smtps://localhost:20465 --user alice@{DOMAIN}:{alice} \\\n       \
             --mail-from alice@{DOMAIN} --mail-rcpt bob@{DOMAIN} --upload-file -\n\n\
             Read it as bob:\n\n  \
             curl -sS --cacert {authority} \\\n       \
             --user bob@{DOMAIN}:{bob} 'imaps://localhost:20993/INBOX;MAILINDEX=*'\n"
        )
    }
}

fn done(response: Response) -> Result<(), String> {
    match response {
        Response::Failed(why) => Err(why),
        _ => Ok(()),
    }
}
