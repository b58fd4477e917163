//! `EvaluateResponse`, written from a decision without copying the snapshot's texts into an intermediate form.

use super::attributes::{attributes, value};
use super::writer::Writer;
use crate::model::{
    Decision, Effect, Explanation, Outcome, Request, RuleExplanation, RuleOutcome, SEMANTICS, SnapshotLabel,
};

/// Everything that an answer says.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// The question.
    pub request: &'a Request,
    /// The decision.
    pub decision: &'a Decision,
    /// Its id.
    pub decision_id: uuid::Uuid,
    /// The correlation id of question and record.
    pub correlation_id: &'a str,
    /// `sha256:…` of the question, empty if neither needed nor wanted.
    pub action_hash: &'a str,
    /// Time that the evaluation took.
    pub evaluation_nanos: u64,
}

/// Writes the fields of an `EvaluateResponse`.
pub fn evaluate_response(out: &mut Writer<'_>, answer: &Answer<'_>) {
    let Answer { request, decision, .. } = *answer;
    let mut id = uuid::Uuid::encode_buffer();
    out.string(1, &request.request_id);
    out.string(2, answer.decision_id.hyphenated().encode_lower(&mut id));
    out.unsigned(3, outcome_number(decision.outcome));
    out.boolean(4, decision.allowed());
    out.unsigned(5, effect_number(decision.effect));
    if let Some(rule) = decision.matched_rule() {
        out.string(6, &rule.policy);
        out.string(7, &rule.rule);
    }
    out.unsigned(8, decision.reason_code as u64);
    out.string(9, decision.reason());
    for warning in decision.warnings() {
        out.message(10, |out| {
            out.string(1, warning.policy);
            out.string(2, warning.rule);
            out.string(3, warning.message);
        });
    }
    out.boolean(11, decision.requires_audit());
    if let Some(level) = decision.required_level() {
        out.present_unsigned(12, u64::from(level));
    }
    for rule in decision.obliging_rules() {
        for obligation in &rule.obligations {
            out.message(13, |out| {
                out.string(1, &obligation.id);
                out.string(2, &rule.policy);
                out.string(3, &rule.rule);
                if !obligation.properties.is_empty() {
                    out.message(4, |out| attributes(out, &obligation.properties));
                }
            });
        }
    }
    out.string(14, answer.action_hash);
    snapshot_ref(out, 15, &decision.snapshot);
    out.unsigned(16, u64::from(SEMANTICS));
    out.string(17, answer.correlation_id);
    out.unsigned(18, answer.evaluation_nanos);
    if let Some(explained) = &decision.explanation {
        out.message(19, |out| explanation(out, explained));
    }
}

/// Writes a `SnapshotRef`; nothing where no snapshot decided.
pub fn snapshot_ref(out: &mut Writer<'_>, field: u32, label: &SnapshotLabel) {
    if label.digest.is_empty() {
        return;
    }
    out.message(field, |out| {
        out.string(1, &label.digest);
        out.unsigned(2, label.revision);
    });
}

fn explanation(out: &mut Writer<'_>, explained: &Explanation) {
    for rule in &explained.rules {
        out.message(1, |out| rule_explanation(out, rule));
    }
    out.boolean(2, explained.truncated);
}

fn rule_explanation(out: &mut Writer<'_>, rule: &RuleExplanation) {
    out.string(1, &rule.policy);
    out.string(2, &rule.rule);
    out.string(3, rule.layer.as_str());
    out.unsigned(4, effect_number(rule.effect));
    out.signed(5, i64::from(rule.priority));
    out.unsigned(6, rule_outcome_number(rule.outcome));
    out.string(7, &rule.clause);
    for read in &rule.values {
        out.message(8, |out| {
            out.string(1, &read.path);
            if let Some(content) = &read.value {
                out.message(2, |out| value(out, content));
            }
        });
    }
    out.string(9, &rule.error);
}

/// The number of a `Decision` on the wire.
pub const fn outcome_number(outcome: Outcome) -> u64 {
    match outcome {
        Outcome::Allow => 1,
        Outcome::Deny => 2,
        Outcome::RequireApproval => 3,
    }
}

const fn effect_number(effect: Effect) -> u64 {
    match effect {
        Effect::Allow => 1,
        Effect::Deny => 2,
        Effect::Warn => 3,
        Effect::Audit => 4,
        Effect::RequireApproval => 5,
    }
}

const fn rule_outcome_number(outcome: RuleOutcome) -> u64 {
    match outcome {
        RuleOutcome::Matched => 1,
        RuleOutcome::NotMatched => 2,
        RuleOutcome::Error => 3,
    }
}
