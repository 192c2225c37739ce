//! What is kept of an account's passwords, inside the sealed record that the store calls `credentials`.

use super::hashing::{self, Cost};
use crate::random;
use base::{Secret, Timestamp};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::Hmac;
use serde::{Deserialize, Serialize};
use session::sasl::ScramKeys;
use sha2::{Digest, Sha256};
use std::fmt;
use subtle::ConstantTimeEq;

/// Iterations of PBKDF2 in new SCRAM verifiers (RFC 7677 §4 asks for 4096 at least).
pub const ITERATIONS: u32 = 10_000;

/// Octets of a SCRAM salt.
pub const SALT: usize = 16;

/// App passwords of one account.
pub const MOST_APP_PASSWORDS: usize = 50;

/// Characters of an app password's label.
pub const LABEL: usize = 100;

/// An account's passwords, none of them in clear. The default has none, so that nobody can log in.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    /// Argon2id as a PHC string.
    password: Option<String>,
    /// Left out where SCRAM is turned off.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    scram: Option<Verifier>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    app_passwords: Vec<AppPassword>,
}

/// A password that was made for one device or program, so that it can be revoked alone.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AppPassword {
    /// Its number within the account; not given again while it lives.
    pub id: u32,
    /// What its owner calls it.
    pub label: String,
    /// When it was made, in seconds since 1970.
    pub created: i64,
    /// SHA-256 of its letters, in base64. They are 120 random bits, so a slow hash would add nothing.
    hash: String,
}

/// A SCRAM verifier, in base64.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Verifier {
    salt: String,
    iterations: u32,
    stored_key: String,
    server_key: String,
}

/// An account has as many app passwords as it may.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TooMany;

impl Credentials {
    /// Of a password. Takes as long as a hash should: call it on the pool.
    pub fn new(password: &Secret, cost: &Cost, scram: bool) -> Self {
        let mut credentials = Credentials::default();
        credentials.set_password(password, cost, scram);
        credentials
    }

    /// Replaces the password; app passwords stay. As slow as [`Credentials::new`].
    pub fn set_password(&mut self, password: &Secret, cost: &Cost, scram: bool) {
        let password = session::sasl::prepare_password(password.clone());
        self.password = hashing::hash(cost, &password, &random::octets());
        self.scram = scram.then(|| Verifier::new(&scram_keys(&password, random::octets(), ITERATIONS)));
    }

    /// Takes over the password of `fresh`, made by [`Credentials::new`]; app passwords stay.
    pub fn take_password(&mut self, fresh: Credentials) {
        self.password = fresh.password;
        self.scram = fresh.scram;
    }

    /// Adds an app password and gives it, to be shown once: 24 letters and digits in groups of four.
    pub fn add_app_password(&mut self, label: &str, now: Timestamp) -> Result<Secret, TooMany> {
        if self.app_passwords.len() >= MOST_APP_PASSWORDS {
            return Err(TooMany);
        }
        let letters = random_letters();
        let id = self.app_passwords.iter().map(|app| app.id).max().unwrap_or(0).saturating_add(1);
        let label = label.chars().filter(|c| !c.is_control()).take(LABEL).collect();
        self.app_passwords.push(AppPassword { id, label, created: now.0, hash: letters_hash(&letters) });
        let groups: Vec<&[u8]> = letters.chunks(4).collect();
        Ok(Secret::new(groups.join(&b'-')))
    }

    /// Revokes an app password; false where there is none of that id.
    pub fn revoke_app_password(&mut self, id: u32) -> bool {
        let before = self.app_passwords.len();
        self.app_passwords.retain(|app| app.id != id);
        self.app_passwords.len() < before
    }

    /// The app passwords, without the passwords.
    pub fn app_passwords(&self) -> &[AppPassword] {
        &self.app_passwords
    }

    /// The id of the app password that this is. Case, dashes and spaces don't matter.
    pub fn find_app_password(&self, password: &Secret) -> Option<u32> {
        let separator = |b: &u8| !matches!(b, b'-' | b' ');
        let letters: Vec<u8> =
            password.expose().iter().copied().filter(separator).take(LETTERS + 1).collect();
        if letters.len() != LETTERS || self.app_passwords.is_empty() {
            return None;
        }
        let hash = letters_hash(&letters.to_ascii_lowercase());
        let same = |app: &&AppPassword| bool::from(app.hash.as_bytes().ct_eq(hash.as_bytes()));
        self.app_passwords.iter().find(same).map(|app| app.id)
    }

    /// The PHC string of the password.
    pub fn password_hash(&self) -> Option<&str> {
        self.password.as_deref()
    }

    /// The SCRAM verifier, unless it is turned off.
    pub fn scram_keys(&self) -> Option<ScramKeys> {
        self.scram.as_ref().and_then(Verifier::keys)
    }

    /// As the store keeps it, which seals it.
    pub fn to_bytes(&self) -> Vec<u8> {
        // Strings and numbers in named fields: this can't fail.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads what [`Credentials::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(hidden)")
    }
}

impl fmt::Debug for AppPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppPassword")
            .field("id", &self.id)
            .field("label", &self.label)
            .finish_non_exhaustive()
    }
}

impl Verifier {
    fn new(keys: &ScramKeys) -> Self {
        Verifier {
            salt: STANDARD.encode(&keys.salt),
            iterations: keys.iterations,
            stored_key: STANDARD.encode(keys.stored_key),
            server_key: STANDARD.encode(keys.server_key),
        }
    }

    fn keys(&self) -> Option<ScramKeys> {
        let key = |text: &str| <[u8; 32]>::try_from(STANDARD.decode(text).ok()?).ok();
        Some(ScramKeys {
            salt: STANDARD.decode(&self.salt).ok()?,
            iterations: self.iterations,
            stored_key: key(&self.stored_key)?,
            server_key: key(&self.server_key)?,
        })
    }
}

/// RFC 5802 §3: `Hi` is PBKDF2 with HMAC.
fn scram_keys(password: &Secret, salt: [u8; SALT], iterations: u32) -> ScramKeys {
    let mut salted = [0; 32];
    // It fails for key lengths that HMAC does not have, of which there are none.
    let _ = pbkdf2::pbkdf2::<Hmac<Sha256>>(password.expose(), &salt, iterations, &mut salted);
    ScramKeys::from_salted_password(&salted, salt.to_vec(), iterations)
}

/// Letters of an app password, its dashes left out: 5 random bits each.
const LETTERS: usize = 24;

fn random_letters() -> [u8; LETTERS] {
    // No i, l, o and u: to be read aloud and typed.
    const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    random::octets::<LETTERS>().map(|octet| ALPHABET[usize::from(octet % 32)])
}

fn letters_hash(letters: &[u8]) -> String {
    STANDARD.encode(Sha256::digest([b"mailward app password\0", letters].concat()))
}
