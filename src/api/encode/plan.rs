//! `ValidateIRResponse`, written from a validation.

use super::answer::{outcome_number, snapshot_ref};
use super::writer::Writer;
use crate::model::{
    Plan, SEMANTICS, StepValidation, TierKind, TierReason, Timestamp, Validation, ValidationStatus, Violation,
    ViolationSeverity,
};

/// `HASH_SCHEME_RFC8785_V1`.
const RFC8785_V1: u64 = 1;

/// Everything that an answer says.
#[derive(Debug, Clone, Copy)]
pub struct PlanAnswer<'a> {
    /// The question.
    pub plan: &'a Plan,
    /// What became of it.
    pub validation: &'a Validation,
    /// Its id; empty where there is no record that it could name.
    pub validation_id: &'a str,
    /// The correlation id of question and record.
    pub correlation_id: &'a str,
    /// When it was validated.
    pub validated_at: Timestamp,
    /// The receipt, empty if there is none.
    pub receipt: &'a str,
    /// Time that the validation took.
    pub validation_nanos: u64,
}

/// Writes the fields of a `ValidateIRResponse`.
pub fn validate_ir_response(out: &mut Writer<'_>, answer: &PlanAnswer<'_>) {
    let PlanAnswer { plan, validation, .. } = *answer;
    out.string(1, answer.validation_id);
    out.string(2, &plan.request_id);
    out.unsigned(3, status_number(validation.status));
    out.unsigned(4, u64::from(validation.risk_tier));
    out.boolean(5, validation.requires_approval);
    if let Some(level) = validation.required_level {
        out.present_unsigned(6, u64::from(level));
    }
    out.string(7, &validation.ir_hash);
    out.unsigned(8, RFC8785_V1);
    for found in &validation.violations {
        out.message(9, |out| violation(out, found));
    }
    for step in &validation.steps {
        out.message(10, |out| step_validation(out, validation, step));
    }
    out.signed(11, validation.total_budget_cents);
    snapshot_ref(out, 12, &validation.snapshot);
    out.unsigned(13, u64::from(SEMANTICS));
    out.timestamp(14, answer.validated_at);
    out.string(15, answer.receipt);
    out.string(16, answer.correlation_id);
    out.unsigned(17, answer.validation_nanos);
}

fn violation(out: &mut Writer<'_>, found: &Violation) {
    out.unsigned(1, found.code as u64);
    out.unsigned(2, severity_number(found.severity));
    if let Some(index) = found.step_index {
        out.present_unsigned(3, u64::from(index));
    }
    out.string(4, &found.step_id);
    out.string(5, &found.path);
    out.string(6, &found.message);
    out.string(7, &found.help);
    for hop in &found.flow {
        out.message(8, |out| {
            out.string(1, &hop.step_id);
            out.string(2, &hop.path);
            out.string(3, &hop.label);
        });
    }
    out.string(9, &found.rule);
}

fn step_validation(out: &mut Writer<'_>, validation: &Validation, step: &StepValidation) {
    out.unsigned(1, u64::from(step.index));
    out.string(2, &step.step_id);
    out.string(3, &step.step_hash);
    out.unsigned(4, u64::from(step.tier));
    out.unsigned(5, u64::from(step.action_tier));
    out.unsigned(6, u64::from(step.scope_tier));
    out.unsigned(7, u64::from(step.impact_tier));
    for reason in &step.tier_reasons {
        out.message(8, |out| tier_reason(out, reason));
    }
    out.unsigned(9, outcome_number(step.decision));
    out.unsigned(10, step.reason_code as u64);
    if let Some(rule) = validation.matched_rule(step) {
        out.string(11, &rule.policy);
        out.string(12, &rule.rule);
    }
}

fn tier_reason(out: &mut Writer<'_>, reason: &TierReason) {
    out.unsigned(1, tier_kind_number(reason.kind));
    out.string(2, &reason.document);
    out.string(3, &reason.rule);
    out.string(4, &reason.message);
    out.unsigned(5, u64::from(reason.tier));
}

const fn status_number(status: ValidationStatus) -> u64 {
    match status {
        ValidationStatus::Pass => 1,
        ValidationStatus::Escalate => 2,
        ValidationStatus::Reject => 3,
    }
}

const fn severity_number(severity: ViolationSeverity) -> u64 {
    match severity {
        ViolationSeverity::Warning => 1,
        ViolationSeverity::Error => 2,
    }
}

const fn tier_kind_number(kind: TierKind) -> u64 {
    match kind {
        TierKind::Action => 1,
        TierKind::Scope => 2,
        TierKind::Impact => 3,
    }
}
