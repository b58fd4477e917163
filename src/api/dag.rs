//! `VerifyDag`: what was made of a plan, compared with the plan. Always on the compute pool.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use bytes::Bytes;

use super::decode::{self, Binding, DecodedDag};
use super::encode::{DagAnswer, Writer, verify_dag_response};
use super::frame::write_frame;
use super::message::OneMessage;
use super::plans::{PlanDesk, is_durable};
use super::refusal::Refusal;
use crate::event::{DagRecord, Pending, PlanEvent};
use crate::identity::Caller;
use crate::ir::{self, Schemas};
use crate::model::{Text, Timestamp};

impl PlanDesk {
    /// Answers the `VerifyDagRequest` in `message`, as a framed `VerifyDagResponse`.
    ///
    /// # Errors
    /// The message is not one, the caller may not speak of its tenant, the plan is bound by what this server did not sign,
    /// the server is overloaded, the deadline passed, or the comparison must be on record and cannot be.
    pub async fn verify(
        self,
        mut message: OneMessage,
        deadline: Option<Instant>,
        caller: Arc<Caller>,
    ) -> Result<Bytes, Refusal> {
        let bytes = (&mut message).await?;
        let claim = message.take_claim();
        let desk = self.clone();
        let work = move || {
            let _held = claim;
            desk.compare(&bytes, &caller)
        };
        let (framed, pending) = self.compute.run(deadline, work).await?;
        match pending {
            Some(pending) if !is_durable(&pending, &self.recorder).await => Err(Refusal::unrecorded()),
            _ => Ok(framed),
        }
    }

    /// The framed answer, and the record that it has to wait for.
    fn compare(&self, message: &[u8], caller: &Caller) -> Result<(Bytes, Option<Pending<PlanEvent>>), Refusal> {
        let decoded = decode::verify_dag_request(message, &self.limits).map_err(Refusal::malformed)?;
        let DecodedDag { plan, binding, nodes, executions, violations } = decoded;
        if !violations.is_empty() {
            return Err(Refusal::invalid(violations));
        }
        caller.may_ask_in(&plan.tenant_id).map_err(Refusal::denied)?;
        let verified_at = Timestamp::from_system(SystemTime::now());
        let (receipt, approved);
        // The snapshot that let the plan run.
        let mut validated_by = "";
        let mut bound_by = Text::default();
        let binding = match &binding {
            Binding::None => ir::Binding::None,
            Binding::Approval(id) => {
                let approvals = self.approvals.as_ref().ok_or_else(Refusal::no_approvals)?;
                approved = approvals.binding(caller, plan.tenant(), id)?;
                let redemption = approved.progress.redemption.as_ref();
                validated_by = &approved.snapshot;
                bound_by = id.clone();
                ir::Binding::Approval { ir_hash: &approved.target_hash, redemption }
            }
            Binding::Receipt(token) => {
                let Some(issuer) = &self.issuer else { return Err(Refusal::bad_receipt("this server signs none")) };
                receipt = issuer.recognise(token).map_err(Refusal::bad_receipt)?;
                validated_by = &receipt.snapshot;
                bound_by = receipt.jti.as_str().into();
                ir::Binding::Receipt { ir_hash: &receipt.ir_hash, status: receipt.status() }
            }
        };
        let residents = self.holder.load();
        // Of one that has left only the digest is known.
        let [validated, live] = [residents.pinned(validated_by), residents.live()].map(|one| one.map(AsRef::as_ref));
        let schemas = Schemas::of_server(validated, live, !validated_by.is_empty());
        let verification = ir::verify_dag(&plan, &nodes, &executions, binding, &schemas);
        let answer = DagAnswer {
            verification: &verification,
            request_id: &plan.request_id,
            correlation_id: plan.correlation_or(""),
            verified_at,
        };
        let mut framed = Vec::new();
        write_frame(&mut framed, |out| verify_dag_response(&mut Writer::new(out), &answer));
        self.metrics.verified(verification.success);
        // Where the queue is full, the ticket is named by a gap record.
        let ticket = self.recorder.ticket();
        let actor = caller.principal.clone();
        let record = DagRecord { ticket, verified_at, plan, bound_by, nodes, executions, verification, actor };
        let submitted = self.recorder.submit_plan(PlanEvent::Verified(Box::new(record)));
        let pending = submitted.map_err(|_| Refusal::unrecorded())?;
        Ok((Bytes::from(framed), pending))
    }
}
