//! Who signs receipts.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Release};

use arc_swap::ArcSwap;
use serde_json::Value;

use super::claims::{Claims, GrantContent, Receipt, ReceiptContent};
use super::error::{KeyError, ReceiptError};
use super::memory::missing;
use super::ring::KeyRing;
use super::store::key_files;
use super::verify::{Verifier, check_signature};
use crate::config::Secret;
use crate::model::Timestamp;

/// How receipts are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerOptions {
    /// Who says so (`iss`).
    pub issuer: String,
    /// Who they are for (`aud`) where a plan does not say.
    pub audience: String,
    /// How long they are valid, in seconds.
    pub ttl_seconds: u32,
    /// How long a key verifies after another has succeeded it, in seconds.
    pub grace_seconds: u32,
    /// Epoch of the state, raised when it is restored from a backup.
    pub epoch: u64,
    /// The key that signs; `None` for the newest in `directory`.
    pub key: Option<Secret>,
    /// Keys that still verify, beside a configured one.
    pub previous_keys: Vec<Secret>,
    /// Where keys that Lictor makes itself are kept.
    pub directory: PathBuf,
    /// Where the ids of the keys are noted, so that one that is gone is told; `None` to note nothing.
    pub noted: Option<PathBuf>,
}

/// Signs receipts, and recognises its own.
#[derive(Debug)]
pub struct Issuer {
    options: IssuerOptions,
    epoch: AtomicU64,
    ring: ArcSwap<KeyRing>,
}

impl Issuer {
    /// Reads the keys; the first is made if there is none and none is configured.
    ///
    /// # Errors
    /// Where a key cannot be had, or is none.
    pub fn new(options: IssuerOptions, now: Timestamp) -> Result<Self, KeyError> {
        for exposed in options.key.iter().filter_map(Secret::readable_by_others) {
            tracing::warn!("{exposed}: whoever can read it can sign receipts");
        }
        let ring = ring(&options, now)?;
        Ok(Self { epoch: AtomicU64::new(options.epoch), options, ring: ArcSwap::from_pointee(ring) })
    }

    /// Reads the keys again, so that a new one signs and those whose grace is over no longer verify. On an error the keys
    /// stay as they are.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn refresh(&self, now: Timestamp) -> Result<(), KeyError> {
        self.ring.store(Arc::new(ring(&self.options, now)?));
        Ok(())
    }

    /// Raises the epoch: receipts of earlier ones are no longer valid. It never goes back.
    pub fn raise_epoch(&self, epoch: u64) {
        self.epoch.fetch_max(epoch, Release);
    }

    /// The receipt of `content`, issued at `now`.
    #[must_use]
    pub fn sign(&self, content: &ReceiptContent<'_>, now: Timestamp) -> String {
        let iat = seconds(now);
        let options = &self.options;
        let claims = Claims {
            iss: &options.issuer,
            aud: if content.audience.is_empty() { &options.audience } else { content.audience },
            jti: content.id,
            iat,
            exp: iat.saturating_add(i64::from(options.ttl_seconds)),
            tenant: content.tenant,
            run_id: content.run_id,
            status: content.status.as_str(),
            tier: content.tier,
            ir_hash: content.ir_hash,
            snapshot: content.snapshot,
            approval_id: "",
            step_id: "",
            step_hash: "",
            epoch: self.epoch.load(Acquire),
        };
        self.sign_claims(&claims)
    }

    /// The grant of `content`, which is valid as long as a receipt, and not longer than the approval. The same content gives
    /// the same grant, as long as the same key signs.
    #[must_use]
    pub fn grant(&self, content: &GrantContent<'_>) -> String {
        let iat = seconds(content.issued_at);
        let options = &self.options;
        let claims = Claims {
            iss: &options.issuer,
            aud: &options.audience,
            jti: content.id,
            iat,
            exp: iat.saturating_add(i64::from(options.ttl_seconds)).min(seconds(content.expires_at)),
            tenant: content.tenant,
            run_id: content.run_id,
            status: "GRANTED",
            tier: content.tier,
            ir_hash: content.target_hash,
            snapshot: content.snapshot,
            approval_id: content.approval_id,
            step_id: content.step_id,
            step_hash: content.step_hash,
            epoch: self.epoch.load(Acquire),
        };
        self.sign_claims(&claims)
    }

    fn sign_claims(&self, claims: &Claims<'_>) -> String {
        // Text and numbers only: there is nothing that could fail to be JSON.
        let json = serde_json::to_vec(claims).unwrap_or_default();
        self.ring.load().signing().sign(&json)
    }

    /// The public keys, as a JWKS, for those who verify.
    #[must_use]
    pub fn jwks(&self) -> Value {
        self.ring.load().jwks()
    }

    /// Id of the key that signs.
    #[must_use]
    pub fn key_id(&self) -> String {
        self.ring.load().signing().public().id().to_owned()
    }

    /// What one of this issuer's receipts says, whoever it was for and however long ago in this epoch: for an audit, which
    /// comes after the run. Not for authorising anything; see [`verify`](Self::verify).
    ///
    /// # Errors
    /// Where it is not one of this issuer's, or of another epoch: an earlier one, or one that a store that was since replaced
    /// had come to.
    pub fn recognise(&self, token: &str) -> Result<Receipt, ReceiptError> {
        let ring = self.ring.load();
        let receipt = check_signature(token, ring.verifying())?;
        if receipt.iss != self.options.issuer {
            return Err(ReceiptError::Issuer { expected: self.options.issuer.clone(), found: receipt.iss });
        }
        let current = self.epoch.load(Acquire);
        if receipt.epoch != current {
            return Err(ReceiptError::Epoch { found: receipt.epoch, current });
        }
        Ok(receipt)
    }

    /// What a receipt says that is valid at `now` for `audience`.
    ///
    /// # Errors
    /// Everything that makes it invalid, also an earlier epoch.
    pub fn verify(&self, token: &str, audience: &str, now: Timestamp) -> Result<Receipt, ReceiptError> {
        let verifier = Verifier::new(self.ring.load().verifying().to_vec())
            .issuer(&self.options.issuer)
            .audience(audience)
            .epoch(self.epoch.load(Acquire));
        verifier.verify(token, now)
    }
}

fn ring(options: &IssuerOptions, now: Timestamp) -> Result<KeyRing, KeyError> {
    let ring = match &options.key {
        Some(key) => KeyRing::configured(key, &options.previous_keys)?,
        None => KeyRing::kept(&options.directory, i64::from(options.grace_seconds), seconds(now))?,
    };
    tell_missing(options, &ring)?;
    Ok(ring)
}

/// Says which keys are gone since the last look.
fn tell_missing(options: &IssuerOptions, ring: &KeyRing) -> Result<(), KeyError> {
    let Some(noted) = &options.noted else { return Ok(()) };
    let now: Vec<String> = ring.verifying().iter().map(|key| key.id().to_owned()).collect();
    let mut present = now.clone();
    if options.key.is_none() {
        // Those whose grace is over verify no more, and are not lost.
        present.extend(key_files(&options.directory)?.iter().map(|file| file.key.public().id().to_owned()));
    }
    for key in missing(noted, &now, &present)? {
        tracing::warn!(
            key,
            "a key of receipts is gone: receipts that name it can no longer be checked, here or by those who fetch the keys; \
             restore it from a backup, or name it in `receipts.previousKeys`"
        );
    }
    Ok(())
}

/// Whole seconds since 1970.
fn seconds(time: Timestamp) -> i64 {
    time.as_micros().div_euclid(1_000_000)
}
