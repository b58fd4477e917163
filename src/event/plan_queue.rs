//! The queue of plans on their way to the writer. Apart from the ring of decisions, so that neither can push the other out:
//! plans are few and large.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{AcqRel, Relaxed};

use crossbeam_queue::ArrayQueue;

use super::dag_record::DagRecord;
use super::plan_record::PlanRecord;
use super::stats::DropReason;

/// Most records. Below the number of missing tickets that the writer waits for at a time: those of plans and decisions are
/// one series, and plans may come out of turn.
const RECORDS: usize = 1_000;

/// What is recorded of a plan.
#[derive(Debug)]
pub enum PlanEvent {
    /// It was validated.
    Validated(Box<PlanRecord>),
    /// What was made of it was compared with it.
    Verified(Box<DagRecord>),
}

impl PlanEvent {
    fn bytes(&self) -> u64 {
        u64::try_from(match self {
            Self::Validated(record) => record.approximate_bytes(),
            Self::Verified(record) => record.approximate_bytes(),
        })
        .unwrap_or(u64::MAX)
    }

    /// Whether it must be recorded, or the plan must not run.
    pub(super) fn requires_audit(&self) -> bool {
        matches!(self, Self::Validated(record) if record.requires_audit())
    }

    /// Whether nothing is said but that all is well.
    fn is_plain(&self) -> bool {
        match self {
            Self::Validated(record) => record.is_plain_pass(),
            Self::Verified(record) => record.verification.success,
        }
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct PlanQueue {
    queue: ArrayQueue<(u64, PlanEvent)>,
    bytes: AtomicU64,
    max_bytes: u64,
}

impl PlanQueue {
    /// A queue for records that own at most `max_bytes` bytes.
    pub(super) fn new(max_bytes: u64) -> Self {
        Self { queue: ArrayQueue::new(RECORDS), bytes: AtomicU64::new(0), max_bytes: max_bytes.max(1) }
    }

    /// Queues a record, which comes back where there is no room. One eighth is kept for what is not a plain pass.
    pub(super) fn push(&self, event: PlanEvent) -> Result<(), (DropReason, PlanEvent)> {
        let bytes = event.bytes();
        let share = |whole: u64| if event.is_plain() { whole - whole / 8 } else { whole };
        if self.queue.len() as u64 >= share(RECORDS as u64) {
            return Err((DropReason::RingFull, event));
        }
        if self.bytes.load(Relaxed).saturating_add(bytes) > share(self.max_bytes) {
            return Err((DropReason::RingBytes, event));
        }
        self.bytes.fetch_add(bytes, AcqRel);
        self.queue.push((bytes, event)).map_err(|(bytes, event)| {
            self.bytes.fetch_sub(bytes, AcqRel);
            (DropReason::RingFull, event)
        })
    }

    /// Takes the oldest record.
    pub(super) fn pop(&self) -> Option<PlanEvent> {
        let (bytes, event) = self.queue.pop()?;
        self.bytes.fetch_sub(bytes, AcqRel);
        Some(event)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}
