//! `ValidateIR`: where a plan becomes an answer, a receipt and a record.
//!
//! Small plans are validated on the data-plane worker, in one go like a decision; larger ones, and small ones that turn out
//! to be costly, on the compute pool, with the snapshot that is live (or pinned) when their turn comes. A plan is validated
//! against one snapshot as a whole.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use bytes::Bytes;

use super::compute::Compute;
use super::decode::{self, DecodedPlan};
use super::desk::Desk;
use super::encode::{PlanAnswer, Writer, validate_ir_response};
use super::frame::write_frame;
use super::message::OneMessage;
use super::refusal::Refusal;
use crate::event::{PlanEvent, PlanRecord, Recorder};
use crate::ir;
use crate::model::{Limits, Text, Timestamp};
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
        actor: Text,
    ) -> Result<Bytes, Refusal> {
        let bytes = (&mut message).await?;
        if bytes.len() <= INLINE_BYTES
            && let Some(answer) = self.answer(&bytes, &actor, Thoroughness::Brief)?
        {
            return Ok(answer);
        }
        let claim = message.take_claim();
        let compute = self.compute.clone();
        let work = move || {
            let _held = claim;
            self.answer(&bytes, &actor, Thoroughness::Full)?.ok_or_else(Refusal::internal)
        };
        compute.run(deadline, work).await
    }

    /// The framed answer; `None` where it takes longer than a data-plane worker may.
    fn answer(&self, message: &[u8], actor: &Text, thoroughness: Thoroughness) -> Result<Option<Bytes>, Refusal> {
        let DecodedPlan { plan, violations } =
            decode::validate_ir_request(message, &self.limits).map_err(Refusal::malformed)?;
        if !violations.is_empty() {
            return Err(Refusal::invalid(violations));
        }
        let residents = self.holder.load();
        let snapshot = Desk::select(&residents, &plan.snapshot)?.map(|snapshot| &**snapshot);
        let validated_at = Timestamp::from_system(SystemTime::now());
        let begin = Instant::now();
        let validation = match thoroughness {
            Thoroughness::Brief => ir::validate_briefly(snapshot, &plan, validated_at, &self.limits),
            Thoroughness::Full => Some(ir::validate(snapshot, &plan, validated_at, &self.limits)),
        };
        let Some(validation) = validation else { return Ok(None) };
        let validation_nanos = u64::try_from(begin.elapsed().as_nanos()).unwrap_or(u64::MAX);

        let (ticket, actor) = (self.recorder.ticket(), actor.clone());
        let record = Box::new(PlanRecord { ticket, validated_at, validation_nanos, plan, validation, actor });
        Ok(Some(self.give(record)))
    }

    /// Records the answer and frames it. One that must be recorded and cannot be is a refusal instead.
    fn give(&self, record: Box<PlanRecord>) -> Bytes {
        let (framed, nanos) = (self.frame(&record), record.validation_nanos);
        // Counted is what becomes of it, which is known at once but where the record may come back.
        let open = record.requires_audit().then(|| record.validation.clone());
        if open.is_none() {
            self.metrics.validated(&record.validation, nanos);
        }
        // Where the queue is full and nothing has to be recorded, the ticket is named by a gap record.
        if let Err(PlanEvent::Validated(mut record)) = self.recorder.record_plan(PlanEvent::Validated(record)) {
            record.validation.refuse_unrecorded();
            return self.give(record);
        }
        if let Some(validation) = open {
            self.metrics.validated(&validation, nanos);
        }
        framed
    }

    fn frame(&self, record: &PlanRecord) -> Bytes {
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
