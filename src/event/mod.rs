//! Events: the record of what was decided and of what changed.
//!
//! A worker stamps every decision with a ticket and hands an owned record to a bounded lock-free ring; one writer thread
//! gives sequence numbers, chains and appends to the journal; exporters read the journal at their own pace.

use crate::model::{Decision, Request, Text, Ticket, Timestamp};

/// Everything that is recorded of one decision. Serialised by the writer, never by the worker that decided.
#[derive(Debug)]
pub struct DecisionRecord {
    /// Its ticket, also inside the decision id.
    pub ticket: Ticket,
    /// The time that the conditions saw.
    pub decided_at: Timestamp,
    /// Time that the evaluation took.
    pub evaluation_nanos: u64,
    /// The question.
    pub request: Request,
    /// The answer.
    pub decision: Decision,
    /// Who is on the channel, for example `uid:1000` or `anonymous`.
    pub actor: Text,
}

/// Why a record was not queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotQueued {
    /// The ring is full.
    #[error("the event ring is full")]
    Full,
}

/// One data-plane worker's way to the ring. Not shared between workers: it owns the worker's ticket count.
#[derive(Debug)]
pub struct Recorder {}

impl Recorder {
    /// The next ticket of this worker. Every decision takes one, whether or not its record gets through.
    pub fn ticket(&self) -> Ticket {
        Ticket { boot: crate::model::BootId::from_bits(0), worker: 0, number: 1 }
    }

    /// Queues a record. Never blocks, locks or serialises.
    ///
    /// # Errors
    /// The record comes back, so that a decision that must be audited can be refused and recorded as such.
    pub fn record(&self, record: Box<DecisionRecord>) -> Result<(), (NotQueued, Box<DecisionRecord>)> {
        let _ = record;
        Ok(())
    }
}
