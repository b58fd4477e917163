//! The live snapshot and the resident ones that a request may pin.

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};

use super::Snapshot;

/// Most snapshots that stay resident, the live one included.
pub const MAX_RESIDENTS: usize = 16;

/// The live snapshot and those that can be pinned, as one value, so that a reader sees both of one moment.
#[derive(Debug, Default)]
pub struct Residents {
    /// The live snapshot; `None` until the first good load.
    live: Option<Arc<Snapshot>>,
    /// The live one and its predecessors, newest first.
    resident: Vec<Arc<Snapshot>>,
}

impl Residents {
    /// The live snapshot.
    #[must_use]
    pub fn live(&self) -> Option<&Arc<Snapshot>> {
        self.live.as_ref()
    }

    /// The live snapshot and its predecessors, newest first.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Snapshot>> {
        self.resident.iter()
    }

    /// The resident snapshot with this digest.
    #[must_use]
    pub fn pinned(&self, digest: &str) -> Option<&Arc<Snapshot>> {
        self.resident.iter().find(|snapshot| snapshot.digest() == digest)
    }
}

/// Holds the [`Residents`] that readers see. Reading never waits; only a reload writes.
#[derive(Debug, Default)]
pub struct Holder {
    residents: ArcSwap<Residents>,
}

impl Holder {
    /// What is live and resident now. Load once a request (or batch) and decide with what was loaded.
    #[must_use]
    pub fn load(&self) -> Guard<Arc<Residents>> {
        self.residents.load()
    }

    /// Makes `snapshot` live and keeps its predecessors resident. Gives back what left, for the caller to drop off the
    /// request path.
    #[must_use]
    pub fn publish(&self, snapshot: Arc<Snapshot>) -> Arc<Residents> {
        let before = self.residents.load();
        let predecessors = before.resident.iter().filter(|old| old.digest() != snapshot.digest()).cloned();
        let resident = std::iter::once(snapshot.clone()).chain(predecessors).take(MAX_RESIDENTS).collect();
        self.residents.swap(Arc::new(Residents { live: Some(snapshot), resident }))
    }

    /// Makes predecessors resident again, newest first, behind those that are: after a restart, so that pins resolve. What
    /// is live does not change. Gives back what left, for the caller to drop off the request path.
    #[must_use]
    pub fn restore(&self, predecessors: impl IntoIterator<Item = Arc<Snapshot>>) -> Arc<Residents> {
        let before = self.residents.load();
        let mut resident = before.resident.clone();
        for snapshot in predecessors {
            if resident.iter().all(|known| known.digest() != snapshot.digest()) {
                resident.push(snapshot);
            }
        }
        resident.truncate(MAX_RESIDENTS);
        self.residents.swap(Arc::new(Residents { live: before.live.clone(), resident }))
    }
}
