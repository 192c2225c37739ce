//! AUTH at a smart host (RFC 4954).

use super::*;

/// Where in an exchange the session is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Exchange {
    /// PLAIN was sent with its one response (RFC 4616): the outcome comes.
    Plain,
    /// LOGIN was sent: it asks for the user.
    User,
    /// The user was sent: it asks for the password.
    Password,
    /// The password was sent: the outcome comes.
    Last,
}

impl Client {
    /// Logs in, if there is to be a log-in; then the session is ready.
    pub(super) fn log_in(&mut self) {
        let Some(login) = self.config.login.clone() else { return self.ready() };
        // No password goes to one whose name was not checked.
        if !self.security.is_some_and(|security| security.authenticated) {
            return self.leave(Some(no_login("log-in needs TLS with a certificate that was checked")));
        }
        let offers = |name: &str| self.extensions.mechanisms.iter().any(|offered| offered == name);
        if offers("PLAIN") {
            let message = [b"\0", login.user.as_bytes(), b"\0", login.password.expose()].concat();
            let line = format!("AUTH PLAIN {}\r\n", wire::sasl::encode(&message));
            self.command(line.into_bytes(), [Awaited::Auth(Exchange::Plain)]);
        } else if offers("LOGIN") {
            self.command(b"AUTH LOGIN\r\n".to_vec(), [Awaited::Auth(Exchange::User)]);
        } else {
            self.leave(Some(no_login("server offers no log-in by PLAIN or LOGIN")));
        }
    }

    pub(super) fn login_reply(&mut self, exchange: Exchange, reply: Reply) {
        let login = self.config.login.clone();
        match (reply.code(), exchange, login) {
            (235, Exchange::Plain | Exchange::Last, _) => self.ready(),
            (334, Exchange::User, Some(login)) => self.respond(login.user.as_bytes(), Exchange::Password),
            (334, Exchange::Password, Some(login)) => self.respond(login.password.expose(), Exchange::Last),
            (400.., ..) => self.leave(Some(theirs(Stage::Login, reply))),
            _ => self.wrong_reply(Stage::Login, &reply),
        }
    }

    fn respond(&mut self, response: &[u8], next: Exchange) {
        let line = wire::sasl::encode(response) + "\r\n";
        self.command(line.into_bytes(), [Awaited::Auth(next)]);
    }
}

fn no_login(text: &str) -> Trouble {
    // RFC 3463 §3.8
    Trouble::new(Stage::Login, Why::Login, 454, (4, 7, 0), text.to_owned())
}
