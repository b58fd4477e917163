//! What is asked of the store about approvals, and what comes of it.

use crate::model::{Approval, HistoryRow, Text, Timestamp};

use super::delivery::NewDelivery;
use super::outbox::OutboxEvent;

/// An approval that is to be created. All of it is committed together, or nothing.
#[derive(Debug, Clone)]
pub struct NewApproval {
    /// The approval, with version 1 and the store's present epoch.
    pub approval: Approval,
    /// Most approvals of this tenant and creator that may wait for people at the same time, this one included. Not looked at
    /// where the new one does not wait.
    pub max_open: u32,
    /// Most approvals of this tenant that may, whoever created them.
    pub max_open_of_tenant: u32,
    /// Its first row of history.
    pub history: HistoryRow,
    /// What the journal will hear of it.
    pub events: Vec<OutboxEvent>,
    /// What webhooks will hear of it.
    pub deliveries: Vec<NewDelivery>,
}

/// What came of a creation.
#[derive(Debug, Clone, PartialEq)]
pub enum Created {
    /// It is there now.
    New,
    /// The same tenant and creator have used the idempotency key before, for this one. Nothing was changed.
    Existing(Box<Approval>),
    /// As many as may do already wait. Nothing was changed.
    TooManyOpen {
        /// Number of those that wait.
        open: u64,
        /// Whether those of the whole tenant were counted, and not only the creator's.
        of_tenant: bool,
    },
    /// A restore has raised the epoch since it was read. Nothing was changed; read it again.
    OtherEpoch {
        /// The epoch now.
        epoch: u64,
    },
}

/// A change of an approval. All of it is committed together, or nothing.
#[derive(Debug, Clone)]
pub struct ApprovalChange {
    /// The version that the change was made from.
    pub expected_version: u64,
    /// Whether it may only happen while the approval is neither past its `expires_at`, by the store's clock inside the
    /// transaction, nor of an older epoch. What expires it sets this to `false`.
    pub only_while_live: bool,
    /// The time before which it may not happen, by the store's clock inside the transaction: what expires or escalates an
    /// approval says when that is due.
    pub only_after: Option<Timestamp>,
    /// The approval as it shall be, with `version` one above the expected one. Members that never change after the creation
    /// (identity, target, snapshot, times of creation and expiry, keys, epoch) are not written; nor is the token's hash
    /// where there is a row of history.
    pub approval: Approval,
    /// Row of history; `None` only for a new token, with which the status stays and nothing is to be remembered.
    pub history: Option<HistoryRow>,
    /// Principal who approved or rejected with this change, so that lists can be filtered by approver.
    pub voter: Option<Text>,
    /// What the journal will hear of it.
    pub events: Vec<OutboxEvent>,
    /// What webhooks will hear of it.
    pub deliveries: Vec<NewDelivery>,
}

/// What came of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    /// It happened.
    Done,
    /// Another change came first: load it again and decide anew.
    Conflict,
    /// It should only happen to a live approval, and this one's time or epoch is over.
    Expired,
    /// It should not happen yet.
    TooEarly,
    /// There is no such approval, or it has been archived.
    Missing,
}

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Due {
    /// `expires_at` is past, or the epoch is over, and the status is not final.
    Expiry,
    /// `escalates_at` is past, and it still waits for people and is live.
    Escalation,
}
