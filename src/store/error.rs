//! What can go wrong with the store.

use std::path::PathBuf;

/// Why the store could not do what it was asked. Nothing happened, unless it is [`StoreError::Uncertain`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The database cannot be reached or used at present. It is tried again by itself.
    #[error("the store is not available: {reason}")]
    Unavailable {
        /// Why.
        reason: String,
    },
    /// Too much is waiting for the database.
    #[error("the store is busy: {reason}")]
    Busy {
        /// With what.
        reason: String,
    },
    /// There is no room on the disk, or the database may not grow.
    #[error("the store is full: {reason}")]
    Full {
        /// What the database says.
        reason: String,
    },
    /// The answer did not come: it may have happened or not. Read again, or repeat with the same idempotency key.
    #[error("the store did not answer in time, and the change may have happened or not: {reason}")]
    Uncertain {
        /// What is known.
        reason: String,
    },
    /// The database was written by a newer version of this program.
    #[error(
        "the store in {place} has schema {found}, and this version of lictor knows schemas up to {known}; run the version that wrote it, or a newer one, or restore a backup of this version"
    )]
    NewerSchema {
        /// File, or server and database.
        place: String,
        /// Its schema.
        found: i64,
        /// The newest schema that is known.
        known: i64,
    },
    /// Other users may write to the database file, or it is theirs.
    #[error("`{}` {why}", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// How, and what to do.
        why: String,
    },
    /// An older copy of the database, or another one, is where the store was.
    #[error(
        "the store in {place} is not the one that was there before: {why}. What was used or cancelled in that one could run \
         again in this one. Put the right one back; or, to go on with this one, stop the server and run `lictor restore \
         --epoch-only` (with the server's `--config` and `--state`): approvals in it that are open or unused then expire"
    )]
    Replaced {
        /// File, or server and database.
        place: String,
        /// How that is known.
        why: String,
    },
    /// The database file is damaged, or is no database.
    #[error(
        "the store in {} is damaged: {reason}; stop the server and put a backup in its place with `lictor restore --from FILE`",
        path.display()
    )]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What the database says.
        reason: String,
    },
    /// The URL of the store means nothing, or this program was built without what it names.
    #[error("`store.url` cannot be used: {reason}")]
    Url {
        /// What is wrong and what to write instead. Never holds the password.
        reason: String,
    },
    /// What was read or is to be written makes no sense: a fault in this program or in who else writes the database.
    #[error("the store holds or was given what it cannot hold: {reason}")]
    Invalid {
        /// What.
        reason: String,
    },
}

impl StoreError {
    /// Its name in metrics.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unavailable { .. } => "unavailable",
            Self::Busy { .. } => "busy",
            Self::Full { .. } => "full",
            Self::Uncertain { .. } => "uncertain",
            Self::NewerSchema { .. } => "newer_schema",
            Self::Exposed { .. } => "exposed",
            Self::Replaced { .. } => "replaced",
            Self::Corrupt { .. } => "corrupt",
            Self::Url { .. } => "url",
            Self::Invalid { .. } => "invalid",
        }
    }

    /// Whether the same may succeed later without anybody's doing. A change of [`StoreError::Uncertain`] outcome must be
    /// looked up before it is repeated, unless repeating it is harmless.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Busy { .. } | Self::Full { .. } | Self::Uncertain { .. })
    }

    pub(super) fn unavailable(reason: impl ToString) -> Self {
        Self::Unavailable { reason: reason.to_string() }
    }

    pub(super) fn invalid(reason: impl ToString) -> Self {
        Self::Invalid { reason: reason.to_string() }
    }
}
