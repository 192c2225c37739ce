//! Mailward: a secure mail server in one binary.

mod admin;
mod auth;
mod cli;
mod config;
mod control;
mod driver;
mod gatehouse;
mod hub;
mod imap;
mod inbound;
mod log;
mod login;
mod mailbox;
mod pop3;
mod random;
mod serve;
mod server;
mod trial;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run(cli::Cli::parse())
}
