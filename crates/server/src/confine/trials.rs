//! Proof by trial that the server is confined: it tries itself what it must not be able to do. Each trial is harmless where
//! it goes through.

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::MountFlags;
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use rustix::process::{DumpableBehavior, Pid, PidfdFlags, PidfdGetfdFlags, Resource};
use serde::{Deserialize, Serialize};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::time::Duration;

/// A port for trials that everybody may listen on: no service of ours has it, nor does outgoing mail go to it.
const OTHER_PORT: u16 = 20_009;

/// How long a trial to connect waits.
const PATIENCE: Duration = Duration::from_secs(2);

/// What became of a trial.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Trial {
    /// What was tried, or what must hold.
    pub what: String,
    /// Whether it was refused, or holds.
    pub holds: bool,
    /// What the system said.
    pub said: String,
}

/// What a trial brought: the system's refusal, or what happened.
type Tried = Result<String, Refusal>;

/// The system said no.
struct Refusal(String);

/// Tries all, in this process. Blocks for a moment.
pub fn run() -> Vec<Trial> {
    let refused = [
        ("write /etc/passwd", open("/etc/passwd", OFlags::WRONLY)),
        ("list /", open("/", OFlags::RDONLY | OFlags::DIRECTORY)),
        ("read /proc/version", open("/proc/version", OFlags::RDONLY)),
        ("make a file in /tmp", make_file("/tmp")),
        ("make a file in /var/tmp", make_file("/var/tmp")),
        ("run a program", run_program()),
        ("take a descriptor of another process, as debuggers do", take_descriptor()),
        ("signal the process that started it", signal_parent()),
        ("listen on a port", told(TcpListener::bind((Ipv4Addr::LOCALHOST, OTHER_PORT)), "it listens")),
        ("connect to a port that is not for mail", connect()),
        ("read packets off the network", socket(AddressFamily::PACKET, SocketType::RAW)),
        ("send packets of its own making", socket(AddressFamily::INET, SocketType::RAW)),
        ("change routes and devices", socket(AddressFamily::NETLINK, SocketType::RAW)),
        ("mount a file system", mount()),
        ("change the root directory", called(rustix::process::chroot("/"))),
        ("rename the machine", rename_machine()),
        ("become root", called(rustix::thread::set_thread_uid(rustix::process::Uid::ROOT))),
    ];
    let refused = refused.into_iter().map(|(what, tried)| {
        let (holds, said) = match tried {
            Err(Refusal(said)) => (true, said),
            Ok(said) => (false, said),
        };
        Trial { what: format!("can't {what}"), holds, said }
    });
    refused.chain(state()).collect()
}

/// What is not tried but looked at.
fn state() -> [Trial; 4] {
    let capabilities = rustix::thread::capabilities(None);
    let none = capabilities.is_ok_and(|sets| sets.permitted.is_empty() && sets.inheritable.is_empty());
    let no_more = rustix::thread::no_new_privs() == Ok(true);
    let closed = rustix::process::dumpable_behavior() == Ok(DumpableBehavior::NotDumpable);
    let no_core = rustix::process::getrlimit(Resource::Core).maximum == Some(0);
    [
        ("has no capabilities", none),
        ("gets no new privileges", no_more),
        ("can't be debugged", closed),
        ("leaves no core file", no_core),
    ]
    .map(|(what, holds)| Trial {
        what: what.into(),
        holds,
        said: if holds { "it is so" } else { "it is not so" }.into(),
    })
}

/// Only a refusal counts: a file that is not there shows nothing.
fn told<T>(outcome: io::Result<T>, success: &str) -> Tried {
    match outcome {
        Ok(_) => Ok(success.into()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(Refusal(error.to_string())),
        Err(error) => Ok(error.to_string()),
    }
}

fn called<T>(outcome: Result<T, Errno>) -> Tried {
    told(outcome.map_err(io::Error::from), "it could")
}

fn open(path: &str, flags: OFlags) -> Tried {
    called(rustix::fs::open(path, flags | OFlags::CLOEXEC, Mode::empty()))
}

fn make_file(directory: &str) -> Tried {
    let path = Path::new(directory).join(format!("mailward-trial-{}", std::process::id()));
    let made =
        rustix::fs::open(&path, OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC, Mode::RUSR);
    if made.is_ok() {
        let _ = std::fs::remove_file(&path);
    }
    called(made)
}

/// Itself, asked for its version.
fn run_program() -> Tried {
    told(std::process::Command::new("/proc/self/exe").arg("--version").output(), "it ran")
}

/// The process that started it, or in a container, where none did, itself.
fn parent() -> Pid {
    rustix::process::getppid().unwrap_or_else(rustix::process::getpid)
}

fn take_descriptor() -> Tried {
    let process = rustix::process::pidfd_open(parent(), PidfdFlags::empty());
    called(process.and_then(|process| rustix::process::pidfd_getfd(process, 0, PidfdGetfdFlags::empty())))
}

/// Signal 0: it only asks whether one could be sent.
fn signal_parent() -> Tried {
    called(rustix::process::test_kill_process(parent()))
}

fn connect() -> Tried {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, OTHER_PORT));
    told(TcpStream::connect_timeout(&address, PATIENCE), "connected")
}

fn socket(family: AddressFamily, kind: SocketType) -> Tried {
    called(rustix::net::socket_with(family, kind, SocketFlags::CLOEXEC, None))
}

/// Onto a directory that is not there.
fn mount() -> Tried {
    called(rustix::mount::mount("none", "/nonexistent/mailward", "tmpfs", MountFlags::empty(), None))
}

/// To the name it has.
fn rename_machine() -> Tried {
    called(rustix::system::sethostname(rustix::system::uname().nodename().to_bytes()))
}
