//! LOGIN and AUTHENTICATE (RFC 9051 §6.2.2, §6.2.3).

use super::account::Account;
use super::completion::Completion;
use super::{Action, LoginFailure, Session, State, capability};
use crate::mail_session::Turn;
use crate::mailstore::Mailstore;
use crate::sasl::{self, Mechanism, ScramKeys, Step};
use base::Secret;
use std::sync::Arc;
use std::time::Instant;
use wire::imap::Code;

/// Octets of a line while SASL messages are exchanged.
const SASL_LINE: usize = 12 * 1024;

/// An AUTHENTICATE that goes on.
pub(super) struct Exchange {
    pub(super) tag: String,
    server: sasl::Server,
}

impl Session {
    pub(super) fn login(&mut self, tag: String, user: &str, password: Secret) {
        if !self.passwords_allowed() {
            return self.complete(Some(&tag), needs_tls());
        }
        let user = sasl::prepare(user).into_owned();
        self.state = State::Checking { tag };
        self.actions.push_back(Action::CheckPassword { user, password: sasl::prepare_password(password) });
    }

    pub(super) fn authenticate(&mut self, tag: String, mechanism: &str, initial: Option<Secret>) {
        if !self.passwords_allowed() {
            return self.complete(Some(&tag), needs_tls());
        }
        let offered = Mechanism::offered(self.config.scram, self.tls.as_ref());
        let Some(mechanism) = Mechanism::from_name(mechanism).filter(|wanted| offered.contains(wanted))
        else {
            return self.complete(
                Some(&tag),
                Completion::no("that mechanism is not to be had here").code(Code::Cannot),
            );
        };
        let initial = match initial {
            None => None,
            Some(text) => match wire::sasl::decode_initial(text.expose()) {
                Some(message) => Some(message),
                None => {
                    return self.complete(Some(&tag), Completion::bad("the initial response is no base64"));
                }
            },
        };
        let mut server = sasl::Server::new(mechanism, self.tls.clone(), (self.config.nonce)());
        let step = server.start(initial.as_ref().map(Secret::expose));
        self.sasl_step(Box::new(Exchange { tag, server }), step);
    }

    pub(super) fn take_sasl_line(&mut self, line: &Secret) {
        match std::mem::replace(&mut self.state, State::Start) {
            State::Sasl(mut exchange) => match wire::sasl::decode(line.expose()) {
                _ if line.expose() == b"*" => {
                    self.complete(Some(&exchange.tag), Completion::bad("cancelled"))
                }
                Some(response) => {
                    let step = exchange.server.step(response.expose());
                    self.sasl_step(exchange, step);
                }
                None => self.complete(Some(&exchange.tag), Completion::bad("that is no base64")),
            },
            other => self.state = other,
        }
    }

    pub(super) fn take_keys(&mut self, keys: ScramKeys) {
        match std::mem::replace(&mut self.state, State::Start) {
            State::Keys(mut exchange) => {
                let step = exchange.server.keys(keys);
                self.sasl_step(exchange, step);
            }
            other => self.state = other,
        }
    }

    fn sasl_step(&mut self, exchange: Box<Exchange>, step: Step) {
        match Turn::of(step, &exchange.server) {
            Turn::Challenge(challenge) => {
                self.send(format!("+ {challenge}\r\n").into_bytes());
                self.framer.expect_line(SASL_LINE);
                self.state = State::Sasl(exchange);
            }
            Turn::Keys(action) => {
                self.state = State::Keys(exchange);
                self.actions.push_back(action);
            }
            Turn::Decide(action) => {
                self.state = State::Checking { tag: exchange.tag };
                self.actions.push_back(action);
            }
            Turn::Malformed => {
                self.state = State::Start;
                self.complete(Some(&exchange.tag), Completion::bad("that message can't be read"));
            }
        }
    }

    pub(super) fn login_failed(&mut self, failure: LoginFailure) {
        let tag = match std::mem::replace(&mut self.state, State::Start) {
            State::Checking { tag } => tag,
            State::Keys(exchange) => exchange.tag,
            // The connection may have ended meanwhile.
            other => {
                self.state = other;
                return;
            }
        };
        let completion = match failure {
            LoginFailure::Refused => {
                self.failed_logins += 1;
                Completion::no("wrong name or password").code(Code::AuthenticationFailed)
            }
            LoginFailure::Unavailable => Completion::no("can't check that now").code(Code::Unavailable),
        };
        self.complete(Some(&tag), completion);
        if self.failed_logins >= self.config.limits.failed_logins {
            self.bye("too many failed log-ins");
        }
    }

    pub(super) fn log_in(&mut self, now: Instant, store: Arc<dyn Mailstore>) {
        // The connection may have ended meanwhile.
        let State::Checking { tag } = &mut self.state else { return };
        let tag = std::mem::take(tag);
        self.state = State::Start;
        let mut capabilities = Vec::new();
        capability::logged_in(&self.config, &mut capabilities);
        let capabilities = String::from_utf8_lossy(&capabilities).into_owned();
        self.complete(Some(&tag), Completion::ok("logged in").code(Code::Capability(capabilities)));
        self.framer.logged_in();
        self.deadline = now + self.config.limits.imap_idle;
        self.state = State::LoggedIn(Box::new(Account::new(self.config.clone(), store)));
    }
}

fn needs_tls() -> Completion {
    // RFC 9051 §6.2.3, RFC 5530
    Completion::no("TLS first").code(Code::PrivacyRequired)
}
