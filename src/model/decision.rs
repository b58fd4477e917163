//! The answer.

use std::sync::Arc;

use smallvec::SmallVec;

use super::{Explanation, RuleLabel, SnapshotLabel, Text};

/// What a rule does when it matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Lets the action happen.
    Allow,
    /// Refuses it.
    Deny,
    /// Lets it happen and warns.
    Warn,
    /// Lets it happen and obliges to audit.
    Audit,
    /// Makes it wait for a human.
    RequireApproval,
}

impl Effect {
    /// All effects.
    pub const ALL: [Self; 5] = [Self::Allow, Self::Deny, Self::Warn, Self::Audit, Self::RequireApproval];

    /// The name in documents and records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Warn => "warn",
            Self::Audit => "audit",
            Self::RequireApproval => "require_approval",
        }
    }

    /// What may happen under this effect.
    #[must_use]
    pub const fn outcome(self) -> Outcome {
        match self {
            Self::Allow | Self::Warn | Self::Audit => Outcome::Allow,
            Self::Deny => Outcome::Deny,
            Self::RequireApproval => Outcome::RequireApproval,
        }
    }

    /// Whether the effect settles an answer (allow, deny, require_approval) or only observes it (warn, audit).
    #[must_use]
    pub const fn is_decider(self) -> bool {
        matches!(self, Self::Allow | Self::Deny | Self::RequireApproval)
    }
}

/// What may happen, in order of restriction: a greater outcome is more restrictive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// The action may happen.
    Allow,
    /// It may happen only after a human's approval.
    RequireApproval,
    /// It must not happen.
    Deny,
}

impl Outcome {
    /// The name in records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::RequireApproval => "require_approval",
            Self::Deny => "deny",
        }
    }
}

/// Why a decision is as it is. Numbers are those of the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ReasonCode {
    /// A rule decided.
    Policy = 1,
    /// No rule matched; the default decided.
    Default = 2,
    /// No enabled policy is loaded.
    NoPolicy = 3,
    /// A condition failed to evaluate and that narrowed the answer.
    ConditionError = 4,
    /// The request's evaluation budget was used up.
    EvaluationLimit = 5,
    /// The decision carries an audit obligation that cannot be recorded.
    AuditUnavailable = 11,
}

impl ReasonCode {
    /// The name on the wire without its prefix, and in records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Policy => "POLICY",
            Self::Default => "DEFAULT",
            Self::NoPolicy => "NO_POLICY",
            Self::ConditionError => "CONDITION_ERROR",
            Self::EvaluationLimit => "EVALUATION_LIMIT",
            Self::AuditUnavailable => "AUDIT_UNAVAILABLE",
        }
    }
}

/// One warning of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Warning<'a> {
    /// Policy that warned; empty for the default's warning.
    pub policy: &'a str,
    /// Rule that warned; empty for the default's warning.
    pub rule: &'a str,
    /// What it says.
    pub message: &'a str,
}

/// The sentence of a default that warns.
const DEFAULT_WARNING: &str = "no rule matched; the default of the policy set is to warn";

/// The answer to one [`Request`](super::Request). Refers to rules by number and shares their texts with the snapshot.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Decision {
    /// What may happen.
    pub outcome: Outcome,
    /// Effect of the rule or default that decided.
    pub effect: Effect,
    /// Why, for programs.
    pub reason_code: ReasonCode,
    /// Number of the rule that decided.
    pub matched: Option<u32>,
    /// Numbers of the rules that decide the same in other layers; their obligations count too.
    pub agreeing: SmallVec<[u32; 2]>,
    /// Numbers of the warn rules that matched, or whose condition failed.
    pub warned: SmallVec<[u32; 2]>,
    /// Numbers of the audit rules that matched, or whose condition failed.
    pub audited: SmallVec<[u32; 2]>,
    /// Rules whose conditions failed to evaluate, with the failure, in order of precedence; at most eight are kept.
    pub errors: Vec<(u32, Text)>,
    /// Asked for by the request.
    pub explanation: Option<Box<Explanation>>,
    /// What is known of the snapshot that decided.
    pub snapshot: Arc<SnapshotLabel>,
}

impl Decision {
    /// A decision without observers, errors or explanation.
    #[must_use]
    pub fn new(
        snapshot: Arc<SnapshotLabel>,
        outcome: Outcome,
        effect: Effect,
        reason_code: ReasonCode,
        matched: Option<u32>,
    ) -> Self {
        Self {
            outcome,
            effect,
            reason_code,
            matched,
            agreeing: SmallVec::new(),
            warned: SmallVec::new(),
            audited: SmallVec::new(),
            errors: Vec::new(),
            explanation: None,
            snapshot,
        }
    }

    /// Whether the action may happen.
    #[must_use]
    pub fn allowed(&self) -> bool {
        self.outcome == Outcome::Allow
    }

    /// The rule that decided.
    #[must_use]
    pub fn matched_rule(&self) -> Option<&RuleLabel> {
        self.matched.and_then(|number| self.label(number))
    }

    /// Why, for people.
    #[must_use]
    pub fn reason(&self) -> &str {
        match (self.reason_code, self.matched_rule()) {
            (ReasonCode::AuditUnavailable, _) => "the decision must be audited and its record cannot be written",
            (ReasonCode::EvaluationLimit, _) => "evaluating the rules cost more than a request may cost",
            (ReasonCode::NoPolicy, _) => "no enabled policy is loaded",
            (ReasonCode::ConditionError, _) => "a rule's condition could not be evaluated, which narrows the answer",
            (_, Some(rule)) => &rule.reason,
            (_, None) => match self.effect {
                Effect::Deny => "no rule matched; the default is to deny",
                Effect::Allow => "no rule matched; the default is to allow",
                Effect::Warn => DEFAULT_WARNING,
                Effect::Audit => "no rule matched; the default is to audit",
                Effect::RequireApproval => "no rule matched; the default is to require approval",
            },
        }
    }

    /// The warnings, in order of precedence; the default's own where it warned.
    pub fn warnings(&self) -> impl Iterator<Item = Warning<'_>> {
        let of_default = (self.matched.is_none() && self.effect == Effect::Warn).then_some(Warning {
            policy: "",
            rule: "",
            message: DEFAULT_WARNING,
        });
        self.warned
            .iter()
            .filter_map(|number| self.label(*number))
            .map(|rule| Warning { policy: &rule.policy, rule: &rule.rule, message: &rule.reason })
            .chain(of_default)
    }

    /// Whether a rule or the default obliges to audit.
    #[must_use]
    pub fn requires_audit(&self) -> bool {
        !self.audited.is_empty() || (self.matched.is_none() && self.effect == Effect::Audit)
    }

    /// Level of approver needed, where a human's approval is.
    #[must_use]
    pub fn required_level(&self) -> Option<u8> {
        if self.outcome != Outcome::RequireApproval {
            return None;
        }
        self.matched_rule().and_then(|rule| rule.required_level)
    }

    /// The rules whose obligations the caller takes on: the one that decided, those that decide the same in other layers,
    /// then the observers.
    pub fn obliging_rules(&self) -> impl Iterator<Item = &RuleLabel> {
        let others = self.agreeing.iter().chain(&self.warned).chain(&self.audited).copied();
        let others = others.filter(|number| Some(*number) != self.matched);
        self.matched.into_iter().chain(others).filter_map(|number| self.label(number))
    }

    fn label(&self, number: u32) -> Option<&RuleLabel> {
        self.snapshot.rules.get(number as usize)
    }
}
