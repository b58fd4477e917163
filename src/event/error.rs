//! What can go wrong with the journal, as its users see it.

use std::io;
use std::path::{Path, PathBuf};

/// Why the event log could not be opened, written or closed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum EventError {
    /// The file system refused something.
    #[error("cannot {action} `{path}`: {reason}", path = path.display())]
    Io {
        /// What was tried, for example `open`.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Kind of failure.
        kind: io::ErrorKind,
        /// What the system said.
        reason: String,
    },
    /// Another process writes this journal.
    #[error("the journal `{path}` is in use by another process; stop that one or choose another state directory", path = path.display())]
    InUse {
        /// The journal's directory.
        path: PathBuf,
    },
    /// A key is too short to be secret.
    #[error("the key has {bytes} bytes; use at least {least}, for example from `openssl rand -hex 32`")]
    ShortKey {
        /// Its length.
        bytes: usize,
        /// The shortest that is taken.
        least: usize,
    },
    /// A path to be masked that no record has.
    #[error(
        "cannot mask `{path}`: a path starts with `context.`, `subject.properties.`, `resource.properties.` or `action.properties.` and names an attribute literally, without `*`; to mask all below a value or root, name it: `context.params`, `context`"
    )]
    MaskPath {
        /// The path.
        path: String,
    },
    /// An exporter's name that cannot name its cursor file, or that two exporters share.
    #[error("the exporter name `{name}` is taken or is not 1 to 64 letters, digits, `-` and `_`")]
    ExporterName {
        /// The name.
        name: String,
    },
    /// No randomness to be had for the boot id.
    #[error("the system gave no random bytes: {reason}")]
    Entropy {
        /// What the system said.
        reason: String,
    },
    /// A thread could not be started.
    #[error("cannot start the thread `{thread}`: {reason}")]
    Thread {
        /// Its name.
        thread: String,
        /// What the system said.
        reason: String,
    },
    /// The log is closed or closing.
    #[error("the event log is closed")]
    Closed,
    /// Control records arrive faster than the journal takes them.
    #[error("{waiting} control records wait for the journal already; it may be unable to write")]
    Busy {
        /// How many wait.
        waiting: usize,
    },
    /// A record was written, and someone removed it before it was durable.
    #[error("the record was lost: {what}")]
    Lost {
        /// How.
        what: String,
    },
    /// What was asked for did not happen in time.
    #[error("{what} did not finish within {millis} ms")]
    Timeout {
        /// What was waited for.
        what: &'static str,
        /// How long.
        millis: u128,
    },
}

impl EventError {
    /// Wraps what the file system said about `path`.
    pub(super) fn io(action: &'static str, path: &Path, error: &io::Error) -> Self {
        Self::Io { action, path: path.to_path_buf(), kind: error.kind(), reason: error.to_string() }
    }
}
