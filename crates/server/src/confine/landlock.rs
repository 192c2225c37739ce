//! Landlock: the files and ports that the server can reach, whatever its user may (landlock(7)).

use crate::config::{Certificates, Config};
use crate::log::LogTo;
use crate::metrics::endpoint::Place;
use landlock::{
    ABI, Access, AccessFs, AccessNet, NetPort, RestrictionStatus, Ruleset, RulesetAttr, RulesetCreatedAttr,
    RulesetError, RulesetStatus, Scope, path_beneath_rules,
};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Where files are confined from (Linux 5.19: moving them between directories; 6.10: ioctl on devices),
const FILES: ABI = ABI::V5;
/// TCP ports (6.7),
const PORTS: ABI = ABI::V4;
/// signals and abstract sockets (6.12).
const SCOPES: ABI = ABI::V6;

/// What the server needs to reach.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Reach {
    /// Files, and directories with all below them, that are read.
    read: BTreeSet<PathBuf>,
    /// Directories in which files are made, written and removed.
    write: BTreeSet<PathBuf>,
    /// Directories in which a socket is made.
    sockets: BTreeSet<PathBuf>,
    /// Ports that are connected to.
    ports: BTreeSet<u16>,
    /// Ports that are listened on later; 0 is one of the system's choice.
    listened: BTreeSet<u16>,
}

impl Reach {
    /// By the configuration.
    pub fn of(config: &Config) -> Self {
        let mut reach = Reach::default();
        reach.write.insert(config.data.clone());
        // A file is read under its name: one that is replaced must be found again, so its directory counts.
        let files = config.files.iter().map(PathBuf::as_path).chain([config.key_file.as_path()]);
        files.for_each(|file| reach.read_beside(file));
        if let Certificates::Files(sources) = &config.certificates {
            for source in sources {
                reach.read_beside(&source.certificate);
                reach.read_beside(&source.key);
            }
        }
        reach.read.extend(config.alarms.backup_folder.clone());
        reach.read.extend(["/proc/self", "/proc/meminfo", "/dev/null", "/dev/urandom"].map(PathBuf::from));
        reach.sockets.extend(config.control_socket.parent().map(Path::to_path_buf));
        match &config.metrics {
            Some(Place::Loopback(address)) => drop(reach.listened.insert(address.port())),
            Some(Place::Socket(path)) => reach.sockets.extend(path.parent().map(Path::to_path_buf)),
            None => {}
        }
        if let LogTo::File(settings) = &config.log_to {
            // Where the log is turned over.
            reach.write.extend(settings.path.parent().map(Path::to_path_buf));
        }
        if let Some(sendmail) = &config.sendmail {
            reach.sockets.extend(sendmail.socket.parent().map(Path::to_path_buf));
            // The names of users, in a file that is replaced when one comes.
            reach.read.insert("/etc".into());
        }
        reach.ports.extend(config.dns_servers.iter().map(std::net::SocketAddr::port));
        if config.outbound.enabled {
            let hops = config.outbound.smart_host.iter().chain(config.outbound.routes.values());
            reach.ports.extend(hops.map(|hop| hop.port));
            reach.ports.insert(25);
            // A connection from an address of our choice comes from a port of the system's.
            let chosen = config.outbound.source_v4.or(config.outbound.source_v6);
            reach.listened.extend(chosen.map(|_| 0));
        }
        reach
    }

    /// The directory of a file, and of what it links to: certificates are renewed by setting a link anew.
    fn read_beside(&mut self, file: &Path) {
        let real = file.canonicalize().ok();
        for path in [Some(file), real.as_deref()].into_iter().flatten() {
            self.read.extend(path.parent().filter(|p| !p.as_os_str().is_empty()).map(Path::to_path_buf));
        }
    }

    /// Confines this thread, and all that it starts, to these. What the kernel does not know is left out.
    pub fn restrict(&self) -> Result<RestrictionStatus, RulesetError> {
        let reading = AccessFs::ReadFile | AccessFs::ReadDir;
        let writing = AccessFs::from_all(FILES)
            & !(AccessFs::Execute | AccessFs::MakeChar | AccessFs::MakeBlock | AccessFs::IoctlDev);
        let placing = AccessFs::MakeSock | AccessFs::RemoveFile;
        let listen = self.listened.iter().map(|port| NetPort::new(*port, AccessNet::BindTcp));
        let connect = self.ports.iter().map(|port| NetPort::new(*port, AccessNet::ConnectTcp));
        let ports: Vec<Result<NetPort, RulesetError>> = listen.chain(connect).map(Ok).collect();
        Ruleset::default()
            .handle_access(AccessFs::from_all(FILES))?
            .handle_access(AccessNet::from_all(PORTS))?
            .scope(Scope::from_all(SCOPES))?
            .create()?
            .add_rules(path_beneath_rules(&self.read, reading))?
            .add_rules(path_beneath_rules(&self.write, writing))?
            .add_rules(path_beneath_rules(&self.sockets, placing))?
            .add_rules(ports)?
            .restrict_self()
    }
}

/// In words for the log.
pub fn told(status: &RestrictionStatus) -> &'static str {
    match status.ruleset {
        RulesetStatus::FullyEnforced => super::ON,
        RulesetStatus::PartiallyEnforced => "on, as far as this kernel knows it",
        RulesetStatus::NotEnforced => "off: this kernel does not have it",
    }
}
