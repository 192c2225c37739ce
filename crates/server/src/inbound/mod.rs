//! Mail coming in by SMTP: one connection from greeting to close.
//!
//! The session decides the protocol; this asks the checks, hands the octets on, and has the message committed
//! before the peer hears `250`.

mod calls;
pub mod transaction;

use crate::driver::{self, HANDSHAKE, Waited, Waiter};
use crate::login::{Failure, Login, Visitor};
use crate::server::Server;
use base::{Address, BoxFuture, Reply, ReversePath};
use gate::{Origin, Peer, PeerEvidence, Ruling, SenderEvidence, Stage};
use net::Connection;
use session::smtp::{Action, Answer, Config, Identity, Input, Question, Refusal, Sender, Service, Session};
use std::io;
use std::sync::Arc;
use std::time::Instant;
use store::story::{Event, What};
use tracing::{Instrument, debug, info, info_span};
use transaction::{By, Transaction};
use wire::smtp::Rcpt;

/// Serves one connection; the handshake of implicit TLS is already done.
pub async fn serve(mut connection: Connection, server: Arc<Server>, config: Arc<Config>) {
    let id = crate::random::trace_id();
    let span = info_span!("smtp", connection = %id, peer = %connection.peer().ip());
    let work = async {
        let mut inbound = Inbound::new(&connection, server, &config);
        if let Err(error) = inbound.drive(&mut connection, config).await {
            debug!(%error, "connection broke");
        }
        connection.close().await;
    };
    work.instrument(span).await;
}

/// What is known of a connection beside its session.
struct Inbound {
    server: Arc<Server>,
    peer: PeerEvidence,
    visitor: Visitor,
    ruling: Option<Ruling<Peer>>,
    login: Option<Login>,
    transaction: Option<Transaction>,
}

impl Inbound {
    fn new(connection: &Connection, server: Arc<Server>, config: &Config) -> Self {
        let (service, origin) = match config.service {
            Service::Mx => ("smtp", Origin::Mx),
            Service::Submission => ("submission", Origin::Submission),
            Service::Submissions => ("submissions", Origin::Submission),
        };
        let peer = PeerEvidence { ip: connection.peer().ip(), origin };
        let visitor = Visitor::new(server.clone(), peer.ip, service);
        Inbound { server, peer, visitor, ruling: None, login: None, transaction: None }
    }

    async fn drive(&mut self, connection: &mut Connection, config: Arc<Config>) -> io::Result<()> {
        let binding = connection.tls_info().map(|info| info.binding);
        let mut session = Session::new(config, binding, crate::random::octets(), Instant::now());
        let mut octets = Vec::new();
        let mut waiter = Waiter::new(&self.server.stop);
        while self.act(&mut session, connection).await? {
            let deadline = session.deadline();
            let waited = waiter.wait(connection, &mut octets, deadline, self.login.as_mut(), None).await?;
            let now = Instant::now();
            match waited {
                Waited::Octets => session.feed(now, Input::Bytes(&octets)),
                Waited::End => session.feed(now, Input::Eof),
                Waited::Deadline | Waited::Changed => session.feed(now, Input::Tick),
                Waited::Stop => session.shut_down(),
            }
            driver::release(&mut octets);
        }
        Ok(())
    }

    /// Does all that the session asks for. False when the connection is to be closed.
    async fn act(&mut self, session: &mut Session, connection: &mut Connection) -> io::Result<bool> {
        while let Some(action) = session.next() {
            match action {
                Action::Send(reply) => driver::send(connection, &reply).await?,
                Action::Spool(octets) => {
                    if let Some(transaction) = &mut self.transaction {
                        transaction.push(octets);
                    }
                }
                Action::Abandon => {
                    let given_up = self.transaction.take();
                    if let Some((transaction, refusal)) = given_up.zip(session.refusal()) {
                        transaction.refused(&self.server, &self.peer, &refusal.reply);
                    }
                }
                Action::Ask(question) => {
                    let answer = self.answer(question).await;
                    session.feed(Instant::now(), Input::Answer(answer));
                }
                Action::StartTls => {
                    let tls = self.server.tls.as_ref().ok_or(io::ErrorKind::Unsupported)?;
                    connection.start_tls(tls, net::Protocol::Smtp, HANDSHAKE).await?;
                    self.server.secured(connection);
                    (self.transaction, self.login) = (None, None);
                    let binding = connection.tls_info().map(|info| info.binding).unwrap_or_default();
                    session.feed(Instant::now(), Input::TlsUp(binding));
                }
                Action::Close => return Ok(false),
            }
        }
        if let Some(Refusal { reply, from: Some(from) }) = session.refusal() {
            self.refuse_sender(&from, &self.peer.ip.to_string(), &reply, "");
        }
        Ok(true)
    }

    /// Says in log and story that mail from somebody is not taken.
    fn refuse_sender(&self, from: &ReversePath, who: &str, reply: &Reply, why: &str) {
        let trace = crate::random::trace_id();
        info!(%trace, %from, %reply, why, "sender refused");
        let event = Event::new(trace, What::Refused).by(who).said(reply);
        self.server.refused(self.peer.ip, Event { from: from.to_string(), ..event });
    }

    /// Boxed: answers need room that an idle connection should not hold.
    fn answer(&mut self, question: Question) -> BoxFuture<'_, Answer> {
        Box::pin(async move {
            match question {
                Question::Peer => self.judge_peer().await,
                Question::Sender(sender) => self.judge_sender(*sender).await,
                Question::Recipient(rcpt) => self.judge_recipient(*rcpt).await,
                Question::Begin => self.begin(),
                Question::End => Answer::Reply(self.end().await),
                Question::Password { user, password } => {
                    let outcome = self.visitor.password(&user, &password).await;
                    self.logged_in(outcome)
                }
                Question::Account { user } => {
                    let outcome = self.visitor.proven(&user).await;
                    self.logged_in(outcome)
                }
                Question::Keys { user } => match self.visitor.keys(&user).await {
                    Ok(keys) => Answer::Keys(keys),
                    Err(failure) => not_logged_in(failure),
                },
                Question::WrongProof { user } => {
                    self.visitor.wrong_proof(&user).await;
                    Answer::LoginFailed
                }
            }
        })
    }

    fn logged_in(&mut self, outcome: Result<Login, Failure>) -> Answer {
        match outcome {
            Ok(login) => {
                let account = login.account();
                let identity = Identity { account: account.id, name: account.address.to_string() };
                self.login = Some(login);
                Answer::LoggedIn(identity)
            }
            Err(failure) => not_logged_in(failure),
        }
    }

    async fn judge_peer(&mut self) -> Answer {
        let ruling = self.server.gatehouse.peer(&self.peer).await;
        let answer = answer_of(&ruling);
        self.ruling = Some(ruling);
        answer
    }

    async fn judge_sender(&mut self, sender: Sender) -> Answer {
        let owner = self.login.as_ref().map(|login| self.server.owner(login.account().id));
        let owns = owner.as_ref().map(|owner| move |address: &Address| owner.owns(address));
        let evidence = SenderEvidence {
            peer: &self.peer,
            helo: sender.client.as_str(),
            account: owns.as_ref().map(|owns| owns as _),
            reverse_path: &sender.mail.reverse_path,
        };
        let ruling = self.server.gatehouse.sender(&evidence).await;
        let answer = answer_of(&ruling);
        match ruling.turns_away() {
            Some(reply) => {
                let who = transaction::peer_words(&sender, self.peer.ip);
                self.refuse_sender(&sender.mail.reverse_path, &who, reply, &ruling.trace());
            }
            None => self.transaction = Some(Transaction::new(sender, ruling)),
        }
        answer
    }

    async fn judge_recipient(&mut self, rcpt: Rcpt) -> Answer {
        let Some(transaction) = &mut self.transaction else { return out_of_order() };
        let by = self.login.as_ref().map(|login| By::from(login.account()));
        match transaction.recipient(&self.server, &self.peer, rcpt, by).await {
            Ok(()) => Answer::Accepted,
            Err(not_taken) => Answer::Reply(not_taken.reply),
        }
    }

    /// Opens the spool for a message, if there is room.
    fn begin(&mut self) -> Answer {
        let Some(transaction) = &mut self.transaction else { return out_of_order() };
        transaction.begin(&self.server).map_or_else(Answer::Reply, |()| Answer::Accepted)
    }

    /// Judges and commits the message; gives the reply that tells how it went.
    async fn end(&mut self) -> Reply {
        let Some((transaction, peer)) = self.transaction.take().zip(self.ruling.clone()) else {
            return Reply::new(503, (5, 5, 1), "Bad sequence of commands");
        };
        let owner = self.login.as_ref().map(|login| self.server.owner(login.account().id));
        let owns = owner.as_ref().map(|owner| move |address: &Address| owner.owns(address));
        transaction.finish(&self.server, &self.peer, peer, owns.as_ref().map(|owns| owns as _)).await
    }
}

fn answer_of<S: Stage>(ruling: &Ruling<S>) -> Answer {
    ruling.turns_away().map_or(Answer::Accepted, |reply| Answer::Reply(reply.clone()))
}

fn not_logged_in(failure: Failure) -> Answer {
    match failure {
        Failure::Refused => Answer::LoginFailed,
        Failure::Unavailable => Answer::Reply(Reply::new(454, (4, 7, 0), "Temporary authentication failure")),
    }
}

fn out_of_order() -> Answer {
    Answer::Reply(Reply::new(503, (5, 5, 1), "Bad sequence of commands"))
}
