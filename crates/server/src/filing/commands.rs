//! What `mailward sieve`, `mailward account forward` and `mailward account vacation` ask for.

use super::standing::Standing;
use crate::control::{Response, ScriptRequest, ScriptRow, StandingRequest};
use base::AccountId;
use store::scripts::{ScriptError, Scripts};

/// Does what a command wants with an account's scripts; `address` is how messages call the account.
///
/// # Errors
/// Why not, and what to do, for the person.
pub fn answer(
    scripts: &dyn Scripts,
    of: AccountId,
    address: &str,
    what: ScriptRequest,
) -> Result<Response, String> {
    match what {
        ScriptRequest::List => {
            let rows = scripts.list(of).map_err(|error| format!("{address}: {error}"))?;
            let row =
                |entry: store::scripts::ScriptEntry| ScriptRow { name: entry.name, active: entry.active };
            Ok(Response::Scripts(rows.into_iter().map(row).collect()))
        }
        ScriptRequest::Get { name } => scripts.text(of, &name).map(Response::Script).map_err(about(&name)),
        ScriptRequest::Put { name, text, activate } => {
            if !sieve::is_script_name(&name) {
                return Err(format!("{name:?}: {}", ScriptError::BadName));
            }
            super::compile(&text).map_err(|error| format!("{name}: {error}"))?;
            scripts.put(of, &name, &text).map_err(about(&name))?;
            if activate {
                scripts.activate(of, Some(&name)).map_err(about(&name))?;
            }
            let active =
                scripts.list(of).map_err(about(&name))?.iter().any(|one| one.active && one.name == name);
            done(match active {
                true => format!("{name} is kept, and files the mail of {address}"),
                false => {
                    format!("{name} is kept; `mailward sieve activate {address} {name}` lets it file mail")
                }
            })
        }
        ScriptRequest::Activate { name } => {
            // What it could not have been told when it was put: a newer version may know more, an older one less.
            let text = scripts.text(of, &name).map_err(about(&name))?;
            super::compile(&text).map_err(|error| format!("{name}: {error}"))?;
            scripts.activate(of, Some(&name)).map_err(about(&name))?;
            done(format!("{name} files the mail of {address}"))
        }
        ScriptRequest::Deactivate => {
            scripts.activate(of, None).map_err(|error| format!("{address}: {error}"))?;
            done(format!("no script files the mail of {address}"))
        }
        ScriptRequest::Remove { name } => {
            scripts.remove(of, &name).map_err(|error| match error {
                ScriptError::Active => {
                    format!(
                        "{name} is active: `mailward sieve deactivate {address}` first, or activate another"
                    )
                }
                other => about(&name)(other),
            })?;
            done(format!("{name} is removed"))
        }
    }
}

/// Does what a command wants with what an account has set besides its scripts.
///
/// # Errors
/// Why not, and what to do, for the person.
pub fn set(
    scripts: &dyn Scripts,
    of: AccountId,
    address: &str,
    what: StandingRequest,
) -> Result<Response, String> {
    let failed = |error: ScriptError| format!("{address}: {error}");
    let mut standing = Standing::parse(&scripts.standing(of).map_err(failed)?.unwrap_or_default());
    match what {
        StandingRequest::Show => return done(standing.words(address)),
        StandingRequest::Forward(forward) => standing.set_forward(forward)?,
        StandingRequest::Vacation(vacation) => standing.set_vacation(vacation)?,
    }
    scripts.set_standing(of, standing.print().as_deref()).map_err(failed)?;
    done(standing.words(address))
}

fn about(name: &str) -> impl Fn(ScriptError) -> String {
    move |error| match error {
        ScriptError::Missing => format!("{name}: there is no such script (`mailward sieve list` shows all)"),
        other => format!("{name}: {other}"),
    }
}

fn done(text: String) -> Result<Response, String> {
    Ok(Response::Done(text))
}
