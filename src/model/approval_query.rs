//! Questions about approvals and their history, and the pages that answer them.

use super::approval::{Approval, ApprovalStatus};
use super::{Text, Timestamp};

/// Which approvals are wanted, newest first.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ApprovalQuery {
    /// Of this tenant.
    pub tenant_id: Text,
    /// With one of these; empty for any.
    pub statuses: Vec<ApprovalStatus>,
    /// Created by this principal; empty for any.
    pub created_by: Text,
    /// Approved or rejected by this principal; empty for any.
    pub approver: Text,
    /// Created at this time or later.
    pub from: Option<Timestamp>,
    /// Created before this time.
    pub to: Option<Timestamp>,
    /// Also those that have left the hot table.
    pub include_archived: bool,
    /// With `target` and `view`, which are large.
    pub with_target: bool,
    /// Those after this place, `None` from the newest on.
    pub after: Option<ApprovalCursor>,
    /// Most that are wanted.
    pub limit: u32,
}

/// A place in a list of approvals: behind the one that was created then and has this id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalCursor {
    /// When it was created.
    pub created_at: Timestamp,
    /// Its id.
    pub id: Text,
}

impl ApprovalCursor {
    /// The place behind `approval`.
    #[must_use]
    pub fn behind(approval: &Approval) -> Self {
        Self { created_at: approval.created_at, id: approval.id.clone() }
    }
}

/// One change of an approval's status, or a vote that did not change it yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryRow {
    /// The approval.
    pub approval_id: Text,
    /// Its tenant.
    pub tenant_id: Text,
    /// The version of the approval that this row led to.
    pub version: u64,
    /// Before; `None` for the creation.
    pub from_status: Option<ApprovalStatus>,
    /// After.
    pub to_status: ApprovalStatus,
    /// Who did it.
    pub actor: Text,
    /// Why; may be empty.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

/// Which rows of history are wanted, newest first.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HistoryQuery {
    /// Of this tenant.
    pub tenant_id: Text,
    /// Of this approval; empty for any.
    pub approval_id: Text,
    /// By this actor; empty for any.
    pub actor: Text,
    /// At this time or later.
    pub from: Option<Timestamp>,
    /// Before this time.
    pub to: Option<Timestamp>,
    /// Those after this place, `None` from the newest on.
    pub after: Option<HistoryCursor>,
    /// Most that are wanted.
    pub limit: u32,
}

/// A place in a list of history rows: behind the row of that time, approval and version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryCursor {
    /// When it happened.
    pub at: Timestamp,
    /// The approval.
    pub approval_id: Text,
    /// The version that the row led to.
    pub version: u64,
}

impl HistoryCursor {
    /// The place behind `row`.
    #[must_use]
    pub fn behind(row: &HistoryRow) -> Self {
        Self { at: row.at, approval_id: row.approval_id.clone(), version: row.version }
    }
}

/// Some of what was asked for, in order.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    /// At most as many as were wanted.
    pub items: Vec<T>,
    /// Whether there are more behind them.
    pub more: bool,
}
