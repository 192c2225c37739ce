//! The command line.

mod audit;
mod keep;
mod list;
mod run;
mod sieve;
mod table;
#[cfg(test)]
mod tests;

pub use run::run;

use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// A secure mail server in one binary.
///
/// Without a configuration `mailward serve` starts a trial server on this machine that nobody else can reach, and
/// prints what to do with it. With one, as root:
///
///   mailward config check
///   mailward serve
///   mailward domain add example.org
///   mailward account add anna@example.org
#[derive(Parser, Debug)]
#[command(name = "mailward", version, verbatim_doc_comment)]
pub struct Cli {
    /// The configuration; given several times, the later files are laid over the earlier. Unless given:
    /// /etc/mailward/mailward.toml, and trial mode if that isn't there.
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Vec<PathBuf>,

    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Run the server; without a configuration, in trial mode
    #[command(after_help = SERVE_EXAMPLES)]
    Serve(Serve),
    /// Accounts: who has mail here
    #[command(subcommand, after_help = ACCOUNT_EXAMPLES)]
    Account(Account),
    /// Domains whose mail is kept here
    #[command(subcommand, after_help = DOMAIN_EXAMPLES)]
    Domain(Domain),
    /// Addresses that lead to accounts
    #[command(subcommand, after_help = ALIAS_EXAMPLES)]
    Alias(Alias),
    /// Groups: addresses whose mail goes to members, here and elsewhere
    #[command(subcommand, after_help = list::GROUP_EXAMPLES)]
    Group(list::Group),
    /// Mailing lists
    #[command(subcommand, after_help = list::LIST_EXAMPLES)]
    List(list::List),
    /// Mail on its way to other servers
    #[command(subcommand, after_help = QUEUE_EXAMPLES)]
    Queue(Queue),
    /// Mail that is held
    #[command(subcommand)]
    Quarantine(Quarantine),
    /// What happened to a message, from connection to mailbox or to the next server's answer
    #[command(after_help = TRACE_EXAMPLES)]
    Trace(Trace),
    /// Sieve scripts that file users' mail
    #[command(subcommand, after_help = sieve::EXAMPLES)]
    Sieve(sieve::Sieve),
    /// List what is wrong now: disk, memory, queue, clock, certificate, backup
    #[command(after_help = ALARM_EXAMPLES)]
    Alarms(Listing),
    /// Try what the mail-security checklist says; exit 0 only if all holds
    #[command(after_help = AUDIT_EXAMPLES)]
    Audit(Audit),
    /// Deleted mail that can be had back
    #[command(subcommand, after_help = UNDELETE_EXAMPLES)]
    Undelete(Undelete),
    /// Move mail in from files of other programs; run again, it adds what is new
    #[command(after_help = IMPORT_EXAMPLES)]
    Import(Import),
    /// Write an account's mail to files that other programs read; run again, it adds what is new
    #[command(after_help = EXPORT_EXAMPLES)]
    Export(Export),
    /// Copy the whole store, of one moment, while the server runs; only what is new is copied
    #[command(after_help = BACKUP_EXAMPLES)]
    Backup(Backup),
    /// Give back from a backup: the whole store, an account, or a mailbox
    #[command(after_help = RESTORE_EXAMPLES)]
    Restore(Restore),
    /// Send a message from standard input, as other programs call sendmail: cron, PHP, monit
    #[command(after_help = SENDMAIL_HELP)]
    Sendmail {
        /// Options and recipients; see below
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<std::ffi::OsString>,
    },
    /// Go back to the database as it was before an upgrade, with the older version of the program
    Rollback {
        /// The schema's version to go back to; unless given, all that are there are listed
        #[arg(long, value_name = "VERSION")]
        to: Option<i64>,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// The configuration: is it right, and what does it say
    #[command(subcommand, after_help = CONFIG_EXAMPLES)]
    Config(Config),
    /// Print completions for a shell: mailward completion bash > /etc/bash_completion.d/mailward
    Completion {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page: mailward man | man -l -
    Man,
}

const SERVE_EXAMPLES: &str = "A small process, the keeper, starts first, opens the ports, and starts the server again when it crashes. Signals:
SIGTERM and SIGINT stop, SIGHUP has configuration and certificates read again.

Examples:
  mailward serve                                        trial mode
  mailward serve --config /etc/mailward/mailward.toml
  mailward serve --alone --config mailward.toml         no keeper: for systemd, containers, debuggers";

const ALARM_EXAMPLES: &str =
    "Each alarm is raised once, in the log and by mail to the postmaster, and told again when it is over. The
thresholds are in the configuration's [alarms].

Examples:
  mailward alarms
  mailward alarms --json | grep .        exit 0 if there is one";

const AUDIT_EXAMPLES: &str = "Items:
  sandbox    the running server tries to leave its confinement, and shows what it was told

Examples:
  mailward audit
  mailward audit sandbox --json";

const ACCOUNT_EXAMPLES: &str = "Examples:
  mailward account add anna@example.org            asks for the password
  printf '%s' \"$PASSWORD\" | mailward account add anna@example.org --password-stdin
  mailward account app-password add anna@example.org phone
  mailward account quota anna@example.org --size '5 GiB' --messages 100000
  mailward account forward anna@example.org --to anna@example.net           a copy is kept, too
  mailward account vacation anna@example.org --text-file away.txt --until 2026-12-31
  mailward account list --json";

const DOMAIN_EXAMPLES: &str = "Examples:
  mailward domain add example.org
  mailward domain catch-all example.org anna@example.org
  mailward domain catch-all example.org --none";

const ALIAS_EXAMPLES: &str = "Examples:
  mailward alias add sales@example.org anna@example.org bert@example.org
  mailward alias add anna.b@example.org anna@example.org --send-as    anna may send as anna.b, too";

const QUEUE_EXAMPLES: &str = "Examples:
  mailward queue list
  mailward queue show 4711
  mailward queue retry --to example.org      its server is back
  mailward queue hold --from anna@example.org --why 'sends spam?'
  mailward queue holds
  mailward queue drop 4711 4712";

const TRACE_EXAMPLES: &str = "Examples:
  mailward trace 01kbx0g3tq8m6v1n5w9r2c7e4d     the id is in the log, in Received, and in our reply to the sender
  mailward trace anna@example.org               the latest messages from or to this address
  mailward trace anna@example.org --last 50 --json

Stories are kept for store.keep_traces (30 days), whatever becomes of the log. They hold addresses and what servers
said, and no word of a message. This works without a running server, too.";

const UNDELETE_EXAMPLES: &str = "Examples:
  mailward undelete list anna@example.org
  mailward undelete restore anna@example.org 4711 4712
  mailward undelete restore anna@example.org --since 2d --mailbox INBOX
  mailward undelete restore anna@example.org --all";

const SENDMAIL_HELP: &str = "Options, as other sendmails have them:
  -t               send to those whom To, Cc and Bcc name, too; Bcc is taken away
  -i, -oi          a line with only a dot does not end the message
  -f, -r ADDRESS   the reverse-path; <> for none
  -F NAME          the full name in a From that is added
  -N WHEN          reports: never, or of success, failure, delay (with commas)
  -R full|hdrs     what a report returns
  -V ID            what reports name
  -v               say how it went
  --socket FILE    where the server is, if not at /run/mailward/sendmail.sock
  --               what follows is a recipient
Others that sendmails have are ignored. The server must be told that the machine's users may send: [sendmail] in its
configuration. Exit codes are those of sysexits.h: 75 to try again later, 77 not allowed, 67 no such user.

Examples:
  ln -s /usr/bin/mailward /usr/sbin/sendmail      called by that name it is this command
  sendmail_path = \"/usr/bin/mailward sendmail -t -i\"      in php.ini
  echo 'The disk is full' | mailward sendmail root";

const IMPORT_EXAMPLES: &str = "Examples:
  mailward import anna@example.org /var/vmail/anna/Maildir      Maildir and Maildir++, flags and keywords with it
  mailward import anna@example.org old.mbox --below 'Old mail'
  mailward import anna@example.org ~/Mail --format mbox
  mailward import anna@example.org imaps://imap.example.net --user anna        asks for the password there
  mailward import anna@example.org imaps://imap.example.net --user anna@example.net --token-stdin < token

Each message comes in once: it is known by its octets and its mailbox for ever, also when it was moved or deleted here
since. So this may be broken off and run again, and run once more when the old server has been switched off.";

const EXPORT_EXAMPLES: &str = "Examples:
  mailward export anna@example.org /backup/anna                 Maildir++, as Dovecot reads it
  mailward export anna@example.org /backup/anna --format mbox --mailbox INBOX --mailbox Sent
  mailward export anna@example.org /backup/anna --format eml";

const BACKUP_EXAMPLES: &str = "Examples:
  mailward backup /backup/mail --keep 30          a night's backup; all that it shares with others is there once
  mailward backup /backup/mail --verify           reads all of the newest one again
  mailward backup /media/cloud --seal             for a place where others look: they learn sizes and times, no address
  mailward backup /media/safe --with-key          the key beside it: whoever has this folder reads all mail

Without the store's key (server.key_file) no backup can be read: keep a copy of it, elsewhere.";

const RESTORE_EXAMPLES: &str = "Examples:
  mailward restore /backup/mail --list
  mailward restore /backup/mail                                        the whole store, where none is
  mailward restore /backup/mail --account anna@example.org             into a new mailbox
  mailward restore /backup/mail --account anna@example.org --mailbox Work --merge
  mailward restore /backup/mail --backup 2026-11-24T02-00-00Z --account anna@example.org";

const CONFIG_EXAMPLES: &str = "Examples:
  mailward config check --config new.toml
  mailward config show                       every key, its value, and where it comes from
  mailward config show --explain             what each key means, too";

/// Running the server.
#[derive(Args, Debug, Clone, Copy)]
pub struct Serve {
    /// Without a keeper: one process, which whoever starts it starts again. A changed port counts at the next start
    #[arg(long)]
    pub alone: bool,
    /// Started by a keeper, whose sockets come over standard input
    #[arg(long, hide = true, conflicts_with = "alone")]
    pub kept: bool,
}

/// Trying the checklist.
#[derive(Args, Debug)]
pub struct Audit {
    /// What to try; unless given, all
    #[arg(value_enum)]
    pub items: Vec<AuditItem>,
    #[command(flatten)]
    pub listing: Listing,
}

/// An item of the checklist that can be tried.
#[derive(clap::ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum AuditItem {
    /// The server's confinement
    Sandbox,
}

/// `--json`, for commands that list.
#[derive(Args, Debug, Clone, Copy)]
pub struct Listing {
    /// One JSON object a line, for programs
    #[arg(long)]
    pub json: bool,
}

/// What to tell.
#[derive(Args, Debug, Clone)]
pub struct Trace {
    /// A message's id, or a mail address
    #[arg(value_name = "ID|ADDRESS")]
    pub wanted: String,
    /// How many of an address's messages
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=crate::story::MOST_STORIES as u64))]
    pub last: u64,
    /// How it is shown.
    #[command(flatten)]
    pub listing: Listing,
}

/// Where a password comes from.
#[derive(Args, Debug, Clone, Copy)]
pub struct PasswordSource {
    /// Read the password from standard input instead of asking for it
    #[arg(long)]
    pub password_stdin: bool,
}

/// Accounts.
#[derive(Subcommand, Debug)]
pub enum Account {
    /// Add an account; its domain must be here already
    Add {
        /// Its address, which is also its log-in name
        address: String,
        #[command(flatten)]
        source: PasswordSource,
    },
    /// List accounts with what they keep
    List(Listing),
    /// Set a new password; sessions with the old one are closed
    Password {
        /// Whose
        address: String,
        #[command(flatten)]
        source: PasswordSource,
    },
    /// End log-in for an account and close its sessions; its mail is kept, and more is taken
    Suspend {
        /// Whose
        address: String,
    },
    /// Let a suspended account log in again
    Release {
        /// Whose
        address: String,
    },
    /// Remove an account and all its mail
    Remove {
        /// Whose
        address: String,
        /// Yes, and the mail can't be had back
        #[arg(long)]
        yes: bool,
    },
    /// Passwords for single devices, which can be taken back one by one
    #[command(subcommand, name = "app-password")]
    AppPassword(AppPassword),
    /// Limit what an account may keep; without limits given, lift them
    Quota {
        /// Whose
        address: String,
        /// Octets, such as "5 GiB"
        #[arg(long)]
        size: Option<String>,
        /// Messages
        #[arg(long)]
        messages: Option<u64>,
    },
    /// Share one of its mailboxes with another account, which finds it as Shared/ADDRESS/MAILBOX
    ///
    /// Mailboxes that are made below it later are shared alike; those that are there already are not.
    Share {
        /// Whose mailbox
        address: String,
        /// Which mailbox, such as "INBOX" or "Projects/2026"
        mailbox: String,
        /// With whom: an account's address, or "anyone" for everybody of the mailbox's mail domain; with "-" in front the
        /// rights are taken away from them, whatever else gives them
        #[arg(allow_hyphen_values = true)]
        with: String,
        /// "read" (lrs), "write" (lrswite), "all", or letters: l see it, r read, s mark as read, w other flags, i put mail
        /// in, k make mailboxes below, x remove or rename it, t and e delete mail, a share it on; "+" or "-" in front adds
        /// or takes away
        #[arg(allow_hyphen_values = true)]
        rights: String,
    },
    /// Share a mailbox no longer with someone
    Unshare {
        /// Whose mailbox
        address: String,
        /// Which mailbox
        mailbox: String,
        /// With whom no more, as `mailward account shares` shows it
        #[arg(allow_hyphen_values = true)]
        with: String,
    },
    /// List what an account shares, with whom, and their rights
    Shares {
        /// Whose
        address: String,
        #[command(flatten)]
        listing: Listing,
    },
    /// Addresses that an account may send from, beside its own and the aliases that were given to it for sending
    #[command(subcommand, name = "send-as")]
    SendAs(SendAs),
    /// What POP3 does with mail that it has served
    Pop3 {
        /// Whose
        address: String,
        /// "keep": only what the client deletes is gone; "classic": what was retrieved leaves the server
        mode: Pop3Mode,
    },
    /// Send an account's mail on to other addresses; without options, say where it goes
    Forward {
        /// Whose
        address: String,
        /// To this address; may be given several times
        #[arg(long)]
        to: Vec<String>,
        /// Keep no copy here; what can't be sent on is kept nevertheless
        #[arg(long, requires = "to")]
        no_keep: bool,
        /// Send it on no more
        #[arg(long, conflicts_with = "to")]
        off: bool,
    },
    /// Answer an account's mail while its owner is away, each sender once a week; without options, say whether it is
    Vacation {
        /// Whose
        address: String,
        /// The file with what to say; "-" is standard input
        #[arg(long, value_name = "FILE")]
        text_file: Option<PathBuf>,
        /// The subject; unless given, "Auto: " and the message's
        #[arg(long, requires = "text_file")]
        subject: Option<String>,
        /// The first day of it, such as 2026-12-24 (UTC); unless given, at once
        #[arg(long, value_name = "DATE", requires = "text_file")]
        from: Option<String>,
        /// The last day of it
        #[arg(long, value_name = "DATE", requires = "text_file")]
        until: Option<String>,
        /// Answer no more
        #[arg(long, conflicts_with = "text_file")]
        off: bool,
    },
}

/// Addresses to send from.
#[derive(Subcommand, Debug)]
pub enum SendAs {
    /// Let an account send from an address of a domain that is served here
    Allow {
        /// Which account
        address: String,
        /// From which address
        other: String,
    },
    /// Let it send from there no longer
    Deny {
        /// Which account
        address: String,
        /// From which address
        other: String,
    },
    /// List who may send from which address
    List(Listing),
}

/// What POP3 does with mail that it has served.
#[derive(clap::ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pop3Mode {
    /// It stays until the client deletes it
    Keep,
    /// It leaves the server, and stays recoverable for a while
    Classic,
}

/// App passwords.
#[derive(Subcommand, Debug)]
pub enum AppPassword {
    /// Make a password for a device; it is shown once
    Add {
        /// Whose
        address: String,
        /// Which device
        label: String,
    },
    /// List devices that have one
    List {
        /// Whose
        address: String,
        #[command(flatten)]
        listing: Listing,
    },
    /// Take one back; its sessions are closed
    Revoke {
        /// Whose
        address: String,
        /// Which device
        label: String,
    },
}

/// Domains.
#[derive(Subcommand, Debug)]
pub enum Domain {
    /// Take mail for a domain
    Add {
        /// Its name
        domain: String,
    },
    /// List domains
    List(Listing),
    /// Take no more mail for a domain that has no accounts and no aliases left
    Remove {
        /// Its name
        domain: String,
    },
    /// Where mail for unknown addresses of a domain goes
    CatchAll {
        /// Its name
        domain: String,
        /// To this account
        #[arg(required_unless_present = "none", conflicts_with = "none")]
        account: Option<String>,
        /// Nowhere: it is refused, as without a catch-all
        #[arg(long)]
        none: bool,
    },
}

/// Aliases.
#[derive(Subcommand, Debug)]
pub enum Alias {
    /// Add an alias, or give it other accounts
    Add {
        /// The address
        address: String,
        /// The accounts that get its mail
        #[arg(required = true)]
        accounts: Vec<String>,
        /// They may also send from it
        #[arg(long)]
        send_as: bool,
    },
    /// List aliases
    List(Listing),
    /// Remove an alias
    Remove {
        /// The address
        address: String,
    },
}

/// The queue.
#[derive(Subcommand, Debug)]
pub enum Queue {
    /// List what waits
    List(Listing),
    /// Show one entry: what was tried, what came of it, what is next
    Show {
        /// The number that `queue list` shows
        id: u64,
        #[command(flatten)]
        listing: Listing,
    },
    /// Try entries now, whatever happened before
    Retry(Entries),
    /// Keep entries back until they are released; of an account or for a domain those that come later, too
    Hold {
        #[command(flatten)]
        which: Entries,
        /// Why, to be shown in lists
        #[arg(long, default_value = "by the administrator")]
        why: String,
    },
    /// Send what was held, and hold no more of it
    Release(Entries),
    /// List the accounts and domains whose mail is held
    Holds(Listing),
    /// Throw entries away; their senders hear nothing
    Drop {
        #[command(flatten)]
        which: Entries,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

/// Some entries.
#[derive(Args, Debug, Clone)]
#[group(required = true, multiple = false)]
pub struct Entries {
    /// The numbers that `queue list` shows
    pub ids: Vec<u64>,
    /// All for this domain
    #[arg(long, value_name = "DOMAIN")]
    pub to: Option<String>,
    /// All that this account sends
    #[arg(long, value_name = "ADDRESS")]
    pub from: Option<String>,
    /// All
    #[arg(long)]
    pub all: bool,
}

/// The quarantine.
#[derive(Subcommand, Debug)]
pub enum Quarantine {
    /// List what is held, and why
    List(Listing),
}

/// Deleted mail.
#[derive(Subcommand, Debug)]
pub enum Undelete {
    /// List an account's deleted mail, newest first
    List {
        /// Whose
        address: String,
        #[command(flatten)]
        chosen: Deleted,
        #[command(flatten)]
        listing: Listing,
    },
    /// Put deleted mail back where it was
    Restore {
        /// Whose
        address: String,
        /// The numbers that `undelete list` shows
        #[arg(required_unless_present_any = ["all", "since", "mailbox"], conflicts_with_all = ["all", "since", "mailbox"])]
        mail: Vec<u64>,
        /// All of it
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        chosen: Deleted,
    },
}

/// Some deleted mail.
#[derive(Args, Debug, Clone)]
pub struct Deleted {
    /// Deleted this long ago at most, such as "2d" or "12h"
    #[arg(long, value_name = "TIME")]
    pub since: Option<crate::config::Span>,
    /// Deleted from this mailbox
    #[arg(long)]
    pub mailbox: Option<String>,
}

impl From<Deleted> for crate::control::Matching {
    fn from(chosen: Deleted) -> Self {
        let within = chosen.since.map(|span| span.0.as_secs());
        crate::control::Matching { within, mailbox: chosen.mailbox }
    }
}

/// Moving mail in.
#[derive(Args, Debug)]
pub struct Import {
    /// The account that gets it
    pub address: String,
    /// A Maildir, an mbox, a folder of mbox or .eml files, or another server: imaps://HOST[:PORT], or imap://HOST[:PORT]
    /// for one that has STARTTLS
    pub source: PathBuf,
    /// Who logs in at the other server; unless given, the account's address
    #[arg(long)]
    pub user: Option<String>,
    #[command(flatten)]
    pub password: PasswordSource,
    /// Read an OAuth access token from standard input, in place of a password
    #[arg(long, conflicts_with = "password_stdin")]
    pub token_stdin: bool,
    /// Take any certificate; only for a server on this machine
    #[arg(long)]
    pub insecure: bool,
    /// What the source is; unless given, it is looked at
    #[arg(long)]
    pub format: Option<Format>,
    /// How an mbox keeps lines of text that begin with "From "
    #[arg(long, value_enum, default_value = "mboxrd")]
    pub mbox_quoting: MboxQuoting,
    /// Put all of it below this mailbox, instead of where it was
    #[arg(long, value_name = "MAILBOX")]
    pub below: Option<String>,
    #[command(flatten)]
    pub listing: Listing,
}

/// Moving mail out.
#[derive(Args, Debug)]
pub struct Export {
    /// The account whose mail it is
    pub address: String,
    /// The folder to write to; made where it is missing
    pub target: PathBuf,
    /// What to write
    #[arg(long, value_enum, default_value = "maildir")]
    pub format: Format,
    /// Only this mailbox; may be given several times
    #[arg(long)]
    pub mailbox: Vec<String>,
    #[command(flatten)]
    pub listing: Listing,
}

/// A copy of the store.
#[derive(Args, Debug)]
pub struct Backup {
    /// The folder that holds the backups; made where it is missing
    pub folder: PathBuf,
    /// Remove all but the newest so many afterwards
    #[arg(long, value_name = "COUNT")]
    pub keep: Option<usize>,
    /// Make none: read the newest, or the one named, and compare all with what was written
    #[arg(long)]
    pub verify: bool,
    /// Which one to verify
    #[arg(long, value_name = "NAME", requires = "verify")]
    pub backup: Option<String>,
    /// Seal the database, too, by the store's key: the rest is sealed anyway
    #[arg(long, conflicts_with = "verify")]
    pub seal: bool,
    /// Copy the store's key, too
    #[arg(long, conflicts_with = "verify")]
    pub with_key: bool,
    #[command(flatten)]
    pub listing: Listing,
}

/// Giving back from a backup.
#[derive(Args, Debug)]
pub struct Restore {
    /// The folder that holds the backups
    pub folder: PathBuf,
    /// List the backups in it
    #[arg(long)]
    pub list: bool,
    /// Which one; unless given, the newest
    #[arg(long, value_name = "NAME")]
    pub backup: Option<String>,
    /// Only the mail of this account, into the store that is there
    #[arg(long, value_name = "ADDRESS")]
    pub account: Option<String>,
    /// Only this mailbox of the account, and those below it
    #[arg(long, requires = "account")]
    pub mailbox: Option<String>,
    /// Into the mailboxes where it was, leaving out what is there, instead of into a new one
    #[arg(long, requires = "account")]
    pub merge: bool,
    #[command(flatten)]
    pub listing: Listing,
}

/// How other programs keep mail.
#[derive(clap::ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// A file a message, flags in its name
    Maildir,
    /// A file a mailbox
    Mbox,
    /// A file a message, named .eml
    Eml,
}

/// How an mbox keeps lines of text that begin with "From ".
#[derive(clap::ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum MboxQuoting {
    /// By ">" before them, which is taken away from all that have it
    Mboxrd,
    /// By ">" before them, which is taken away from those that have one
    Mboxo,
    /// As they are
    None,
}

/// The configuration.
#[derive(Subcommand, Debug)]
pub enum Config {
    /// Say whether the configuration is right, certificates included; exit 1 if it isn't
    Check,
    /// Print every key with its value and where it comes from; the output can be read as a configuration
    Show {
        /// Say what each key means, too
        #[arg(long)]
        explain: bool,
    },
}
