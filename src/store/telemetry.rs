//! What the store counts of itself.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Figures of the store's own work. Nothing here is on the path of a decision.
#[derive(Debug, Default)]
pub struct StoreMetrics {
    operations: Mutex<BTreeMap<(&'static str, &'static str), Operation>>,
    groups: AtomicU64,
    grouped: AtomicU64,
    largest_group: AtomicU64,
}

/// How often an operation ended in one way, and how long that took in all.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Operation {
    /// How often.
    pub count: u64,
    /// How long, all together.
    pub time: Duration,
}

impl StoreMetrics {
    pub(super) fn operation(&self, name: &'static str, outcome: &'static str, time: Duration) {
        let mut operations = self.operations.lock().unwrap_or_else(PoisonError::into_inner);
        let operation = operations.entry((name, outcome)).or_default();
        operation.count = operation.count.saturating_add(1);
        operation.time = operation.time.saturating_add(time);
    }

    pub(super) fn group(&self, writes: usize) {
        let writes = u64::try_from(writes).unwrap_or(u64::MAX);
        self.groups.fetch_add(1, Relaxed);
        self.grouped.fetch_add(writes, Relaxed);
        self.largest_group.fetch_max(writes, Relaxed);
    }

    /// By operation and outcome: `ok` or the code of the error.
    #[must_use]
    pub fn operations(&self) -> Vec<(&'static str, &'static str, Operation)> {
        let operations = self.operations.lock().unwrap_or_else(PoisonError::into_inner);
        operations.iter().map(|((name, outcome), operation)| (*name, *outcome, *operation)).collect()
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
}
