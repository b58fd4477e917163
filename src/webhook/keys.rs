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
/// What is said of a key that only begins like one.
const NOT_BASE64: &str = "begins with `whsec_`, and what follows is no base64 with its padding (A-Z a-z 0-9 + / =), so that receivers \
                          would check with another key; write `whsec_` and the output of `openssl rand -base64 32`, or a text that \
                          begins otherwise";

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
    /// It is not there or empty, or begins with `whsec_` and goes on with something other than base64.
    pub fn read(reference: &SecretReference) -> Result<Self, SecretError> {
        let place = match &reference.place {
            SecretPlace::File(path) => Secret::File(PathBuf::from(path.as_str())),
            SecretPlace::Env(name) => Secret::Env(name.to_string()),
        };
        Self::at(reference.version.clone(), &place)
    }

    fn at(version: Text, place: &Secret) -> Result<Self, SecretError> {
        let key = Self::new(version, place.read()?);
        match key.encoded().map(|encoded| STANDARD.decode(encoded)) {
            Some(Err(_)) => Err(SecretError::Malformed { place: place.place(), problem: NOT_BASE64 }),
            Some(Ok(bytes)) if bytes.is_empty() => {
                Err(SecretError::Malformed { place: place.place(), problem: NOT_BASE64 })
            }
            _ => Ok(key),
        }
    }

    /// Length of what it stands for: of `whsec_…` the key within.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.standard().len()
    }

    /// The bytes as they stand in the file or variable: the key of `X-Webhook-Signature`.
    pub(super) fn plain(&self) -> &[u8] {
        &self.secret
    }

    /// The key of `webhook-signature`: of `whsec_…` what the base64 after it stands for, as the libraries of Standard
    /// Webhooks take it; else the bytes as they stand.
    pub(super) fn standard(&self) -> Vec<u8> {
        self.encoded().and_then(|encoded| STANDARD.decode(encoded).ok()).unwrap_or_else(|| self.secret.clone())
    }

    /// What stands behind `whsec_`, if it begins so.
    fn encoded(&self) -> Option<&[u8]> {
        self.secret.strip_prefix(STANDARD_PREFIX)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn read(secret: &str) -> Result<Key, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, secret).unwrap();
        Key::at("v1".into(), &Secret::File(path.clone()))
            .map_err(|error| error.to_string().replace(&path.display().to_string(), "FILE"))
    }

    #[test]
    fn a_standard_key_is_base64() {
        assert_eq!(read("whsec_bmV3\n").unwrap().standard(), b"new");
        assert_eq!(read("plain, with _ and !\n").unwrap().standard(), b"plain, with _ and !");
        for bad in ["whsec_not base64!", "whsec_bmV", "whsec_", "whsec_b-_3"] {
            let said = read(bad).unwrap_err();
            assert!(said.contains("`FILE`") && said.contains("openssl rand"), "{said}");
            assert!(bad == "whsec_" || !said.contains(bad), "{said}");
        }
    }
}
