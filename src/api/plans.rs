//! `ValidateIR`: where a plan becomes an answer, a receipt and a record.
//!
//! Small plans are validated on the data-plane worker, in one go like a decision; larger ones on the compute pool, with
//! the snapshot that is live (or pinned) when their turn comes. A plan is validated against one snapshot as a whole.

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
use crate::identity::{Caller, Identity};
use crate::ir;
use crate::model::{Limits, Timestamp};
use crate::receipt::{Issuer, ReceiptContent};
use crate::snapshot::Holder;
use crate::telemetry::PlanMetrics;

/// A plan whose message is larger goes to the compute pool: about 50 steps, or what takes as long as a few decisions.
const INLINE_BYTES: usize = 16 * 1_024;

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
}

impl PlanDesk {
    /// Answers the plan in `message`, as a framed `ValidateIRResponse`.
    ///
    /// # Errors
    /// The message is not a plan that could be validated, its pin is not resident, the caller may not ask it, the server
    /// is overloaded, or the deadline passed.
    pub async fn validate(
        self,
        mut message: OneMessage,
        deadline: Option<Instant>,
        caller: Arc<Caller>,
    ) -> Result<Bytes, Refusal> {
        let bytes = (&mut message).await?;
        if bytes.len() <= INLINE_BYTES {
            return self.answer(&bytes, &caller);
        }
        let claim = message.take_claim();
        let compute = self.compute.clone();
        let work = move || {
            let _held = claim;
            self.answer(&bytes, &caller)
        };
        compute.run(deadline, work).await
    }

    fn answer(&self, message: &[u8], caller: &Caller) -> Result<Bytes, Refusal> {
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
        let validation = ir::validate(snapshot, &plan, validated_at, &self.limits);
        let validation_nanos = u64::try_from(begin.elapsed().as_nanos()).unwrap_or(u64::MAX);

        let ticket = self.recorder.ticket();
        let mut id = uuid::Uuid::encode_buffer();
        let validation_id = &*ticket.decision_id(validated_at).hyphenated().encode_lower(&mut id);
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
            issuer.sign(&content, validated_at)
        });
        let answer = PlanAnswer {
            plan: &plan,
            validation: &validation,
            validation_id,
            correlation_id: plan.correlation_or(validation_id),
            validated_at,
            receipt: receipt.as_deref().unwrap_or_default(),
            validation_nanos,
        };
        let mut framed = Vec::new();
        write_frame(&mut framed, |out| validate_ir_response(&mut Writer::new(out), &answer));
        self.metrics.validated(&validation, validation_nanos);
        let actor = caller.principal.clone();
        // Where the ring is full, the ticket is named by a gap record.
        let record = PlanRecord { ticket, validated_at, validation_nanos, plan, validation, actor };
        self.recorder.record_plan(PlanEvent::Validated(Box::new(record)));
        Ok(Bytes::from(framed))
    }
}
