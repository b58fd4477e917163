//! Reading.

use super::Approvals;
use crate::approval::error::ApprovalError;
use crate::approval::machine::Refused;
use crate::approval::target::Target;
use crate::model::{Approval, ApprovalQuery, ApprovalStatus, HistoryQuery, HistoryRow, Page, TargetKind};

impl Approvals {
    /// One approval of a tenant, archived ones too.
    ///
    /// # Errors
    /// There is none, or the store cannot be used.
    pub async fn get(&self, tenant: &str, id: &str) -> Result<Approval, ApprovalError> {
        self.store().approval(tenant, id).await?.ok_or(ApprovalError::NotFound)
    }

    /// A page of a tenant's approvals, newest first.
    ///
    /// # Errors
    /// The store cannot be used.
    pub async fn list(&self, query: &ApprovalQuery) -> Result<Page<Approval>, ApprovalError> {
        Ok(self.store().list_approvals(query).await?)
    }

    /// A page of the history of a tenant's approvals.
    ///
    /// # Errors
    /// The store cannot be used.
    pub async fn history(&self, query: &HistoryQuery) -> Result<Page<HistoryRow>, ApprovalError> {
        Ok(self.store().list_history(query).await?)
    }

    /// The approval that lets a plan run, for the audit of what was made of it: one that is approved, or of which something
    /// was redeemed before it ended.
    ///
    /// # Errors
    /// There is none, it is not of a plan, it was not approved, or the store cannot be used.
    pub async fn binding(&self, tenant: &str, id: &str) -> Result<Approval, ApprovalError> {
        let approval = self.get(tenant, id).await?;
        let status = approval.status;
        // What was being redeemed when it expired or was cancelled had been approved.
        let begun = approval.progress.redemption.is_some();
        let refused = match status {
            _ if approval.target_kind != TargetKind::Plan => Refused::NoPlan,
            ApprovalStatus::Approved | ApprovalStatus::AutoApproved | ApprovalStatus::Consumed => return Ok(approval),
            _ if begun => return Ok(approval),
            ApprovalStatus::Pending | ApprovalStatus::Escalated => Refused::NotApproved { status },
            ApprovalStatus::Rejected | ApprovalStatus::Expired | ApprovalStatus::Cancelled => Refused::Void { status },
        };
        Err(refused.into())
    }

    /// The target of a stored approval.
    pub(super) fn target_of(&self, approval: &Approval) -> Result<Target, ApprovalError> {
        let decoded = self.0.parts.codec.decode(approval.target_kind, &approval.target, self.limits());
        decoded.ok_or_else(|| {
            tracing::error!(approval = %approval.id, "the stored target of an approval cannot be read");
            ApprovalError::Internal("the stored target cannot be read".to_owned())
        })
    }
}
