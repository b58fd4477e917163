//! Signed tokens (JWT): who issued them, for whom, until when, and what they say of the caller.
//!
//! The algorithm is one of those that the configuration pins, and belongs to the key that the token names; the token itself
//! has no say in it.

mod claims;
mod error;
mod keys;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, Validation, decode, decode_header};
use serde_json::{Map, Value};

pub use error::{BadToken, JwksError};
use keys::KeySet;

use super::registry::Vouched;
use crate::config::{self, Jwt};
use crate::model::Text;

/// Largest token, in bytes.
pub const MAX_TOKEN_BYTES: usize = 8 * 1_024;
/// Largest file of keys, in bytes.
const MAX_JWKS_BYTES: u64 = 1 << 20;

/// Verifies tokens of one issuer.
#[derive(Debug)]
pub struct Tokens {
    options: Jwt,
    keys: ArcSwap<KeySet>,
    generation: AtomicU64,
}

/// What a good token says.
#[derive(Debug)]
pub(super) struct Verified {
    /// `jwt:<issuer>#<subject>`.
    pub(super) channel: Text,
    pub(super) vouched: Vouched,
}

impl Tokens {
    /// Verifies tokens as `options` say. Reads the file of keys.
    ///
    /// # Errors
    /// The file cannot be read, or holds no key that could be used.
    pub fn open(options: Jwt) -> Result<Self, JwksError> {
        let keys = read(&options)?;
        Ok(Self { options, keys: ArcSwap::from_pointee(keys), generation: AtomicU64::new(0) })
    }

    /// Reads the file of keys again and takes up what has changed; gives whether something has.
    ///
    /// # Errors
    /// The file cannot be read, or holds no key that could be used; the keys stay as they are then.
    pub fn refresh(&self) -> Result<bool, JwksError> {
        let keys = read(&self.options)?;
        if keys.digest == self.keys.load().digest {
            return Ok(false);
        }
        self.keys.store(Arc::new(keys));
        self.generation.fetch_add(1, Ordering::Release);
        Ok(true)
    }

    /// Counts the changes of keys. What was verified before the last one must be verified again.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Verifies `token` now. Takes up to a millisecond of processor time.
    pub(super) fn verify(&self, token: &str) -> Result<Verified, BadToken> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(BadToken::TooLarge);
        }
        let header = decode_header(token).map_err(|_| BadToken::Malformed)?;
        // Extensions that must be understood, and are not.
        if header.crit.is_some() {
            return Err(BadToken::Malformed);
        }
        let algorithm = self.accepted(header.alg).ok_or(BadToken::AlgorithmNotAccepted)?;
        let keys = self.keys.load();
        let key = keys.find(header.kid.as_deref(), algorithm).ok_or(BadToken::UnknownKey)?;
        let validation = self.validation(header.alg);
        let claims = decode::<Map<String, Value>>(token, key, &validation).map_err(|error| why(error.kind()))?.claims;
        self.verified(&claims)
    }

    fn accepted(&self, algorithm: Algorithm) -> Option<config::Algorithm> {
        let algorithm = match algorithm {
            Algorithm::RS256 => config::Algorithm::Rs256,
            Algorithm::ES256 => config::Algorithm::Es256,
            Algorithm::EdDSA => config::Algorithm::EdDsa,
            _ => return None,
        };
        self.options.algorithms.contains(&algorithm).then_some(algorithm)
    }

    fn validation(&self, algorithm: Algorithm) -> Validation {
        let mut validation = Validation::new(algorithm);
        validation.leeway = self.options.leeway.as_secs();
        validation.validate_nbf = true;
        validation.set_issuer(&[&self.options.issuer]);
        validation.set_audience(&[&self.options.audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation
    }

    fn verified(&self, claims: &Map<String, Value>) -> Result<Verified, BadToken> {
        let subject = claims::subject(claims)?;
        let names = &self.options.claims;
        let list = |name: &Option<String>| name.as_deref().map(|name| claims::texts(claims, name)).transpose();
        let (roles, level_of_groups) = self.meaning(list(&names.roles)?.flatten().unwrap_or_default());
        let level = names.level.as_deref().map(|name| claims::level(claims, name)).transpose()?.flatten();
        let vouched = Vouched {
            roles,
            tenants: list(&names.tenants)?.flatten(),
            level: level.or(level_of_groups),
            valid_until: Some(claims::expiry(claims, self.options.leeway)?),
        };
        let channel = compact_str::format_compact!("jwt:{}#{subject}", self.options.issuer);
        Ok(Verified { channel, vouched })
    }

    /// The roles that `names` stand for, and the greatest level among them.
    fn meaning(&self, names: Vec<Text>) -> (Vec<Text>, Option<u8>) {
        let (mut roles, mut level) = (Vec::new(), None);
        for name in names {
            match self.options.groups.get(&name) {
                Some(group) => {
                    roles.extend(group.roles.iter().cloned());
                    level = level.max(group.level);
                }
                None => roles.push(name),
            }
        }
        (roles, level)
    }
}

fn read(options: &Jwt) -> Result<KeySet, JwksError> {
    let path = &options.jwks;
    let unreadable = |source| JwksError::Unreadable { path: path.clone(), source };
    let size = std::fs::metadata(path).map_err(unreadable)?.len();
    if size > MAX_JWKS_BYTES {
        return Err(JwksError::TooLarge { path: path.clone(), most: MAX_JWKS_BYTES });
    }
    let bytes = std::fs::read(path).map_err(unreadable)?;
    KeySet::read(&bytes, &options.algorithms).map_err(|why| JwksError::Unusable { path: path.clone(), why })
}

/// What the library found, in our words.
fn why(error: &ErrorKind) -> BadToken {
    match error {
        ErrorKind::InvalidSignature => BadToken::BadSignature,
        ErrorKind::ExpiredSignature => BadToken::Expired,
        ErrorKind::ImmatureSignature => BadToken::NotYetValid,
        ErrorKind::InvalidIssuer => BadToken::WrongIssuer,
        ErrorKind::InvalidAudience => BadToken::WrongAudience,
        ErrorKind::MissingRequiredClaim(claim) | ErrorKind::InvalidClaimFormat(claim) => BadToken::Claim(claim.clone()),
        ErrorKind::InvalidAlgorithm => BadToken::AlgorithmNotAccepted,
        _ => BadToken::Malformed,
    }
}
