//! Approvals: a plan or an action that waits for people, as plain data.
//!
//! The state machine over these types is the room `approval`'s; the room `store` keeps them and knows no rule but that a
//! change must follow the version that it was made from.

use serde::{Deserialize, Serialize};

use super::{Text, Timestamp};

/// SHA-256 of something that must not be stored itself.
pub type Sha256Digest = [u8; 32];

/// Where an approval stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ApprovalStatus {
    /// Waits for its approvers.
    Pending,
    /// Waited too long and waits for others now.
    Escalated,
    /// All stages have their quorum; may be consumed.
    Approved,
    /// The policy needed nobody; may be consumed.
    AutoApproved,
    /// An approver said no. Final.
    Rejected,
    /// Was redeemed. Final.
    Consumed,
    /// Its time is over, or the store was restored since. Final.
    Expired,
    /// Was withdrawn. Final.
    Cancelled,
}

impl ApprovalStatus {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Pending,
        Self::Escalated,
        Self::Approved,
        Self::AutoApproved,
        Self::Rejected,
        Self::Consumed,
        Self::Expired,
        Self::Cancelled,
    ];

    /// The name in records and in the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Escalated => "ESCALATED",
            Self::Approved => "APPROVED",
            Self::AutoApproved => "AUTO_APPROVED",
            Self::Rejected => "REJECTED",
            Self::Consumed => "CONSUMED",
            Self::Expired => "EXPIRED",
            Self::Cancelled => "CANCELLED",
        }
    }

    /// The status of this name.
    ///
    /// ```
    /// use lictor::model::ApprovalStatus;
    /// for status in ApprovalStatus::ALL {
    ///     assert_eq!(ApprovalStatus::parse(status.as_str()), Some(status));
    /// }
    /// ```
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == name)
    }

    /// Whether it waits for people.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Pending | Self::Escalated)
    }

    /// Whether it can never change again.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Rejected | Self::Consumed | Self::Expired | Self::Cancelled)
    }
}

/// What is to be approved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TargetKind {
    /// A plan that ValidateIR escalated.
    Plan,
    /// A single action that Evaluate answered with REQUIRE_APPROVAL.
    Action,
}

impl TargetKind {
    /// The name in records and in the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Plan => "PLAN",
            Self::Action => "ACTION",
        }
    }

    /// The kind of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Plan, Self::Action].into_iter().find(|kind| kind.as_str() == name)
    }
}

/// One approval, with everything that is kept of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Approval {
    /// UUIDv7.
    pub id: Text,
    /// Its tenant.
    pub tenant_id: Text,
    /// 1 when created, one more with each change.
    pub version: u64,
    /// Where it stands.
    pub status: ApprovalStatus,
    /// What is to be approved.
    pub target_kind: TargetKind,
    /// The hash that binds it, `sha256:` and 64 hexadecimal digits.
    pub target_hash: Text,
    /// The target in the encoding of the room `approval`. Empty where a list left it out.
    pub target: Vec<u8>,
    /// What the approver sees, in the encoding of the room `approval`. Empty where a list left it out.
    pub view: Vec<u8>,
    /// Risk tier, 0–3.
    pub tier: u8,
    /// Least level that an approver needs now, 1–5; 0 where nobody is needed.
    pub required_level: u8,
    /// Digest of the snapshot that it was decided under.
    pub snapshot: Text,
    /// Name of the ApprovalPolicy that set its stages; empty for the built-in one.
    pub policy: Text,
    /// Who asked, as the caller says.
    pub requested_by: Text,
    /// For whom, as the caller says; may be empty.
    pub on_behalf_of: Text,
    /// Principal on the channel that created it.
    pub created_by: Text,
    /// Why it should be approved, as the caller says.
    pub justification: String,
    /// What it costs, in cents, as far as known.
    pub cost_cents: Option<i64>,
    /// Correlates records across systems.
    pub correlation_id: Text,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When it goes to others, `None` for never.
    pub escalates_at: Option<Timestamp>,
    /// When it expires; never moves.
    pub expires_at: Timestamp,
    /// When it was approved, rejected or otherwise resolved.
    pub resolved_at: Option<Timestamp>,
    /// When the last of it was redeemed.
    pub consumed_at: Option<Timestamp>,
    /// SHA-256 of the token that redeems it. The token itself is nowhere.
    pub token_hash: Sha256Digest,
    /// SHA-256 of the creator's idempotency key.
    pub key_hash: Sha256Digest,
    /// SHA-256 of what was asked for under that key.
    pub body_hash: Sha256Digest,
    /// Epoch of the store in which it was created; a restore ends it.
    pub epoch: u64,
    /// Names of the WebhookEndpoint documents that hear of it besides those of its policy.
    pub webhook_endpoints: Vec<Text>,
    /// What people have done with it so far.
    pub progress: Progress,
}

/// What was settled about an approval when it was created, and never changes.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Settled {
    /// Subject of the target.
    #[serde(default)]
    pub subject_id: Text,
    /// Names in the approval (of whoever asks, acts, or is acted for) that stood for others at its creation, each with the
    /// one that it stood for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub known_as: Vec<(Text, Text)>,
    /// Run that the target belongs to, empty if none.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub run_id: Text,
    /// Actions of the target, each once, at most 16.
    #[serde(default)]
    pub actions: Vec<Text>,
    /// Names of the ApprovalPolicy documents that apply; none for the built-in rule.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<Text>,
    /// Webhook endpoints that are told, by the policies and by the creator, each once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub webhooks: Vec<Text>,
    /// Number of steps of a plan; 1 for an action.
    #[serde(default)]
    pub steps: u32,
    /// What happens where nobody decides in time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalation: Option<Escalation>,
}

/// What happens where nobody decides in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Escalation {
    /// How long to wait, in seconds.
    pub after_seconds: u32,
    /// Least level of approvers from then on, 1–5.
    pub level: u8,
}

/// What people have done with an approval so far. Kept as one JSON object: a member that is added needs a default and no
/// migration.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Progress {
    /// What was settled at its creation.
    #[serde(default)]
    pub settled: Settled,
    /// The stages in their order.
    #[serde(default)]
    pub stages: Vec<Stage>,
    /// How often it went to others.
    #[serde(default)]
    pub escalations: u32,
    /// Who resolved it: the last approver, the rejecter, who cancelled, or `system`.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub resolved_by: Text,
    /// Why it was resolved so; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub resolution: String,
    /// How it is redeemed, once it has begun to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redemption: Option<Redemption>,
}

/// One stage: a number of distinct approvers with at least a level.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    /// Least level of its approvers, 1–5.
    pub level: u8,
    /// Number of distinct approvers that it needs.
    pub quorum: u32,
    /// Who has approved in it.
    #[serde(default)]
    pub approvals: Vec<Vote>,
}

/// One approver's yes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vote {
    /// Who.
    pub principal: Text,
    /// With which level, 1–5.
    pub level: u8,
    /// What they said to it; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub notes: String,
    /// When.
    #[serde(with = "micros")]
    pub at: Timestamp,
}

/// How an approval is redeemed; settled by the first Consume.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RedemptionMode {
    /// All of it at once.
    Whole,
    /// Step by step, each once.
    Stepwise,
}

/// What has been redeemed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redemption {
    /// How.
    pub mode: RedemptionMode,
    /// Each redemption, in order; one without a step where all was redeemed at once.
    #[serde(default)]
    pub redeemed: Vec<Redeemed>,
}

/// One redemption.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redeemed {
    /// The step; empty where all was redeemed at once.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub step_id: Text,
    /// SHA-256 of the caller's `redemption_key` in hexadecimal digits, so that a repeated call gets the same answer; empty
    /// without one.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub key_hash: Text,
    /// `jti` of the grant that was given.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub grant_id: Text,
    /// Hash of the step with the resolved arguments that it was redeemed with, every one of which counts; empty where all
    /// was redeemed at once.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub step_hash: Text,
    /// Who redeemed it.
    pub principal: Text,
    /// When.
    #[serde(with = "micros")]
    pub at: Timestamp,
}

/// Times as whole microseconds since the epoch.
mod micros {
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::model::Timestamp;

    pub(super) fn serialize<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(at.as_micros())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        i64::deserialize(deserializer).map(Timestamp::from_micros)
    }
}
