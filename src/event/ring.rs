//! The lock-free ring between the workers that decide and the thread that writes.
//!
//! Bounded in records and in the bytes that they own. One eighth of both is kept for what is not a plain allow, so that a
//! flood of allows cannot push out the record of a deny.

use std::sync::atomic::Ordering::{AcqRel, Relaxed};
use std::sync::{Arc, OnceLock};
use std::thread::Thread;
use std::time::Duration;

use crossbeam_queue::ArrayQueue;

use super::awaited::Awaited;
use super::plan_queue::PlanQueue;
use super::record::DecisionRecord;
use super::stats::{DropReason, Occupancy, Stats};

/// A record and the bytes that were claimed for it.
#[derive(Debug)]
struct Queued {
    bytes: u32,
    record: Box<DecisionRecord>,
}

/// Refusals for want of an audit record have a queue of their own, so that a full ring cannot keep them out.
const REFUSALS: usize = 1_024;

/// See the module.
#[derive(Debug)]
pub(super) struct Ring {
    queue: ArrayQueue<Queued>,
    /// Records that answers wait for; `None` where none do.
    awaited: Option<ArrayQueue<Arc<Awaited<DecisionRecord>>>>,
    patience: Option<Duration>,
    refusals: ArrayQueue<Box<DecisionRecord>>,
    pub(super) plans: PlanQueue,
    /// The writer, which is woken for what is waited for.
    writer: OnceLock<Thread>,
    max_records: u64,
    max_bytes: u64,
    stats: Arc<Stats>,
}

impl Ring {
    /// A ring for at most `records` records that own at most `bytes` bytes; with `patience`, answers wait so long for them.
    pub(super) fn new(records: usize, bytes: u64, patience: Option<Duration>, stats: Arc<Stats>) -> Self {
        let max_records = u64::try_from(records).unwrap_or(u64::MAX).clamp(8, Occupancy::MAX_RECORDS);
        let room = usize::try_from(max_records).unwrap_or(8);
        Self {
            queue: ArrayQueue::new(room),
            awaited: patience.map(|_| ArrayQueue::new(room)),
            patience,
            refusals: ArrayQueue::new(REFUSALS.min(records.max(8))),
            plans: PlanQueue::new(bytes),
            writer: OnceLock::new(),
            max_records,
            max_bytes: bytes.clamp(1, Occupancy::MAX_BYTES),
            stats,
        }
    }

    /// How long answers wait for their records; `None` where they do not.
    pub(super) fn patience(&self) -> Option<Duration> {
        self.patience
    }

    /// Whether it is more than half full.
    pub(super) fn is_crowded(&self) -> bool {
        let now = Occupancy(self.stats.occupancy.load(Relaxed));
        now.records() > self.max_records / 2 || now.bytes() > self.max_bytes / 2
    }

    /// Says who is to be woken for what is waited for.
    pub(super) fn woken_by_need(&self, writer: Thread) {
        // Set once: a log has one writer.
        let _ = self.writer.set(writer);
    }

    /// Wakes the writer: somebody waits for what was queued.
    pub(super) fn wake(&self) {
        if let Some(writer) = self.writer.get() {
            writer.unpark();
        }
    }

    /// Queues `record`: a load, an addition and the queue's own compare-and-swap.
    pub(super) fn push(&self, record: Box<DecisionRecord>) -> Result<(), (DropReason, Box<DecisionRecord>)> {
        let bytes = match self.claim(&record) {
            Ok(bytes) => bytes,
            Err(reason) => return Err((reason, record)),
        };
        self.queue.push(Queued { bytes, record }).map_err(|refused| {
            self.unclaim(bytes);
            (DropReason::RingFull, refused.record)
        })
    }

    /// Queues a record that an answer waits for, and wakes the writer.
    pub(super) fn push_awaited(
        &self,
        record: Box<DecisionRecord>,
    ) -> Result<Arc<Awaited<DecisionRecord>>, (DropReason, Box<DecisionRecord>)> {
        let Some(queue) = &self.awaited else { return Err((DropReason::RingFull, record)) };
        let bytes = match self.claim(&record) {
            Ok(bytes) => bytes,
            Err(reason) => return Err((reason, record)),
        };
        let awaited = Arc::new(Awaited::new(*record, bytes));
        match queue.push(awaited.clone()) {
            Ok(()) => {
                self.wake();
                Ok(awaited)
            }
            Err(_) => {
                self.unclaim(bytes);
                Err((DropReason::RingFull, Box::new(awaited.record.clone())))
            }
        }
    }

    /// Claims room for a record, in bytes.
    fn claim(&self, record: &DecisionRecord) -> Result<u32, DropReason> {
        let bytes = u32::try_from(record.approximate_bytes()).unwrap_or(u32::MAX);
        let (records_limit, bytes_limit) = if record.is_plain_allow() {
            (self.max_records - self.max_records / 8, self.max_bytes - self.max_bytes / 8)
        } else {
            (self.max_records, self.max_bytes)
        };
        // Two workers that pass this check together may overshoot by one record each, which the queue's own bound and
        // the head room in the word allow for.
        let now = Occupancy(self.stats.occupancy.load(Relaxed));
        if now.records() >= records_limit {
            return Err(DropReason::RingFull);
        }
        if now.bytes().saturating_add(bytes.into()) > bytes_limit {
            return Err(DropReason::RingBytes);
        }
        self.stats.occupancy.fetch_add(Occupancy::of(1, bytes.into()).0, AcqRel);
        Ok(bytes)
    }

    fn unclaim(&self, bytes: u32) {
        self.stats.occupancy.fetch_sub(Occupancy::of(1, bytes.into()).0, AcqRel);
    }

    /// Queues the record of a refusal for want of an audit record.
    pub(super) fn push_refusal(&self, record: Box<DecisionRecord>) -> Result<(), (DropReason, Box<DecisionRecord>)> {
        self.refusals.push(record).map_err(|record| (DropReason::RingFull, record))
    }

    /// Takes the oldest record. Its claim is given back by [`Self::release`].
    pub(super) fn pop(&self, claimed: &mut Claimed) -> Option<Box<DecisionRecord>> {
        let Queued { bytes, record } = self.queue.pop()?;
        claimed.records = claimed.records.saturating_add(1);
        claimed.bytes = claimed.bytes.saturating_add(bytes.into());
        Some(record)
    }

    /// Takes the oldest record that an answer waits for. Its claim is given back by [`Self::release`].
    pub(super) fn pop_awaited(&self, claimed: &mut Claimed) -> Option<Arc<Awaited<DecisionRecord>>> {
        let awaited = self.awaited.as_ref()?.pop()?;
        claimed.records = claimed.records.saturating_add(1);
        claimed.bytes = claimed.bytes.saturating_add(awaited.bytes.into());
        Some(awaited)
    }

    /// Takes the oldest refusal.
    pub(super) fn pop_refusal(&self) -> Option<Box<DecisionRecord>> {
        self.refusals.pop()
    }

    /// Gives back the claims of records that were taken, once a batch: the word is shared with the workers.
    pub(super) fn release(&self, claimed: Claimed) {
        if claimed.records > 0 {
            self.stats.occupancy.fetch_sub(Occupancy::of(claimed.records, claimed.bytes).0, AcqRel);
        }
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        let none_awaited = self.awaited.as_ref().is_none_or(ArrayQueue::is_empty);
        self.queue.is_empty() && none_awaited && self.refusals.is_empty() && self.plans.is_empty()
    }
}

/// Claims of records that were taken from the ring and not yet given back.
#[derive(Debug, Default)]
#[must_use]
pub(super) struct Claimed {
    pub(super) records: u64,
    pub(super) bytes: u64,
}
