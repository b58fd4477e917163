//! The queue of plans on their way to the writer. Apart from the ring of decisions, so that neither can push the other out:
//! plans are few and large.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{AcqRel, Relaxed};

use crossbeam_queue::ArrayQueue;

use super::awaited::Awaited;
use super::dag_record::DagRecord;
use super::plan_record::PlanRecord;
use super::stats::DropReason;
use crate::model::{Ticket, Timestamp};

/// Most records. Below the number of missing tickets that the writer waits for at a time: those of plans and decisions are
/// one series, and plans may come out of turn.
const RECORDS: usize = 1_000;

/// What is recorded of a plan.
#[derive(Debug, Clone)]
pub enum PlanEvent {
    /// It was validated.
    Validated(Box<PlanRecord>),
    /// What was made of it was compared with it.
    Verified(Box<DagRecord>),
}

impl PlanEvent {
    /// Its ticket, and when it happened.
    pub(super) fn ticket_and_time(&self) -> (Ticket, Timestamp) {
        match self {
            Self::Validated(record) => (record.ticket, record.validated_at),
            Self::Verified(record) => (record.ticket, record.verified_at),
        }
    }

    /// Makes what cannot be recorded as it must be into what is answered then: a validation into a rejection. A comparison
    /// grants nothing and stays as it is.
    pub fn refuse_unrecorded(&mut self) {
        if let Self::Validated(record) = self {
            record.validation.refuse_unrecorded();
        }
    }

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

/// What is queued.
#[derive(Debug)]
pub(super) enum QueuedPlan {
    /// Nobody waits for it.
    Plain(PlanEvent),
    /// An answer waits for it.
    Awaited(Arc<Awaited<PlanEvent>>),
}

/// See the module.
#[derive(Debug)]
pub(super) struct PlanQueue {
    queue: ArrayQueue<(u64, QueuedPlan)>,
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
        match self.claim(&event) {
            Ok(bytes) => self.put(bytes, QueuedPlan::Plain(event)),
            Err(reason) => Err((reason, event)),
        }
    }

    /// Queues a record that an answer waits for.
    pub(super) fn push_awaited(&self, event: PlanEvent) -> Result<Arc<Awaited<PlanEvent>>, (DropReason, PlanEvent)> {
        let bytes = match self.claim(&event) {
            Ok(bytes) => bytes,
            Err(reason) => return Err((reason, event)),
        };
        let awaited = Arc::new(Awaited::new(event, 0));
        self.put(bytes, QueuedPlan::Awaited(awaited.clone())).map(|()| awaited)
    }

    /// Claims room for a record, in bytes.
    fn claim(&self, event: &PlanEvent) -> Result<u64, DropReason> {
        let bytes = event.bytes();
        let share = |whole: u64| if event.is_plain() { whole - whole / 8 } else { whole };
        if self.queue.len() as u64 >= share(RECORDS as u64) {
            return Err(DropReason::RingFull);
        }
        if self.bytes.load(Relaxed).saturating_add(bytes) > share(self.max_bytes) {
            return Err(DropReason::RingBytes);
        }
        self.bytes.fetch_add(bytes, AcqRel);
        Ok(bytes)
    }

    fn put(&self, bytes: u64, plan: QueuedPlan) -> Result<(), (DropReason, PlanEvent)> {
        self.queue.push((bytes, plan)).map_err(|(bytes, plan)| {
            self.bytes.fetch_sub(bytes, AcqRel);
            let event = match plan {
                QueuedPlan::Plain(event) => event,
                QueuedPlan::Awaited(awaited) => awaited.record.clone(),
            };
            (DropReason::RingFull, event)
        })
    }

    /// Takes the oldest record.
    pub(super) fn pop(&self) -> Option<QueuedPlan> {
        let (bytes, plan) = self.queue.pop()?;
        self.bytes.fetch_sub(bytes, AcqRel);
        Some(plan)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}
