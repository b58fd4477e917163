//! The chain that binds each journal line to all before it.
//!
//! `hash` of a line is SHA-256, or HMAC-SHA-256 where a key is configured, over the 32 raw bytes of the previous line's
//! hash and the line's own bytes up to its hash member. The first line ever follows 32 zero bytes.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use super::error::EventError;
use super::json;

/// A hash of the chain.
pub type Hash = [u8; 32];

/// What the first line follows.
pub const GENESIS: Hash = [0; 32];

/// The end of each line is `,"hash":"`, 64 hexadecimal digits and this.
const CLOSING: &[u8] = b"\"}}";
const OPENING: &[u8] = b",\"hash\":\"";
/// Bytes of a line from its hash member on, without the newline.
const SUFFIX_BYTES: usize = OPENING.len() + 64 + CLOSING.len();

/// Shortest key that is taken, in bytes.
const MIN_KEY_BYTES: usize = 16;

/// The secret of a keyed chain.
#[derive(Clone)]
pub struct ChainKey(Hmac<Sha256>);

impl std::fmt::Debug for ChainKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ChainKey(…)")
    }
}

impl ChainKey {
    /// A key of raw bytes, at least 16.
    ///
    /// # Errors
    /// [`EventError::ShortKey`] if there are fewer.
    pub fn new(secret: &[u8]) -> Result<Self, EventError> {
        if secret.len() < MIN_KEY_BYTES {
            return Err(EventError::ShortKey { bytes: secret.len(), least: MIN_KEY_BYTES });
        }
        Hmac::new_from_slice(secret).map(Self).map_err(|_| EventError::ShortKey { bytes: 0, least: MIN_KEY_BYTES })
    }

    /// A key as files and environment variables hold it: 64 hexadecimal digits are 32 bytes, anything else stands for
    /// itself; surrounding blanks and line ends do not count.
    ///
    /// # Errors
    /// [`EventError::ShortKey`] if it is shorter than 16 bytes.
    pub fn from_text(text: &[u8]) -> Result<Self, EventError> {
        let trimmed = text.trim_ascii();
        match json::unhex32(&trimmed.to_ascii_lowercase()) {
            Some(bytes) => Self::new(&bytes),
            None => Self::new(trimmed),
        }
    }

    /// The keyed hash of the concatenated `parts`.
    pub(super) fn mac(&self, parts: &[&[u8]]) -> Hash {
        let mut mac = self.0.clone();
        for part in parts {
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

/// The hash of a line: `prefix` is the line's bytes before its hash member.
pub(super) fn link(key: Option<&ChainKey>, previous: &Hash, prefix: &[u8]) -> Hash {
    match key {
        Some(key) => key.mac(&[previous, prefix]),
        None => Sha256::new().chain_update(previous).chain_update(prefix).finalize().into(),
    }
}

/// Appends the hash member, both closing braces and the newline. `digits` are those of the hash.
pub(super) fn close_line(out: &mut Vec<u8>, digits: &[u8; 64]) {
    out.extend_from_slice(OPENING);
    out.extend_from_slice(digits);
    out.extend_from_slice(CLOSING);
    out.push(b'\n');
}

/// Splits a line (without its newline) into the bytes that are hashed and the hash that it states.
pub(super) fn split_line(line: &[u8]) -> Option<(&[u8], Hash)> {
    let (prefix, suffix) = line.split_at_checked(line.len().checked_sub(SUFFIX_BYTES)?)?;
    let digits = suffix.strip_prefix(OPENING)?.strip_suffix(CLOSING)?;
    Some((prefix, json::unhex32(digits)?))
}

/// `hash` as 64 hexadecimal digits.
#[must_use]
pub fn hex(hash: &Hash) -> String {
    String::from_utf8(json::hex32(hash).to_vec()).unwrap_or_default()
}
