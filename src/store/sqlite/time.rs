//! The store's time.

use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering::{AcqRel, Acquire};
use std::time::Duration;

use crate::model::Timestamp;
use crate::store::options::{Clock, Elapsed, StoreOptions};

/// The injected clock, but never below what is committed: where the clock is behind that, because it was ahead and was set
/// back, time goes on from there at the pace of the monotonic clock, so that what lasts an hour still lasts an hour.
pub(in crate::store) struct Time {
    clock: Clock,
    elapsed: Elapsed,
    /// The epoch of the database. Times of earlier ones do not count.
    epoch: u64,
    /// The latest time that is committed.
    committed: AtomicI64,
    /// What the monotonic clock lacks to it: the store's time is at least its sum with the monotonic clock.
    offset: AtomicI64,
}

impl std::fmt::Debug for Time {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Time").field("committed", &self.committed).finish_non_exhaustive()
    }
}

impl Time {
    /// Goes on from `committed`, now.
    pub(super) fn new(options: &StoreOptions, epoch: u64, committed: Timestamp) -> Self {
        let time = Self {
            clock: options.clock.clone(),
            elapsed: options.elapsed.clone(),
            epoch,
            committed: AtomicI64::new(i64::MIN),
            offset: AtomicI64::new(i64::MIN),
        };
        time.commit(committed);
        time
    }

    /// Notes a time that is committed.
    pub(super) fn commit(&self, time: Timestamp) {
        self.committed.fetch_max(time.as_micros(), AcqRel);
        self.offset.fetch_max(time.as_micros().saturating_sub(self.monotonic()), AcqRel);
    }

    pub(super) fn now(&self) -> Timestamp {
        (self.clock)().max(self.least())
    }

    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The latest time that is committed.
    pub(in crate::store) fn committed(&self) -> Timestamp {
        Timestamp::from_micros(self.committed.load(Acquire))
    }

    /// How far the clock is behind the store's time.
    pub(in crate::store) fn clock_behind(&self) -> Duration {
        let behind = self.least().as_micros().saturating_sub((self.clock)().as_micros());
        Duration::from_micros(u64::try_from(behind).unwrap_or(0))
    }

    fn least(&self) -> Timestamp {
        Timestamp::from_micros(self.offset.load(Acquire).saturating_add(self.monotonic()))
    }

    fn monotonic(&self) -> i64 {
        i64::try_from((self.elapsed)().as_micros()).unwrap_or(i64::MAX)
    }
}
