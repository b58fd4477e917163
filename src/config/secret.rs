//! Secrets: never written in the file, only where to find them.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
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
    /// A file that others may exchange.
    #[error("the secret in `{}` has mode {mode:04o}: users other than its owner may change it; run `chmod go-w {}`", path.display(), path.display())]
    Writable {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The variable is not set.
    #[error("the environment variable `{0}`, which should hold a secret, is not set")]
    Env(String),
    /// What is in it has not the form that it says it has.
    #[error("the secret in `{place}` {problem}")]
    Malformed {
        /// File or variable.
        place: String,
        /// What is wrong, and what to write instead.
        problem: &'static str,
    },
    /// There is nothing in it.
    #[error("the secret in `{0}` is empty")]
    Empty(String),
}

impl Secret {
    /// The secret, without a line break at its end.
    ///
    /// # Errors
    /// Where the file or variable cannot be read or is empty, or users other than its owner may write to the file.
    pub fn read(&self) -> Result<Vec<u8>, SecretError> {
        let mut bytes = match self {
            Self::File(path) => {
                let failed = |error| SecretError::File { path: path.clone(), error };
                let mut file = File::open(path).map_err(failed)?;
                let metadata = file.metadata().map_err(failed)?;
                let mode = metadata.mode() & 0o7777;
                if metadata.is_file() && mode & 0o022 != 0 {
                    return Err(SecretError::Writable { path: path.clone(), mode });
                }
                let mut bytes = Vec::new();
                file.read_to_end(&mut bytes).map_err(failed)?;
                bytes
            }
            Self::Env(name) => {
                let value = std::env::var_os(name).ok_or_else(|| SecretError::Env(name.clone()))?;
                value.into_encoded_bytes()
            }
        };
        while matches!(bytes.last(), Some(b'\n' | b'\r')) {
            bytes.pop();
        }
        if bytes.is_empty() {
            return Err(SecretError::Empty(self.place()));
        }
        Ok(bytes)
    }

    /// The path, or the variable's name.
    #[must_use]
    pub fn place(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Env(name) => name.clone(),
        }
    }

    /// A sentence for a file that users other than its owner and group may read.
    #[must_use]
    pub fn readable_by_others(&self) -> Option<String> {
        let Self::File(path) = self else { return None };
        let mode = std::fs::metadata(path).ok()?.mode() & 0o7777;
        let path = path.display();
        (mode & 0o004 != 0).then(|| format!("`{path}` has mode {mode:04o}, so that every user may read it"))
    }
}
