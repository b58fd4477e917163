//! The document of approvals, checked and typed: who must approve what (`ApprovalPolicy`).

use crate::diag::Span;
use crate::model::{Layer, Text};

use super::Pattern;

/// Who must approve, how long there is for it, and what happens where nobody does.
#[derive(Debug, Clone)]
pub struct ApprovalPolicy {
    /// `metadata.name`, unique among approval policies.
    pub name: Text,
    /// Layer of its source.
    pub layer: Layer,
    /// What it is about.
    pub scope: ApprovalScope,
    /// The stages of approvers, in order; `None` leaves them to the built-in rule by tier.
    pub stages: Option<Vec<StageRule>>,
    /// Most that may cost what is approved without a human, in cents; 0 means never, `None` says nothing.
    pub auto_approve_max_cents: Option<i64>,
    /// How long approvals are valid.
    pub ttl: TtlRule,
    /// What happens where nobody decides; `None` says nothing.
    pub escalation: Option<EscalationRule>,
    /// Webhook endpoints that are told, by name.
    pub webhooks: Vec<Text>,
    /// Most approvals of a tenant that wait for approvers at once.
    pub pending_per_tenant: Option<u32>,
    /// Most approvals of one creator in a tenant that wait for approvers at once.
    pub pending_per_creator: Option<u32>,
    /// Where its name is written.
    pub span: Span,
}

/// What an approval policy is about. `None` means any; the fields are ANDed, the entries of a list ORed.
#[derive(Debug, Clone, Default)]
pub struct ApprovalScope {
    /// Tenants.
    pub tenants: Option<Box<[Pattern]>>,
    /// Ids of subjects.
    pub agents: Option<Box<[Pattern]>>,
    /// Names of actions.
    pub actions: Option<Box<[Pattern]>>,
}

/// One stage of approvers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StageRule {
    /// Least level of its approvers, 1–5.
    pub level: u8,
    /// How many of them it takes, 1–20.
    pub quorum: u8,
    /// The stage is only for what costs at least so much, in cents, or whose cost is not known.
    pub min_cents: i64,
}

/// How long approvals are valid, in seconds. `None` says nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TtlRule {
    /// Where the request does not say.
    pub default_seconds: Option<u32>,
    /// At least.
    pub min_seconds: Option<u32>,
    /// At most.
    pub max_seconds: Option<u32>,
}

/// What happens where nobody decides in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EscalationRule {
    /// How long to wait, in seconds.
    pub after_seconds: u32,
    /// Least level of approvers from then on, 1–5.
    pub level: u8,
}
