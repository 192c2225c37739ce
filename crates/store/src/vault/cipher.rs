//! The one cipher and the one source of chance.

use super::failed;
use crate::StoreError;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

/// Octets that sealing adds: the tag.
pub(super) const TAG: usize = 16;

/// AES-256-GCM under one key that seals each number at most once.
pub(super) struct Cipher(LessSafeKey);

/// What was read is not what was sealed, or not under this key, number and context.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Tampered;

impl Cipher {
    pub(super) fn new(key: &[u8; 32]) -> Result<Self, StoreError> {
        let key = UnboundKey::new(&AES_256_GCM, key).map_err(|_| failed("the cipher refused its key"))?;
        Ok(Cipher(LessSafeKey::new(key)))
    }

    /// Seals what `buffer` holds from `start` on, in place, and appends the tag.
    pub(super) fn seal(
        &self,
        number: u64,
        context: &[u8],
        buffer: &mut Vec<u8>,
        start: usize,
    ) -> Result<(), StoreError> {
        let plain = buffer.get_mut(start..).unwrap_or_default();
        let tag = self
            .0
            .seal_in_place_separate_tag(nonce(number), Aad::from(context), plain)
            .map_err(|_| failed("the cipher failed"))?;
        buffer.extend_from_slice(tag.as_ref());
        Ok(())
    }

    /// Opens `sealed` and appends it to `out`, which is left as it was on failure.
    pub(super) fn open(
        &self,
        number: u64,
        context: &[u8],
        sealed: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), Tampered> {
        let (text, tag) = sealed.len().checked_sub(TAG).map(|at| sealed.split_at(at)).ok_or(Tampered)?;
        let start = out.len();
        out.resize(start + text.len(), 0);
        let place = out.get_mut(start..).unwrap_or_default();
        let opened = self.0.open_separate_gather(nonce(number), Aad::from(context), text, tag, place);
        opened.map_err(|_| {
            out.truncate(start);
            Tampered
        })
    }
}

fn nonce(number: u64) -> Nonce {
    let mut octets = [0; NONCE_LEN];
    octets[NONCE_LEN - 8..].copy_from_slice(&number.to_be_bytes());
    Nonce::assume_unique_for_key(octets)
}

/// Random octets, unguessable.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], StoreError> {
    let mut octets = [0; N];
    aws_lc_rs::rand::fill(&mut octets).map_err(|_| failed("no random numbers"))?;
    Ok(octets)
}
