//! The keys of one issuer: the one that signs, and those that still verify.

use std::path::Path;

use serde_json::{Value, json};

use super::error::KeyError;
use super::jwk::{public_keys, unique};
use super::key::{PrivateKey, PublicKey};
use super::store::{key_files, rotate};
use crate::config::Secret;

/// The keys of one issuer.
#[derive(Debug)]
pub struct KeyRing {
    signing: PrivateKey,
    /// All that verify, the signing one first.
    verifying: Vec<PublicKey>,
}

impl KeyRing {
    /// A ring of `signing` and of older keys that still verify.
    ///
    /// # Errors
    /// Two keys of one id.
    pub fn new(signing: PrivateKey, older: Vec<PublicKey>) -> Result<Self, KeyError> {
        let mut verifying = vec![signing.public().clone()];
        verifying.extend(older);
        unique(&verifying)?;
        Ok(Self { signing, verifying })
    }

    /// The ring of configured keys: `signing` is private, `previous` are private or public.
    ///
    /// # Errors
    /// Where one of them cannot be had or is no key.
    pub fn configured(signing: &Secret, previous: &[Secret]) -> Result<Self, KeyError> {
        let key = PrivateKey::read(&name_of(signing), &signing.read()?)?;
        let mut older = Vec::new();
        for secret in previous {
            let (name, bytes) = (name_of(secret), secret.read()?);
            match PrivateKey::read(&name, &bytes) {
                Ok(key) => older.push(key.public().clone()),
                Err(_) => older.extend(public_keys(&name, &String::from_utf8_lossy(&bytes))?),
            }
        }
        Self::new(key, older)
    }

    /// The ring of the keys in `directory`; the first is made if there is none. A key that another has succeeded goes on
    /// verifying for `grace_seconds` from then; `now` is in seconds since 1970.
    ///
    /// # Errors
    /// Where a file cannot be read, written or understood, or may be read by others.
    pub fn kept(directory: &Path, grace_seconds: i64, now: i64) -> Result<Self, KeyError> {
        let mut files = key_files(directory)?;
        if files.is_empty() {
            rotate(directory)?;
            files = key_files(directory)?;
        }
        let succeeded_at: Vec<i64> = files.iter().skip(1).map(|file| file.made_at).collect();
        let Some(newest) = files.pop() else {
            let source = std::io::Error::from(std::io::ErrorKind::NotFound);
            return Err(KeyError::Io { action: "find a key in", path: directory.to_owned(), source });
        };
        let in_grace = |at: &i64| now < at.saturating_add(grace_seconds);
        let older = files.iter().zip(&succeeded_at).rev().filter(|(_, at)| in_grace(at));
        Self::new(newest.key, older.map(|(file, _)| file.key.public().clone()).collect())
    }

    /// The key that signs.
    #[must_use]
    pub fn signing(&self) -> &PrivateKey {
        &self.signing
    }

    /// The keys that verify, the signing one first.
    #[must_use]
    pub fn verifying(&self) -> &[PublicKey] {
        &self.verifying
    }

    /// The public keys as a JWKS.
    #[must_use]
    pub fn jwks(&self) -> Value {
        json!({"keys": self.verifying.iter().map(PublicKey::jwk).collect::<Vec<_>>()})
    }
}

fn name_of(secret: &Secret) -> String {
    match secret {
        Secret::File(path) => format!("`{}`", path.display()),
        Secret::Env(name) => format!("the environment variable `{name}`"),
    }
}
