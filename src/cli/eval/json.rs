//! The answer for machines.

use serde_json::{Value, json};

use crate::api::proto::v1::{
    Decision, Effect, EvaluateResponse, Explanation, ReasonCode, RuleExplanation, RuleOutcome,
};

/// The answer with all its fields.
pub fn answer(answer: &EvaluateResponse) -> Value {
    let warnings = answer
        .warnings
        .iter()
        .map(|warning| json!({"policy": warning.policy, "rule": warning.rule, "message": warning.message}));
    let obligations = answer.obligations.iter().map(|obligation| {
        json!({
            "id": obligation.id,
            "policy": obligation.policy,
            "rule": obligation.rule,
            "properties": obligation.properties.as_ref().map(attributes).unwrap_or_else(|| json!({})),
        })
    });
    let snapshot =
        answer.snapshot.as_ref().map(|snapshot| json!({"digest": snapshot.digest, "revision": snapshot.revision}));
    json!({
        "request_id": answer.request_id,
        "decision_id": answer.decision_id,
        "decision": decision_word(answer.decision()),
        "allowed": answer.allowed,
        "effect": effect_word(answer.effect()),
        "matched_policy": answer.matched_policy,
        "matched_rule": answer.matched_rule,
        "reason_code": reason_word(answer.reason_code()),
        "reason": answer.reason,
        "warnings": warnings.collect::<Value>(),
        "requires_audit": answer.requires_audit,
        "required_level": answer.required_level,
        "obligations": obligations.collect::<Value>(),
        "action_hash": answer.action_hash,
        "snapshot": snapshot,
        "semantics": answer.semantics,
        "correlation_id": answer.correlation_id,
        "evaluation_nanos": answer.evaluation_nanos,
        "explanation": answer.explanation.as_ref().map(explanation),
    })
}

fn explanation(explanation: &Explanation) -> Value {
    json!({
        "rules": explanation.rules.iter().map(rule).collect::<Value>(),
        "truncated": explanation.truncated,
    })
}

fn rule(rule: &RuleExplanation) -> Value {
    let values = rule.values.iter().map(|read| match &read.value {
        Some(content) => json!({"path": read.path, "value": value(content)}),
        None => json!({"path": read.path, "missing": true}),
    });
    json!({
        "policy": rule.policy,
        "rule": rule.rule,
        "layer": rule.layer,
        "effect": effect_word(rule.effect()),
        "priority": rule.priority,
        "outcome": outcome_word(rule.outcome()),
        "clause": rule.clause,
        "values": values.collect::<Value>(),
        "error": rule.error,
    })
}

/// An enum value's name without its prefix.
pub fn word(name: &'static str, prefix: &str) -> &'static str {
    name.strip_prefix(prefix).unwrap_or(name)
}

/// The decision's name without its prefix.
pub fn decision_word(decision: Decision) -> &'static str {
    word(decision.as_str_name(), "DECISION_")
}

/// The effect's name without its prefix.
pub fn effect_word(effect: Effect) -> &'static str {
    word(effect.as_str_name(), "EFFECT_")
}

/// The reason's name without its prefix.
pub fn reason_word(reason: ReasonCode) -> &'static str {
    word(reason.as_str_name(), "REASON_CODE_")
}

fn outcome_word(outcome: RuleOutcome) -> &'static str {
    word(outcome.as_str_name(), "RULE_OUTCOME_")
}

/// A map of attributes.
pub fn attributes(map: &prost_types::Struct) -> Value {
    map.fields.iter().map(|(key, content)| (key.clone(), value(content))).collect::<serde_json::Map<_, _>>().into()
}

/// An attribute; whole numbers without a fraction.
pub fn value(content: &prost_types::Value) -> Value {
    use prost_types::value::Kind;
    match &content.kind {
        None | Some(Kind::NullValue(_)) => Value::Null,
        Some(Kind::BoolValue(truth)) => Value::from(*truth),
        Some(Kind::NumberValue(number)) if number.fract() == 0.0 && number.abs() < 9e15 => Value::from(*number as i64),
        Some(Kind::NumberValue(number)) => Value::from(*number),
        Some(Kind::StringValue(text)) => Value::from(text.as_str()),
        Some(Kind::ListValue(list)) => list.values.iter().map(value).collect(),
        Some(Kind::StructValue(map)) => attributes(map),
    }
}
