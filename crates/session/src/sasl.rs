//! The server's side of SASL: PLAIN, LOGIN, SCRAM-SHA-256 and SCRAM-SHA-256-PLUS. No I/O, and no look at passwords:
//! the caller checks a password or gives a SCRAM verifier when asked.
//!
//! How SMTP, IMAP and POP3 use it:
//!
//! 1. They announce [`Mechanism::offered`] (only where passwords are allowed, so after TLS) and read the client's
//!    choice with [`Mechanism::from_name`], which must be among those offered.
//! 2. [`Server::new`], then [`Server::start`] with the decoded initial response
//!    ([`wire::sasl::decode_initial`]), if the command had one.
//! 3. Each [`Step`] says what to do. After [`Step::Challenge`] the client's next line goes through
//!    [`wire::sasl::decode`] into [`Server::step`]. A line of `*` cancels: drop the [`Server`]. A line that is no
//!    base64 ends the exchange too.
//! 4. [`Step::CheckPassword`] is the exchange's last step: the caller's check decides. [`Step::NeedKeys`] is
//!    answered by [`Server::keys`].

use base::Secret;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::fmt;
use subtle::ConstantTimeEq;
use wire::sasl::{BindingFlag, ClientFinal, ClientFirst, MAX_FIELD, Plain, server_final, server_first};

/// A SASL mechanism that this server speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mechanism {
    /// RFC 4616.
    Plain,
    /// The older two prompts, `Username:` and `Password:` (draft-murchison-sasl-login).
    Login,
    /// RFC 7677.
    ScramSha256,
    /// RFC 7677, bound to the TLS connection.
    ScramSha256Plus,
}

impl Mechanism {
    /// The registered name.
    pub fn name(self) -> &'static str {
        match self {
            Mechanism::Plain => "PLAIN",
            Mechanism::Login => "LOGIN",
            Mechanism::ScramSha256 => "SCRAM-SHA-256",
            Mechanism::ScramSha256Plus => "SCRAM-SHA-256-PLUS",
        }
    }

    /// The mechanism of that name, in any case (RFC 4422 §3.1 has upper case; clients differ).
    pub fn from_name(name: &str) -> Option<Self> {
        use Mechanism::*;
        [Plain, Login, ScramSha256, ScramSha256Plus].into_iter().find(|m| m.name().eq_ignore_ascii_case(name))
    }

    /// What to announce, strongest first: SCRAM if it is turned on, `-PLUS` only where the connection has something to
    /// bind to. The same `binding` goes to [`Server::new`], which takes what it holds for what was announced.
    pub fn offered(scram: bool, binding: Option<&ChannelBinding>) -> &'static [Mechanism] {
        use Mechanism::*;
        match (scram, binding.is_some_and(ChannelBinding::is_usable)) {
            (true, true) => &[ScramSha256Plus, ScramSha256, Plain, Login],
            (true, false) => &[ScramSha256, Plain, Login],
            (false, _) => &[Plain, Login],
        }
    }
}

/// What a TLS connection can be recognised by. Facts of the connection, the same for both ends and no secret.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ChannelBinding {
    /// `tls-exporter`: 32 octets exported with the label `EXPORTER-Channel-Binding` and an empty context
    /// (RFC 9266 §2). Only over TLS 1.3, or 1.2 with extended master secret.
    pub exporter: Option<Vec<u8>>,
    /// `tls-server-end-point`: the hash of our certificate by its signature's hash, SHA-256 for MD5 and SHA-1
    /// (RFC 5929 §4.1).
    pub server_end_point: Option<Vec<u8>>,
}

impl ChannelBinding {
    fn is_usable(&self) -> bool {
        self.exporter.is_some() || self.server_end_point.is_some()
    }

    fn of_type(&self, name: &str) -> Option<&[u8]> {
        match name {
            "tls-exporter" => self.exporter.as_deref(),
            "tls-server-end-point" => self.server_end_point.as_deref(),
            _ => None,
        }
    }
}

/// A SCRAM verifier (RFC 5802 §3): enough to check a proof, and to be kept as safe as a password.
#[derive(Clone)]
pub struct ScramKeys {
    /// The account's salt.
    pub salt: Vec<u8>,
    /// Iterations of PBKDF2; at least 4096 (RFC 7677 §4).
    pub iterations: u32,
    /// `H(ClientKey)`.
    pub stored_key: [u8; 32],
    /// `HMAC(SaltedPassword, "Server Key")`.
    pub server_key: [u8; 32],
}

impl ScramKeys {
    /// The verifier of a salted password: `Hi(Normalize(password), salt, iterations)` (RFC 5802 §3).
    pub fn from_salted_password(salted: &[u8; 32], salt: Vec<u8>, iterations: u32) -> Self {
        let stored_key = Sha256::digest(hmac(salted, b"Client Key")).into();
        ScramKeys { salt, iterations, stored_key, server_key: hmac(salted, b"Server Key") }
    }
}

impl fmt::Debug for ScramKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ScramKeys(hidden)")
    }
}

/// What an exchange asks of its caller.
#[derive(Debug)]
pub enum Step {
    /// Send this as a challenge (base64 it first), and give the client's answer to [`Server::step`].
    Challenge(Vec<u8>),
    /// Check the password; that decides, the exchange is over. An authorisation identity was given only if it is
    /// equal to `user`. The password went through [`prepare`].
    CheckPassword {
        /// Who logs in.
        user: String,
        /// With what.
        password: Secret,
    },
    /// Look up the verifier and give it to [`Server::keys`]: a stable fake one where there is no such user or it
    /// has no verifier.
    NeedKeys {
        /// Who logs in.
        user: String,
    },
    /// The client proved to be this user, in SCRAM only.
    Done {
        /// Who logged in.
        user: String,
    },
    /// The exchange failed: a wrong proof, a broken message, a downgrade. Nothing more is to be said.
    Failed(Failure),
}

/// Why an exchange failed; for logs and limits. The peer is told the same for all but [`Failure::Malformed`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Failure {
    /// The message breaks the mechanism's grammar or came out of order.
    Malformed,
    /// The proof is wrong: counts as a wrong password.
    WrongProof,
    /// It asks to act as somebody else.
    OtherIdentity,
    /// Channel binding is missing, of an unknown type, wrong, or was hidden from the client by somebody between.
    ChannelBinding,
}

/// One exchange. See the module for how it is used.
#[derive(Debug)]
pub struct Server {
    mechanism: Mechanism,
    binding: Option<ChannelBinding>,
    nonce: String,
    user: Option<String>,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Nothing was received.
    Start,
    /// LOGIN: the password is awaited.
    LoginPassword { user: String },
    /// SCRAM: the verifier is awaited.
    Keys(Scram),
    /// SCRAM: the client's final message is awaited.
    Final { scram: Scram, keys: ScramKeys, server_first: String },
    /// SCRAM: the server's signature went out; the client's empty answer is awaited.
    Signed { user: String },
    /// Nothing further may come.
    Over,
}

/// What has to be remembered of `client-first-message`.
#[derive(Debug)]
struct Scram {
    user: String,
    bare: String,
    /// The whole nonce.
    nonce: String,
    /// What `c=` must hold: the header and the binding's data.
    expected_binding: Vec<u8>,
}

impl Server {
    /// Starts an exchange. `binding` is what [`Mechanism::offered`] was called with; `nonce` is random and fresh,
    /// used by SCRAM only.
    pub fn new(mechanism: Mechanism, binding: Option<ChannelBinding>, nonce: [u8; 18]) -> Self {
        Self::with_nonce(mechanism, binding, wire::sasl::encode(&nonce))
    }

    fn with_nonce(mechanism: Mechanism, binding: Option<ChannelBinding>, nonce: String) -> Self {
        let binding = binding.filter(ChannelBinding::is_usable);
        Server { mechanism, binding, nonce, user: None, state: State::Start }
    }

    /// The first step, with the client's initial response if it sent one.
    pub fn start(&mut self, initial: Option<&[u8]>) -> Step {
        match (initial, self.mechanism) {
            (Some(response), _) => self.step(response),
            (None, Mechanism::Login) => Step::Challenge(b"Username:".to_vec()),
            (None, _) => Step::Challenge(Vec::new()),
        }
    }

    /// Takes a response of the client, decoded from base64.
    pub fn step(&mut self, response: &[u8]) -> Step {
        let outcome = match (std::mem::replace(&mut self.state, State::Over), self.mechanism) {
            (State::Start, Mechanism::Plain) => plain(response),
            (State::Start, Mechanism::Login) => self.login_user(response),
            (State::Start, _) => self.client_first(response),
            (State::LoginPassword { user }, _) => login_password(user, response),
            (State::Final { scram, keys, server_first }, _) => {
                self.client_final(scram, &keys, &server_first, response)
            }
            (State::Signed { user }, _) if response.is_empty() => Ok(Step::Done { user }),
            _ => Err(Failure::Malformed),
        };
        outcome.unwrap_or_else(Step::Failed)
    }

    /// Answers [`Step::NeedKeys`].
    pub fn keys(&mut self, keys: ScramKeys) -> Step {
        let State::Keys(scram) = std::mem::replace(&mut self.state, State::Over) else {
            return Step::Failed(Failure::Malformed);
        };
        let server_first = server_first(&scram.nonce, &keys.salt, keys.iterations);
        let challenge = server_first.clone().into_bytes();
        self.state = State::Final { scram, keys, server_first };
        Step::Challenge(challenge)
    }

    /// Whom the client of a SCRAM exchange named, once it did: a wrong proof is counted against that name.
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    fn login_user(&mut self, response: &[u8]) -> Result<Step, Failure> {
        let user = login_field(response).ok_or(Failure::Malformed)?;
        self.state = State::LoginPassword { user: prepare(user).into_owned() };
        Ok(Step::Challenge(b"Password:".to_vec()))
    }

    fn client_first(&mut self, response: &[u8]) -> Result<Step, Failure> {
        let message = ClientFirst::parse(response).ok_or(Failure::Malformed)?;
        let data = self.judge_binding(message.flag)?;
        let expected_binding = [message.header.as_bytes(), data].concat();
        let user = prepare(&message.user).into_owned();
        same_identity(message.authzid.as_deref(), &user)?;
        let nonce = format!("{}{}", message.nonce, self.nonce);
        let scram = Scram { user: user.clone(), bare: message.bare.to_owned(), nonce, expected_binding };
        self.state = State::Keys(scram);
        self.user = Some(user.clone());
        Ok(Step::NeedKeys { user })
    }

    /// Whether what the client says of channel binding fits what was announced, and the data to bind to
    /// (RFC 5802 §6).
    fn judge_binding(&self, flag: BindingFlag<'_>) -> Result<&[u8], Failure> {
        match (self.mechanism, flag, &self.binding) {
            (Mechanism::ScramSha256Plus, BindingFlag::Used(name), Some(binding)) => {
                binding.of_type(name).ok_or(Failure::ChannelBinding)
            }
            (Mechanism::ScramSha256, BindingFlag::Unsupported, _) => Ok(&[]),
            // It did not see our -PLUS: somebody between us took it away, unless there was none.
            (Mechanism::ScramSha256, BindingFlag::NotOffered, None) => Ok(&[]),
            _ => Err(Failure::ChannelBinding),
        }
    }

    fn client_final(
        &mut self,
        scram: Scram,
        keys: &ScramKeys,
        server_first: &str,
        response: &[u8],
    ) -> Result<Step, Failure> {
        let message = ClientFinal::parse(response).ok_or(Failure::Malformed)?;
        if !same(message.nonce.as_bytes(), scram.nonce.as_bytes()) {
            return Err(Failure::Malformed);
        }
        if !same(&message.binding, &scram.expected_binding) {
            return Err(Failure::ChannelBinding);
        }
        let auth_message = format!("{},{server_first},{}", scram.bare, message.without_proof);
        if !proves(&message.proof, keys, auth_message.as_bytes()) {
            return Err(Failure::WrongProof);
        }
        let signature = hmac(&keys.server_key, auth_message.as_bytes());
        self.state = State::Signed { user: scram.user };
        Ok(Step::Challenge(server_final(&signature).into_bytes()))
    }
}

fn plain(response: &[u8]) -> Result<Step, Failure> {
    let message = Plain::parse(response).ok_or(Failure::Malformed)?;
    let user = prepare(&message.authcid).into_owned();
    same_identity(message.authzid.as_deref(), &user)?;
    Ok(Step::CheckPassword { user, password: prepare_password(message.password) })
}

fn login_password(user: String, response: &[u8]) -> Result<Step, Failure> {
    let password = login_field(response).ok_or(Failure::Malformed)?;
    Ok(Step::CheckPassword { user, password: prepare_password(Secret::new(password)) })
}

fn login_field(response: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(response).ok()?;
    (!text.is_empty() && text.len() <= MAX_FIELD && !text.contains('\0')).then_some(text)
}

/// Nobody acts as somebody else here.
fn same_identity(authzid: Option<&str>, user: &str) -> Result<(), Failure> {
    match authzid {
        Some(name) if prepare(name) != user => Err(Failure::OtherIdentity),
        _ => Ok(()),
    }
}

/// Prepares a user name or a password for comparison: SASLprep as a query (RFC 4013), so that the same characters
/// typed on different keyboards match. What SASLprep forbids (controls, emoji newer than Unicode 3.2, mixed
/// directions) is left as it stands rather than refused: such a password works as long as it is sent in the same
/// octets. Passwords go through this both when they are set and when they are checked.
pub fn prepare(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|b| (b' '..=b'~').contains(&b)) {
        return Cow::Borrowed(text);
    }
    stringprep::saslprep(text).unwrap_or(Cow::Borrowed(text))
}

/// [`prepare`] for a password; one that is not UTF-8 is left as it stands.
pub fn prepare_password(password: Secret) -> Secret {
    match password.expose_str().map(prepare) {
        Some(Cow::Owned(text)) => Secret::new(text),
        _ => password,
    }
}

/// Whether `ClientProof` fits `StoredKey` (RFC 5802 §3).
fn proves(proof: &[u8], keys: &ScramKeys, auth_message: &[u8]) -> bool {
    let signature = hmac(&keys.stored_key, auth_message);
    if proof.len() != signature.len() {
        return false;
    }
    let client_key: Vec<u8> = proof.iter().zip(signature).map(|(p, s)| p ^ s).collect();
    same(&Sha256::digest(client_key), &keys.stored_key)
}

fn hmac(key: &[u8; 32], message: &[u8]) -> [u8; 32] {
    // A key of the digest's output length is shorter than its block, which a fixed-size key has to be.
    let mut block = [0; 64];
    block[..32].copy_from_slice(key);
    let mut mac = Hmac::<Sha256>::new(&block.into());
    mac.update(message);
    mac.finalize().into_bytes().into()
}

fn same(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

#[cfg(test)]
mod tests;
