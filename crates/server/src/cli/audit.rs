//! `mailward audit`: each item's state comes from trying it.

use super::keep::Told;
use super::run::{answer, print, render};
use super::{Audit, AuditItem};
use crate::control::{Request, Response};
use clap::ValueEnum;
use std::path::PathBuf;

/// Tries items; whether all hold.
pub fn run(files: &[PathBuf], command: &Audit) -> Told {
    let items = if command.items.is_empty() { AuditItem::value_variants() } else { &command.items };
    let mut holds = true;
    for item in items {
        holds &= match item {
            AuditItem::Sandbox => sandbox(files, command.listing.json)?,
        };
    }
    Ok(holds)
}

/// The server must be the one that tries: what this command may do says nothing.
fn sandbox(files: &[PathBuf], json: bool) -> Told {
    let response = answer(files, &Request::TrySandbox)?;
    print(render(&response, json).as_bytes())?;
    let Response::Trials(rows) = response else { return Err("the server gave another answer".into()) };
    let failed = rows.iter().filter(|row| !row.holds).count();
    if !json && failed > 0 {
        println!("sandbox: {failed} of {} do not hold: see docs/sandbox.md", rows.len());
    } else if !json {
        println!("sandbox: all of {} hold", rows.len());
    }
    Ok(failed == 0 && !rows.is_empty())
}
