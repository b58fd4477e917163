//! `ValidateIR`: where a plan becomes an answer, a receipt and a record.
//!
//! Small plans are validated on the data-plane worker, in one go like a decision; larger ones, and small ones that turn out
//! to be costly, on the compute pool, with the snapshot that is live (or pinned) when their turn comes. A plan is validated
//! against one snapshot as a whole.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use bytes::Bytes;

use super::approvals::ApprovalDesk;
use super::compute::Compute;
use super::decode::{self, DecodedPlan};
use super::desk::Desk;
use super::encode::{PlanAnswer, Writer, validate_ir_response};
use super::frame::write_frame;
use super::message::OneMessage;
use super::refusal::Refusal;
use crate::event::{Pending, PlanEvent, PlanRecord, Recorder};
use crate::identity::{Caller, Identity};
use crate::ir;
use crate::model::{Limits, Timestamp};
use crate::receipt::{Issuer, ReceiptContent};
use crate::snapshot::Holder;
use crate::telemetry::PlanMetrics;

/// A plan whose message is larger goes to the compute pool: about 50 steps, or what takes as long as a few decisions.
const INLINE_BYTES: usize = 16 * 1_024;

/// How far a validation goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Thoroughness {
    /// No longer than a decision may take.
    Brief,
    /// To the end.
    Full,
}

/// A framed answer, and the record that it has to wait for.
type Given = (Bytes, Option<Pending<PlanEvent>>);

/// What is needed to validate plans, on any thread. Cheap to clone.
#[derive(Debug, Clone)]
pub struct PlanDesk {
    /// The live snapshot and the resident ones.
    pub holder: Arc<Holder>,
    /// The worker's way to the event ring.
    pub recorder: Recorder,
    /// Limits on plans.
    pub limits: Arc<Limits>,
    /// Counters.
    pub metrics: Arc<PlanMetrics>,
    /// Where large plans are validated.
    pub compute: Compute,
    /// Signs receipts; without it answers have none.
    pub issuer: Option<Arc<Issuer>>,
    /// Decides who may pin a snapshot.
    pub identity: Arc<Identity>,
    /// Knows approvals, which bind plans; `None` where the server keeps none.
    pub approvals: Option<ApprovalDesk>,
}

impl PlanDesk {
    /// Answers the plan in `message`, as a framed `ValidateIRResponse`.
    ///
    /// # Errors
    /// The message is not a plan that could be validated, its pin is not resident, the server is overloaded, or the
    /// deadline passed.
    pub async fn validate(
        self,
        mut message: OneMessage,
        deadline: Option<Instant>,
        caller: Arc<Caller>,
    ) -> Result<Bytes, Refusal> {
        let bytes = (&mut message).await?;
        let brief = match bytes.len() {
            ..=INLINE_BYTES => self.answer(&bytes, &caller, Thoroughness::Brief)?,
            _ => None,
        };
        let (framed, pending) = if let Some(answer) = brief {
            answer
        } else {
            let claim = message.take_claim();
            let desk = self.clone();
            let work = move || {
                let _held = claim;
                desk.answer(&bytes, &caller, Thoroughness::Full)?.ok_or_else(Refusal::internal)
            };
            self.compute.run(deadline, work).await?
        };
        let Some(pending) = pending else { return Ok(framed) };
        let holds = is_durable(&pending, &self.recorder).await;
        let PlanEvent::Validated(record) = pending.record() else { return Ok(framed) };
        if holds {
            self.metrics.validated(&record.validation, record.validation_nanos);
            return Ok(framed);
        }
        let mut record = record.clone();
        record.refuse_unrecorded();
        self.metrics.validated(&record.validation, record.validation_nanos);
        Ok(self.write(&record))
    }

    /// The framed answer, and the record that it has to wait for; `None` where it takes longer than a data-plane worker may.
    fn answer(&self, message: &[u8], caller: &Caller, thoroughness: Thoroughness) -> Result<Option<Given>, Refusal> {
        let DecodedPlan { plan, violations } =
            decode::validate_ir_request(message, &self.limits).map_err(Refusal::malformed)?;
        if !violations.is_empty() {
            return Err(Refusal::invalid(violations));
        }
        let residents = self.holder.load();
        let snapshot = Desk::select(&residents, &plan.snapshot)?.map(|snapshot| &**snapshot);
        caller.may_ask(&plan.tenant_id, &plan.subject).map_err(Refusal::denied)?;
        if !plan.snapshot.is_empty() {
            self.identity.may_pin(caller, &plan.tenant_id).map_err(Refusal::denied)?;
        }
        let validated_at = Timestamp::from_system(SystemTime::now());
        let begin = Instant::now();
        let validation = match thoroughness {
            Thoroughness::Brief => ir::validate_briefly(snapshot, &plan, validated_at, &self.limits),
            Thoroughness::Full => Some(ir::validate(snapshot, &plan, validated_at, &self.limits)),
        };
        let Some(validation) = validation else { return Ok(None) };
        let validation_nanos = u64::try_from(begin.elapsed().as_nanos()).unwrap_or(u64::MAX);

        let (ticket, actor) = (self.recorder.ticket(), caller.principal.clone());
        let record = Box::new(PlanRecord { ticket, validated_at, validation_nanos, plan, validation, actor });
        self.give(record).map(Some)
    }

    /// Frames the answer and records it. One that must be recorded and cannot be is a refusal instead.
    fn give(&self, record: Box<PlanRecord>) -> Result<Given, Refusal> {
        let (framed, nanos) = (self.write(&record), record.validation_nanos);
        // Counted is what becomes of it. What waits for its record is counted then; of what must be recorded, it shows below.
        let waits = self.recorder.patience().is_some();
        let open = (!waits && record.requires_audit()).then(|| record.validation.clone());
        if !waits && open.is_none() {
            self.metrics.validated(&record.validation, nanos);
        }
        // Where the queue is full and nothing has to be recorded, the ticket is named by a gap record.
        match self.recorder.submit_plan(PlanEvent::Validated(record)) {
            Ok(pending) => {
                if let Some(validation) = open {
                    self.metrics.validated(&validation, nanos);
                }
                Ok((framed, pending))
            }
            Err(mut refused) => {
                refused.refuse_unrecorded();
                let PlanEvent::Validated(record) = &refused else { return Err(Refusal::internal()) };
                self.metrics.validated(&record.validation, nanos);
                let framed = self.write(record);
                // A refusal carries no obligation: it never comes back.
                drop(self.recorder.record_plan(refused));
                Ok((framed, None))
            }
        }
    }

    /// The answer that `record` is of, framed, with a receipt where the server signs any.
    fn write(&self, record: &PlanRecord) -> Bytes {
        let PlanRecord { ticket, validated_at, validation_nanos, plan, validation, .. } = record;
        let mut id = uuid::Uuid::encode_buffer();
        let validation_id = &*ticket.decision_id(*validated_at).hyphenated().encode_lower(&mut id);
        let receipt = self.issuer.as_ref().map(|issuer| {
            let content = ReceiptContent {
                id: validation_id,
                audience: &plan.audience,
                tenant: plan.tenant(),
                run_id: &plan.run_id,
                status: validation.status,
                tier: validation.risk_tier,
                ir_hash: &validation.ir_hash,
                snapshot: &validation.snapshot.digest,
            };
            issuer.sign(&content, *validated_at)
        });
        let answer = PlanAnswer {
            plan,
            validation,
            validation_id,
            correlation_id: plan.correlation_or(validation_id),
            validated_at: *validated_at,
            receipt: receipt.as_deref().unwrap_or_default(),
            validation_nanos: *validation_nanos,
        };
        let mut framed = Vec::new();
        write_frame(&mut framed, |out| validate_ir_response(&mut Writer::new(out), &answer));
        Bytes::from(framed)
    }
}

/// Waits, in the mode `guaranteed`, until the record of a plan is durable; `false` where it is not in time.
pub async fn is_durable(pending: &Pending<PlanEvent>, recorder: &Recorder) -> bool {
    if let Some(patience) = recorder.patience() {
        // Whether it came in time is asked below.
        let _ = tokio::time::timeout(patience, poll_fn(|context| pending.poll_settled(context))).await;
    }
    pending.holds()
}
