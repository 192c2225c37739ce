//! AUTH (RFC 4954).

use super::*;
use crate::sasl::{Failure, Mechanism, Server, Step as SaslStep};
use base::Secret;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::io::Write;

/// An AUTH exchange under way.
#[derive(Debug)]
pub(super) struct Exchange {
    server: Server,
    /// Who wants to log in, once that was said.
    user: String,
}

impl Session {
    /// What may be chosen from, strongest first.
    pub(super) fn mechanisms(&self) -> impl Iterator<Item = Mechanism> {
        Mechanism::offered(self.config.scram, self.tls.as_ref()).iter().copied()
    }

    pub(super) fn start_login(&mut self, name: &str, initial: Option<&Secret>) {
        let Some(mechanism) = self.mechanisms().find(|m| m.name().eq_ignore_ascii_case(name)) else {
            return self.refuse(&Reply::new(504, (5, 5, 4), "mechanism not offered"));
        };
        let initial = match initial.map(|text| wire::sasl::decode_initial(text.expose())) {
            Some(None) => return self.refuse(&not_base64()),
            Some(decoded) => decoded,
            None => None,
        };
        let mut server = Server::new(mechanism, self.tls.clone(), self.nonce());
        let step = server.start(initial.as_ref().map(Secret::expose));
        self.login_step(Box::new(Exchange { server, user: String::new() }), step);
    }

    /// Takes a line of the client: `None` if it cancels, `Some(None)` if it is no base64.
    pub(super) fn login_response(&mut self, response: Option<Option<Secret>>) {
        self.since = self.now;
        let State::Login(mut exchange) = std::mem::replace(&mut self.state, State::Commands) else { return };
        match response {
            None => self.refuse(&Reply::new(501, (5, 7, 0), "log-in cancelled")),
            Some(None) => self.refuse(&not_base64()),
            Some(Some(response)) => {
                let step = exchange.server.step(response.expose());
                self.login_step(exchange, step);
            }
        }
    }

    pub(super) fn login_keys(&mut self, mut exchange: Box<Exchange>, answer: Answer) {
        match answer {
            Answer::Keys(keys) => {
                let step = exchange.server.keys(keys);
                self.login_step(exchange, step);
            }
            other => self.login_outcome(other),
        }
    }

    fn login_step(&mut self, mut exchange: Box<Exchange>, step: SaslStep) {
        match step {
            SaslStep::Challenge(challenge) => {
                // Longer than a reply line may be otherwise (RFC 4954 §4.5).
                let text = wire::sasl::encode(&challenge);
                // Writing to memory does not fail.
                let _ = write!(self.output, "334 {text}\r\n");
                self.wait_for(State::Login(exchange));
            }
            SaslStep::CheckPassword { user, password } => {
                self.ask(Asked::Login, Question::Password { user, password });
            }
            SaslStep::NeedKeys { user } => {
                exchange.user.clone_from(&user);
                self.ask(Asked::Keys(exchange), Question::Keys { user });
            }
            SaslStep::Done { user } => self.ask(Asked::Login, Question::Account { user }),
            SaslStep::Failed(Failure::Malformed) => {
                self.wait_for(State::Commands);
                self.refuse(&Reply::new(501, (5, 5, 2), "malformed log-in"));
            }
            SaslStep::Failed(_) => self.ask(Asked::WrongProof, Question::WrongProof { user: exchange.user }),
        }
    }

    pub(super) fn login_outcome(&mut self, answer: Answer) {
        match answer {
            Answer::LoggedIn(identity) => {
                self.dialogue.identity = Some(identity);
                self.say(&Reply::new(235, (2, 7, 0), "authentication succeeded"));
            }
            Answer::LoginFailed => self.login_failed(),
            Answer::Reply(reply) if !reply.is_positive() => self.say_idle(reply),
            Answer::Reply(_) | Answer::Accepted | Answer::Keys(_) => {
                self.say_idle(Reply::new(454, (4, 7, 0), "temporary authentication failure"));
            }
        }
    }

    pub(super) fn login_failed(&mut self) {
        self.tally.failed_logins += 1;
        self.say(&Reply::new(535, (5, 7, 8), "authentication credentials invalid"));
        if self.tally.failed_logins >= self.config.limits.failed_logins {
            self.say(&Reply::new(421, (4, 7, 0), "too many failed log-ins"));
        }
    }

    /// A nonce that nobody can foresee and that does not come twice.
    fn nonce(&mut self) -> [u8; 18] {
        self.tally.logins += 1;
        let mut nonce = [0; 18];
        if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.entropy) {
            mac.update(&self.tally.logins.to_be_bytes());
            nonce.iter_mut().zip(mac.finalize().into_bytes()).for_each(|(to, from)| *to = from);
        }
        nonce
    }
}

fn not_base64() -> Reply {
    Reply::new(501, (5, 5, 2), "not base64")
}
