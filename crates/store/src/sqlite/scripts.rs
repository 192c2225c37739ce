//! Accounts' scripts, sealed.

use super::Sqlite;
use super::fault::Fault;
use super::schema::int;
use super::writer::{Work, first};
use crate::StoreError;
use crate::scripts::{MOST_SCRIPT_OCTETS, MOST_SCRIPTS, Script, ScriptEntry, ScriptError, Scripts};
use crate::vault::Vault;
use base::AccountId;
use rusqlite::params;

impl Scripts for Sqlite {
    fn list(&self, of: AccountId) -> Result<Vec<ScriptEntry>, ScriptError> {
        let sql = "SELECT name, active FROM script WHERE account = ?1 ORDER BY name";
        let list = self.parts.readers.lend(|reader| {
            let mut statement = reader.prepare_cached(sql)?;
            let rows = statement
                .query_map([int(of.0)], |row| Ok(ScriptEntry { name: row.get(0)?, active: row.get(1)? }))?;
            Ok::<_, Fault>(rows.collect::<Result<_, _>>()?)
        });
        Ok(list?)
    }

    fn text(&self, of: AccountId, name: &str) -> Result<String, ScriptError> {
        let sql = "SELECT sealed FROM script WHERE account = ?1 AND name = ?2";
        let values = params![int(of.0), name];
        let sealed = self.parts.readers.lend(|reader| first(reader, sql, values, |row| row.get(0)))?;
        let sealed: Vec<u8> = sealed.ok_or(ScriptError::Missing)?;
        self.opened(&context(of, name), &sealed)
    }

    fn active(&self, of: AccountId) -> Result<Option<Script>, ScriptError> {
        let sql = "SELECT name, sealed FROM script WHERE account = ?1 AND active";
        let row = |row: &rusqlite::Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, Vec<u8>>(1)?));
        let found = self.parts.readers.lend(|reader| first(reader, sql, [int(of.0)], row))?;
        let Some((name, sealed)) = found else { return Ok(None) };
        Ok(Some(Script { text: self.opened(&context(of, &name), &sealed)?, name }))
    }

    fn put(&self, of: AccountId, name: &str, text: &str) -> Result<(), ScriptError> {
        if text.len() > MOST_SCRIPT_OCTETS {
            return Err(ScriptError::TooLarge);
        }
        if !self.parts.disk.has_room() {
            return Err(Fault::from(StoreError::DiskFull).into());
        }
        let sealed = self.parts.vault.seal_row(&context(of, name), text.as_bytes()).map_err(Fault::from)?;
        let name = name.to_owned();
        self.write(move |work| put(work, of, &name, &sealed))?
    }

    fn activate(&self, of: AccountId, name: Option<&str>) -> Result<(), ScriptError> {
        let name = name.map(str::to_owned);
        self.write(move |work| {
            if let Some(name) = &name
                && !exists(work, of, name)?
            {
                return Ok(Err(ScriptError::Missing));
            }
            work.run("UPDATE script SET active = 0 WHERE account = ?1 AND active", [int(of.0)])?;
            let sql = "UPDATE script SET active = 1 WHERE account = ?1 AND name = ?2";
            work.run(sql, params![int(of.0), name])?;
            Ok(Ok(()))
        })?
    }

    fn rename(&self, of: AccountId, from: &str, to: &str) -> Result<(), ScriptError> {
        let vault = self.parts.vault.clone();
        let (from, to) = (from.to_owned(), to.to_owned());
        self.write(move |work| rename(work, &vault, of, &from, &to))?
    }

    fn remove(&self, of: AccountId, name: &str) -> Result<(), ScriptError> {
        let name = name.to_owned();
        self.write(move |work| {
            let sql = "DELETE FROM script WHERE account = ?1 AND name = ?2 AND NOT active";
            Ok(match work.run(sql, params![int(of.0), name])? {
                0 if exists(work, of, &name)? => Err(ScriptError::Active),
                0 => Err(ScriptError::Missing),
                _ => Ok(()),
            })
        })?
    }

    fn standing(&self, of: AccountId) -> Result<Option<String>, ScriptError> {
        let sql = "SELECT sealed FROM standing WHERE account = ?1";
        let sealed = self.parts.readers.lend(|reader| first(reader, sql, [int(of.0)], |row| row.get(0)))?;
        sealed.map(|sealed: Vec<u8>| self.opened(&standing_context(of), &sealed)).transpose()
    }

    fn set_standing(&self, of: AccountId, text: Option<&str>) -> Result<(), ScriptError> {
        if text.is_some_and(|text| text.len() > MOST_SCRIPT_OCTETS) {
            return Err(ScriptError::TooLarge);
        }
        let seal = |text: &str| self.parts.vault.seal_row(&standing_context(of), text.as_bytes());
        let sealed = text.map(seal).transpose().map_err(Fault::from)?;
        self.write(move |work| {
            if !has_account(work, of)? {
                return Ok(Err(ScriptError::NoAccount));
            }
            match sealed {
                Some(sealed) => {
                    work.run("REPLACE INTO standing VALUES (?1, ?2)", params![int(of.0), sealed])?
                }
                None => work.run("DELETE FROM standing WHERE account = ?1", [int(of.0)])?,
            };
            Ok(Ok(()))
        })?
    }
}

impl Sqlite {
    fn opened(&self, context: &[u8], sealed: &[u8]) -> Result<String, ScriptError> {
        let mut text = Vec::new();
        self.parts.vault.open_row(context, sealed, &mut text).map_err(Fault::from)?;
        String::from_utf8(text).map_err(|_| ScriptError::Failed("a script that is not UTF-8".into()))
    }
}

/// What a sealed script is bound to: neither another account's nor another script's opens in its place.
fn context(of: AccountId, name: &str) -> Vec<u8> {
    [b"script.".as_slice(), &of.0.to_be_bytes(), name.as_bytes()].concat()
}

fn standing_context(of: AccountId) -> Vec<u8> {
    [b"standing.".as_slice(), &of.0.to_be_bytes()].concat()
}

fn has_account(work: &Work<'_>, of: AccountId) -> Result<bool, Fault> {
    Ok(work.first("SELECT 1 FROM account WHERE id = ?1", [int(of.0)], |_| Ok(()))?.is_some())
}

fn put(work: &Work<'_>, of: AccountId, name: &str, sealed: &[u8]) -> Result<Result<(), ScriptError>, Fault> {
    let account = int(of.0);
    if !has_account(work, of)? {
        return Ok(Err(ScriptError::NoAccount));
    }
    let count = work.first("SELECT count(*) FROM script WHERE account = ?1", [account], |row| row.get(0))?;
    if count >= Some(MOST_SCRIPTS as i64) && !exists(work, of, name)? {
        return Ok(Err(ScriptError::TooMany));
    }
    let sql = "INSERT INTO script (account, name, sealed) VALUES (?1, ?2, ?3)
               ON CONFLICT (account, name) DO UPDATE SET sealed = excluded.sealed";
    work.run(sql, params![account, name, sealed])?;
    Ok(Ok(()))
}

/// The name is part of what a script is sealed with, so it is sealed anew.
fn rename(
    work: &Work<'_>,
    vault: &Vault,
    of: AccountId,
    from: &str,
    to: &str,
) -> Result<Result<(), ScriptError>, Fault> {
    let sql = "SELECT sealed FROM script WHERE account = ?1 AND name = ?2";
    let sealed: Option<Vec<u8>> = work.first(sql, params![int(of.0), from], |row| row.get(0))?;
    let Some(sealed) = sealed else { return Ok(Err(ScriptError::Missing)) };
    if exists(work, of, to)? {
        return Ok(Err(ScriptError::Exists));
    }
    let mut text = Vec::new();
    vault.open_row(&context(of, from), &sealed, &mut text)?;
    let sealed = vault.seal_row(&context(of, to), &text)?;
    let sql = "UPDATE script SET name = ?3, sealed = ?4 WHERE account = ?1 AND name = ?2";
    work.run(sql, params![int(of.0), from, to, sealed])?;
    Ok(Ok(()))
}

fn exists(work: &Work<'_>, of: AccountId, name: &str) -> Result<bool, Fault> {
    let sql = "SELECT 1 FROM script WHERE account = ?1 AND name = ?2";
    Ok(work.first(sql, params![int(of.0), name], |_| Ok(()))?.is_some())
}

impl From<Fault> for ScriptError {
    fn from(fault: Fault) -> Self {
        ScriptError::Failed(StoreError::from(fault).to_string())
    }
}
