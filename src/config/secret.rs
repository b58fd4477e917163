//! Secrets: never written in the file, only where to find them.

use std::path::PathBuf;

/// Where a secret is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Secret {
    /// In a file.
    File(PathBuf),
    /// In an environment variable.
    Env(String),
}

/// Why a secret cannot be had. Never says what is in it.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be read.
    #[error("cannot read the secret in `{path}`: {error}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The variable is not set.
    #[error("the environment variable `{0}`, which should hold a secret, is not set")]
    Env(String),
    /// There is nothing in it.
    #[error("the secret in `{0}` is empty")]
    Empty(String),
}

impl Secret {
    /// The secret, without a line break at its end.
    ///
    /// # Errors
    /// Where the file or variable cannot be read or is empty.
    pub fn read(&self) -> Result<Vec<u8>, SecretError> {
        let (mut bytes, name) = match self {
            Self::File(path) => {
                let bytes = std::fs::read(path).map_err(|error| SecretError::File { path: path.clone(), error })?;
                (bytes, path.display().to_string())
            }
            Self::Env(name) => {
                let value = std::env::var_os(name).ok_or_else(|| SecretError::Env(name.clone()))?;
                (value.into_encoded_bytes(), name.clone())
            }
        };
        while matches!(bytes.last(), Some(b'\n' | b'\r')) {
            bytes.pop();
        }
        if bytes.is_empty() {
            return Err(SecretError::Empty(name));
        }
        Ok(bytes)
    }
}
