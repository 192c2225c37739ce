//! Mailward: a secure mail server in one binary.

mod access;
mod admin;
mod alarms;
mod allowance;
mod auth;
mod cli;
mod config;
mod confine;
mod control;
mod doors;
mod driver;
mod filing;
mod gatehouse;
mod hub;
mod inbound;
mod keeper;
mod lists;
mod log;
mod login;
mod mailbox;
mod metrics;
mod outbound;
mod own_mail;
mod random;
mod reader;
mod sendmail;
mod serve;
mod server;
mod sockets;
mod srs;
mod story;
mod systemd;
mod topped;
mod transfer;
mod trial;
mod url_access;

use clap::Parser;
use std::process::ExitCode;

/// Password hashes and large messages come and go: the system's allocator would keep their memory, on each thread.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // What is written is nobody else's to read, whatever the shell was set to.
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    // Small allocations must not come in pieces of 2 MiB: an idle server should be small. A kernel without huge pages
    // has nothing to turn off.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    match sendmail::client::called(std::env::args_os()) {
        Some(words) => sendmail::client::run(words),
        None => cli::run(cli::Cli::parse()),
    }
}
