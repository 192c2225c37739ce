//! How commands reach the running server: a Unix socket in the data directory, mode 0600, one JSON object a line,
//! request and response in turn.

use crate::confine::trials::Trial;
use crate::filing::standing::{Away, Forward};
use base::{BoxFuture, Secret};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, fs};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;

/// Octets of a request: a script of the largest size fits, also where JSON writes two characters for one.
const MOST_REQUEST: u64 = 1024 * 1024;

/// Octets of a response: lists of everything a server of 50,000 accounts has.
const MOST_RESPONSE: u64 = 256 * 1024 * 1024;

/// Commands served at the same time.
const AT_ONCE: usize = 16;

/// How long a command may take to say what it wants, and to read the answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a command waits for the server's answer.
pub const ANSWER: Duration = Duration::from_secs(120);

/// What a command wants.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum Request {
    /// A new account.
    AccountAdd { address: String, password: Password },
    /// Every account.
    AccountList,
    /// A new password.
    AccountPassword { address: String, password: Password },
    /// No more log-in; mail is still taken.
    AccountSuspend { address: String },
    /// Log-in again.
    AccountRelease { address: String },
    /// The account and its mail are gone.
    AccountRemove { address: String },
    /// What it may keep; `None` is no limit.
    AccountQuota { address: String, octets: Option<u64>, messages: Option<u64> },
    /// Whether POP3 keeps what it has served.
    AccountPop3 { address: String, keep: bool },
    /// Something with what an account has set besides its scripts.
    Standing { address: String, what: StandingRequest },
    /// A password for one device, made by the server and told once.
    AppPasswordAdd { address: String, label: String },
    /// The devices that have one.
    AppPasswordList { address: String },
    /// Takes one back.
    AppPasswordRevoke { address: String, label: String },
    /// Rights in one of its mailboxes; `None` takes all away from who is named.
    AccountShare { address: String, mailbox: String, identifier: String, rights: Option<String> },
    /// What it shares.
    AccountShares { address: String },
    /// It may send from another address, or no more.
    SendAs { address: String, other: String, allowed: bool },
    /// Who may send from whose address.
    SendAsList,
    /// A domain becomes ours.
    DomainAdd { domain: String },
    /// Every domain.
    DomainList,
    /// It is ours no more.
    DomainRemove { domain: String },
    /// Where mail for unknown addresses goes; `None`: nowhere, it is refused.
    DomainCatchAll { domain: String, account: Option<String> },
    /// An alias, or its new targets.
    AliasAdd { address: String, accounts: Vec<String>, send_as: bool },
    /// Every alias.
    AliasList,
    /// It is gone.
    AliasRemove { address: String },
    /// What waits to be delivered to other servers, after this entry, a page of it.
    QueueList { after: u64 },
    /// Accounts and domains whose mail is held.
    QueueHolds,
    /// One entry.
    QueueShow { id: u64 },
    /// What is to be done with some of it.
    QueueChange { which: Which, change: Change },
    /// What is held.
    QuarantineList,
    /// What happened to a message, or to the latest of an address.
    Trace { wanted: String, last: usize },
    /// The alarms that stand.
    AlarmList,
    /// Tries to leave the confinement.
    TrySandbox,
    /// An account's deleted mail that can be had back.
    UndeleteList { address: String, matching: Matching },
    /// Puts it back where it was: these messages, or, where none is named, all that match.
    UndeleteRestore { address: String, mail: Vec<u64>, matching: Matching },
    /// Something with groups and lists.
    List { what: ListRequest },
    /// Something with an account's scripts.
    Sieve { address: String, what: ScriptRequest },
    /// The connection becomes a channel to an account's mail (`crate::transfer`).
    Transfer { address: String, doubles: Doubles },
}

/// What is wanted with an account's scripts.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScriptRequest {
    /// All of them.
    List,
    /// One's text.
    Get { name: String },
    /// Another one, or another text; active at once if that is wanted.
    Put { name: String, text: String, activate: bool },
    /// It files mail from now on.
    Activate { name: String },
    /// None does.
    Deactivate,
    /// It is gone.
    Remove { name: String },
}

/// What is wanted with groups and lists.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ListRequest {
    /// A new one.
    Add { address: String, group: bool, style: ListStyle },
    /// Another style.
    Set { address: String, style: ListStyle },
    /// It is gone.
    Remove { address: String },
    /// Every group, or every list.
    All { groups: bool },
    /// One's members.
    Show { address: String },
    /// New members.
    Join { address: String, members: Vec<String>, moderator: bool },
    /// They are members no more.
    Leave { address: String, members: Vec<String> },
}

/// How a list treats mail.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ListStyle {
    /// `anyone`, `members` or `moderators`.
    pub post: String,
    pub tag: Option<String>,
    pub answers_to_list: bool,
}

/// What is wanted with what an account has set besides its scripts.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StandingRequest {
    /// What is set, in words.
    Show,
    /// Where its mail goes on to; `None`: nowhere.
    Forward(Option<Forward>),
    /// What is answered; `None`: nothing.
    Vacation(Option<Away>),
}

/// Some deleted mail.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Matching {
    /// Deleted in the last so many seconds.
    pub within: Option<u64>,
    /// From this mailbox.
    pub mailbox: Option<String>,
}

/// What keeps mail from coming in twice.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Doubles {
    /// What ever came in by a command stays known, also when it was deleted since.
    Remembered,
    /// Only what the mailbox has now.
    Present,
}

/// What the server answers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "is", content = "of", rename_all = "kebab-case")]
pub enum Response {
    /// It is done; a line for the person.
    Done(String),
    /// It is not done; why, and what to do.
    Failed(String),
    /// A new app password, told this once.
    AppPassword(Password),
    /// Accounts.
    Accounts(Vec<AccountRow>),
    /// App passwords.
    AppPasswords(Vec<AppPasswordRow>),
    /// What an account shares.
    Shares(Vec<ShareRow>),
    /// Who may send from whose address.
    SendAs(Vec<SendAsRow>),
    /// Domains.
    Domains(Vec<DomainRow>),
    /// Aliases.
    Aliases(Vec<AliasRow>),
    /// Groups or lists.
    Lists(Vec<ListRow>),
    /// The members of one.
    Members(Vec<MemberRow>),
    /// The queue.
    Queue(Vec<QueueRow>),
    /// One entry of it.
    Queued(QueueRow),
    /// What is held.
    Holds(Vec<HoldRow>),
    /// The quarantine.
    Quarantine(Vec<QuarantineRow>),
    /// The alarms that stand.
    Alarms(Vec<AlarmRow>),
    /// What trials brought.
    Trials(Vec<Trial>),
    /// Deleted mail.
    Deleted(Vec<DeletedRow>),
    /// What happened to messages, the newest first.
    Stories(Vec<StoryRow>),
    /// Scripts.
    Scripts(Vec<ScriptRow>),
    /// One's text.
    Script(String),
}

/// An account.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AccountRow {
    pub address: String,
    /// `active` or `suspended`.
    pub state: String,
    pub octets: u64,
    pub octets_limit: Option<u64>,
    pub messages: u64,
    pub messages_limit: Option<u64>,
    pub pop3_keeps: bool,
}

/// A device's password.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AppPasswordRow {
    pub label: String,
    /// RFC 3339.
    pub made: String,
}

/// Rights that someone has in a mailbox.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ShareRow {
    pub mailbox: String,
    /// An address or `anyone`; with `-` in front the rights are taken away.
    pub identifier: String,
    /// Their letters (RFC 4314).
    pub rights: String,
}

/// An address that an account may send from.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SendAsRow {
    pub account: String,
    pub address: String,
}

/// A domain.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DomainRow {
    pub domain: String,
    pub catch_all: Option<String>,
}

/// An alias.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AliasRow {
    pub address: String,
    pub accounts: Vec<String>,
    pub send_as: bool,
}

/// A group or list.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ListRow {
    pub address: String,
    /// `anyone`, `members` or `moderators`.
    pub post: String,
    pub tag: Option<String>,
    pub answers_to_list: bool,
    pub members: usize,
    pub suspended: usize,
}

/// A member.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct MemberRow {
    pub address: String,
    pub moderator: bool,
    /// Since when it gets no mail.
    pub suspended: Option<String>,
    /// Failures in a row.
    pub failures: u32,
    /// What the last one said.
    pub why: String,
}

/// A queue entry.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct QueueRow {
    pub id: u64,
    pub trace: String,
    pub from: String,
    pub to: String,
    pub size: u64,
    pub since: String,
    /// `waiting`, `deferred` or `held`.
    pub state: String,
    /// When it is tried next, unless it is held.
    pub next: Option<String>,
    /// Tries that brought an answer about it.
    pub tries: u32,
    /// What the last try brought, or why it is held.
    pub why: String,
}

/// A hold that stands.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct HoldRow {
    /// The account whose mail is held, if it is one's.
    pub from: Option<String>,
    /// The domain for which mail is held, if it is for one.
    pub to: Option<String>,
    pub why: String,
    pub since: String,
}

/// Some queue entries.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Which {
    /// Of these numbers.
    Ids(Vec<u64>),
    /// For a domain.
    To(String),
    /// Of an account.
    From(String),
    /// All.
    All,
}

/// What is to be done with queue entries.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// Try them now.
    Retry,
    /// Keep them back.
    Hold { why: String },
    /// Keep them back no longer.
    Release,
    /// Throw them away.
    Drop,
}

/// A quarantine entry.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct QuarantineRow {
    pub id: u64,
    pub trace: String,
    pub from: String,
    pub to: String,
    pub reason: String,
    pub since: String,
}

/// An alarm that stands.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AlarmRow {
    /// `disk`, `memory`, `queue`, `clock`, `certificate`, `writer` or `backup`.
    pub alarm: String,
    pub since: String,
    pub what: String,
}

/// A deleted message.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DeletedRow {
    pub mail: u64,
    pub mailbox: String,
    pub subject: String,
    pub size: u64,
    pub deleted: String,
}

/// What happened to a message.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StoryRow {
    pub trace: String,
    pub events: Vec<EventRow>,
    /// How many of a long story's events are not shown, between `events` and `last`.
    pub between: u64,
    pub last: Vec<EventRow>,
    /// What of it waits, in words.
    pub now: Vec<String>,
}

/// One thing that happened; the fields are those of [`store::story::Event`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct EventRow {
    /// RFC 3339.
    pub at: String,
    pub what: String,
    pub words: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub to: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub said: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub account: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub mailbox: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub number: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub other: Option<String>,
}

/// A script.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ScriptRow {
    pub name: String,
    pub active: bool,
}

/// A password on its way over the socket; hidden in debug output.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Password(pub Secret);

impl Serialize for Password {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text =
            self.0.expose_str().ok_or_else(|| serde::ser::Error::custom("the password is not UTF-8"))?;
        serializer.serialize_str(text)
    }
}

impl<'de> Deserialize<'de> for Password {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Password(Secret::new(text)))
    }
}

/// Does what commands want.
pub trait Admin: Send + Sync {
    /// One request; a failure is a response too.
    fn handle(&self, request: Request) -> BoxFuture<'_, Response>;

    /// Carries an account's mail over the connection till it ends.
    fn transfer(
        &self,
        address: String,
        doubles: Doubles,
        stream: std::os::unix::net::UnixStream,
    ) -> BoxFuture<'_, ()>;
}

/// The server's end. Dropped, its file is removed.
pub struct Control {
    listener: UnixListener,
    path: PathBuf,
}

impl Control {
    /// Listens; see [`listen`].
    pub fn bind(path: &Path) -> io::Result<Self> {
        Ok(Control { listener: listen(path, 0o600)?, path: path.into() })
    }

    /// Serves for ever; drop the future to stop.
    pub async fn serve(self, admin: Arc<dyn Admin>) {
        let places = Arc::new(Semaphore::new(AT_ONCE));
        loop {
            let Ok(place) = places.clone().acquire_owned().await else { return };
            match self.listener.accept().await {
                Ok((stream, _)) if is_ours(&stream) => {
                    let admin = admin.clone();
                    tokio::spawn(async move {
                        // A command that breaks off is not the server's trouble.
                        let _ = talk(stream, &*admin).await;
                        drop(place);
                    });
                }
                Ok(_) => tracing::warn!("control socket: a stranger was turned away"),
                Err(error) => {
                    tracing::warn!(%error, "control socket");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }
}

/// Listens on a socket of this mode. A file that an earlier server left behind is replaced; a server that answers there is an
/// error.
pub fn listen(path: &Path, mode: u32) -> io::Result<UnixListener> {
    if std::os::unix::net::UnixStream::connect(path).is_ok() {
        return Err(io::Error::new(io::ErrorKind::AddrInUse, "another server is running with this data"));
    }
    // Made under another name and moved, so that it is never there with other rights than its owner's.
    let new = path.with_extension("new");
    match fs::remove_file(&new) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let listener = UnixListener::bind(&new)?;
    fs::set_permissions(&new, fs::Permissions::from_mode(mode))?;
    fs::rename(&new, path)?;
    Ok(listener)
}

impl Drop for Control {
    fn drop(&mut self) {
        // It may be gone with its directory.
        let _ = fs::remove_file(&self.path);
    }
}

/// The file's mode says it already; this says it again for a directory that was copied with other rights.
fn is_ours(stream: &UnixStream) -> bool {
    let own = rustix::process::geteuid().as_raw();
    stream.peer_cred().is_ok_and(|peer| peer.uid() == own || peer.uid() == 0)
}

/// Answers one command after another on a connection.
pub async fn talk(stream: UnixStream, admin: &dyn Admin) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut reader = tokio::io::BufReader::new(read);
    loop {
        let mut line = Vec::new();
        let mut bounded = (&mut reader).take(MOST_REQUEST);
        if tokio::time::timeout(PATIENCE, bounded.read_until(b'\n', &mut line)).await?? == 0 {
            return Ok(());
        }
        let whole = line.last() == Some(&b'\n');
        let request = serde_json::from_slice(&line);
        let transfer = match &request {
            Ok(Request::Transfer { address, doubles }) if whole => Some((address.clone(), *doubles)),
            _ => None,
        };
        let response = match request {
            Ok(request) if whole => admin.handle(request).await,
            _ => Response::Failed(
                "the server does not understand this request: are both of one version?".into(),
            ),
        };
        let mut answer = serde_json::to_vec(&response)?;
        answer.push(b'\n');
        tokio::time::timeout(PATIENCE, write.write_all(&answer)).await??;
        if let (Some((address, doubles)), Response::Done(_)) = (transfer, &response) {
            // Nothing can have been read ahead: the command waits for the answer.
            let stream = reader.into_inner().reunite(write).map_err(io::Error::other)?.into_std()?;
            stream.set_nonblocking(false)?;
            admin.transfer(address, doubles, stream).await;
            return Ok(());
        }
        if !whole {
            return Ok(());
        }
    }
}

/// Why a command got no answer.
#[derive(Debug)]
pub enum NoAnswer {
    /// No server listens there.
    NotRunning(PathBuf),
    /// It may not be asked by this user.
    NotAllowed(PathBuf),
    /// The talk broke off.
    Broken(String),
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoAnswer::NotRunning(path) => write!(
                f,
                "the server is not running (nobody answers at {}).\nStart it with `mailward serve`, with the same \
                 --config, or from the same directory in trial mode.",
                path.display()
            ),
            NoAnswer::NotAllowed(path) => {
                write!(
                    f,
                    "this user may not talk to the server at {}: run the command as its user, or as root",
                    path.display()
                )
            }
            NoAnswer::Broken(why) => write!(f, "the server broke off: {why}"),
        }
    }
}

/// A command's end: asks and waits.
pub fn ask(path: &Path, request: &Request) -> Result<Response, NoAnswer> {
    let mut stream = std::os::unix::net::UnixStream::connect(path).map_err(|e| match e.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => NoAnswer::NotRunning(path.into()),
        io::ErrorKind::PermissionDenied => NoAnswer::NotAllowed(path.into()),
        _ => NoAnswer::Broken(format!("{}: {e}", path.display())),
    })?;
    exchange(&mut stream, request).map_err(|e| NoAnswer::Broken(e.to_string()))
}

/// One request and its answer.
pub fn exchange(stream: &mut std::os::unix::net::UnixStream, request: &Request) -> io::Result<Response> {
    stream.set_read_timeout(Some(ANSWER))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut line = zeroize::Zeroizing::new(serde_json::to_vec(request)?);
    line.push(b'\n');
    stream.write_all(&line)?;
    let mut answer = Vec::new();
    BufReader::new(stream).take(MOST_RESPONSE).read_until(b'\n', &mut answer)?;
    if answer.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(serde_json::from_slice(&answer)?)
}

#[cfg(test)]
mod tests;
