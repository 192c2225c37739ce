//! Does what the command line says.

use super::table::{shown, table};
use super::*;
use crate::config::{self, Certificates, ConfigError, Size, Style, Written};
use crate::control::{self, Password, Request, Response, StandingRequest};
use crate::filing::standing::{Away, Forward};
use crate::transfer::link::Office;
use crate::{serve, trial};
use base::Secret;
use clap::CommandFactory;
use serde::Serialize;
use std::io::{self, IsTerminal, Read, Write};
use std::path::Path;
use std::process::ExitCode;

/// Octets of a password on standard input.
const MOST_PASSWORD: u64 = 16 * 1024;

/// Runs a command; its exit code.
pub fn run(cli: Cli) -> ExitCode {
    let files = files(cli.config);
    let outcome = match cli.command {
        Command::Serve(how) => return serve_with(&files, how),
        Command::Audit(command) => return keep::code(super::audit::run(&files, &command)),
        Command::Config(command) => configuration(&files, &command),
        Command::Completion { shell } => {
            let mut out = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "mailward", &mut out);
            print(&out)
        }
        Command::Man => manual().and_then(|page| print(&page)),
        Command::Account(command) => account(command).and_then(|(request, json)| ask(&files, &request, json)),
        Command::Domain(command) => domain(command).and_then(|(request, json)| ask(&files, &request, json)),
        Command::Group(command) => super::list::obey_group(&files, command),
        Command::List(command) => super::list::obey_list(&files, command),
        Command::Alias(command) => alias(command).and_then(|(request, json)| ask(&files, &request, json)),
        Command::Queue(Queue::List(listing)) => list_queue(&files, listing.json),
        Command::Queue(command) => queue(command).and_then(|(request, json)| ask(&files, &request, json)),
        Command::Alarms(listing) => ask(&files, &Request::AlarmList, listing.json),
        Command::Quarantine(Quarantine::List(listing)) => ask(&files, &Request::QuarantineList, listing.json),
        Command::Trace(command) => trace(&files, command),
        Command::Sieve(command) => super::sieve::obey(&files, command),
        Command::Import(command) => return keep::code(keep::import(&files, &command)),
        Command::Export(command) => return keep::code(keep::export(&files, &command)),
        Command::Backup(command) => return keep::code(keep::backup(&files, &command)),
        Command::Restore(command) => return keep::code(keep::restore(&files, &command)),
        Command::Sendmail { words } => return crate::sendmail::client::run(words),
        Command::Rollback { to, yes } => return keep::code(keep::rollback(&files, to, yes)),
        Command::Undelete(command) => {
            let (request, json) = undelete(command);
            ask(&files, &request, json)
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => fail(&why),
    }
}

pub(super) fn fail(why: &str) -> ExitCode {
    eprintln!("mailward: {why}");
    ExitCode::FAILURE
}

/// Nothing: trial mode.
fn files(named: Vec<PathBuf>) -> Vec<PathBuf> {
    let standard = Path::new(config::STANDARD_FILE);
    if named.is_empty() && standard.exists() { vec![standard.into()] } else { named }
}

pub(super) fn written(files: &[PathBuf]) -> Result<Written, ConfigError> {
    if files.is_empty() { trial::written() } else { Written::read(files) }
}

fn serve_with(files: &[PathBuf], how: Serve) -> ExitCode {
    let config = if files.is_empty() { trial::prepare() } else { config::load(files) };
    let config = match config {
        Ok(config) => config,
        Err(error) => return fail(&error.to_string()),
    };
    // What trial mode has is in the working directory and on high ports: nothing to keep for it.
    let kept = how.kept || how.alone || config.trial.is_some();
    match kept {
        true => serve::run(config, how.kept),
        false => crate::keeper::run(&config).unwrap_or_else(|why| fail(&why)),
    }
}

fn configuration(files: &[PathBuf], command: &Config) -> Result<(), String> {
    let written = written(files).map_err(|e| e.to_string())?;
    match command {
        Config::Show { explain } => {
            let style = if *explain { Style::Explained } else { Style::Origin };
            print(config::show(&written, style).as_bytes())
        }
        Config::Check => {
            let config = written.convert(files).map_err(|e| e.to_string())?;
            if let Certificates::Files(sources) = &config.certificates {
                net::Tls::load(sources.clone()).map_err(|e| e.to_string())?;
            }
            println!("{}", serve::try_resolver(&config.dns_servers));
            print(b"the configuration is right\n")
        }
    }
}

fn queue(command: Queue) -> Result<(Request, bool), String> {
    let change = |which: Entries, change| Request::QueueChange { which: entries(which), change };
    Ok(match command {
        Queue::List(listing) => (Request::QueueList { after: 0 }, listing.json),
        Queue::Holds(listing) => (Request::QueueHolds, listing.json),
        Queue::Show { id, listing } => (Request::QueueShow { id }, listing.json),
        Queue::Retry(which) => (change(which, control::Change::Retry), false),
        Queue::Hold { which, why } => (change(which, control::Change::Hold { why }), false),
        Queue::Release(which) => (change(which, control::Change::Release), false),
        Queue::Drop { which, yes } => {
            if !yes {
                confirm("This mail will be gone, and nobody is told. Type yes to go on: ", "yes")?;
            }
            (change(which, control::Change::Drop), false)
        }
    })
}

fn entries(which: Entries) -> control::Which {
    match (which.to, which.from) {
        (Some(domain), _) => control::Which::To(domain),
        (_, Some(address)) => control::Which::From(address),
        _ if which.all => control::Which::All,
        _ => control::Which::Ids(which.ids),
    }
}

fn account(command: Account) -> Result<(Request, bool), String> {
    let request = match command {
        Account::Add { address, source } => Request::AccountAdd { password: password(source)?, address },
        Account::List(listing) => return Ok((Request::AccountList, listing.json)),
        Account::Password { address, source } => {
            Request::AccountPassword { password: password(source)?, address }
        }
        Account::Suspend { address } => Request::AccountSuspend { address },
        Account::Release { address } => Request::AccountRelease { address },
        Account::Remove { address, yes } => {
            if !yes {
                confirm(
                    &format!("{address} and all its mail will be gone for good. Type the address to go on: "),
                    &address,
                )?;
            }
            Request::AccountRemove { address }
        }
        Account::AppPassword(AppPassword::Add { address, label }) => {
            Request::AppPasswordAdd { address, label }
        }
        Account::AppPassword(AppPassword::List { address, listing }) => {
            return Ok((Request::AppPasswordList { address }, listing.json));
        }
        Account::AppPassword(AppPassword::Revoke { address, label }) => {
            Request::AppPasswordRevoke { address, label }
        }
        Account::Quota { address, size, messages } => {
            let octets = size.map(|text| text.parse::<Size>()).transpose()?.map(|size| size.0);
            Request::AccountQuota { address, octets, messages }
        }
        Account::Share { address, mailbox, with, rights } => {
            Request::AccountShare { address, mailbox, identifier: with, rights: Some(rights) }
        }
        Account::Unshare { address, mailbox, with } => {
            Request::AccountShare { address, mailbox, identifier: with, rights: None }
        }
        Account::Shares { address, listing } => {
            return Ok((Request::AccountShares { address }, listing.json));
        }
        Account::SendAs(SendAs::Allow { address, other }) => {
            Request::SendAs { address, other, allowed: true }
        }
        Account::SendAs(SendAs::Deny { address, other }) => {
            Request::SendAs { address, other, allowed: false }
        }
        Account::SendAs(SendAs::List(listing)) => return Ok((Request::SendAsList, listing.json)),
        Account::Pop3 { address, mode } => Request::AccountPop3 { address, keep: mode == Pop3Mode::Keep },
        Account::Forward { address, to, no_keep, off } => {
            let what = match (to.is_empty(), off) {
                (true, false) => StandingRequest::Show,
                (true, true) => StandingRequest::Forward(None),
                (false, _) => StandingRequest::Forward(Some(Forward { to, keep: !no_keep })),
            };
            Request::Standing { address, what }
        }
        Account::Vacation { address, text_file, subject, from, until, off } => {
            let what = match (text_file, off) {
                (None, false) => StandingRequest::Show,
                (None, true) => StandingRequest::Vacation(None),
                (Some(file), _) => {
                    let text = sieve::read(&file)?;
                    StandingRequest::Vacation(Some(Away { text, subject, from, until }))
                }
            };
            Request::Standing { address, what }
        }
    };
    Ok((request, false))
}

fn domain(command: Domain) -> Result<(Request, bool), String> {
    Ok(match command {
        Domain::Add { domain } => (Request::DomainAdd { domain }, false),
        Domain::List(listing) => (Request::DomainList, listing.json),
        Domain::Remove { domain } => (Request::DomainRemove { domain }, false),
        Domain::CatchAll { domain, account, none: _ } => (Request::DomainCatchAll { domain, account }, false),
    })
}

fn alias(command: Alias) -> Result<(Request, bool), String> {
    Ok(match command {
        Alias::Add { address, accounts, send_as } => {
            (Request::AliasAdd { address, accounts, send_as }, false)
        }
        Alias::List(listing) => (Request::AliasList, listing.json),
        Alias::Remove { address } => (Request::AliasRemove { address }, false),
    })
}

fn undelete(command: Undelete) -> (Request, bool) {
    match command {
        Undelete::List { address, chosen, listing } => {
            (Request::UndeleteList { address, matching: chosen.into() }, listing.json)
        }
        Undelete::Restore { address, mail, all: _, chosen } => {
            (Request::UndeleteRestore { address, mail, matching: chosen.into() }, false)
        }
    }
}

pub(super) fn ask(files: &[PathBuf], request: &Request, json: bool) -> Result<(), String> {
    answer(files, request).and_then(|response| print(render(&response, json).as_bytes()))
}

pub(super) fn answer(files: &[PathBuf], request: &Request) -> Result<Response, String> {
    let socket = written(files).map_err(|e| e.to_string())?.control_socket();
    match control::ask(&socket, request).map_err(|e| e.to_string())? {
        Response::Failed(why) => Err(why),
        other => Ok(other),
    }
}

/// Tells stories, from the running server or, where none runs, from the store.
fn trace(files: &[PathBuf], command: Trace) -> Result<(), String> {
    let config = keep::config(files)?;
    let last = usize::try_from(command.last).unwrap_or(usize::MAX);
    match Office::find(&config)?.ask(&Request::Trace { wanted: command.wanted, last })? {
        Response::Failed(why) => Err(why),
        told => print(render(&told, command.listing.json).as_bytes()),
    }
}

/// Lists the queue a page at a time: neither side holds all of it. Each page has a heading.
fn list_queue(files: &[PathBuf], json: bool) -> Result<(), String> {
    let mut after = 0;
    loop {
        let page = answer(files, &Request::QueueList { after })?;
        let last = match &page {
            Response::Queue(rows) => rows.last().map(|row| row.id),
            _ => None,
        };
        if last.is_some() || after == 0 {
            print(render(&page, json).as_bytes())?;
        }
        let Some(last) = last else { return Ok(()) };
        after = last;
    }
}

pub(super) fn render(response: &Response, json: bool) -> String {
    match response {
        Response::Done(text) | Response::Failed(text) => format!("{text}\n"),
        Response::AppPassword(Password(secret)) => format!("{}\n", secret.expose_str().unwrap_or("")),
        Response::Accounts(rows) => {
            list(rows, json, &["ADDRESS", "STATE", "OCTETS", "OF", "MESSAGES", "OF", "POP3"], |r| {
                let pop3 = if r.pop3_keeps { "keep" } else { "classic" };
                let (octets, messages) = (limit(r.octets_limit), limit(r.messages_limit));
                vec![
                    r.address.clone(),
                    r.state.clone(),
                    r.octets.to_string(),
                    octets,
                    r.messages.to_string(),
                    messages,
                    pop3.into(),
                ]
            })
        }
        Response::AppPasswords(rows) => {
            list(rows, json, &["DEVICE", "MADE"], |r| vec![r.label.clone(), r.made.clone()])
        }
        Response::Shares(rows) => list(rows, json, &["MAILBOX", "WITH", "RIGHTS"], |r| {
            vec![r.mailbox.clone(), r.identifier.clone(), r.rights.clone()]
        }),
        Response::SendAs(rows) => {
            list(rows, json, &["ACCOUNT", "MAY SEND FROM"], |r| vec![r.account.clone(), r.address.clone()])
        }
        Response::Domains(rows) => list(rows, json, &["DOMAIN", "CATCH-ALL"], |r| {
            vec![r.domain.clone(), r.catch_all.clone().unwrap_or_else(|| "-".into())]
        }),
        Response::Aliases(rows) => list(rows, json, &["ADDRESS", "ACCOUNTS", "SEND AS"], |r| {
            vec![r.address.clone(), r.accounts.join(" "), if r.send_as { "yes" } else { "no" }.into()]
        }),
        Response::Lists(rows) => list(rows, json, &["ADDRESS", "POST", "TAG", "MEMBERS", "SUSPENDED"], |r| {
            vec![
                r.address.clone(),
                r.post.clone(),
                r.tag.clone().unwrap_or_else(|| "-".into()),
                r.members.to_string(),
                r.suspended.to_string(),
            ]
        }),
        Response::Members(rows) => {
            list(rows, json, &["MEMBER", "MODERATOR", "SUSPENDED", "FAILURES", "LAST FAILURE"], |r| {
                vec![
                    r.address.clone(),
                    if r.moderator { "yes" } else { "no" }.into(),
                    r.suspended.clone().unwrap_or_else(|| "no".into()),
                    r.failures.to_string(),
                    r.why.clone(),
                ]
            })
        }
        Response::Queue(rows) => {
            list(rows, json, &["ID", "SINCE", "FROM", "TO", "STATE", "NEXT TRY", "WHY"], |r| {
                vec![
                    r.id.to_string(),
                    r.since.clone(),
                    path(&r.from),
                    r.to.clone(),
                    r.state.clone(),
                    r.next.clone().unwrap_or_else(|| "-".into()),
                    r.why.clone(),
                ]
            })
        }
        Response::Queued(row) if json => list(std::slice::from_ref(row), true, &[], |_| Vec::new()),
        Response::Queued(row) => queued(row),
        Response::Holds(rows) => list(rows, json, &["FROM", "TO", "SINCE", "WHY"], |r| {
            let all = || "any".to_owned();
            vec![
                r.from.clone().unwrap_or_else(all),
                r.to.clone().unwrap_or_else(all),
                r.since.clone(),
                r.why.clone(),
            ]
        }),
        Response::Quarantine(rows) => list(rows, json, &["ID", "SINCE", "FROM", "TO", "WHY", "TRACE"], |r| {
            vec![
                r.id.to_string(),
                r.since.clone(),
                path(&r.from),
                r.to.clone(),
                r.reason.clone(),
                r.trace.clone(),
            ]
        }),
        Response::Stories(rows) if json => list(rows, true, &[], |_| Vec::new()),
        Response::Stories(rows) => rows.iter().map(story).collect::<Vec<_>>().join("\n"),
        Response::Alarms(rows) if rows.is_empty() && !json => "no alarms\n".into(),
        Response::Alarms(rows) => list(rows, json, &["ALARM", "SINCE", "WHAT"], |r| {
            vec![r.alarm.clone(), r.since.clone(), r.what.clone()]
        }),
        Response::Trials(rows) => list(rows, json, &["THE SERVER", "HOLDS", "ANSWER"], |r| {
            vec![r.what.clone(), if r.holds { "yes" } else { "NO" }.into(), r.said.clone()]
        }),
        Response::Script(text) => text.clone(),
        Response::Scripts(rows) => list(rows, json, &["SCRIPT", "ACTIVE"], |r| {
            vec![r.name.clone(), if r.active { "yes" } else { "no" }.into()]
        }),
        Response::Deleted(rows) => {
            list(rows, json, &["NUMBER", "DELETED", "MAILBOX", "OCTETS", "SUBJECT"], |r| {
                vec![
                    r.mail.to_string(),
                    r.deleted.clone(),
                    r.mailbox.clone(),
                    r.size.to_string(),
                    r.subject.clone(),
                ]
            })
        }
    }
}

/// One queue entry, a line for each thing that is known of it.
fn queued(row: &control::QueueRow) -> String {
    let lines = [
        ("from", path(&row.from)),
        ("to", row.to.clone()),
        ("octets", row.size.to_string()),
        ("trace", row.trace.clone()),
        ("queued", row.since.clone()),
        ("state", row.state.clone()),
        ("tries", row.tries.to_string()),
        ("next try", row.next.clone().unwrap_or_else(|| "when it is released".into())),
        ("why", row.why.clone()),
    ];
    let known = lines.into_iter().filter(|(_, value)| !value.is_empty());
    known.map(|(name, value)| format!("{name:<9} {value}\n")).collect()
}

/// A story: a line an event.
fn story(row: &control::StoryRow) -> String {
    let line = |event: &control::EventRow| format!("  {}  {}\n", event.at, shown(&event.words));
    let between = (row.between > 0).then(|| format!("  … and {} more events …\n", row.between));
    let now = row.now.iter().map(|words| format!("  {}\n", shown(words)));
    let told = row.events.iter().map(line).chain(between).chain(row.last.iter().map(line));
    std::iter::once(format!("{}\n", row.trace)).chain(told).chain(now).collect()
}

pub(super) fn list<T: Serialize>(
    rows: &[T],
    json: bool,
    heading: &[&str],
    cells: impl Fn(&T) -> Vec<String>,
) -> String {
    if !json {
        return table(heading, &rows.iter().map(cells).collect::<Vec<_>>());
    }
    rows.iter().filter_map(|row| serde_json::to_string(row).ok()).map(|line| line + "\n").collect()
}

fn limit(limit: Option<u64>) -> String {
    limit.map_or_else(|| "-".into(), |n| n.to_string())
}

fn path(reverse_path: &str) -> String {
    if reverse_path.is_empty() { "<>".into() } else { reverse_path.into() }
}

/// A password from standard input, its line end left out, or asked for twice.
fn password(source: PasswordSource) -> Result<Password, String> {
    asked(source.password_stdin, true).map(Password)
}

/// A secret from standard input, its line end left out, or asked for; twice where it is a new one.
pub(super) fn asked(on_stdin: bool, new: bool) -> Result<Secret, String> {
    let secret = if on_stdin {
        let mut octets = zeroize::Zeroizing::new(Vec::new());
        let failed = |e: io::Error| format!("cannot read the password: {e}");
        io::stdin().take(MOST_PASSWORD + 1).read_to_end(&mut octets).map_err(failed)?;
        if octets.len() as u64 > MOST_PASSWORD {
            return Err("the password is too long".into());
        }
        let text = std::str::from_utf8(&octets).map_err(|_| "the password is not UTF-8")?;
        Secret::new(text.trim_end_matches(['\r', '\n']))
    } else if io::stdin().is_terminal() {
        let ask = |prompt: &str| {
            rpassword::prompt_password(prompt).map_err(|e| format!("cannot ask for the password: {e}"))
        };
        let first = Secret::new(ask("Password: ")?);
        if new && first != Secret::new(ask("Once more: ")?) {
            return Err("the two differ; nothing was changed".into());
        }
        first
    } else {
        return Err(
            "there is no terminal to ask for the password: give it on standard input with --password-stdin"
                .into(),
        );
    };
    if secret.expose().is_empty() { Err("the password is empty".into()) } else { Ok(secret) }
}

pub(super) fn confirm(prompt: &str, expected: &str) -> Result<(), String> {
    if !io::stdin().is_terminal() {
        return Err("there is no terminal to confirm at: say --yes if you are sure".into());
    }
    eprint!("{prompt}");
    let mut line = String::new();
    io::stdin().read_line(&mut line).map_err(|e| e.to_string())?;
    if line.trim() == expected { Ok(()) } else { Err("nothing was removed".into()) }
}

fn manual() -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    clap_mangen::Man::new(Cli::command()).render(&mut out).map_err(|e| e.to_string())?;
    Ok(out)
}

/// A reader that went away (`| head`) is no failure.
pub(super) fn print(octets: &[u8]) -> Result<(), String> {
    match io::stdout().write_all(octets) {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(e.to_string()),
        _ => Ok(()),
    }
}
