//! One certificate with its key: read from files, or made.

use aws_lc_rs::digest;
use base::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::client::verify_server_name;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fmt, fs};

/// Octets of a certificate or key file that are read; chains are a few KiB.
const MOST_OCTETS: u64 = 1024 * 1024;

/// Where a certificate chain and its key lie, both in PEM.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Source {
    /// The chain, our own certificate first.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// Why certificates can't be used.
#[derive(Debug)]
pub enum TlsError {
    /// No certificate is configured.
    NoCertificate,
    /// A file can't be read.
    File(PathBuf, io::Error),
    /// A file holds no usable PEM.
    Pem(PathBuf, String),
    /// Certificate and key do not belong together, or are of an unknown kind.
    Pair(PathBuf, rustls::Error),
    /// The TLS library refuses.
    Setup(rustls::Error),
    /// A certificate can't be made.
    Make(String),
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TlsError::NoCertificate => f.write_str("no certificate is configured"),
            TlsError::File(path, error) => write!(f, "{}: {error}", path.display()),
            TlsError::Pem(path, error) => write!(f, "{}: {error}", path.display()),
            TlsError::Pair(path, error) => write!(f, "{} and its key: {error}", path.display()),
            TlsError::Setup(error) => write!(f, "TLS: {error}"),
            TlsError::Make(error) => write!(f, "cannot make a certificate: {error}"),
        }
    }
}

impl std::error::Error for TlsError {}

/// What tells whether files have changed: identity, length and time of each.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Fingerprint([Option<(u64, u64, i64, i64)>; 2]);

impl Source {
    pub(super) fn fingerprint(&self) -> Fingerprint {
        let of = |path: &Path| fs::metadata(path).ok().map(|m| (m.ino(), m.len(), m.mtime(), m.mtime_nsec()));
        Fingerprint([of(&self.certificate), of(&self.key)])
    }
}

#[derive(Debug)]
pub(super) struct Certificate {
    pub(super) key: Arc<CertifiedKey>,
    /// The hash for `tls-server-end-point`.
    pub(super) end_point: Option<Arc<[u8]>>,
}

impl Certificate {
    pub(super) fn read(source: &Source, provider: &CryptoProvider) -> Result<Self, TlsError> {
        let pem = read_bounded(&source.certificate)?;
        let bad =
            |path: &Path, error: rustls::pki_types::pem::Error| TlsError::Pem(path.into(), error.to_string());
        let chain = CertificateDer::pem_slice_iter(&pem)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|e| bad(&source.certificate, e))?;
        let Some(own) = chain.first() else {
            return Err(TlsError::Pem(source.certificate.clone(), "no certificate in it".into()));
        };
        let end_point = end_point(own).map(Arc::from);
        let key =
            PrivateKeyDer::from_pem_slice(&read_bounded(&source.key)?).map_err(|e| bad(&source.key, e))?;
        let key = CertifiedKey::from_der(chain, key, provider)
            .map_err(|e| TlsError::Pair(source.certificate.clone(), e))?;
        Ok(Certificate { key: Arc::new(key), end_point })
    }

    /// Whether it names this host, wildcards understood (RFC 9525 §6.3).
    pub(super) fn is_for(&self, host: &str) -> bool {
        let Ok(name) = ServerName::try_from(host) else { return false };
        let parsed = self.key.end_entity_cert().and_then(ParsedCertificate::try_from);
        parsed.is_ok_and(|certificate| verify_server_name(&certificate, &name).is_ok())
    }

    /// When it ends.
    pub(super) fn end(&self) -> Option<Timestamp> {
        not_after(self.key.end_entity_cert().ok()?)
    }
}

/// A certificate's `notAfter` (RFC 5280 §4.1).
fn not_after(certificate: &[u8]) -> Option<Timestamp> {
    let (sequence, _) = der(certificate, 0x30)?;
    let (mut rest, _) = der(sequence, 0x30)?;
    // The version is left out of a certificate of version 1.
    rest = der(rest, 0xa0).map_or(rest, |(_, rest)| rest);
    // serialNumber, signature, issuer
    for tag in [0x02, 0x30, 0x30] {
        rest = der(rest, tag)?.1;
    }
    let (validity, _) = der(rest, 0x30)?;
    let (_, rest) = der(validity, UTC_TIME).or_else(|| der(validity, GENERALIZED_TIME))?;
    match der(rest, UTC_TIME) {
        // RFC 5280 §4.1.2.5.1: two digits from 50 on are of the last century.
        Some((text, _)) => time(if text.first()? >= &b'5' { "19" } else { "20" }, text),
        None => time("", der(rest, GENERALIZED_TIME)?.0),
    }
}

/// The tags of the two forms of a time.
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// `YYMMDDHHMMSSZ` behind a century, or with four digits of the year.
fn time(century: &str, text: &[u8]) -> Option<Timestamp> {
    let text = format!("{century}{}", std::str::from_utf8(text).ok()?);
    let digits = text.strip_suffix('Z').filter(|d| d.len() == 14 && d.bytes().all(|b| b.is_ascii_digit()))?;
    let year = digits.get(..4)?.parse().ok()?;
    let two = |at: usize| digits.get(at..at + 2)?.parse::<u8>().ok();
    Some(Timestamp::from_civil(year, two(4)?, two(6)?, two(8)?, two(10)?, two(12)?))
}

fn read_bounded(path: &Path) -> Result<Vec<u8>, TlsError> {
    let file = |error| TlsError::File(path.into(), error);
    if fs::metadata(path).map_err(file)?.len() > MOST_OCTETS {
        return Err(TlsError::Pem(path.into(), "too large".into()));
    }
    fs::read(path).map_err(file)
}

/// The hash of a certificate by the hash of its signature, SHA-256 for MD5 and SHA-1 (RFC 5929 §4.1).
fn end_point(certificate: &[u8]) -> Option<Vec<u8>> {
    let hash = match signature_algorithm(certificate)? {
        // md5, sha1 and sha256WithRSAEncryption; ecdsa-with-SHA1, -SHA256 (RFC 8017 App. A.2.4, RFC 5758 §3.2)
        b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x04"
        | b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05"
        | b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b"
        | b"\x2a\x86\x48\xce\x3d\x04\x01"
        | b"\x2a\x86\x48\xce\x3d\x04\x03\x02" => &digest::SHA256,
        // sha384WithRSAEncryption, ecdsa-with-SHA384
        b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c" | b"\x2a\x86\x48\xce\x3d\x04\x03\x03" => &digest::SHA384,
        // sha512WithRSAEncryption, ecdsa-with-SHA512
        b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d" | b"\x2a\x86\x48\xce\x3d\x04\x03\x04" => &digest::SHA512,
        _ => return None,
    };
    Some(digest::digest(hash, certificate).as_ref().to_vec())
}

/// The object identifier of a certificate's `signatureAlgorithm` (RFC 5280 §4.1).
fn signature_algorithm(certificate: &[u8]) -> Option<&[u8]> {
    let (sequence, _) = der(certificate, 0x30)?;
    let (_to_be_signed, rest) = der(sequence, 0x30)?;
    let (algorithm, _) = der(rest, 0x30)?;
    der(algorithm, 0x06).map(|(identifier, _)| identifier)
}

/// One DER element with the given tag: its content, and what follows it (X.690 §8.1.3).
fn der(input: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&[found, length], rest) = input.split_first_chunk::<2>()?;
    let (length, rest) = match length {
        0..=0x7f => (usize::from(length), rest),
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
            (digits.iter().fold(0usize, |sum, digit| sum << 8 | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    if found == tag { rest.split_at_checked(length) } else { None }
}

/// A certificate for these host names and addresses, signed by an authority of its own whose key is thrown away:
/// made in `directory` (`cert.pem`, `key.pem`, `ca.pem`) when it is not there or does not name them all.
pub fn self_signed(directory: &Path, names: &[String]) -> Result<Source, TlsError> {
    let source = Source { certificate: directory.join("cert.pem"), key: directory.join("key.pem") };
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    if Certificate::read(&source, &provider).is_ok_and(|old| names.iter().all(|name| old.is_for(name))) {
        return Ok(source);
    }
    let made = make(names).map_err(|e| TlsError::Make(e.to_string()))?;
    fs::create_dir_all(directory).map_err(|e| TlsError::File(directory.into(), e))?;
    save(&directory.join("ca.pem"), &made.authority, 0o644)?;
    save(&source.key, &made.key, 0o600)?;
    save(&source.certificate, &made.chain, 0o644)?;
    Ok(source)
}

struct Made {
    authority: String,
    chain: String,
    key: String,
}

fn make(names: &[String]) -> Result<Made, rcgen::Error> {
    let mut authority = CertificateParams::default();
    authority.distinguished_name.push(DnType::CommonName, "Mailward trial authority");
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let authority_key = KeyPair::generate()?;
    let authority_pem = authority.self_signed(&authority_key)?.pem();
    let issuer = Issuer::new(authority, authority_key);

    let mut own = CertificateParams::new(names)?;
    own.distinguished_name.push(DnType::CommonName, names.first().map_or("mailward", String::as_str));
    own.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    own.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    own.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate()?;
    let certificate = own.signed_by(&key, &issuer)?;
    Ok(Made { chain: certificate.pem() + &authority_pem, authority: authority_pem, key: key.serialize_pem() })
}

/// Writes a file whole or not at all.
fn save(path: &Path, text: &str, mode: u32) -> Result<(), TlsError> {
    let temporary = path.with_extension("new");
    let write = || {
        match fs::remove_file(&temporary) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&temporary)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    };
    write().map_err(|e| TlsError::File(path.into(), e))
}
