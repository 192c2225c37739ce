//! What the sessions of IMAP, POP3 and ManageSieve have in common for the one loop that drives them.

use crate::mailstore::Mailstore;
use crate::sasl::{self, ChannelBinding, Failure, ScramKeys, Step};
use crate::scripts::Scripts;
use base::Secret;
use std::sync::Arc;
use std::time::Instant;

/// A connection of a client that reads its mail or changes its scripts, without I/O.
///
/// 1. Do every [`MailSession::next`] until it gives `None`.
/// 2. Read from the peer while [`MailSession::wants_input`], at most 16 KiB at a time, and [`MailSession::feed`] it.
///    Answer the actions about log-in and [`Action::StartTls`] by feeding the matching input. At
///    [`MailSession::deadline`], feed [`Input::Tick`].
/// 3. On [`Action::Run`], call [`MailSession::run`] on a thread that may block, write all that it gave, and call it
///    again while it says [`Progress::More`]; then feed [`Input::RunDone`] and go on. Everything after log-in happens
///    there: until the client has taken what one call gave, nothing more is read from the store.
///    Between two calls feed [`Input::Tick`], so that it knows the time.
/// 4. While [`MailSession::wants_changes`], feed [`Input::Changed`] when the account may have changed.
pub trait MailSession: Send {
    /// The next thing to do, if there is one; more may come after `None`.
    fn next(&mut self) -> Option<Action>;

    /// Takes what happened.
    fn feed(&mut self, now: Instant, input: Input<'_>);

    /// Does what waits in the mailbox; blocks on the store. Appends at most about [`RUN_OCTETS`] to `out`.
    fn run(&mut self, out: &mut Vec<u8>) -> Progress;

    /// When to feed [`Input::Tick`] if nothing else happens.
    fn deadline(&self) -> Instant;

    /// Whether to read from the peer: false while something is being waited for or much is waiting to be done.
    fn wants_input(&self) -> bool;

    /// Whether [`Input::Changed`] is of use: the client idles.
    fn wants_changes(&self) -> bool {
        false
    }

    /// Whether the next [`MailSession::run`] reads no more than a small message and waits for no commit: it may run
    /// where longer work would be in others' way.
    fn is_brief(&self) -> bool {
        false
    }

    /// Prepares what the peer is likely to ask for next. Brief; for when all that was asked for is sent.
    fn read_ahead(&mut self) {}

    /// What went wrong on our side since the last call: for the log, never for the peer.
    fn fault(&mut self) -> Option<String> {
        None
    }
}

/// Octets of output after which [`MailSession::run`] returns.
pub const RUN_OCTETS: usize = 256 * 1024;

/// What happened.
pub enum Input<'a> {
    /// Octets from the peer.
    Bytes(&'a [u8]),
    /// The log-in holds: answers [`Action::CheckPassword`] and [`Action::OpenMail`].
    LoginOk(Arc<dyn Mailstore>),
    /// The same, at a service that is about scripts.
    Scripts(Arc<dyn Scripts>),
    /// It doesn't: answers these and [`Action::ProofFailed`], and [`Action::NeedKeys`] where there are none.
    LoginFailed(LoginFailure),
    /// Answers [`Action::NeedKeys`].
    Keys(ScramKeys),
    /// TLS is on: answers [`Action::StartTls`].
    TlsUp(ChannelBinding),
    /// [`MailSession::run`] said [`Progress::Done`], and all it gave is written.
    RunDone,
    /// The account may have changed: a hint, asked for by [`MailSession::wants_changes`]. One that comes while it is not
    /// wanted has to be kept until it is.
    Changed,
    /// Time has passed.
    Tick,
    /// We are going down, or the account's access was taken away: say BYE.
    Shutdown,
    /// The peer will send nothing more.
    Eof,
}

/// Why a log-in failed, as far as the peer may know.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LoginFailure {
    /// Wrong name or password, which of the two is not told; a suspended account too.
    Refused,
    /// Our side can't now.
    Unavailable,
}

/// What the driver has to do.
#[derive(Debug)]
pub enum Action {
    /// Write this.
    Send(Vec<u8>),
    /// Check the password, and open the account's mail if it holds.
    CheckPassword {
        /// Who logs in, prepared by [`crate::sasl::prepare`].
        user: String,
        /// With what, prepared likewise.
        password: Secret,
    },
    /// The client proved to be this user: open the account's mail.
    OpenMail {
        /// Who logged in.
        user: String,
    },
    /// Look up a SCRAM verifier.
    NeedKeys {
        /// Whose.
        user: String,
    },
    /// A SCRAM proof was wrong: count and slow it like a wrong password, then feed [`Input::LoginFailed`].
    ProofFailed {
        /// Whom the client named.
        user: String,
    },
    /// Write what was sent before, drop what was read since, start TLS.
    StartTls,
    /// Write what was sent before; from then on both sides compress (RFC 4978). These octets came behind the command and
    /// are the beginning of what the client compressed.
    Compress(Vec<u8>),
    /// The client logged out without leaving (RFC 8437): forget who it was, and compress no more.
    LoggedOut,
    /// Call [`MailSession::run`].
    Run,
    /// Write what was sent before and close.
    Close,
}

/// What a step of SASL asks of a session.
pub(crate) enum Turn {
    /// Send this challenge, which is in base64, and give the client's answer to the exchange.
    Challenge(String),
    /// Have the driver look up a verifier; the exchange goes on with it.
    Keys(Action),
    /// Have the driver decide; the exchange is over.
    Decide(Action),
    /// Tell the client that its message could not be read; the exchange is over.
    Malformed,
}

impl Turn {
    /// Of a step of this exchange.
    pub(crate) fn of(step: Step, exchange: &sasl::Server) -> Self {
        match step {
            Step::Challenge(message) => Turn::Challenge(wire::sasl::encode(&message)),
            Step::NeedKeys { user } => Turn::Keys(Action::NeedKeys { user }),
            Step::CheckPassword { user, password } => Turn::Decide(Action::CheckPassword { user, password }),
            Step::Done { user } => Turn::Decide(Action::OpenMail { user }),
            Step::Failed(Failure::Malformed) => Turn::Malformed,
            Step::Failed(_) => {
                Turn::Decide(Action::ProofFailed { user: exchange.user().unwrap_or_default().to_owned() })
            }
        }
    }
}

/// Whether [`MailSession::run`] has more to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    /// Call again once the output is written.
    More,
    /// Nothing more can be done without input.
    Done,
}
