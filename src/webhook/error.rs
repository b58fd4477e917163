//! Why an attempt failed.

use std::net::IpAddr;
use std::path::PathBuf;

use crate::config::SecretError;

/// Why an attempt to deliver failed. Never holds a secret, nor anything that the receiver wrote.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AttemptError {
    /// No live document defines the endpoint, or it is not for this tenant.
    #[error("the live documents have no such endpoint for this tenant")]
    NoEndpoint,
    /// The current key cannot be had.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The certificates that the document names cannot be used.
    #[error("cannot use the certificates in `{path}`: {reason}")]
    Certificates {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// The host's name cannot be resolved.
    #[error("cannot resolve `{host}`: {source}")]
    Resolve {
        /// The name.
        host: String,
        /// Why not.
        source: std::io::Error,
    },
    /// Nothing may be sent to the host's addresses.
    #[error("`{host}` is at {address}, {what}, and nothing may be sent there{}", help(*.could_be_allowed))]
    Refused {
        /// The host.
        host: String,
        /// The first address that was refused.
        address: IpAddr,
        /// What it is.
        what: &'static str,
        /// Whether `allowPrivate` would allow it.
        could_be_allowed: bool,
    },
    /// The receiver takes no connection.
    #[error("cannot connect to `{host}`: {source}")]
    Connect {
        /// The host.
        host: String,
        /// Why not.
        source: std::io::Error,
    },
    /// The receiver cannot prove who it is, or speaks no TLS.
    #[error("no secure connection to `{host}`: {reason}")]
    Tls {
        /// The host.
        host: String,
        /// Why not.
        reason: String,
    },
    /// The receiver does not speak HTTP/1.1, or hung up.
    #[error("no answer: {0}")]
    Http(String),
    /// The receiver sends us elsewhere, which is not followed.
    #[error("the receiver redirects (status {0}), and redirects are not followed; write the final URL")]
    Redirect(u16),
    /// The receiver does not take the message.
    #[error("the receiver answered with status {0}")]
    Status(u16),
    /// The receiver wants no more of it.
    #[error("the receiver wants no more of it (status 410)")]
    Gone,
    /// It took too long.
    #[error("no answer within {seconds} s, {phase}")]
    Timeout {
        /// The limit.
        seconds: u32,
        /// What it was waiting for.
        phase: &'static str,
    },
}

fn help(could_be_allowed: bool) -> &'static str {
    if could_be_allowed { " unless the document says `allowPrivate: true`" } else { "" }
}

impl AttemptError {
    /// Every kind, as metrics name it.
    pub const KINDS: [&str; 12] = [
        "no_endpoint",
        "secret",
        "certificates",
        "resolve",
        "refused_address",
        "connect",
        "tls",
        "http",
        "redirect",
        "status",
        "gone",
        "timeout",
    ];

    /// The kind, as metrics name it: one of [`KINDS`](Self::KINDS).
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::NoEndpoint => "no_endpoint",
            Self::Secret(_) => "secret",
            Self::Certificates { .. } => "certificates",
            Self::Resolve { .. } => "resolve",
            Self::Refused { .. } => "refused_address",
            Self::Connect { .. } => "connect",
            Self::Tls { .. } => "tls",
            Self::Http(_) => "http",
            Self::Redirect(_) => "redirect",
            Self::Status(_) => "status",
            Self::Gone => "gone",
            Self::Timeout { .. } => "timeout",
        }
    }

    /// The HTTP status, where the receiver answered.
    #[must_use]
    pub const fn status(&self) -> Option<u16> {
        match self {
            Self::Redirect(status) | Self::Status(status) => Some(*status),
            Self::Gone => Some(410),
            _ => None,
        }
    }

    /// Whether trying again cannot help.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::Gone | Self::NoEndpoint)
    }
}
