//! SASL messages: base64 lines, PLAIN (RFC 4616) and SCRAM (RFC 5802, RFC 7677), parsed and printed.

use base::Secret;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Octets of one decoded message that are looked at; the longest RFC 4954 §4 asks for is 9,216.
pub const MAX_MESSAGE: usize = 9216;

/// Octets of a user name, password or nonce (RFC 4616 §2 asks for 255 at least).
pub const MAX_FIELD: usize = 1024;

/// Decodes a client's base64 line, its line end already taken off. `None` if it is no strict base64 (RFC 4648 §4,
/// with padding) or longer than [`MAX_MESSAGE`]. An initial response of `=` (RFC 4954 §4, RFC 4959 §3, RFC 5034
/// §4) is the caller's: see [`decode_initial`].
pub fn decode(line: &[u8]) -> Option<Secret> {
    if line.len() > MAX_MESSAGE.div_ceil(3) * 4 {
        return None;
    }
    STANDARD.decode(line).ok().map(Secret::new)
}

/// Decodes an initial response: like [`decode`], but `=` stands for an empty one, and an empty text is an error.
pub fn decode_initial(argument: &[u8]) -> Option<Secret> {
    match argument {
        b"" => None,
        b"=" => Some(Secret::new(Vec::new())),
        line => decode(line),
    }
}

/// Encodes a challenge as base64, without a line end.
pub fn encode(message: &[u8]) -> String {
    STANDARD.encode(message)
}

/// The one message of PLAIN (RFC 4616 §2).
#[derive(Debug)]
pub struct Plain {
    /// Whom to act as; `None` where it is left empty.
    pub authzid: Option<String>,
    /// Who logs in.
    pub authcid: String,
    /// The password.
    pub password: Secret,
}

impl Plain {
    /// Reads `[authzid] NUL authcid NUL passwd`. `None` where it breaks the grammar.
    pub fn parse(message: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(message).ok()?;
        let mut fields = text.split('\0');
        let (authzid, authcid, password) = (fields.next()?, fields.next()?, fields.next()?);
        let too_long = [authzid, authcid, password].iter().any(|field| field.len() > MAX_FIELD);
        if fields.next().is_some() || too_long || authcid.is_empty() || password.is_empty() {
            return None;
        }
        Some(Plain {
            authzid: Some(authzid).filter(|name| !name.is_empty()).map(str::to_owned),
            authcid: authcid.to_owned(),
            password: Secret::new(password),
        })
    }
}

/// What a SCRAM client says of channel binding: `gs2-cbind-flag` (RFC 5802 §7).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BindingFlag<'a> {
    /// `n`: it can't.
    Unsupported,
    /// `y`: it could, and believes that the server can't.
    NotOffered,
    /// `p=name`: it does, with this type.
    Used(&'a str),
}

/// `client-first-message` (RFC 5802 §7).
#[derive(PartialEq, Eq, Debug)]
pub struct ClientFirst<'a> {
    /// What it says of channel binding.
    pub flag: BindingFlag<'a>,
    /// Whom to act as, unescaped; `None` where it is left empty.
    pub authzid: Option<String>,
    /// Who logs in, unescaped.
    pub user: String,
    /// The client's part of the nonce.
    pub nonce: &'a str,
    /// `gs2-header` as it stands, its last comma included.
    pub header: &'a str,
    /// `client-first-message-bare` as it stands.
    pub bare: &'a str,
}

impl<'a> ClientFirst<'a> {
    /// Reads the message. `None` where it breaks the grammar or carries a mandatory extension (`m=`).
    pub fn parse(message: &'a [u8]) -> Option<Self> {
        let text = bounded(message)?;
        let (flag, rest) = text.split_once(',')?;
        let (authzid, bare) = rest.split_once(',')?;
        let header = text.get(..text.len() - bare.len())?;
        let flag = match flag {
            "n" => BindingFlag::Unsupported,
            "y" => BindingFlag::NotOffered,
            _ => BindingFlag::Used(flag.strip_prefix("p=").filter(|name| is_binding_name(name))?),
        };
        let authzid = match authzid {
            "" => None,
            field => Some(unescape_name(field.strip_prefix("a=")?)?),
        };
        let mut attributes = bare.split(',');
        let user = unescape_name(attributes.next()?.strip_prefix("n=")?)?;
        let nonce = attributes.next()?.strip_prefix("r=").filter(|nonce| is_nonce(nonce))?;
        attributes.all(is_extension).then_some(ClientFirst { flag, authzid, user, nonce, header, bare })
    }
}

/// `client-final-message` (RFC 5802 §7).
#[derive(PartialEq, Eq, Debug)]
pub struct ClientFinal<'a> {
    /// `channel-binding`: the header said again, followed by the binding's data.
    pub binding: Vec<u8>,
    /// The whole nonce.
    pub nonce: &'a str,
    /// `ClientProof`.
    pub proof: Vec<u8>,
    /// `client-final-message-without-proof` as it stands.
    pub without_proof: &'a str,
}

impl<'a> ClientFinal<'a> {
    /// Reads the message. `None` where it breaks the grammar.
    pub fn parse(message: &'a [u8]) -> Option<Self> {
        let text = bounded(message)?;
        let (without_proof, proof) = text.rsplit_once(",p=")?;
        let mut attributes = without_proof.split(',');
        let binding = STANDARD.decode(attributes.next()?.strip_prefix("c=")?).ok()?;
        let nonce = attributes.next()?.strip_prefix("r=").filter(|nonce| is_nonce(nonce))?;
        let proof = STANDARD.decode(proof).ok()?;
        attributes.all(is_extension).then_some(ClientFinal { binding, nonce, proof, without_proof })
    }
}

/// Prints `server-first-message` (RFC 5802 §7).
pub fn server_first(nonce: &str, salt: &[u8], iterations: u32) -> String {
    format!("r={nonce},s={},i={iterations}", encode(salt))
}

/// Prints `server-final-message` of a log-in that succeeded (RFC 5802 §7).
pub fn server_final(signature: &[u8]) -> String {
    format!("v={}", encode(signature))
}

fn bounded(message: &[u8]) -> Option<&str> {
    std::str::from_utf8(message).ok().filter(|text| text.len() <= MAX_MESSAGE)
}

/// Undoes `=2C` and `=3D`; any other `=` is an error (RFC 5802 §5.1).
fn unescape_name(name: &str) -> Option<String> {
    let mut pieces = name.split('=');
    let mut plain = pieces.next()?.to_owned();
    for piece in pieces {
        let (escaped, rest) = piece.split_at_checked(2)?;
        plain.push(match escaped {
            "2C" => ',',
            "3D" => '=',
            _ => return None,
        });
        plain.push_str(rest);
    }
    let sound = !plain.is_empty() && plain.len() <= MAX_FIELD && !plain.contains('\0');
    sound.then_some(plain)
}

fn is_binding_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-')
}

fn is_nonce(nonce: &str) -> bool {
    !nonce.is_empty() && nonce.len() <= MAX_FIELD && nonce.bytes().all(|b| b.is_ascii_graphic() && b != b',')
}

/// `attr-val` of an extension that may be ignored; a mandatory one (`m`) may not (RFC 5802 §5.1).
fn is_extension(attribute: &str) -> bool {
    let mut characters = attribute.chars();
    let name = characters.next();
    name.is_some_and(|c| c.is_ascii_alphabetic() && c != 'm') && characters.next() == Some('=')
}

#[cfg(test)]
mod tests;
