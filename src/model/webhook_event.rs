//! What webhooks tell of: the changes of an approval, and a test.

/// A change of an approval, as a webhook tells of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WebhookEvent {
    /// An approval was asked for, or was granted at once by a threshold.
    Created,
    /// An approver has agreed, and more are needed.
    Added,
    /// The last approver needed has agreed.
    Approved,
    /// An approver has refused.
    Rejected,
    /// Nobody has answered in time; others are asked.
    Escalated,
    /// Nobody has answered, or what was approved was not used, before it expired.
    Expired,
    /// It was withdrawn.
    Cancelled,
    /// What was approved has been used.
    Consumed,
    /// Somebody tries whether an endpoint can be reached.
    Test,
}

impl WebhookEvent {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Created,
        Self::Added,
        Self::Approved,
        Self::Rejected,
        Self::Escalated,
        Self::Expired,
        Self::Cancelled,
        Self::Consumed,
        Self::Test,
    ];

    /// The type of the event, which the `events` of an endpoint select.
    #[must_use]
    pub const fn event_type(self) -> &'static str {
        match self {
            Self::Created => "ir.approval_created",
            Self::Added => "ir.approval_added",
            Self::Approved => "ir.approval_approved",
            Self::Rejected => "ir.approval_rejected",
            Self::Escalated => "ir.approval_escalated",
            Self::Expired => "ir.approval_expired",
            Self::Cancelled => "ir.approval_cancelled",
            Self::Consumed => "ir.approval_consumed",
            Self::Test => "webhook.test",
        }
    }

    /// The name in the field `event` of the body.
    #[must_use]
    pub const fn body_name(self) -> &'static str {
        match self {
            Self::Created => "approval_request_created",
            Self::Added => "approval_added",
            Self::Approved => "approval_request_approved",
            Self::Rejected => "approval_request_rejected",
            Self::Escalated => "approval_request_escalated",
            Self::Expired => "approval_request_expired",
            Self::Cancelled => "approval_request_cancelled",
            Self::Consumed => "approval_request_consumed",
            Self::Test => "webhook_test",
        }
    }
}
