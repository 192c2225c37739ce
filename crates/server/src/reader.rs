//! One connection of a client that reads its mail (IMAP, POP3) or changes its scripts (ManageSieve), from greeting to
//! close.

use crate::driver::{self, HANDSHAKE, Waited, Waiter};
use crate::filing::scripts::AccountScripts;
use crate::login::{Failure, Login, Visitor};
use crate::server::Server;
use net::{Connection, Protocol};
use session::mail_session::{Action, Input, LoginFailure, MailSession, Progress};
use std::io;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::watch;
use tokio::task::block_in_place;
use tracing::{Instrument, debug, info_span, warn};

/// Serves one connection; the handshake of implicit TLS is already done.
pub async fn serve(
    mut connection: Connection,
    server: Arc<Server>,
    protocol: Protocol,
    session: Box<dyn MailSession>,
) {
    let service = match protocol {
        Protocol::Pop3 => "pop3",
        Protocol::ManageSieve => "managesieve",
        Protocol::Imap | Protocol::Smtp => "imap",
    };
    let (id, peer) = (crate::random::trace_id(), connection.peer().ip());
    let span = info_span!("mail", service, connection = %id, %peer);
    let work = async {
        let visitor = Visitor::new(server.clone(), peer, service);
        let mut client = Client { server, protocol, visitor, login: None, changes: None };
        if let Err(error) = client.drive(&mut connection, session).await {
            debug!(%error, "connection broke");
        }
        connection.close().await;
    };
    work.instrument(span).await;
}

struct Client {
    server: Arc<Server>,
    protocol: Protocol,
    visitor: Visitor,
    login: Option<Login>,
    /// Wakes when the account changed.
    changes: Option<watch::Receiver<()>>,
}

impl Client {
    async fn drive(
        &mut self,
        connection: &mut Connection,
        mut session: Box<dyn MailSession>,
    ) -> io::Result<()> {
        let mut octets = Vec::new();
        let mut waiter = Waiter::new(&self.server.stop);
        while self.act(&mut *session, connection).await? {
            let deadline = session.deadline();
            let changes = self.changes.as_mut().filter(|_| session.wants_changes());
            let login = self.login.as_mut();
            let input = match waiter.wait(connection, &mut octets, deadline, login, changes).await? {
                Waited::Octets => Input::Bytes(&octets),
                Waited::End => Input::Eof,
                Waited::Deadline => Input::Tick,
                Waited::Changed => Input::Changed,
                Waited::Stop => Input::Shutdown,
            };
            session.feed(Instant::now(), input);
            driver::release(&mut octets);
        }
        Ok(())
    }

    /// Does all that the session asks for. False when the connection is to be closed.
    async fn act(&mut self, session: &mut dyn MailSession, connection: &mut Connection) -> io::Result<bool> {
        while let Some(action) = session.next() {
            let input = match action {
                Action::Send(reply) => {
                    driver::send(connection, &reply).await?;
                    continue;
                }
                Action::Run => {
                    self.run(session, connection).await?;
                    Input::RunDone
                }
                Action::StartTls => {
                    let tls = self.server.tls.as_ref().ok_or(io::ErrorKind::Unsupported)?;
                    connection.start_tls(tls, self.protocol, HANDSHAKE).await?;
                    self.server.secured(connection);
                    Input::TlsUp(connection.tls_info().map(|info| info.binding).unwrap_or_default())
                }
                Action::Compress(came) => {
                    connection.start_compression(came);
                    continue;
                }
                Action::LoggedOut => {
                    connection.end_compression();
                    (self.login, self.changes) = (None, None);
                    continue;
                }
                Action::Close => return Ok(false),
                login => Box::pin(self.log_in(login)).await,
            };
            session.feed(Instant::now(), input);
        }
        Ok(true)
    }

    async fn log_in(&mut self, action: Action) -> Input<'static> {
        match action {
            Action::CheckPassword { user, password } => {
                let outcome = self.visitor.password(&user, &password).await;
                self.logged_in(outcome)
            }
            Action::OpenMail { user } => {
                let outcome = self.visitor.proven(&user).await;
                self.logged_in(outcome)
            }
            Action::NeedKeys { user } => match self.visitor.keys(&user).await {
                Ok(keys) => Input::Keys(keys),
                Err(failure) => Input::LoginFailed(told(failure)),
            },
            Action::ProofFailed { user } => {
                self.visitor.wrong_proof(&user).await;
                Input::LoginFailed(LoginFailure::Refused)
            }
            _ => Input::Tick,
        }
    }

    fn logged_in(&mut self, outcome: Result<Login, Failure>) -> Input<'static> {
        match outcome {
            Ok(login) => {
                let account = login.account().clone();
                self.login = Some(login);
                if self.protocol == Protocol::ManageSieve {
                    return Input::Scripts(Arc::new(AccountScripts::new(account, self.server.store.clone())));
                }
                self.changes = Some(self.server.hub.subscribe(account.id));
                Input::LoginOk(self.server.mail_of(account))
            }
            Err(failure) => Input::LoginFailed(told(failure)),
        }
    }

    /// Lets the session work on the mail, sending what it gives before it goes on.
    async fn run(&mut self, session: &mut dyn MailSession, connection: &mut Connection) -> io::Result<()> {
        let mut out = Vec::new();
        loop {
            out.clear();
            // Going over to a thread that may block costs more than reading a small message.
            let progress = match session.is_brief() {
                true => session.run(&mut out),
                false => {
                    let _place = self.server.places.acquire().await.map_err(io::Error::other)?;
                    block_in_place(|| session.run(&mut out))
                }
            };
            if let Some(fault) = session.fault() {
                warn!(fault, "the store failed a command");
            }
            driver::send(connection, &out).await?;
            if progress == Progress::Done {
                session.read_ahead();
                return Ok(());
            }
            session.feed(Instant::now(), Input::Tick);
            // A long answer ends with the log-in; there may be no place in it for a last word.
            if self.login.as_ref().is_some_and(Login::is_over) {
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
        }
    }
}

fn told(failure: Failure) -> LoginFailure {
    match failure {
        Failure::Refused => LoginFailure::Refused,
        Failure::Unavailable => LoginFailure::Unavailable,
    }
}
