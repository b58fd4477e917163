//! The desk of one data-plane worker: where a question becomes an answer and a record.
//!
//! Everything here is synchronous: no await, no lock, no wait. Each decision takes a ticket, is evaluated, encoded and
//! handed to the event ring, in this order. Where the record of a decision that must be audited does not get through, the
//! answer is a denial instead. In the mode `guaranteed` the answer has to wait for its record: see `unconfirmed`.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use super::decode::Decoded;
use super::encode::{Answer, Writer, evaluate_response};
use super::refusal::Refusal;
use crate::decide;
use crate::event::{DecisionRecord, Pending, Recorder};
use crate::identity::{Caller, Identity};
use crate::model::{Decision, Limits, Outcome, Request, Text, Timestamp};
use crate::snapshot::{Holder, Residents, Snapshot};
use crate::telemetry::{DecisionMetrics, DecisionOutcome};

/// What one worker needs to decide.
#[derive(Debug)]
pub struct Desk {
    /// The live snapshot and the resident ones.
    pub holder: Arc<Holder>,
    /// The worker's way to the event ring.
    pub recorder: Recorder,
    /// Limits on questions.
    pub limits: Arc<Limits>,
    /// The worker's counters.
    pub metrics: DecisionMetrics,
    /// Decides what callers may ask beyond a plain question.
    pub identity: Arc<Identity>,
}

impl Desk {
    /// Decides `request`, appends the fields of its `EvaluateResponse` to `out` and records it. What this gives must be
    /// waited for before the answer is sent: the record is not durable yet.
    #[must_use]
    pub fn answer(
        &self,
        request: Request,
        snapshot: Option<&Snapshot>,
        actor: &Text,
        out: &mut Vec<u8>,
    ) -> Option<Pending<DecisionRecord>> {
        let start = out.len();
        let ticket = self.recorder.ticket();
        let decided_at = Timestamp::from_system(SystemTime::now());
        let begin = Instant::now();
        let decision = decide::evaluate(snapshot, &request, decided_at, &self.limits);
        let evaluation_nanos = u64::try_from(begin.elapsed().as_nanos()).unwrap_or(u64::MAX);

        let record =
            Box::new(DecisionRecord { ticket, decided_at, evaluation_nanos, request, decision, actor: actor.clone() });
        write(out, &record);
        let must_record = self.recorder.must_record(&record);
        let tenant = self.metrics.tenant(record.request.tenant());
        let mut outcome = DecisionOutcome::of(&record.decision);
        match self.recorder.submit(record) {
            // Counted when it is settled.
            Ok(Some(pending)) => return Some(pending),
            Err((_, mut record)) if must_record => {
                out.truncate(start);
                record.refuse_unrecorded();
                write(out, &record);
                outcome = DecisionOutcome::of(&record.decision);
                // Refusals have a queue of their own. If it is full as well, the ticket is named by a gap record.
                drop(self.recorder.record(record));
            }
            Ok(None) | Err(_) => {}
        }
        self.metrics.decided(outcome, tenant, evaluation_nanos);
        None
    }

    /// Counts a decision.
    pub fn count(&self, record: &DecisionRecord) {
        let tenant = self.metrics.tenant(record.request.tenant());
        self.metrics.decided(DecisionOutcome::of(&record.decision), tenant, record.evaluation_nanos);
    }

    /// The snapshot that a question is to be decided with: the live one, or the one that it pins.
    ///
    /// # Errors
    /// The pin is not resident.
    pub fn select<'r>(residents: &'r Residents, pin: &str) -> Result<Option<&'r Arc<Snapshot>>, Refusal> {
        if pin.is_empty() {
            return Ok(residents.live());
        }
        residents.pinned(pin).map(Some).ok_or_else(|| Refusal::snapshot_not_resident(pin))
    }

    /// Decides one question with the live or pinned snapshot, as [`Self::answer`] does.
    ///
    /// # Errors
    /// The question is invalid, its pin is not resident, or the caller may not ask it.
    pub fn answer_decoded(
        &self,
        decoded: Decoded,
        caller: &Caller,
        out: &mut Vec<u8>,
    ) -> Result<Option<Pending<DecisionRecord>>, Refusal> {
        if !decoded.violations.is_empty() {
            return Err(Refusal::invalid(decoded.violations));
        }
        let residents = self.holder.load();
        let snapshot = Self::select(&residents, &decoded.request.snapshot)?;
        self.admit(caller, &decoded.request, !decoded.request.snapshot.is_empty())?;
        Ok(self.answer(decoded.request, snapshot.map(|snapshot| &**snapshot), &caller.principal, out))
    }

    /// Whether `caller` may ask this; `pinned` where it is to be decided with a snapshot that the caller chose.
    ///
    /// # Errors
    /// It asserts what it may not, or lacks the right to pin or to an explanation.
    #[inline]
    pub fn admit(&self, caller: &Caller, request: &Request, pinned: bool) -> Result<(), Refusal> {
        caller.may_ask(&request.tenant_id, &request.subject).map_err(Refusal::denied)?;
        if pinned {
            self.identity.may_pin(caller, &request.tenant_id).map_err(Refusal::denied)?;
        }
        if request.explain {
            self.identity.may_explain(caller, &request.tenant_id).map_err(Refusal::denied)?;
        }
        Ok(())
    }
}

/// Writes the answer that `record` is of.
pub fn write(out: &mut Vec<u8>, record: &DecisionRecord) {
    let DecisionRecord { ticket, decided_at, evaluation_nanos, request, decision, .. } = record;
    write_answer(out, request, decision, ticket.decision_id(*decided_at), *evaluation_nanos);
}

/// Writes the answer to `request`. The correlation id is the caller's, else the request id, else the decision id.
pub fn write_answer(
    out: &mut Vec<u8>,
    request: &Request,
    decision: &Decision,
    decision_id: uuid::Uuid,
    evaluation_nanos: u64,
) {
    let mut id = uuid::Uuid::encode_buffer();
    let correlation_id = match (request.correlation_id.as_str(), request.request_id.as_str()) {
        ("", "") => decision_id.hyphenated().encode_lower(&mut id),
        ("", request_id) => request_id,
        (correlation_id, _) => correlation_id,
    };
    let hash_needed = request.want_action_hash || decision.outcome == Outcome::RequireApproval;
    let action_hash = if hash_needed { decide::action_hash(request) } else { Text::default() };
    let answer = Answer { request, decision, decision_id, correlation_id, action_hash: &action_hash, evaluation_nanos };
    evaluate_response(&mut Writer::new(out), &answer);
}
