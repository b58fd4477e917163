//! Checking a receipt, with nothing but public keys.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::claims::Receipt;
use super::error::ReceiptError;
use super::key::{PublicKey, TYPE};
use crate::model::Timestamp;

/// Longest receipt that is looked at, in bytes.
pub const MAX_RECEIPT_BYTES: usize = 8 * 1024;

/// How far clocks may differ unless said otherwise, in seconds.
pub const DEFAULT_LEEWAY_SECONDS: u32 = 30;

/// Checks receipts: algorithm, type, key, signature, times, and issuer and audience where they are given.
#[derive(Debug, Clone)]
pub struct Verifier {
    keys: Vec<PublicKey>,
    issuer: Option<String>,
    audience: Option<String>,
    epoch: Option<u64>,
    leeway_seconds: u32,
}

impl Verifier {
    /// One that trusts `keys`.
    #[must_use]
    pub fn new(keys: Vec<PublicKey>) -> Self {
        Self { keys, issuer: None, audience: None, epoch: None, leeway_seconds: DEFAULT_LEEWAY_SECONDS }
    }

    /// Accepts only receipts of `issuer`.
    #[must_use]
    pub fn issuer(mut self, issuer: &str) -> Self {
        self.issuer = Some(issuer.to_owned());
        self
    }

    /// Accepts only receipts for `audience`.
    #[must_use]
    pub fn audience(mut self, audience: &str) -> Self {
        self.audience = Some(audience.to_owned());
        self
    }

    /// Accepts only receipts of this epoch or a later one.
    #[must_use]
    pub fn epoch(mut self, epoch: u64) -> Self {
        self.epoch = Some(epoch);
        self
    }

    /// How far clocks may differ.
    #[must_use]
    pub fn leeway_seconds(mut self, seconds: u32) -> Self {
        self.leeway_seconds = seconds;
        self
    }

    /// What a receipt says that is valid at `now`.
    ///
    /// # Errors
    /// The first thing that makes it invalid.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Receipt, ReceiptError> {
        let receipt = check_signature(token, &self.keys)?;
        let differs = |expected: &Option<String>, found: &str| expected.clone().filter(|expected| expected != found);
        if let Some(expected) = differs(&self.issuer, &receipt.iss) {
            return Err(ReceiptError::Issuer { expected, found: receipt.iss });
        }
        if let Some(expected) = differs(&self.audience, &receipt.aud) {
            return Err(ReceiptError::Audience { expected, found: receipt.aud });
        }
        if let Some(current) = self.epoch.filter(|current| receipt.epoch < *current) {
            return Err(ReceiptError::Epoch { found: receipt.epoch, current });
        }
        self.check_times(&receipt, now)?;
        Ok(receipt)
    }

    fn check_times(&self, receipt: &Receipt, now: Timestamp) -> Result<(), ReceiptError> {
        let now = now.as_micros().div_euclid(1_000_000);
        let leeway = i64::from(self.leeway_seconds);
        let since = now.saturating_sub(receipt.exp);
        if since >= leeway {
            return Err(ReceiptError::Expired { seconds: since });
        }
        // One that was issued in the future is of a clock that cannot be relied on.
        let from = receipt.nbf.unwrap_or(receipt.iat).max(receipt.iat);
        let until = from.saturating_sub(now);
        if until > leeway {
            return Err(ReceiptError::NotYet { seconds: until });
        }
        Ok(())
    }
}

/// The header of a JWS.
#[derive(Deserialize)]
struct Header {
    alg: String,
    #[serde(default)]
    kid: String,
    #[serde(default)]
    typ: String,
    crit: Option<serde::de::IgnoredAny>,
}

/// What `token` says, if one of `keys` signed it. Times, issuer and audience are not looked at.
///
/// # Errors
/// It is no receipt, or none of `keys` signed it.
pub fn check_signature(token: &str, keys: &[PublicKey]) -> Result<Receipt, ReceiptError> {
    if token.len() > MAX_RECEIPT_BYTES {
        return Err(ReceiptError::TooLong(token.len()));
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(ReceiptError::NotCompact)?;
    let (header, claims) = signed.split_once('.').ok_or(ReceiptError::NotCompact)?;
    if claims.contains('.') {
        return Err(ReceiptError::NotCompact);
    }
    let header: Header = json("header", header)?;
    // The algorithm is ours to choose, not the token's.
    if header.alg != "EdDSA" {
        return Err(ReceiptError::Algorithm(header.alg));
    }
    if header.crit.is_some() {
        return Err(ReceiptError::Critical);
    }
    if header.typ != TYPE {
        return Err(ReceiptError::Type(header.typ));
    }
    let Some(key) = keys.iter().find(|key| key.id() == header.kid) else {
        return Err(ReceiptError::UnknownKey(header.kid));
    };
    let signature = decode("signature", signature)?;
    let Ok(signature) = <[u8; 64]>::try_from(signature) else { return Err(ReceiptError::Signature) };
    if !key.verifies(signed.as_bytes(), &signature) {
        return Err(ReceiptError::Signature);
    }
    json("claims", claims)
}

fn decode(part: &'static str, text: &str) -> Result<Vec<u8>, ReceiptError> {
    URL_SAFE_NO_PAD.decode(text).map_err(|error| ReceiptError::Unreadable { part, why: error.to_string() })
}

fn json<T: DeserializeOwned>(part: &'static str, text: &str) -> Result<T, ReceiptError> {
    let bytes = decode(part, text)?;
    serde_json::from_slice(&bytes).map_err(|error| ReceiptError::Unreadable { part, why: error.to_string() })
}
