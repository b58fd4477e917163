//! What webhooks are to be told, committed with the change that it tells of.

use crate::model::{Text, Timestamp};

/// A message to one endpoint, as it is queued.
#[derive(Debug, Clone, PartialEq)]
pub struct NewDelivery {
    /// UUIDv7; stays the same over all attempts and is what the receiver de-duplicates by.
    pub id: Text,
    /// Name of the WebhookEndpoint document.
    pub endpoint: Text,
    /// The approval's tenant.
    pub tenant_id: Text,
    /// The approval that it tells of; empty for a test message.
    pub approval_id: Text,
    /// The version of the approval that it tells of: to one endpoint they go in that order. 0 for a test message.
    pub approval_version: u64,
    /// The event that it tells of.
    pub event_id: Text,
    /// Type of that event, for example `ir.approval_created`.
    pub event_type: Text,
    /// The body, as it is signed and sent.
    pub payload: Vec<u8>,
    /// When the first attempt may begin.
    pub not_before: Timestamp,
}

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeliveryState {
    /// Waits for its next attempt, or is being attempted.
    Pending,
    /// The endpoint has taken it.
    Delivered,
    /// All attempts failed, or the endpoint wants no more. Can be sent again.
    Dead,
}

impl DeliveryState {
    /// The name in the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Delivered => "DELIVERED",
            Self::Dead => "DEAD",
        }
    }

    /// The state of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Pending, Self::Delivered, Self::Dead].into_iter().find(|state| state.as_str() == name)
    }
}

/// A message to one endpoint, with what came of it so far.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// What is sent where. `not_before` is the time of the next attempt.
    pub message: NewDelivery,
    /// Where it stands.
    pub state: DeliveryState,
    /// Number of attempts that have ended, since it was queued or sent again.
    pub attempts: u32,
    /// When it was queued.
    pub created_at: Timestamp,
    /// When the last attempt ended.
    pub attempted_at: Option<Timestamp>,
    /// HTTP status of the last answer, if there was one.
    pub last_status: Option<u16>,
    /// What went wrong in the last attempt; empty if nothing.
    pub last_error: String,
}

/// Which deliveries are to be claimed.
#[derive(Debug, Clone, PartialEq)]
pub struct DeliveryClaim {
    /// Most that are wanted.
    pub limit: u32,
    /// Most of one endpoint.
    pub per_endpoint: u32,
    /// Endpoints that have enough to do.
    pub busy: Vec<Text>,
    /// How long nobody else may claim them, in microseconds: longer than an attempt can take.
    pub lease_micros: i64,
}

/// What came of an attempt.
#[derive(Debug, Clone, PartialEq)]
pub enum AttemptOutcome {
    /// The endpoint has taken it.
    Delivered {
        /// HTTP status.
        status: u16,
    },
    /// It failed and is tried again.
    Retry {
        /// When.
        at: Timestamp,
        /// HTTP status, if there was an answer.
        status: Option<u16>,
        /// What went wrong.
        error: String,
    },
    /// It failed for good.
    Dead {
        /// HTTP status, if there was an answer.
        status: Option<u16>,
        /// What went wrong.
        error: String,
    },
}

/// Which deliveries are wanted, newest first.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DeliveryQuery {
    /// Of this tenant; empty for all.
    pub tenant_id: Text,
    /// To this endpoint; empty for all.
    pub endpoint: Text,
    /// About this approval; empty for all.
    pub approval_id: Text,
    /// In this state; `None` for all.
    pub state: Option<DeliveryState>,
    /// Those older than the delivery of this id; empty from the newest on.
    pub after: Text,
    /// Most that are wanted.
    pub limit: u32,
}
