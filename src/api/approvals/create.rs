//! Creating and redeeming.

use super::wire::{self, View};
use super::{ApprovalDesk, actor, refuse_invalid, tenant, wrong};
use crate::api::decode::{self, DecodedTarget, Fault};
use crate::api::proto::v1;
use crate::api::refusal::Refusal;
use crate::approval::{Creation, Redemption, Target};
use crate::identity::Caller;
use crate::model::RedemptionMode;

impl ApprovalDesk {
    pub(super) async fn create(&self, message: &[u8], caller: &Caller) -> Result<v1::CreateApprovalResponse, Refusal> {
        let decoded = decode::create_approval_request(message, &self.limits).map_err(Refusal::malformed)?;
        refuse_invalid(decoded.violations)?;
        let target = match decoded.target {
            Some(DecodedTarget::Plan(plan)) => Target::Plan(plan),
            Some(DecodedTarget::Action(request)) => Target::Action(request),
            None => return Err(wrong("target", Fault::MissingField, "give `plan` or `action`")),
        };
        let (subject, of_target) = match &target {
            Target::Plan(plan) => (&plan.subject, &plan.tenant_id),
            Target::Action(request) => (&request.subject, &request.tenant_id),
        };
        let named = if decoded.tenant_id.is_empty() { of_target } else { &decoded.tenant_id };
        let tenant = tenant(named).to_owned();
        self.authorise_creation(caller, &decoded.requested_by, &tenant)?;
        caller.may_ask(&tenant, subject).map_err(Refusal::denied)?;
        let creation = Creation {
            idempotency_key: decoded.idempotency_key,
            tenant: decoded.tenant_id,
            target,
            requested_by: decoded.requested_by,
            justification: decoded.justification,
            ttl_seconds: decoded.ttl_seconds,
            webhook_endpoints: decoded.webhook_endpoints,
            correlation_id: decoded.correlation_id,
        };
        let newly = self.approvals.create(&actor(caller), creation).await.map_err(Refusal::approval)?;
        Ok(v1::CreateApprovalResponse {
            approval: Some(wire::approval(&newly.approval, View::Shown)),
            token: newly.token.reveal().to_owned(),
        })
    }

    pub(super) async fn consume(&self, message: &[u8], caller: &Caller) -> Result<v1::ConsumeResponse, Refusal> {
        let decoded = decode::consume_request(message, &self.limits).map_err(Refusal::malformed)?;
        refuse_invalid(decoded.violations)?;
        let tenant = tenant(&decoded.tenant_id);
        self.authorise(caller, "consume", "", tenant)?;
        let redemption = Redemption {
            tenant: tenant.into(),
            token: decoded.token,
            target_hash: decoded.target_hash,
            step: decoded.step,
            redemption_key: decoded.redemption_key,
        };
        let consumed = self.approvals.consume(&actor(caller), &redemption).await.map_err(Refusal::approval)?;
        let settled = &consumed.approval.progress.settled;
        let redeemed_steps = wire::redeemed_steps(&consumed.approval);
        let remaining = match consumed.mode {
            RedemptionMode::Whole => 0,
            RedemptionMode::Stepwise => {
                settled.steps.saturating_sub(u32::try_from(redeemed_steps.len()).unwrap_or(u32::MAX))
            }
        };
        Ok(v1::ConsumeResponse {
            approval_id: consumed.approval.id.to_string(),
            mode: wire::mode(consumed.mode).into(),
            redeemed_steps,
            remaining,
            grant: consumed.grant,
            replayed: consumed.replayed,
            consumed_at: Some(wire::time(consumed.redeemed.at)),
            step_hash: consumed.redeemed.step_hash.to_string(),
        })
    }
}
