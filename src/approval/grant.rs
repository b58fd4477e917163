//! Grants: the signed statement that something was redeemed and may run.

use crate::model::{Approval, Redeemed};
use crate::receipt::{GrantContent, Issuer};

/// The grant of a redemption. The same redemption gives the same grant, as long as the same key signs.
pub(super) fn grant(issuer: &Issuer, approval: &Approval, redeemed: &Redeemed) -> String {
    issuer.grant(&GrantContent {
        id: &redeemed.grant_id,
        approval_id: &approval.id,
        step_id: &redeemed.step_id,
        step_hash: &redeemed.step_hash,
        tenant: &approval.tenant_id,
        run_id: &approval.progress.settled.run_id,
        tier: approval.tier,
        target_hash: &approval.target_hash,
        snapshot: &approval.snapshot,
        issued_at: redeemed.at,
        expires_at: approval.expires_at,
    })
}
