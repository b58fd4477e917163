//! The types of events, where each comes from and how severe it is.

use super::record::{ControlBody, DecisionRecord};
use crate::model::{Outcome, ReasonCode, ValidationStatus};

/// How much an event should worry its reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Nothing to do.
    Info,
    /// Worth a look.
    Warning,
    /// Something failed.
    Error,
}

impl Severity {
    /// The name in records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// Type of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EventType {
    /// A question was decided. One for each decision, whatever the answer.
    PolicyEvaluated,
    /// The answer was deny.
    PolicyDenied,
    /// The answer was that a human must approve first.
    PolicyApprovalRequired,
    /// The answer carries warnings.
    PolicyWarningTriggered,
    /// The answer carries the audit obligation.
    PolicyAuditRequired,
    /// A new snapshot is live.
    PolicySnapshotPublished,
    /// Documents were refused; the last good snapshot stays live.
    PolicyReloadFailed,
    /// A plan may run.
    IrValidatedPass,
    /// A plan waits for a human.
    IrValidatedEscalate,
    /// A plan must not run.
    IrValidatedReject,
    /// What was made of a plan is the plan.
    IrDagDiffOk,
    /// What was made of a plan is not the plan.
    IrDagDiffFailed,
    /// Somebody asked for an approval.
    IrApprovalCreated,
    /// Somebody approved, and more approvers are needed.
    IrApprovalAdded,
    /// The last approver approved, or nobody was needed.
    IrApprovalApproved,
    /// Somebody rejected.
    IrApprovalRejected,
    /// Nobody decided in time: a higher level is asked.
    IrApprovalEscalated,
    /// Its time is over.
    IrApprovalExpired,
    /// It was taken back.
    IrApprovalCancelled,
    /// It was redeemed, or a step of it.
    IrApprovalConsumed,
    /// Somebody tried to redeem what cannot be redeemed.
    IrApprovalInvalid,
    /// Records are missing, and which.
    EventsGap,
}

impl EventType {
    /// All types.
    pub const ALL: [Self; 22] = [
        Self::PolicyEvaluated,
        Self::PolicyDenied,
        Self::PolicyApprovalRequired,
        Self::PolicyWarningTriggered,
        Self::PolicyAuditRequired,
        Self::PolicySnapshotPublished,
        Self::PolicyReloadFailed,
        Self::IrValidatedPass,
        Self::IrValidatedEscalate,
        Self::IrValidatedReject,
        Self::IrDagDiffOk,
        Self::IrDagDiffFailed,
        Self::IrApprovalCreated,
        Self::IrApprovalAdded,
        Self::IrApprovalApproved,
        Self::IrApprovalRejected,
        Self::IrApprovalEscalated,
        Self::IrApprovalExpired,
        Self::IrApprovalCancelled,
        Self::IrApprovalConsumed,
        Self::IrApprovalInvalid,
        Self::EventsGap,
    ];

    /// The name in the envelope.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PolicyEvaluated => "policy.evaluated",
            Self::PolicyDenied => "policy.denied",
            Self::PolicyApprovalRequired => "policy.approval_required",
            Self::PolicyWarningTriggered => "policy.warning_triggered",
            Self::PolicyAuditRequired => "policy.audit_required",
            Self::PolicySnapshotPublished => "policy.snapshot_published",
            Self::PolicyReloadFailed => "policy.reload_failed",
            Self::IrValidatedPass => "ir.validated_pass",
            Self::IrValidatedEscalate => "ir.validated_escalate",
            Self::IrValidatedReject => "ir.validated_reject",
            Self::IrDagDiffOk => "ir.dag_diff_ok",
            Self::IrDagDiffFailed => "ir.dag_diff_failed",
            Self::IrApprovalCreated => "ir.approval_created",
            Self::IrApprovalAdded => "ir.approval_added",
            Self::IrApprovalApproved => "ir.approval_approved",
            Self::IrApprovalRejected => "ir.approval_rejected",
            Self::IrApprovalEscalated => "ir.approval_escalated",
            Self::IrApprovalExpired => "ir.approval_expired",
            Self::IrApprovalCancelled => "ir.approval_cancelled",
            Self::IrApprovalConsumed => "ir.approval_consumed",
            Self::IrApprovalInvalid => "ir.approval_invalid",
            Self::EventsGap => "events.gap",
        }
    }

    /// The type of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// `source` of the envelope.
    #[must_use]
    pub const fn source(self) -> &'static str {
        match self {
            kind if kind.is_of_plans() || kind.is_of_approvals() => "ir_governance",
            Self::EventsGap => "control",
            _ => "policy_engine",
        }
    }

    /// `meta.source_module`: the room that the event tells of.
    #[must_use]
    pub const fn source_module(self) -> &'static str {
        match self {
            Self::PolicySnapshotPublished | Self::PolicyReloadFailed => "reload",
            kind if kind.is_of_plans() => "ir",
            kind if kind.is_of_approvals() => "approval",
            Self::EventsGap => "event",
            _ => "decide",
        }
    }

    const fn is_of_plans(self) -> bool {
        matches!(
            self,
            Self::IrValidatedPass
                | Self::IrValidatedEscalate
                | Self::IrValidatedReject
                | Self::IrDagDiffOk
                | Self::IrDagDiffFailed
        )
    }

    const fn is_of_approvals(self) -> bool {
        matches!(
            self,
            Self::IrApprovalCreated
                | Self::IrApprovalAdded
                | Self::IrApprovalApproved
                | Self::IrApprovalRejected
                | Self::IrApprovalEscalated
                | Self::IrApprovalExpired
                | Self::IrApprovalCancelled
                | Self::IrApprovalConsumed
                | Self::IrApprovalInvalid
        )
    }

    /// How severe an event of this type is.
    #[must_use]
    pub const fn severity(self) -> Severity {
        match self {
            Self::PolicyEvaluated
            | Self::PolicyAuditRequired
            | Self::PolicySnapshotPublished
            | Self::IrValidatedPass
            | Self::IrDagDiffOk
            | Self::IrApprovalCreated
            | Self::IrApprovalAdded
            | Self::IrApprovalApproved
            | Self::IrApprovalCancelled
            | Self::IrApprovalConsumed => Severity::Info,
            Self::PolicyDenied
            | Self::PolicyApprovalRequired
            | Self::PolicyWarningTriggered
            | Self::IrValidatedEscalate
            | Self::IrValidatedReject
            | Self::IrApprovalRejected
            | Self::IrApprovalEscalated
            | Self::IrApprovalExpired
            | Self::IrApprovalInvalid => Severity::Warning,
            Self::PolicyReloadFailed | Self::IrDagDiffFailed | Self::EventsGap => Severity::Error,
        }
    }
}

/// The events of one decision, in the order in which they are recorded.
pub(super) fn types_of_decision(record: &DecisionRecord) -> impl Iterator<Item = EventType> {
    let decision = &record.decision;
    let outcome = match decision.outcome {
        Outcome::Allow => None,
        Outcome::Deny => Some(EventType::PolicyDenied),
        Outcome::RequireApproval => Some(EventType::PolicyApprovalRequired),
    };
    let warned = decision.warnings().next().is_some().then_some(EventType::PolicyWarningTriggered);
    let audited = decision.requires_audit().then_some(EventType::PolicyAuditRequired);
    std::iter::once(EventType::PolicyEvaluated).chain(outcome).chain(warned).chain(audited)
}

/// How severe an event of a decision is: a refusal for want of an audit record is a failure of ours.
pub(super) fn severity_of_decision(kind: EventType, record: &DecisionRecord) -> Severity {
    match (kind, record.decision.reason_code) {
        (EventType::PolicyDenied, ReasonCode::AuditUnavailable) => Severity::Error,
        _ => kind.severity(),
    }
}

/// The type of a validation's event.
pub(super) const fn type_of_validation(status: ValidationStatus) -> EventType {
    match status {
        ValidationStatus::Pass => EventType::IrValidatedPass,
        ValidationStatus::Escalate => EventType::IrValidatedEscalate,
        ValidationStatus::Reject => EventType::IrValidatedReject,
    }
}

/// The type of a control record.
pub(super) const fn type_of_control(body: &ControlBody) -> EventType {
    match body {
        ControlBody::Ready(event) => event.kind,
        ControlBody::SnapshotPublished(_) => EventType::PolicySnapshotPublished,
        ControlBody::ReloadFailed(_) => EventType::PolicyReloadFailed,
    }
}
