//! The keys of an endpoint, read when they are used: a rotated file needs no restart.

use std::fmt;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::config::{Secret, SecretError};
use crate::model::Text;
use crate::policy::{SecretPlace, SecretReference, WebhookEndpoint};

/// What marks a key of the Standard Webhooks specification, whose bytes follow in base64.
const STANDARD_PREFIX: &[u8] = b"whsec_";

/// The keys of an endpoint.
#[derive(Debug)]
pub struct Keys {
    /// The one that signs.
    pub current: Key,
    /// Those that sign besides while receivers change over.
    pub grace: Vec<Key>,
}

/// One key.
pub struct Key {
    /// What receivers know it by.
    pub version: Text,
    secret: Vec<u8>,
}

impl Key {
    /// A key of these bytes.
    #[must_use]
    pub fn new(version: impl Into<Text>, secret: impl Into<Vec<u8>>) -> Self {
        Self { version: version.into(), secret: secret.into() }
    }

    /// The key that a reference leads to.
    ///
    /// # Errors
    /// It is not there, or empty.
    pub fn read(reference: &SecretReference) -> Result<Self, SecretError> {
        let place = match &reference.place {
            SecretPlace::File(path) => Secret::File(PathBuf::from(path.as_str())),
            SecretPlace::Env(name) => Secret::Env(name.to_string()),
        };
        Ok(Self { version: reference.version.clone(), secret: place.read()? })
    }

    /// Its length.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.secret.len()
    }

    /// The bytes as they stand in the file or variable: the key of `X-Webhook-Signature`.
    pub(super) fn plain(&self) -> &[u8] {
        &self.secret
    }

    /// The key of `webhook-signature`: of `whsec_…` what the base64 after it stands for, as the libraries of Standard
    /// Webhooks take it; else the bytes as they stand.
    pub(super) fn standard(&self) -> Vec<u8> {
        let encoded = self.secret.strip_prefix(STANDARD_PREFIX);
        encoded.and_then(|encoded| STANDARD.decode(encoded).ok()).unwrap_or_else(|| self.secret.clone())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("version", &self.version).finish_non_exhaustive()
    }
}

impl Keys {
    /// Reads the keys of `endpoint` from where its document says. A key in grace that cannot be read is left out: its
    /// receivers have changed over, or will notice.
    ///
    /// # Errors
    /// The current key cannot be read, or there is nothing in it.
    pub fn read(endpoint: &WebhookEndpoint) -> Result<Self, SecretError> {
        let current = Key::read(&endpoint.secret)?;
        let grace = endpoint.grace.iter().filter_map(|reference| match Key::read(reference) {
            Ok(key) => Some(key),
            Err(error) => {
                tracing::warn!(endpoint = %endpoint.name, version = %reference.version, %error, "a key in grace does not sign");
                None
            }
        });
        Ok(Self { current, grace: grace.collect() })
    }
}
