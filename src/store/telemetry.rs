//! What the store counts of itself.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::telemetry::{Disk, Histogram};

/// Figures of the store's own work. Nothing here is on the path of a decision.
#[derive(Debug, Default)]
pub struct StoreMetrics {
    operations: Mutex<BTreeMap<&'static str, Operation>>,
    groups: AtomicU64,
    grouped: AtomicU64,
    largest_group: AtomicU64,
}

/// How often an operation ended in each way, and how long that took.
#[derive(Debug, Default)]
struct Operation {
    outcomes: BTreeMap<&'static str, u64>,
    duration: Arc<Histogram<Disk>>,
}

impl StoreMetrics {
    pub(super) fn operation(&self, name: &'static str, outcome: &'static str, time: Duration) {
        let mut operations = self.lock();
        let operation = operations.entry(name).or_default();
        *operation.outcomes.entry(outcome).or_default() += 1;
        operation.duration.observe(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    }

    pub(super) fn group(&self, writes: usize) {
        let writes = u64::try_from(writes).unwrap_or(u64::MAX);
        self.groups.fetch_add(1, Relaxed);
        self.grouped.fetch_add(writes, Relaxed);
        self.largest_group.fetch_max(writes, Relaxed);
    }

    /// How often each operation ended in each way: `ok` or the code of the error.
    #[must_use]
    pub fn operations(&self) -> Vec<(&'static str, &'static str, u64)> {
        let operations = self.lock();
        let of = |(name, operation): (&&'static str, &Operation)| {
            let name = *name;
            operation.outcomes.iter().map(move |(outcome, count)| (name, *outcome, *count)).collect::<Vec<_>>()
        };
        operations.iter().flat_map(of).collect()
    }

    /// How long each operation took, from asking to the answer, whatever came of it.
    #[must_use]
    pub fn durations(&self) -> Vec<(&'static str, Arc<Histogram<Disk>>)> {
        self.lock().iter().map(|(name, operation)| (*name, operation.duration.clone())).collect()
    }

    /// Transactions of the embedded store, and writes that they committed.
    #[must_use]
    pub fn groups(&self) -> (u64, u64) {
        (self.groups.load(Relaxed), self.grouped.load(Relaxed))
    }

    /// Most writes that one transaction of the embedded store has committed.
    #[must_use]
    pub fn largest_group(&self) -> u64 {
        self.largest_group.load(Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, Operation>> {
        self.operations.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
