//! What can be wrong with a receipt, and with a key.

use std::path::PathBuf;

/// Why a receipt is not accepted. Texts quote nothing of it but what its header and claims say openly.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiptError {
    /// Longer than any receipt.
    #[error("it has {0} bytes, more than a receipt ever has")]
    TooLong(usize),
    /// Not three parts.
    #[error("it is no compact JWS: three parts of base64url, parted by dots")]
    NotCompact,
    /// A part that is not base64url, or not the JSON that it should be.
    #[error("its {part} cannot be read: {why}")]
    Unreadable {
        /// `header`, `claims` or `signature`.
        part: &'static str,
        /// Why.
        why: String,
    },
    /// Another algorithm, also none.
    #[error("it is signed with {0:?}; only \"EdDSA\" is accepted")]
    Algorithm(String),
    /// Something other than a receipt.
    #[error("it is of the type {0:?}, not a receipt")]
    Type(String),
    /// Extensions that must be understood.
    #[error("it demands extensions (`crit`), and none are known")]
    Critical,
    /// A key that is not among those that are trusted.
    #[error("it is signed with the key {0:?}, which is not among the trusted ones; get the current keys")]
    UnknownKey(String),
    /// The signature is not of this key over these bytes.
    #[error("its signature is wrong: it was changed, or signed by somebody else")]
    Signature,
    /// Issued by somebody else.
    #[error("it was issued by {found:?}, not by {expected:?}")]
    Issuer {
        /// Who was expected.
        expected: String,
        /// Who it was.
        found: String,
    },
    /// Meant for somebody else.
    #[error("it is meant for {found:?}, not for {expected:?}")]
    Audience {
        /// Who was expected.
        expected: String,
        /// Who it is meant for.
        found: String,
    },
    /// No longer valid.
    #[error("it has expired, {seconds} s ago")]
    Expired {
        /// Since when.
        seconds: i64,
    },
    /// Not valid yet.
    #[error("it is not valid yet, for another {seconds} s; are the clocks right?")]
    NotYet {
        /// For how long.
        seconds: i64,
    },
    /// Of a state that was restored from a backup since.
    #[error("it is of the epoch {found}, and the epoch is {current}: the store was restored or replaced since")]
    Epoch {
        /// The receipt's epoch.
        found: u64,
        /// The epoch now.
        current: u64,
    },
}

/// Why a key cannot be used. Never says what is in it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Neither of the forms of a private key.
    #[error("{name} is no Ed25519 private key: {why}; make one with `openssl genpkey -algorithm ed25519`")]
    NotPrivate {
        /// Where it was found.
        name: String,
        /// Why.
        why: String,
    },
    /// Neither of the forms of a public key.
    #[error("{name} holds no Ed25519 public key: {why}")]
    NotPublic {
        /// Where it was found.
        name: String,
        /// Why.
        why: String,
    },
    /// Two keys with one id.
    #[error("two keys have the id {0:?}")]
    Duplicate(String),
    /// A file that others may read.
    #[error("`{}` has mode {mode:04o}, so that other users may read it; run `chmod 0600 {}`", path.display(), path.display())]
    Readable {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The newest key is of a later time than now.
    #[error("the newest key, `{}`, is of a later time than now; set the clock, or remove that file", .0.display())]
    ClockBehind(PathBuf),
    /// The operating system refused something.
    #[error("cannot {action} `{}`: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What came back.
        source: std::io::Error,
    },
    /// There is no randomness.
    #[error("the system gives no random numbers: {0}")]
    Random(String),
    /// A secret cannot be had.
    #[error(transparent)]
    Secret(#[from] crate::config::SecretError),
}
