//! Looking at one approval, and deciding it.

use super::wire::{self, View};
use super::{ApprovalDesk, actor, read, refuse_invalid, tenant, wrong};
use crate::api::decode::{Fault, flat_violations};
use crate::api::proto::v1;
use crate::api::refusal::Refusal;
use crate::approval::{Decided, Vote};
use crate::identity::Caller;
use crate::model::Approval;

impl ApprovalDesk {
    pub(super) async fn get(&self, message: &[u8], caller: &Caller) -> Result<v1::GetApprovalResponse, Refusal> {
        let request: v1::GetApprovalRequest = read(message)?;
        self.check_id(&request.tenant_id, &request.approval_id)?;
        let tenant = tenant(&request.tenant_id);
        self.authorise(caller, "get", &request.approval_id, tenant)?;
        let approval = self.approvals.get(tenant, &request.approval_id).await.map_err(Refusal::approval)?;
        Ok(v1::GetApprovalResponse { approval: Some(wire::approval(&approval, View::Shown)) })
    }

    pub(super) async fn approve(&self, message: &[u8], caller: &Caller) -> Result<v1::ApproveResponse, Refusal> {
        let v1::ApproveRequest { tenant_id, approval_id, target_hash, level, notes, etag } = read(message)?;
        let vote = self.vote(&tenant_id, &approval_id, target_hash, level, notes, &etag)?;
        let approval = self.decide(caller, "approve", &tenant_id, &approval_id, Decided::Approve(vote)).await?;
        Ok(v1::ApproveResponse { approval: Some(wire::approval(&approval, View::Hidden)) })
    }

    pub(super) async fn reject(&self, message: &[u8], caller: &Caller) -> Result<v1::RejectResponse, Refusal> {
        let v1::RejectRequest { tenant_id, approval_id, target_hash, level, notes, etag } = read(message)?;
        let vote = self.vote(&tenant_id, &approval_id, target_hash, level, notes, &etag)?;
        let approval = self.decide(caller, "reject", &tenant_id, &approval_id, Decided::Reject(vote)).await?;
        Ok(v1::RejectResponse { approval: Some(wire::approval(&approval, View::Hidden)) })
    }

    pub(super) async fn cancel(&self, message: &[u8], caller: &Caller) -> Result<v1::CancelResponse, Refusal> {
        let v1::CancelRequest { tenant_id, approval_id, reason } = read(message)?;
        self.check_id(&tenant_id, &approval_id)?;
        refuse_invalid(flat_violations(&[], &[], &[("reason", &reason)], &self.limits))?;
        let of_others = self.authorise(caller, "cancel_others", &approval_id, tenant(&tenant_id)).is_ok();
        let decided = Decided::Cancel { reason, of_others };
        let approval = self.decide(caller, "cancel", &tenant_id, &approval_id, decided).await?;
        Ok(v1::CancelResponse { approval: Some(wire::approval(&approval, View::Hidden)) })
    }

    async fn decide(
        &self,
        caller: &Caller,
        verb: &str,
        tenant_id: &str,
        id: &str,
        decided: Decided,
    ) -> Result<Approval, Refusal> {
        let tenant = tenant(tenant_id);
        self.authorise(caller, verb, id, tenant)?;
        self.approvals.decide(&actor(caller), tenant, id, decided).await.map_err(Refusal::approval)
    }

    fn vote(
        &self,
        tenant_id: &str,
        id: &str,
        target_hash: String,
        level: Option<u32>,
        notes: String,
        etag: &str,
    ) -> Result<Vote, Refusal> {
        self.check_id(tenant_id, id)?;
        let required = [("target_hash", target_hash.as_str())];
        refuse_invalid(flat_violations(&[], &required, &[("notes", &notes)], &self.limits))?;
        let level = match level {
            None => None,
            Some(level @ 1..=5) => u8::try_from(level).ok(),
            Some(level) => {
                return Err(wrong("level", Fault::OutOfRange, format!("a level is from 1 to 5, and this is {level}")));
            }
        };
        let version = match etag {
            "" => None,
            etag => Some(wire::version_of(etag).ok_or_else(|| {
                wrong("etag", Fault::OutOfRange, "an etag is what an answer gave; leave it out to decide in any case")
            })?),
        };
        Ok(Vote { target_hash: target_hash.into(), level, notes, version })
    }

    pub(super) fn check_id(&self, tenant_id: &str, id: &str) -> Result<(), Refusal> {
        refuse_invalid(flat_violations(&[("tenant_id", tenant_id)], &[("approval_id", id)], &[], &self.limits))
    }
}
