//! A data-plane worker's way to the journal.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::time::Duration;

use super::awaited::Pending;
use super::plan_queue::PlanEvent;
use super::record::DecisionRecord;
use super::ring::Ring;
use super::stats::{DropReason, Stats};
use crate::model::{BootId, ReasonCode, Ticket};

/// Number of workers that tickets can tell apart.
pub const MAX_WORKERS: u8 = 64;

/// Why a record was not queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotQueued {
    /// The ring is full.
    #[error("the event ring is full")]
    Full,
    /// The journal has been failing for too long to promise that a decision with the audit obligation is recorded.
    #[error("the journal cannot be written")]
    JournalFailing,
    /// Decisions are not recorded, and this one has the audit obligation.
    #[error("decisions are not recorded")]
    Off,
}

/// What the writer has to know of one worker.
#[derive(Debug, Default)]
pub(super) struct WorkerSlot {
    /// Number of tickets that were taken.
    issued: AtomicU64,
    /// Number of records that were refused.
    refused: AtomicU64,
}

impl WorkerSlot {
    pub(super) fn issued(&self) -> u64 {
        self.issued.load(Acquire)
    }

    pub(super) fn refused(&self) -> u64 {
        self.refused.load(Acquire)
    }
}

/// One data-plane worker's way to the ring. Cheap to clone; recorders of the same worker share its count of tickets.
#[derive(Debug, Clone)]
pub struct Recorder {
    boot: BootId,
    worker: u8,
    slot: Arc<WorkerSlot>,
    /// `None` where decisions are not recorded.
    ring: Option<Arc<Ring>>,
    stats: Arc<Stats>,
}

impl Recorder {
    pub(super) fn new(
        boot: BootId,
        worker: u8,
        slot: Arc<WorkerSlot>,
        ring: Option<Arc<Ring>>,
        stats: Arc<Stats>,
    ) -> Self {
        Self { boot, worker, slot, ring, stats }
    }

    /// The next ticket of this worker. Every decision takes one, whether or not its record gets through.
    #[must_use]
    pub fn ticket(&self) -> Ticket {
        let number = self.slot.issued.fetch_add(1, AcqRel).wrapping_add(1);
        Ticket { boot: self.boot, worker: self.worker, number }
    }

    /// How long answers wait for their records (mode `guaranteed`); `None` where they do not.
    #[must_use]
    pub fn patience(&self) -> Option<Duration> {
        self.ring.as_ref().and_then(|ring| ring.patience())
    }

    /// Whether the decision must not be answered without its record: it has the audit obligation, or all of them must be on
    /// record.
    #[must_use]
    pub fn must_record(&self, record: &DecisionRecord) -> bool {
        record.decision.requires_audit() || self.patience().is_some()
    }

    /// Whether the ring is more than half full although the journal can be written: who can wait a little should.
    #[must_use]
    pub fn is_crowded(&self) -> bool {
        self.ring.as_ref().is_some_and(|ring| ring.is_crowded()) && !self.stats.failing.load(Relaxed)
    }

    /// Queues a record, and where answers wait for their records gives what is to be waited for. Never blocks or
    /// serialises.
    ///
    /// # Errors
    /// As of [`Self::record`].
    pub fn submit(
        &self,
        record: Box<DecisionRecord>,
    ) -> Result<Option<Pending<DecisionRecord>>, (NotQueued, Box<DecisionRecord>)> {
        let Some(ring) = self.ring.as_ref().filter(|ring| ring.patience().is_some()) else {
            return self.record(record).map(|()| None);
        };
        if self.stats.refusing_audited.load(Relaxed) {
            return Err(self.refused(DropReason::JournalFailing, record, false));
        }
        let queued = ring.push_awaited(record).map_err(|(reason, record)| self.refused(reason, record, false))?;
        Ok(Some(Pending(queued)))
    }

    /// Queues a record. Never blocks, locks or serialises.
    ///
    /// Take the ticket and record the decision without anything in between that may wait: a ticket whose record does not
    /// come within a second is taken for lost.
    ///
    /// A decision that became DENY, AUDIT_UNAVAILABLE because its first record was refused is recorded by a second call.
    /// Such records have a small queue of their own (1024) and wait there, in memory, until the journal can be written.
    ///
    /// # Errors
    /// The record comes back, so that a decision that must be audited can be refused and recorded as such; a ticket
    /// without a record is named by a gap. `JournalFailing` and `Off` only come for decisions with the audit obligation.
    pub fn record(&self, record: Box<DecisionRecord>) -> Result<(), (NotQueued, Box<DecisionRecord>)> {
        let Some(ring) = &self.ring else {
            return if record.decision.requires_audit() { Err((NotQueued::Off, record)) } else { Ok(()) };
        };
        if record.decision.reason_code == ReasonCode::AuditUnavailable {
            return ring.push_refusal(record).map_err(|(reason, record)| self.refused(reason, record, true));
        }
        if self.stats.refusing_audited.load(Relaxed) && record.decision.requires_audit() {
            return Err(self.refused(DropReason::JournalFailing, record, false));
        }
        ring.push(record).map_err(|(reason, record)| {
            // What must be audited is refused and comes again, as the record of that refusal.
            let lost = !record.decision.requires_audit();
            self.refused(reason, record, lost)
        })
    }

    /// Queues the record of a plan, whose ticket is one of this worker's. Any thread may. Where there is no room the record
    /// is dropped, and a gap names its ticket.
    ///
    /// # Errors
    /// The record of a plan with the audit obligation comes back where it cannot be queued, or the journal has been failing
    /// for too long, or nothing is recorded: so that the plan can be refused and recorded as such.
    pub fn record_plan(&self, event: PlanEvent) -> Result<(), PlanEvent> {
        let audited = event.requires_audit();
        let Some(ring) = &self.ring else { return if audited { Err(event) } else { Ok(()) } };
        if audited && self.stats.refusing_audited.load(Relaxed) {
            return Err(event);
        }
        match ring.plans.push(event) {
            Ok(()) => {}
            Err((_, event)) if audited => return Err(event),
            Err((reason, _)) => {
                self.stats.dropped(reason);
                self.slot.refused.fetch_add(1, Release);
            }
        }
        Ok(())
    }

    /// Queues the record of a plan, and where answers wait for their records gives what is to be waited for.
    ///
    /// # Errors
    /// Answers wait for their records, or this one must be on record, and it cannot be queued. It comes back: the answer must
    /// grant nothing.
    pub fn submit_plan(&self, event: PlanEvent) -> Result<Option<Pending<PlanEvent>>, PlanEvent> {
        let Some(ring) = self.ring.as_ref().filter(|ring| ring.patience().is_some()) else {
            return self.record_plan(event).map(|()| None);
        };
        if self.stats.refusing_audited.load(Relaxed) {
            return Err(event);
        }
        let queued = ring.plans.push_awaited(event).map_err(|(_, event)| event)?;
        ring.wake();
        Ok(Some(Pending(queued)))
    }

    fn refused(&self, reason: DropReason, record: Box<DecisionRecord>, lost: bool) -> (NotQueued, Box<DecisionRecord>) {
        if lost {
            let failing = reason == DropReason::RingFull && self.stats.refusing_audited.load(Relaxed);
            self.stats.dropped(if failing && self.must_record(&record) { DropReason::JournalFailing } else { reason });
        }
        self.slot.refused.fetch_add(1, Release);
        let why = if reason == DropReason::JournalFailing { NotQueued::JournalFailing } else { NotQueued::Full };
        (why, record)
    }
}
