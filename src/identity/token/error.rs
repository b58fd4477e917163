//! What can be wrong with a token, and with the file of keys.

use std::path::PathBuf;

/// Why a token is not accepted. Says nothing of the token's content but the names of claims.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadToken {
    /// Longer than any token that is looked at.
    #[error("it is larger than {} bytes", super::MAX_TOKEN_BYTES)]
    TooLarge,
    /// Not three parts, not Base64url, not JSON, or of an unknown kind (`alg: none` among them).
    #[error("it is not a signed JSON Web Token of a kind that is accepted")]
    Malformed,
    /// Not one of the pinned algorithms.
    #[error("its algorithm is not one of `identity.jwt.algorithms`")]
    AlgorithmNotAccepted,
    /// No key of this id and algorithm.
    #[error("its key (`kid`) is not in the file of `identity.jwt.jwks`")]
    UnknownKey,
    /// Somebody else signed it, or it was changed.
    #[error("its signature does not fit")]
    BadSignature,
    /// `exp` has passed.
    #[error("it has expired; get a new one from its issuer")]
    Expired,
    /// `nbf` lies ahead.
    #[error("it is not valid yet; compare the clocks")]
    NotYetValid,
    /// Another issuer.
    #[error("its issuer (`iss`) is not `identity.jwt.issuer`")]
    WrongIssuer,
    /// For somebody else.
    #[error("it is for another audience (`aud`) than `identity.jwt.audience`")]
    WrongAudience,
    /// A claim is missing, or not what it must be.
    #[error("its claim `{0}` is missing or not what it must be")]
    Claim(String),
}

impl BadToken {
    /// In UPPER_SNAKE_CASE.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Expired => "TOKEN_EXPIRED",
            _ => "TOKEN_INVALID",
        }
    }
}

/// Why the issuer's keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JwksError {
    /// The file cannot be read.
    #[error("cannot read the keys of tokens in `{path}` (`identity.jwt.jwks`): {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is too large.
    #[error("the keys of tokens in `{path}` (`identity.jwt.jwks`) have more than {most} bytes")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Most bytes.
        most: u64,
    },
    /// The file holds no key set, or none that could be used.
    #[error("the keys of tokens in `{path}` (`identity.jwt.jwks`) cannot be used: {why}")]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
}
