//! The tokens that redeem approvals.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::model::Sha256Digest;

/// Random bytes of a token.
const BYTES: usize = 32;
/// Characters of a token: base64url of 32 bytes, without padding.
const CHARACTERS: usize = 43;

/// A token: 256 random bits. Shows nothing of itself when printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// A new one.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn generate() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; BYTES];
        getrandom::fill(&mut bytes)?;
        Ok(Self(URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// The token as it is given out, once.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What is kept of it.
    #[must_use]
    pub fn hash(&self) -> Sha256Digest {
        sha256(self.0.as_bytes())
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

/// The hash of what a caller gives as a token; `None` for what cannot be one.
pub(super) fn hash_of(given: &str) -> Option<Sha256Digest> {
    let plausible = given.len() == CHARACTERS && URL_SAFE_NO_PAD.decode(given).is_ok_and(|bytes| bytes.len() == BYTES);
    plausible.then(|| sha256(given.as_bytes()))
}

/// Whether two hashes are the same, in a time that does not tell where they differ.
pub(super) fn same(a: &Sha256Digest, b: &Sha256Digest) -> bool {
    a.ct_eq(b).into()
}

/// SHA-256.
pub(super) fn sha256(bytes: &[u8]) -> Sha256Digest {
    Sha256::digest(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_random_and_recognised_by_their_hash() {
        let tokens: Vec<Token> = (0..64).map(|_| Token::generate().expect("random bytes")).collect();
        for (i, token) in tokens.iter().enumerate() {
            assert_eq!(token.reveal().len(), 43);
            assert_eq!(hash_of(token.reveal()), Some(token.hash()));
            assert!(tokens[..i].iter().all(|other| other != token && !same(&other.hash(), &token.hash())));
            assert!(same(&token.hash(), &token.hash()));
            assert!(!format!("{token:?}").contains(token.reveal()));
        }
    }

    #[test]
    fn what_cannot_be_a_token_has_no_hash() {
        for given in ["", "short", &"A".repeat(42), &"A".repeat(44), &"=".repeat(43), &"é".repeat(21)] {
            assert_eq!(hash_of(given), None, "{given}");
        }
    }
}
