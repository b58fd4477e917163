//! What can be wrong with the files of TLS.

use std::path::{Path, PathBuf};

/// Why TLS cannot be served as configured. Never says what is in a key.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read `{path}` of `listen.tls`: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file is not what it should be.
    #[error("`{path}` of `listen.tls` cannot be used: {why}")]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
}

impl TlsError {
    pub(super) fn unusable(path: &Path, why: String) -> Self {
        Self::Unusable { path: path.to_owned(), why }
    }
}
