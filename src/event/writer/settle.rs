//! The mode `guaranteed`: records that answers wait for are settled once an fsync covers them, and where a call has given
//! up before, the journal says what was answered instead.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::Writer;
use crate::event::awaited::Awaited;
use crate::event::plan_queue::PlanEvent;
use crate::event::record::DecisionRecord;

/// Encoded and not settled, by sequence number.
#[derive(Debug, Default)]
pub(super) struct Unsettled(VecDeque<(u64, Waiting)>);

#[derive(Debug)]
enum Waiting {
    Decision(Arc<Awaited<DecisionRecord>>),
    Plan(Arc<Awaited<PlanEvent>>),
}

impl Waiting {
    fn durable(&self) -> bool {
        match self {
            Self::Decision(awaited) => awaited.durable(),
            Self::Plan(awaited) => awaited.durable(),
        }
    }

    fn failed(&self) {
        match self {
            Self::Decision(awaited) => awaited.failed(),
            Self::Plan(awaited) => awaited.failed(),
        }
    }
}

impl Unsettled {
    /// Whether nobody waits.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether somebody waits for an event up to `sequence`.
    pub(super) fn reaches(&self, sequence: u64) -> bool {
        self.0.front().is_some_and(|(waiting, _)| *waiting <= sequence)
    }

    fn pop_up_to(&mut self, sequence: u64) -> Option<Waiting> {
        self.0.pop_front_if(|(waiting, _)| *waiting <= sequence).map(|(_, waiting)| waiting)
    }

    /// Nothing more becomes durable: everybody is told.
    pub(super) fn fail(&mut self) {
        self.0.drain(..).for_each(|(_, waiting)| waiting.failed());
    }
}

impl Writer {
    /// Takes what answers wait for from the ring.
    pub(super) fn awaited_decision(&mut self, awaited: Arc<Awaited<DecisionRecord>>, now: Duration) {
        self.arrived(awaited.record.ticket, awaited.record.decided_at, now);
        if awaited.has_failed() {
            // The answer was a denial: nothing else need ever be on record.
            return self.correct(&Waiting::Decision(awaited));
        }
        if self.masker.masks() {
            let mut record = awaited.record.clone();
            self.masker.mask(&mut record);
            self.encode(|encoder, lines| encoder.decision(lines, &record));
        } else {
            self.encode(|encoder, lines| encoder.decision(lines, &awaited.record));
        }
        self.wait_for(Waiting::Decision(awaited));
    }

    /// The same for a plan.
    pub(super) fn awaited_plan(&mut self, awaited: Arc<Awaited<PlanEvent>>, now: Duration) {
        let (ticket, at) = awaited.record.ticket_and_time();
        self.arrived(ticket, at, now);
        if awaited.has_failed() {
            return self.correct(&Waiting::Plan(awaited));
        }
        if self.masker.masks() {
            self.encode_plan(awaited.record.clone());
        } else {
            self.encode(|encoder, lines| encoder.plan(lines, &awaited.record));
        }
        self.wait_for(Waiting::Plan(awaited));
    }

    fn wait_for(&mut self, waiting: Waiting) {
        self.progress.unsettled.0.push_back((self.encoder.last_sequence(), waiting));
    }

    /// Settles everything up to `sequence`, which is durable.
    pub(super) fn settle(&mut self, sequence: u64) {
        while let Some(waiting) = self.progress.unsettled.pop_up_to(sequence) {
            if !waiting.durable() {
                self.correct(&waiting);
            }
        }
    }

    /// Everything up to `sequence` is lost: it was written to a file that is gone.
    pub(super) fn settle_lost(&mut self, sequence: u64) {
        while let Some(waiting) = self.progress.unsettled.pop_up_to(sequence) {
            waiting.failed();
            self.correct(&waiting);
        }
    }

    /// Records that the answer was a denial. Of two records with one ticket the later one tells what was answered.
    fn correct(&mut self, waiting: &Waiting) {
        match waiting {
            Waiting::Decision(awaited) => {
                let mut record = awaited.record.clone();
                self.masker.mask(&mut record);
                record.refuse_unrecorded();
                self.encode(|encoder, lines| encoder.decision(lines, &record));
            }
            Waiting::Plan(awaited) => {
                let mut event = awaited.record.clone();
                event.refuse_unrecorded();
                self.encode_plan(event);
            }
        }
    }
}
