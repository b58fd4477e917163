//! The answer to a plan.

use std::sync::Arc;

use super::{Outcome, ReasonCode, RuleLabel, SnapshotLabel, Text};

/// What may happen to a plan, in order of restriction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ValidationStatus {
    /// It may run.
    Pass,
    /// It may run only after a human's approval.
    Escalate,
    /// It must not run.
    Reject,
}

impl ValidationStatus {
    /// The name on the wire without its prefix, and in records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::Escalate => "ESCALATE",
            Self::Reject => "REJECT",
        }
    }
}

/// Whether a violation refuses the plan or only makes it wait for a human.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ViolationSeverity {
    /// The plan escalates.
    Warning,
    /// The plan is rejected.
    Error,
}

impl ViolationSeverity {
    /// The name on the wire without its prefix, and in records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Warning => "WARNING",
            Self::Error => "ERROR",
        }
    }
}

/// What is wrong with a plan. Numbers are those of the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ViolationCode {
    /// No catalogue lists the action.
    UnknownAction = 1,
    /// The action is blank, too long or not printable.
    InvalidAction = 2,
    /// No catalogue lists the provider.
    UnknownProvider = 3,
    /// The provider is blank, too long or not printable.
    InvalidProvider = 4,
    /// The idempotency key is blank.
    MissingIdempotencyKey = 5,
    /// The budget is beyond 2^53 - 1.
    InvalidBudget = 6,
    /// The budget is below zero.
    NegativeBudget = 7,
    /// Another step has the same idempotency key.
    DuplicateIdempotencyKey = 8,
    /// Another step has the same id.
    DuplicateStepId = 9,
    /// The provider does not serve the action.
    IncompatibleProvider = 10,
    /// A dependency, or the origin of an input, names no step that it may name.
    UnknownDependency = 11,
    /// Steps wait for each other.
    DependencyCycle = 12,
    /// The plan has more steps than it may have.
    TooManySteps = 13,
    /// The budgets add up to more than the plan may cost.
    BudgetExceeded = 14,
    /// The parameters do not fit the action's schema, or hold a value that has no canonical form.
    InvalidParams = 15,
    /// A label flows from a source to a sink where it must not.
    FlowViolation = 16,
    /// A rule of a policy denies the step.
    PolicyDenied = 17,
    /// An id is missing, too long, or holds a character that no id may hold.
    InvalidId = 18,
    /// A plan rule of a risk policy refuses the plan, or cannot be evaluated.
    PlanRule = 19,
    /// The validation must be on record before it is answered, and its record cannot be written.
    AuditUnavailable = 20,
    /// A rule of a policy wants an approval because its condition cannot be evaluated, or one that would allow the step does
    /// not because of that.
    PolicyUndecided = 21,
}

impl ViolationCode {
    /// All codes.
    pub const ALL: [Self; 21] = [
        Self::UnknownAction,
        Self::InvalidAction,
        Self::UnknownProvider,
        Self::InvalidProvider,
        Self::MissingIdempotencyKey,
        Self::InvalidBudget,
        Self::NegativeBudget,
        Self::DuplicateIdempotencyKey,
        Self::DuplicateStepId,
        Self::IncompatibleProvider,
        Self::UnknownDependency,
        Self::DependencyCycle,
        Self::TooManySteps,
        Self::BudgetExceeded,
        Self::InvalidParams,
        Self::FlowViolation,
        Self::PolicyDenied,
        Self::InvalidId,
        Self::PlanRule,
        Self::AuditUnavailable,
        Self::PolicyUndecided,
    ];

    /// The name on the wire without its prefix, and in records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UnknownAction => "UNKNOWN_ACTION",
            Self::InvalidAction => "INVALID_ACTION",
            Self::UnknownProvider => "UNKNOWN_PROVIDER",
            Self::InvalidProvider => "INVALID_PROVIDER",
            Self::MissingIdempotencyKey => "MISSING_IDEMPOTENCY_KEY",
            Self::InvalidBudget => "INVALID_BUDGET",
            Self::NegativeBudget => "NEGATIVE_BUDGET",
            Self::DuplicateIdempotencyKey => "DUPLICATE_IDEMPOTENCY_KEY",
            Self::DuplicateStepId => "DUPLICATE_STEP_ID",
            Self::IncompatibleProvider => "INCOMPATIBLE_PROVIDER",
            Self::UnknownDependency => "UNKNOWN_DEPENDENCY",
            Self::DependencyCycle => "DEPENDENCY_CYCLE",
            Self::TooManySteps => "TOO_MANY_STEPS",
            Self::BudgetExceeded => "BUDGET_EXCEEDED",
            Self::InvalidParams => "INVALID_PARAMS",
            Self::FlowViolation => "FLOW_VIOLATION",
            Self::PolicyDenied => "POLICY_DENIED",
            Self::InvalidId => "INVALID_ID",
            Self::PlanRule => "PLAN_RULE",
            Self::AuditUnavailable => "AUDIT_UNAVAILABLE",
            Self::PolicyUndecided => "POLICY_UNDECIDED",
        }
    }
}

/// One thing that is wrong with a plan, or that makes it escalate.
#[derive(Debug, Clone, PartialEq)]
pub struct Violation {
    /// What kind.
    pub code: ViolationCode,
    /// Whether it rejects or escalates.
    pub severity: ViolationSeverity,
    /// Position of the step, from 0; `None` where it is about the whole plan.
    pub step_index: Option<u32>,
    /// Id of the step, empty if it has none.
    pub step_id: Text,
    /// The field, for example `steps[2].params/recipient`; a JSON Pointer follows the name of a map.
    pub path: Text,
    /// What is wrong, for people.
    pub message: String,
    /// What to do about it; may be empty.
    pub help: String,
    /// The rule that says so, as `document/rule`; empty where none does.
    pub rule: Text,
    /// The way of the label from source to sink, for a flow violation.
    pub flow: Vec<FlowHop>,
}

/// One station of a label on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowHop {
    /// The step.
    pub step_id: Text,
    /// JSON Pointer into its output (at the source and between) or its params (at the sink).
    pub path: Text,
    /// The label.
    pub label: Text,
}

/// Which of the three tiers a reason speaks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TierKind {
    /// What the action is.
    Action,
    /// What it is done to.
    Scope,
    /// How much it changes.
    Impact,
}

impl TierKind {
    /// The name on the wire and in records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Action => "action",
            Self::Scope => "scope",
            Self::Impact => "impact",
        }
    }
}

/// Why a step has a tier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TierReason {
    /// Which tier it speaks for.
    pub kind: TierKind,
    /// The tier that it gives, 0–3.
    pub tier: u8,
    /// Document that says so; empty where a built-in default does.
    pub document: Text,
    /// Rule or entry of that document.
    pub rule: Text,
    /// Why, for people.
    pub message: Text,
}

/// What became of one step.
#[derive(Debug, Clone, PartialEq)]
pub struct StepValidation {
    /// Position in the plan, from 0.
    pub index: u32,
    /// Id, empty if it has none.
    pub step_id: Text,
    /// `sha256:` and 64 hexadecimal digits over its canonical form; empty if it has none.
    pub step_hash: Text,
    /// The greatest of the three tiers, 0–3.
    pub tier: u8,
    /// What the action is.
    pub action_tier: u8,
    /// What it is done to.
    pub scope_tier: u8,
    /// How much it changes.
    pub impact_tier: u8,
    /// Why.
    pub tier_reasons: Vec<TierReason>,
    /// What the policy rules say of the step, alone.
    pub decision: Outcome,
    /// Why they say so.
    pub reason_code: ReasonCode,
    /// Number of the rule that says so, in the label of the snapshot.
    pub matched: Option<u32>,
    /// Whether they oblige to record it: the plan must not run where that cannot be done.
    pub requires_audit: bool,
}

/// The answer to one [`Plan`](super::Plan).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Validation {
    /// What may happen.
    pub status: ValidationStatus,
    /// Greatest tier of its steps, 0–3.
    pub risk_tier: u8,
    /// Whether a human must approve: the status is ESCALATE.
    pub requires_approval: bool,
    /// Level of approver needed, 1–5, where a rule names one and the status is ESCALATE.
    pub required_level: Option<u8>,
    /// `sha256:` and 64 hexadecimal digits over the plan's canonical form; empty if it has none.
    pub ir_hash: Text,
    /// Everything that is wrong, by step and then plan.
    pub violations: Vec<Violation>,
    /// One for each step, in the order of the plan.
    pub steps: Vec<StepValidation>,
    /// Sum of the steps' budgets, in cents.
    pub total_budget_cents: i64,
    /// What is known of the snapshot that validated.
    pub snapshot: Arc<SnapshotLabel>,
}

impl Validation {
    /// An answer that says no more than its status.
    #[must_use]
    pub fn new(snapshot: Arc<SnapshotLabel>, status: ValidationStatus) -> Self {
        Self {
            status,
            risk_tier: 0,
            requires_approval: status == ValidationStatus::Escalate,
            required_level: None,
            ir_hash: Text::default(),
            violations: Vec::new(),
            steps: Vec::new(),
            total_budget_cents: 0,
            snapshot,
        }
    }

    /// Makes a validation whose record cannot be written as it must be into a rejection. Steps with the audit obligation are
    /// denied, as single decisions are then.
    pub fn refuse_unrecorded(&mut self) {
        self.status = ValidationStatus::Reject;
        self.requires_approval = false;
        self.required_level = None;
        for step in self.steps.iter_mut().filter(|step| step.requires_audit) {
            step.decision = Outcome::Deny;
            step.reason_code = ReasonCode::AuditUnavailable;
            step.matched = None;
        }
        self.violations.push(Violation {
            code: ViolationCode::AuditUnavailable,
            severity: ViolationSeverity::Error,
            step_index: None,
            step_id: Text::default(),
            path: Text::default(),
            message: "the validation must be recorded and its record cannot be written".to_owned(),
            help: "try again once the journal can be written".to_owned(),
            rule: Text::default(),
            flow: Vec::new(),
        });
    }

    /// The rule of a policy that decided `step` of this answer.
    #[must_use]
    pub fn matched_rule(&self, step: &StepValidation) -> Option<&RuleLabel> {
        step.matched.and_then(|number| self.snapshot.rules.get(number as usize))
    }
}
