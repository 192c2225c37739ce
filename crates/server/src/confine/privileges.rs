//! What a process may do by its user and capabilities: given up for good.

use super::identity::Identity;
use crate::config::Config;
use crate::log::LogTo;
use rustix::io::Errno;
use rustix::process::{DumpableBehavior, Gid, Resource, Rlimit, Uid};
use rustix::thread::{CapabilitySet, CapabilitySets};
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown, lchown};
use std::path::Path;
use tracing::{info, warn};

/// Whose the server is unless the configuration says otherwise.
const USUAL_USER: &str = "mailward";

/// What is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Keep {
    /// The right to listen on ports below 1024.
    LowPorts,
    /// Nothing.
    Nothing,
}

/// Whose the process is now, for the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Whose {
    /// It became this user's.
    Became(String),
    /// It is root's, for want of a user.
    Roots,
    /// It is whose it was.
    Same,
}

impl Whose {
    /// Says it in the log.
    pub fn tell(&self) {
        match self {
            Whose::Became(user) => info!(user, "privileges dropped"),
            Whose::Roots => warn!(
                "the server runs as root, without capabilities: make a user for it by `useradd --system --user-group \
                 --no-create-home --shell /usr/sbin/nologin {USUAL_USER}`, and it takes that at the next start"
            ),
            Whose::Same => {}
        }
    }
}

/// Started as root, prepares what the server's user needs and becomes that user; gives up all capabilities but what is
/// kept, and the means to have them back. For a process with one thread. The error is a text to print.
pub fn give_up(config: &Config, keep: Keep) -> Result<Whose, String> {
    let kept = match keep {
        Keep::LowPorts => CapabilitySet::NET_BIND_SERVICE,
        Keep::Nothing => CapabilitySet::empty(),
    };
    let user = user(config)?;
    let is_root = rustix::process::geteuid().is_root();
    if is_root {
        bound(kept).map_err(|error| format!("cannot limit capabilities: {error}"))?;
    }
    prepare(config, user.as_ref())?;
    if let Some(user) = &user {
        become_user(user).map_err(|error| format!("cannot become the user {}: {error}", user.name))?;
    }
    limit(kept).map_err(|error| format!("cannot give up privileges: {error}"))?;
    Ok(match user {
        Some(user) => Whose::Became(user.name),
        None if is_root && config.trial.is_none() => Whose::Roots,
        None => Whose::Same,
    })
}

/// The user to become; none where the process has one already.
fn user(config: &Config) -> Result<Option<Identity>, String> {
    let (wanted, own) = (config.sandbox.run_as.as_deref(), rustix::process::geteuid());
    if config.trial.is_some() {
        return Ok(None);
    }
    let found = Identity::find(wanted.unwrap_or(USUAL_USER));
    match (found, wanted) {
        (Some(user), _) if own.is_root() => Ok((!user.uid.is_root()).then_some(user)),
        (Some(user), Some(_)) if user.uid == own => Ok(None),
        (Some(user), Some(_)) => Err(format!("sandbox.run_as: only root can become {}", user.name)),
        (None, Some(wanted)) => Err(format!(
            "sandbox.run_as: there is no user {wanted} here: make one, such as by `useradd --system --user-group \
             --no-create-home --shell /usr/sbin/nologin {wanted}`"
        )),
        _ => Ok(None),
    }
}

/// Takes all capabilities but these from what any program that we run could get.
fn bound(kept: CapabilitySet) -> io::Result<()> {
    for bit in 0..u64::BITS {
        let one = CapabilitySet::from_bits_retain(1 << bit);
        match rustix::thread::capability_is_in_bounding_set(one) {
            Ok(true) if !kept.contains(one) => match rustix::thread::remove_capability_from_bounding_set(one)
            {
                // A container may have taken from root the right to do so.
                Err(Errno::PERM) => return Ok(()),
                other => other?,
            },
            Ok(_) => {}
            // The kernel knows no more.
            Err(Errno::INVAL) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn become_user(user: &Identity) -> io::Result<()> {
    // What is kept is chosen afterwards.
    rustix::thread::set_keep_capabilities(true)?;
    rustix::thread::set_thread_groups(&user.groups)?;
    rustix::thread::set_thread_res_gid(user.gid, user.gid, user.gid)?;
    rustix::thread::set_thread_res_uid(user.uid, user.uid, user.uid)?;
    rustix::thread::set_keep_capabilities(false)?;
    Ok(())
}

fn limit(kept: CapabilitySet) -> io::Result<()> {
    rustix::thread::clear_ambient_capability_set()?;
    let sets = rustix::thread::capabilities(None)?;
    let held = kept & sets.permitted;
    // systemd may have left no more than these, and forbid the call.
    if (sets.permitted, sets.effective) != (held, held) {
        let sets = CapabilitySets { effective: held, permitted: held, inheritable: CapabilitySet::empty() };
        rustix::thread::set_capabilities(None, sets)?;
    }
    rustix::thread::set_no_new_privs(true)?;
    // No core file and no debugger gets to the keys in memory.
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    rustix::process::setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    Ok(())
}

/// Makes what is missing of directories and key, which the server could not make any more, and gives the user what is its
/// own of them. That what is root's in the data directory is given, too, is for a store of an older version, or one that
/// root restored.
fn prepare(config: &Config, user: Option<&Identity>) -> Result<(), String> {
    let give = |path: &Path| match user {
        Some(user) => chown(path, Some(user.uid.as_raw()), Some(user.gid.as_raw())),
        None => Ok(()),
    };
    let failed = |path: &Path, error: io::Error| format!("cannot prepare {}: {error}", path.display());
    let sendmail = config.sendmail.as_ref().and_then(|settings| settings.socket.parent());
    let log = match &config.log_to {
        LogTo::File(settings) => Some(settings.path.as_path()),
        _ => None,
    };
    let directories = [
        (Some(config.data.as_path()), 0o700),
        (config.control_socket.parent(), 0o700),
        (sendmail, 0o755),
        (log.and_then(Path::parent), 0o750),
    ];
    for (path, mode) in directories {
        let Some(path) = path.filter(|path| !path.exists()) else { continue };
        fs::DirBuilder::new().recursive(true).mode(mode).create(path).map_err(|e| failed(path, e))?;
        // Whatever the umask says.
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(|e| failed(path, e))?;
        give(path).map_err(|e| failed(path, e))?;
    }
    let owned_by_root = |path: &Path| fs::metadata(path).is_ok_and(|about| about.uid() == 0);
    if let Some(user) = user.filter(|_| owned_by_root(&config.data)) {
        let owner = (Some(user.uid.as_raw()), Some(user.gid.as_raw()));
        hand_over(&config.data, owner).map_err(|e| failed(&config.data, e))?;
    }
    if !config.key_file.exists() && crate::serve::store_settings(config).make_key {
        store::make_key(&config.key_file).map_err(|error| error.to_string())?;
    }
    // That the key is missing or somebody else's is said where it is read.
    for path in
        [Some(config.key_file.as_path()), log].into_iter().flatten().filter(|path| owned_by_root(path))
    {
        give(path).map_err(|e| failed(path, e))?;
    }
    Ok(())
}

/// Does work as the user whose a directory is: what root writes there itself, that user could not read.
pub fn as_owner_of<T: Send>(directory: &Path, work: impl FnOnce() -> T + Send) -> Result<T, String> {
    let Some((uid, gid)) = other_owner(directory) else { return Ok(work()) };
    let work = move || -> io::Result<T> {
        rustix::thread::set_thread_groups(&[gid])?;
        rustix::thread::set_thread_res_gid(gid, gid, gid)?;
        rustix::thread::set_thread_res_uid(uid, uid, uid)?;
        Ok(work())
    };
    // A thread has a user of its own, and threads that it starts have the same.
    let outcome = std::thread::scope(|scope| scope.spawn(work).join());
    outcome
        .map_err(|_| "it broke off".to_owned())?
        .map_err(|error| format!("cannot become the owner of {}: {error}", directory.display()))
}

/// Gives what root has put into a directory to the user whose it is.
pub fn give_to_owner(directory: &Path) -> Result<(), String> {
    let Some((uid, gid)) = other_owner(directory) else { return Ok(()) };
    hand_over(directory, (Some(uid.as_raw()), Some(gid.as_raw())))
        .map_err(|error| format!("cannot give {} to its owner: {error}", directory.display()))
}

/// Whose a directory is, where we are root and it is not root's.
fn other_owner(directory: &Path) -> Option<(Uid, Gid)> {
    let about = fs::metadata(directory).ok().filter(|about| about.uid() != 0)?;
    rustix::process::geteuid().is_root().then(|| (Uid::from_raw(about.uid()), Gid::from_raw(about.gid())))
}

/// Gives a directory with all in it to a user: from the inside out, so that the outermost stays root's, and closed to all
/// others, until it is done. Links are not followed.
fn hand_over(path: &Path, owner: (Option<u32>, Option<u32>)) -> io::Result<()> {
    if fs::symlink_metadata(path)?.is_dir() {
        for entry in fs::read_dir(path)? {
            hand_over(&entry?.path(), owner)?;
        }
    }
    lchown(path, owner.0, owner.1)
}
