//! How loading stands, for readiness, logs and metrics. Reading never waits for a load.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;

use crate::model::Timestamp;

use super::report::{Outcome, Publication, Refusal, SnapshotId};

/// How loading stands.
#[derive(Debug, Clone, Default)]
pub struct ReloadStatus {
    /// The snapshot that is live, if one is.
    pub live: Option<Arc<Publication>>,
    /// Why the documents on disk are not live; `None` if they are.
    pub failure: Option<Failure>,
    /// When the documents on disk were last known to be the live ones.
    pub last_success: Option<Timestamp>,
    /// Whether the file system tells of changes. Where it should and cannot, the reason is in the log.
    pub is_watching: bool,
}

/// The documents on disk are not live.
#[derive(Debug, Clone)]
pub struct Failure {
    /// Since when: the first refusal after the last success.
    pub since: Timestamp,
    /// The last refusal.
    pub refusal: Arc<Refusal>,
}

/// Attempts so far, by what came of them. Each only grows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReloadCounts {
    /// A new snapshot went live.
    pub published: u64,
    /// The documents were those of the live snapshot.
    pub unchanged: u64,
    /// What was live stayed live.
    pub refused: u64,
}

/// Reads how loading stands. Cheap to clone; outlives the reloader.
#[derive(Debug, Clone, Default)]
pub struct StatusReader {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    status: ArcSwap<ReloadStatus>,
    published: AtomicU64,
    unchanged: AtomicU64,
    refused: AtomicU64,
}

impl StatusReader {
    /// How loading stands now.
    #[must_use]
    pub fn status(&self) -> Arc<ReloadStatus> {
        self.shared.status.load_full()
    }

    /// Attempts so far.
    #[must_use]
    pub fn counts(&self) -> ReloadCounts {
        ReloadCounts {
            published: self.shared.published.load(Ordering::Relaxed),
            unchanged: self.shared.unchanged.load(Ordering::Relaxed),
            refused: self.shared.refused.load(Ordering::Relaxed),
        }
    }

    /// Notes what came of an attempt at `now`.
    pub(super) fn note(&self, outcome: &Outcome, now: Timestamp) {
        let mut status = ReloadStatus::clone(&self.status());
        let counter = match outcome {
            Outcome::Published(publication) => {
                status.live = Some(publication.clone());
                &self.shared.published
            }
            Outcome::Unchanged(_) => &self.shared.unchanged,
            Outcome::Refused(_) => &self.shared.refused,
        };
        match outcome {
            Outcome::Refused(refusal) => {
                let since = status.failure.map_or(now, |failure| failure.since);
                status.failure = Some(Failure { since, refusal: refusal.clone() });
            }
            Outcome::Published(_) | Outcome::Unchanged(_) => {
                status.failure = None;
                status.last_success = Some(now);
            }
        }
        counter.fetch_add(1, Ordering::Relaxed);
        self.shared.status.store(Arc::new(status));
    }

    /// Notes whether the file system tells of changes.
    pub(super) fn note_watching(&self, is_watching: bool) {
        let status = self.status();
        if status.is_watching != is_watching {
            self.shared.status.store(Arc::new(ReloadStatus { is_watching, ..ReloadStatus::clone(&status) }));
        }
    }

    /// The live snapshot.
    pub(super) fn live(&self) -> Option<SnapshotId> {
        self.status().live.as_ref().map(|publication| publication.snapshot.clone())
    }
}
