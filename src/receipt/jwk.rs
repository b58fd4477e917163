//! Keys in JSON: JWK and JWKS (RFC 7517, RFC 8037).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{SigningKey, VerifyingKey};
use serde::Deserialize;

use super::error::KeyError;
use super::key::PublicKey;

/// The members of a JWK that matter here.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    #[serde(default)]
    crv: String,
    #[serde(default)]
    x: String,
    d: Option<String>,
    kid: Option<String>,
    r#use: Option<String>,
    alg: Option<String>,
}

#[derive(Deserialize)]
struct Jwks {
    keys: Vec<Jwk>,
}

impl Jwk {
    /// Whether it is a key of the kind that signs receipts.
    fn is_ours(&self) -> bool {
        let says =
            |member: &Option<String>, allowed: &[&str]| member.as_deref().is_none_or(|value| allowed.contains(&value));
        self.kty == "OKP"
            && self.crv == "Ed25519"
            && says(&self.r#use, &["sig"])
            && says(&self.alg, &["EdDSA", "Ed25519"])
    }

    fn public(&self) -> Result<PublicKey, String> {
        let bytes = bytes_of(&self.x).ok_or("`x` is not 32 bytes in base64url")?;
        let key = VerifyingKey::from_bytes(&bytes).map_err(|_| "`x` is no point of the curve")?;
        if key.is_weak() {
            return Err("it is a weak key".to_owned());
        }
        Ok(PublicKey::of(key, self.kid.as_deref()))
    }
}

/// Reads a private JWK.
pub(super) fn private_key(json: &str) -> Result<SigningKey, String> {
    // What the parser says may quote the text.
    let jwk: Jwk = serde_json::from_str(json).map_err(|_| "it is no JWK")?;
    if !jwk.is_ours() {
        return Err("the JWK is not of `kty` OKP, `crv` Ed25519 and `use` sig".to_owned());
    }
    let d = jwk.d.as_deref().and_then(bytes_of).ok_or("the JWK has no private part `d` of 32 bytes")?;
    let key = SigningKey::from_bytes(&d);
    if !jwk.x.is_empty() && bytes_of(&jwk.x) != Some(key.verifying_key().to_bytes()) {
        return Err("its public part `x` is of another key".to_owned());
    }
    Ok(key)
}

/// Reads public keys: a JWKS, one JWK, or one key in PEM. Keys of other kinds in a JWKS are passed over; `name` says where
/// they were found.
///
/// # Errors
/// Where it is none of these, holds no key that could have signed a receipt, or two of one id.
pub fn public_keys(name: &str, text: &str) -> Result<Vec<PublicKey>, KeyError> {
    let wrong = |why: String| KeyError::NotPublic { name: name.to_owned(), why };
    let text = text.trim();
    let keys = if text.starts_with("-----BEGIN") {
        vec![PublicKey::read_pem(text).map_err(wrong)?]
    } else {
        let jwks = serde_json::from_str::<Jwks>(text)
            .map(|jwks| jwks.keys)
            .or_else(|error| serde_json::from_str::<Jwk>(text).map(|jwk| vec![jwk]).map_err(|_| error));
        let jwks = jwks.map_err(|error| wrong(format!("it is neither a JWKS, a JWK nor PEM ({error})")))?;
        jwks.iter().filter(|jwk| jwk.is_ours()).map(|jwk| jwk.public().map_err(wrong)).collect::<Result<_, _>>()?
    };
    if keys.is_empty() {
        return Err(wrong("none of its keys is for signatures with Ed25519".to_owned()));
    }
    unique(&keys)?;
    Ok(keys)
}

/// Refuses two keys of one id.
pub(super) fn unique(keys: &[PublicKey]) -> Result<(), KeyError> {
    for (i, key) in keys.iter().enumerate() {
        if keys[..i].iter().any(|other| other.id() == key.id()) {
            return Err(KeyError::Duplicate(key.id().to_owned()));
        }
    }
    Ok(())
}

fn bytes_of(text: &str) -> Option<[u8; 32]> {
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}
