//! The issuer's public keys: a JSON Web Key Set (RFC 7517).

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::config::Algorithm;

/// Bytes of an RSA modulus: 2 048 to 8 192 bits.
const MODULUS_BYTES: std::ops::RangeInclusive<usize> = 256..=1_024;
/// Most keys.
const MAX_KEYS: usize = 256;

/// The keys of one file that can verify a token.
#[derive(Debug)]
pub(super) struct KeySet {
    pub(super) digest: [u8; 32],
    keys: Vec<Key>,
}

struct Key {
    id: Option<String>,
    algorithm: Algorithm,
    key: DecodingKey,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key").field("id", &self.id).field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct File {
    keys: Vec<serde_json::Value>,
}

impl KeySet {
    /// The keys in `bytes` that belong to one of `algorithms`. Others are passed over: an issuer may have keys for other
    /// purposes.
    pub(super) fn read(bytes: &[u8], algorithms: &[Algorithm]) -> Result<Self, String> {
        let file: File =
            serde_json::from_slice(bytes).map_err(|error| format!("it is not a JSON Web Key Set: {error}"))?;
        if file.keys.len() > MAX_KEYS {
            return Err(format!("it has more than {MAX_KEYS} keys"));
        }
        let mut keys: Vec<Key> = Vec::new();
        for (index, value) in file.keys.into_iter().enumerate() {
            let Ok(jwk) = serde_json::from_value::<Jwk>(value) else { continue };
            let Some(algorithm) = algorithm_of(&jwk).filter(|algorithm| algorithms.contains(algorithm)) else {
                continue;
            };
            check_size(&jwk).map_err(|why| format!("key {index} {why}"))?;
            let key = DecodingKey::from_jwk(&jwk).map_err(|error| format!("key {index} is broken: {error}"))?;
            let id = jwk.common.key_id;
            if keys.iter().any(|known| known.id == id && known.algorithm == algorithm) {
                return Err(format!("key {index} has the same `kid` as another key of its kind"));
            }
            keys.push(Key { id, algorithm, key });
        }
        if keys.is_empty() {
            return Err("it holds no key of the algorithms in `identity.jwt.algorithms`".to_owned());
        }
        Ok(Self { digest: Sha256::digest(bytes).into(), keys })
    }

    /// The key `id` for `algorithm`. A token that names no key is verified with the only one for its algorithm.
    pub(super) fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Option<&DecodingKey> {
        let mut keys = self.keys.iter().filter(|key| key.algorithm == algorithm);
        let found = match id {
            Some(id) => keys.find(|key| key.id.as_deref() == Some(id)),
            None => keys.next().filter(|_| keys.next().is_none()),
        };
        found.map(|key| &key.key)
    }
}

/// Whether the numbers of the key have the size that their algorithm takes, which the library relies on.
fn check_size(jwk: &Jwk) -> Result<(), &'static str> {
    let size = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text).map_or(0, |bytes| bytes.len());
    match &jwk.algorithm {
        AlgorithmParameters::RSA(rsa) if !MODULUS_BYTES.contains(&size(&rsa.n)) => {
            Err("is an RSA key of less than 2048 or more than 8192 bits")
        }
        AlgorithmParameters::EllipticCurve(point) if size(&point.x) != 32 || size(&point.y) != 32 => {
            Err("is no point of the curve P-256")
        }
        AlgorithmParameters::OctetKeyPair(pair) if size(&pair.x) != 32 => Err("is no Ed25519 key"),
        _ => Ok(()),
    }
}

/// The algorithm that `jwk` verifies; `None` for keys of other purposes.
fn algorithm_of(jwk: &Jwk) -> Option<Algorithm> {
    if jwk.common.public_key_use.as_ref().is_some_and(|purpose| *purpose != PublicKeyUse::Signature) {
        return None;
    }
    let (algorithm, named) = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => (Algorithm::Rs256, KeyAlgorithm::RS256),
        AlgorithmParameters::EllipticCurve(curve) if curve.curve == EllipticCurve::P256 => {
            (Algorithm::Es256, KeyAlgorithm::ES256)
        }
        AlgorithmParameters::OctetKeyPair(pair) if pair.curve == EllipticCurve::Ed25519 => {
            (Algorithm::EdDsa, KeyAlgorithm::EdDSA)
        }
        // Shared secrets are never keys that an issuer publishes.
        _ => return None,
    };
    jwk.common.key_algorithm.is_none_or(|stated| stated == named).then_some(algorithm)
}
