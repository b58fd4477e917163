//! The state machine: what each verb makes of an approval, as a function of plain data. No clock, no store.
//!
//! ```text
//! PENDING ───▶ APPROVED | REJECTED | ESCALATED | EXPIRED | CANCELLED
//! ESCALATED ─▶ APPROVED | REJECTED | EXPIRED | CANCELLED
//! APPROVED, AUTO_APPROVED ─▶ CONSUMED | EXPIRED | CANCELLED
//! ```
//!
//! The other states are final. A verb gives a [`Transition`], which the store commits if nothing came in between, or says
//! why not.

mod approve;
mod close;
mod redeem;
mod refused;
#[cfg(test)]
pub(super) mod tests;

pub use approve::{Vote, Voter, is_complete};
pub(super) use approve::{approve, reject};
pub(super) use close::{cancel, escalate, expire, reissue, required_level};
pub use redeem::step_id;
pub(super) use redeem::{Ask, Redeeming, StepCall, redeem};
pub use refused::{Refused, Verb};

use crate::model::{Approval, ApprovalStatus, HistoryRow, Text, Timestamp};

/// A change of an approval, ready to be committed.
#[derive(Debug, Clone, PartialEq)]
pub struct Transition {
    /// The approval as it shall be; its version is one more than before.
    pub approval: Approval,
    /// What is remembered of it; nothing where only the token changes.
    pub history: Option<HistoryRow>,
    /// Who approved or rejected with it.
    pub voter: Option<Text>,
    /// What happened, for events and webhooks; nothing where only the token changes.
    pub happening: Option<Happening>,
    /// What was asked for.
    pub verb: Verb,
}

impl Transition {
    /// Whether it may only happen before the approval expires.
    pub(super) fn only_while_live(&self) -> bool {
        self.verb != Verb::Expire
    }
}

/// What happened to an approval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Happening {
    /// It was created and waits.
    Created,
    /// It was created and needs nobody.
    AutoApproved,
    /// Somebody approved, and more approvers are needed.
    Added,
    /// The last approver approved.
    Approved,
    /// Somebody rejected.
    Rejected,
    /// Nobody decided in time: a higher level is asked.
    Escalated,
    /// Its time is over.
    Expired,
    /// It was taken back.
    Cancelled,
    /// A step of it was redeemed, and others are left.
    Redeemed,
    /// It was redeemed in full.
    Consumed,
}

impl Happening {
    /// The name in metrics.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::AutoApproved => "auto_approved",
            Self::Added => "added",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Escalated => "escalated",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
            Self::Redeemed => "step_consumed",
            Self::Consumed => "consumed",
        }
    }
}

/// `time`, so many seconds later.
pub(super) fn later(time: Timestamp, seconds: u32) -> Timestamp {
    Timestamp::from_micros(time.as_micros().saturating_add(i64::from(seconds) * 1_000_000))
}

/// Whether the time of `approval` is over at `now`, or the store was restored since.
fn is_over(approval: &Approval, now: Timestamp, epoch: u64) -> bool {
    now >= approval.expires_at || approval.epoch != epoch
}

/// Begins a change of `approval`.
fn next(approval: &Approval, now: Timestamp) -> Approval {
    Approval { version: approval.version + 1, updated_at: now, ..approval.clone() }
}

/// The row of history that leads from `before` to `after`.
fn history(before: &Approval, after: &Approval, actor: &str, reason: String) -> HistoryRow {
    HistoryRow {
        approval_id: after.id.clone(),
        tenant_id: after.tenant_id.clone(),
        version: after.version,
        from_status: Some(before.status),
        to_status: after.status,
        actor: actor.into(),
        reason,
        at: after.updated_at,
    }
}

/// The first row of history of an approval that was just made.
pub(super) fn first_row(approval: &Approval, reason: String) -> HistoryRow {
    HistoryRow {
        approval_id: approval.id.clone(),
        tenant_id: approval.tenant_id.clone(),
        version: approval.version,
        from_status: None,
        to_status: approval.status,
        actor: approval.created_by.clone(),
        reason,
        at: approval.created_at,
    }
}

/// A final or redeemable state, entered by `actor`.
fn resolve(approval: &mut Approval, status: ApprovalStatus, actor: &str, reason: &str) {
    approval.status = status;
    approval.escalates_at = None;
    approval.progress.resolved_by = actor.into();
    approval.progress.resolution = reason.to_owned();
    // The time of the last resolution: an approved one that expires is resolved anew.
    approval.resolved_at = Some(approval.updated_at);
}
