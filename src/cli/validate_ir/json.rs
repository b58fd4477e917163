//! The answer for machines.

use serde_json::{Value, json};

use crate::api::proto::v1::{
    StepValidation, TierKind, ValidateIrResponse, ValidationStatus, Violation, ViolationCode, ViolationSeverity,
};
use crate::cli::eval::{decision_word, reason_word, word};
use crate::model::Timestamp;

/// The answer with all its fields.
pub fn answer(answer: &ValidateIrResponse) -> Value {
    let snapshot =
        answer.snapshot.as_ref().map(|snapshot| json!({"digest": snapshot.digest, "revision": snapshot.revision}));
    json!({
        "validation_id": answer.validation_id,
        "request_id": answer.request_id,
        "status": status_word(answer.status()),
        "risk_tier": answer.risk_tier,
        "requires_approval": answer.requires_approval,
        "required_level": answer.required_level,
        "ir_hash": answer.ir_hash,
        "hash_scheme": word(answer.hash_scheme().as_str_name(), "HASH_SCHEME_"),
        "violations": answer.violations.iter().map(violation).collect::<Value>(),
        "steps": answer.steps.iter().map(step).collect::<Value>(),
        "total_budget_cents": answer.total_budget_cents,
        "snapshot": snapshot,
        "semantics": answer.semantics,
        "validated_at": validated_at(answer).map(|time| time.to_string()),
        "receipt": answer.receipt,
        "correlation_id": answer.correlation_id,
        "validation_nanos": answer.validation_nanos,
    })
}

/// One violation.
pub fn violation(violation: &Violation) -> Value {
    let flow = violation.flow.iter().map(|hop| json!({"step_id": hop.step_id, "path": hop.path, "label": hop.label}));
    json!({
        "code": code_word(violation.code()),
        "severity": severity_word(violation.severity()),
        "step_index": violation.step_index,
        "step_id": violation.step_id,
        "path": violation.path,
        "message": violation.message,
        "help": violation.help,
        "flow": flow.collect::<Value>(),
        "rule": violation.rule,
    })
}

/// What became of one step.
pub fn step(step: &StepValidation) -> Value {
    let reasons = step.tier_reasons.iter().map(|reason| {
        json!({
            "kind": kind_word(reason.kind()),
            "tier": reason.tier,
            "document": reason.document,
            "rule": reason.rule,
            "message": reason.message,
        })
    });
    json!({
        "index": step.index,
        "step_id": step.step_id,
        "step_hash": step.step_hash,
        "tier": step.tier,
        "action_tier": step.action_tier,
        "scope_tier": step.scope_tier,
        "impact_tier": step.impact_tier,
        "tier_reasons": reasons.collect::<Value>(),
        "decision": decision_word(step.decision()),
        "reason_code": reason_word(step.reason_code()),
        "matched_policy": step.matched_policy,
        "matched_rule": step.matched_rule,
    })
}

/// When the plan was validated.
pub fn validated_at(answer: &ValidateIrResponse) -> Option<Timestamp> {
    let time = answer.validated_at.as_ref()?;
    let micros = time.seconds.checked_mul(1_000_000)?.checked_add(i64::from(time.nanos / 1_000))?;
    Some(Timestamp::from_micros(micros))
}

/// The status without its prefix.
pub fn status_word(status: ValidationStatus) -> &'static str {
    word(status.as_str_name(), "VALIDATION_STATUS_")
}

/// The code without its prefix.
pub fn code_word(code: ViolationCode) -> &'static str {
    word(code.as_str_name(), "VIOLATION_CODE_")
}

fn severity_word(severity: ViolationSeverity) -> &'static str {
    word(severity.as_str_name(), "VIOLATION_SEVERITY_")
}

/// The kind of a tier without its prefix.
pub fn kind_word(kind: TierKind) -> &'static str {
    word(kind.as_str_name(), "TIER_KIND_")
}
