//! Ed25519 keys, in PKCS#8 (PEM) and as JWK.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, DecodePublicKey, EncodePrivateKey};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::error::KeyError;
use super::jwk;

/// What the header of a receipt says of its type.
pub(super) const TYPE: &str = "lictor-receipt+jwt";

/// A key that signs.
pub struct PrivateKey {
    key: SigningKey,
    public: PublicKey,
    /// The header of every JWS that it signs, in base64url, and the dot after it.
    header: String,
}

impl PrivateKey {
    /// A new key.
    ///
    /// # Errors
    /// Where the system has no randomness.
    pub fn generate() -> Result<Self, KeyError> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|error| KeyError::Random(error.to_string()))?;
        let key = SigningKey::from_bytes(&seed);
        seed.fill(0);
        Ok(Self::of(key))
    }

    /// Reads a private key: PKCS#8 in PEM, or a JWK. `name` says where it was found.
    ///
    /// # Errors
    /// Anything else, also a JWK whose public part is of another key.
    pub fn read(name: &str, bytes: &[u8]) -> Result<Self, KeyError> {
        let wrong = |why: String| KeyError::NotPrivate { name: name.to_owned(), why };
        let text = std::str::from_utf8(bytes).map_err(|_| wrong("it is not text".to_owned()))?.trim();
        if text.starts_with('{') {
            return jwk::private_key(text).map(Self::of).map_err(wrong);
        }
        // What the library says of a bad key speaks of its form only.
        SigningKey::from_pkcs8_pem(text).map(Self::of).map_err(|error| wrong(error.to_string()))
    }

    fn of(key: SigningKey) -> Self {
        let public = PublicKey::of(key.verifying_key(), None);
        let header = json!({"alg": "EdDSA", "kid": public.id, "typ": TYPE}).to_string();
        let header = URL_SAFE_NO_PAD.encode(header) + ".";
        Self { key, public, header }
    }

    /// Its public half.
    #[must_use]
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The key as PKCS#8 in PEM. Whoever holds it can sign.
    ///
    /// # Errors
    /// Where it cannot be encoded.
    pub fn to_pem(&self) -> Result<String, KeyError> {
        let pem = self.key.to_pkcs8_pem(LineEnding::LF);
        let wrong = |why: String| KeyError::NotPrivate { name: self.public.id.clone(), why };
        pem.map(|pem| pem.as_str().to_owned()).map_err(|error| wrong(error.to_string()))
    }

    /// The compact JWS of `claims`.
    pub(super) fn sign(&self, claims: &[u8]) -> String {
        let mut token = String::with_capacity(self.header.len() + claims.len().div_ceil(3) * 4 + 90);
        token.push_str(&self.header);
        URL_SAFE_NO_PAD.encode_string(claims, &mut token);
        let signature = self.key.sign(token.as_bytes());
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature.to_bytes(), &mut token);
        token
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivateKey").field("id", &self.public.id).finish_non_exhaustive()
    }
}

/// A key that verifies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    key: VerifyingKey,
    id: String,
}

impl PublicKey {
    pub(super) fn of(key: VerifyingKey, id: Option<&str>) -> Self {
        let id = id.map_or_else(|| thumbprint(&key), str::to_owned);
        Self { key, id }
    }

    /// Reads a public key in PEM.
    pub(super) fn read_pem(pem: &str) -> Result<Self, String> {
        let key = VerifyingKey::from_public_key_pem(pem).map_err(|error| error.to_string())?;
        if key.is_weak() { Err("it is a weak key".to_owned()) } else { Ok(Self::of(key, None)) }
    }

    /// Its id: the thumbprint by RFC 7638, unless the JWKS that it comes from gives another.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The key as a JWK.
    #[must_use]
    pub fn jwk(&self) -> Value {
        json!({"kty": "OKP", "crv": "Ed25519", "x": x(&self.key), "kid": self.id, "use": "sig", "alg": "EdDSA"})
    }

    /// Whether `signature` is this key's over `message`; not for weak keys and second forms of a signature.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        self.key.verify_strict(message, &Signature::from_bytes(signature)).is_ok()
    }
}

fn x(key: &VerifyingKey) -> String {
    URL_SAFE_NO_PAD.encode(key.as_bytes())
}

fn thumbprint(key: &VerifyingKey) -> String {
    // The required members in the order of their names, as RFC 7638 and RFC 8037 say.
    let members = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, x(key));
    URL_SAFE_NO_PAD.encode(Sha256::digest(members))
}
