//! The server's end: a socket that every user of the machine may reach.

use super::users::User;
use super::{Envelope, MOST_ENVELOPE, PATIENCE, Said};
use crate::allowance::{Allowance, Reached};
use crate::config;
use crate::inbound::transaction::{By, NotTaken, Transaction};
use crate::server::Server;
use base::{Address, Reply};
use gate::{Origin, Peer, PeerEvidence, Ruling, SenderEvidence};
use parking_lot::Mutex;
use session::smtp::Sender;
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{fs, result};
use store::DomainEntry;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tracing::{info, warn};
use wire::smtp::{ChunkReader, ClientName, Command, Event, Fault, Mail, Rcpt};

/// Connections served at the same time.
const AT_ONCE: usize = 64;

/// Connections of one user served at the same time.
const AT_ONCE_PER_USER: usize = 16;

/// Octets read at once.
const PIECE: usize = 64 * 1024;

/// The socket. Dropped, its file is removed.
pub struct Door {
    listener: UnixListener,
    path: PathBuf,
    desk: Arc<Desk>,
}

/// What a connection is served with.
struct Desk {
    server: Arc<Server>,
    settings: config::Sendmail,
    allowance: Allowance<u32>,
    /// Connections of each user.
    users: Mutex<HashMap<u32, usize>>,
}

impl Door {
    /// Listens. The socket's directory is made, open to all, if it is missing.
    pub fn bind(settings: &config::Sendmail, server: Arc<Server>) -> io::Result<Self> {
        let path = settings.socket.clone();
        if let Some(directory) = path.parent().filter(|directory| !directory.exists()) {
            fs::create_dir(directory)?;
            fs::set_permissions(directory, fs::Permissions::from_mode(0o755))?;
        }
        let listener = crate::control::listen(&path, 0o666)?;
        let allowance = Allowance::new(settings.most);
        let desk = Desk { server, settings: settings.clone(), allowance, users: Mutex::default() };
        Ok(Door { listener, path, desk: Arc::new(desk) })
    }

    /// Serves for ever; drop the future to stop.
    pub async fn serve(self) {
        let places = Arc::new(Semaphore::new(AT_ONCE));
        loop {
            let Ok(place) = places.clone().acquire_owned().await else { return };
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let desk = self.desk.clone();
                    tokio::spawn(async move {
                        // A command that breaks off is not the server's trouble.
                        let _ = desk.visit(stream).await;
                        drop(place);
                    });
                }
                Err(error) => {
                    warn!(%error, "sendmail socket");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        // It may be gone with its directory.
        let _ = fs::remove_file(&self.path);
    }
}

impl Desk {
    async fn visit(&self, mut stream: UnixStream) -> io::Result<()> {
        let uid = stream.peer_cred()?.uid();
        let Some(_place) = Place::take(&self.users, uid) else {
            let reply = Reply::new(451, (4, 3, 2), "Too many of this user's mails come at the same time");
            return say(&mut stream, &Said::from(&reply)).await;
        };
        let (user, domain) = match self.who(uid) {
            Ok(found) => found,
            Err(reply) => return say(&mut stream, &Said::from(&reply)).await,
        };
        let octets = self.server.gatehouse.limits().message_octets;
        say(&mut stream, &Said::Welcome { address: user.address.to_string(), octets }).await?;
        let mut stream = BufReader::with_capacity(PIECE, stream);
        let mut line = Vec::new();
        let mut bounded = (&mut stream).take(MOST_ENVELOPE);
        if timeout(PATIENCE, bounded.read_until(b'\n', &mut line)).await?? == 0 {
            return Ok(());
        }
        let reply = match serde_json::from_slice(&line) {
            Ok(envelope) => self.take(&user, &domain, envelope, &mut stream).await?,
            Err(_) => Reply::new(500, (5, 5, 2), "This envelope is not understood: are both of one version?"),
        };
        say(stream.get_mut(), &Said::from(&reply)).await
    }

    /// Who a uid is, and the domain of ours that its address is in.
    fn who(&self, uid: u32) -> result::Result<(User, DomainEntry), Reply> {
        let later = || Reply::new(451, (4, 3, 0), "Try again later");
        let ours = self.server.store.directory().domains().map_err(|error| {
            warn!(%error, "directory failed");
            later()
        })?;
        let wanted = self.settings.domain.as_ref();
        let name = wanted.unwrap_or(&self.server.host).as_str();
        // Unless one is named: the host's name, or what of it is ours.
        let fits = |ours: &str| match wanted {
            Some(_) => ours == name,
            None => name.strip_suffix(ours).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')),
        };
        let found =
            ours.into_iter().filter(|entry| fits(entry.name.as_str())).max_by_key(|e| e.name.as_str().len());
        let Some(domain) = found else {
            warn!(domain = name, "sendmail: not a domain of ours: see sendmail.domain");
            return Err(Reply::new(451, (4, 3, 5), "No domain for mail from this machine (sendmail.domain)"));
        };
        let user = User::of(uid, &domain.name, &self.settings.trusted_users);
        let user = user.ok_or_else(|| Reply::new(550, (5, 1, 8), "This user's name makes no address"))?;
        Ok((user, domain))
    }

    /// Takes a message as any other is taken; the outer error is for the connection.
    async fn take(
        &self,
        user: &User,
        domain: &DomainEntry,
        envelope: Envelope,
        stream: &mut BufReader<UnixStream>,
    ) -> io::Result<Reply> {
        let peer = PeerEvidence { ip: IpAddr::V4(Ipv4Addr::LOCALHOST), origin: Origin::Submission };
        let size = envelope.size;
        let outcome = match commands(&envelope, self.server.gatehouse.limits()) {
            Ok((mail, rcpts)) => self.admit(user, domain, &peer, mail, rcpts).await,
            Err(reply) => Err(reply),
        };
        let (mut transaction, ruling) = match outcome {
            Ok(admitted) => admitted,
            Err(reply) => return Ok(reply),
        };
        if let Err(reply) = self.content(&mut transaction, size, stream).await? {
            transaction.refused(&self.server, &peer, &reply);
            return Ok(reply);
        }
        let owns = |address: &Address| user.owns(address);
        Ok(transaction.finish(&self.server, &peer, ruling, Some(&owns)).await)
    }

    /// Has sender and recipients judged, all of which must be right: whoever calls has no other way to hear of one that isn't.
    async fn admit(
        &self,
        user: &User,
        domain: &DomainEntry,
        peer: &PeerEvidence,
        mail: Mail,
        rcpts: Vec<Rcpt>,
    ) -> result::Result<(Transaction, Ruling<Peer>), Reply> {
        self.within_limits(user, rcpts.len())?;
        let admitted = self.server.gatehouse.peer(peer).await;
        if let Some(reply) = admitted.turns_away() {
            return Err(reply.clone());
        }
        let owns = |address: &Address| user.owns(address);
        let client = ClientName::new("localhost").map_err(|error| error.reply())?;
        let evidence = SenderEvidence {
            peer,
            helo: client.as_str(),
            account: Some(&owns),
            reverse_path: &mail.reverse_path,
        };
        let ruling = self.server.gatehouse.sender(&evidence).await;
        if let Some(reply) = ruling.turns_away() {
            info!(user = user.name, from = %mail.reverse_path, %reply, why = ruling.trace(), "sender refused");
            return Err(reply.clone());
        }
        let sender = Sender { mail, client, extended: true, tls: false, identity: None, early_talker: false };
        let mut transaction = Transaction::of_user(sender, ruling, user.uid);
        let by = By { account: None, domain: domain.id };
        for rcpt in rcpts {
            transaction.recipient(&self.server, peer, rcpt, Some(by)).await.map_err(NotTaken::told)?;
        }
        info!(trace = %transaction.trace(), user = user.name, uid = user.uid, "mail from this machine");
        Ok((transaction, admitted))
    }

    fn within_limits(&self, user: &User, recipients: usize) -> result::Result<(), Reply> {
        if recipients > self.server.gatehouse.limits().recipients {
            return Err(Reply::new(550, (5, 5, 3), "Too many recipients (limits.recipients)"));
        }
        self.allowance.take(user.uid, recipients as u64, Instant::now()).map_err(|reached| {
            let limit = match reached {
                Reached::Users => reached.words().to_owned(),
                limit => format!("sendmail.{}", limit.words()),
            };
            warn!(user = user.name, uid = user.uid, limit, "this user sends too much");
            Reply::new(452, (4, 7, 0), format!("{} sends too much: the limit is {limit}", user.name))
        })
    }

    /// Takes the message's octets; the inner error is for the command.
    async fn content(
        &self,
        transaction: &mut Transaction,
        size: u64,
        stream: &mut BufReader<UnixStream>,
    ) -> io::Result<result::Result<(), Reply>> {
        if let Err(reply) = transaction.begin(&self.server) {
            return Ok(Err(reply));
        }
        let limits = self.server.gatehouse.limits();
        let mut reader = ChunkReader::new(limits.message_octets, limits.line_octets, false);
        reader.start(size, true);
        let whole = async {
            // Whether it is over is asked before more is waited for: the command says nothing further.
            while reader.fault().is_none() && reader.read(&[]).1 != Event::End {
                let input = timeout(PATIENCE, stream.fill_buf()).await??;
                let (used, event) = reader.read(input);
                let Event::Content(octets) = event else {
                    return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
                };
                transaction.push(octets);
                stream.consume(used);
            }
            Ok(())
        };
        timeout(limits.message_wait, whole).await??;
        Ok(reader.fault().map_or(Ok(()), |fault| Err(fault_reply(fault))))
    }
}

/// The commands in an envelope.
fn commands(envelope: &Envelope, limits: &base::Limits) -> result::Result<(Mail, Vec<Rcpt>), Reply> {
    let odd = || Reply::new(501, (5, 5, 4), "The envelope is odd");
    let parse = |line: &str| match line.len() <= limits.command_octets {
        true => Command::parse(line.as_bytes(), true).map_err(|error| error.reply()),
        false => Err(odd()),
    };
    let Command::Mail(mail) = parse(&envelope.mail)? else { return Err(odd()) };
    let rcpt = |line: &String| match parse(line)? {
        Command::Rcpt(rcpt) => Ok(rcpt),
        _ => Err(odd()),
    };
    let rcpts = envelope.rcpt.iter().map(rcpt).collect::<result::Result<Vec<_>, _>>()?;
    if rcpts.is_empty() { Err(odd()) } else { Ok((mail, rcpts)) }
}

impl NotTaken {
    /// The reply with the recipient's address: one reply is for all of them.
    fn told(self) -> Reply {
        let (Some(address), reply) = (self.address, &self.reply) else { return self.reply };
        let text = format!("{address}: {}", reply.text());
        match reply.enhanced() {
            Some(status) => Reply::new(reply.code(), status, text),
            None => Reply::plain(reply.code(), text),
        }
    }
}

fn fault_reply(fault: Fault) -> Reply {
    match fault {
        Fault::TooLarge => Reply::new(552, (5, 3, 4), "The message is too large (limits.message)"),
        Fault::LineTooLong => Reply::new(550, (5, 6, 0), "A line of the message is too long (limits.line)"),
        Fault::Nul => Reply::new(550, (5, 6, 0), "The message has a NUL octet"),
        Fault::BareCrLf => Reply::new(550, (5, 6, 0), "The message has a bare CR or LF"),
    }
}

async fn say(stream: &mut UnixStream, said: &Said) -> io::Result<()> {
    let mut line = serde_json::to_vec(said)?;
    line.push(b'\n');
    timeout(PATIENCE, stream.write_all(&line)).await?
}

/// One of a user's places; given back when dropped.
struct Place<'a> {
    users: &'a Mutex<HashMap<u32, usize>>,
    uid: u32,
}

impl<'a> Place<'a> {
    fn take(users: &'a Mutex<HashMap<u32, usize>>, uid: u32) -> Option<Self> {
        let mut counts = users.lock();
        let count = counts.entry(uid).or_default();
        if *count >= AT_ONCE_PER_USER {
            return None;
        }
        *count += 1;
        Some(Place { users, uid })
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut counts = self.users.lock();
        if let Some(count) = counts.get_mut(&self.uid) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.uid);
            }
        }
    }
}
