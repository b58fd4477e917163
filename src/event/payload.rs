//! Payloads of the events of a decision.

use super::catalogue::EventType;
use super::json::{self, TimeFormat};
use super::record::DecisionRecord;
use super::rendered::Rendered;
use crate::model::{Obligation, Request, RuleLabel, Subject};

/// Appends the payload of the event `kind` of a decision. `decision_id` is the decision's UUID.
pub(super) fn write(
    out: &mut Vec<u8>,
    times: &mut TimeFormat,
    rendered: &mut Rendered,
    kind: EventType,
    record: &DecisionRecord,
    decision_id: &str,
) {
    out.extend_from_slice(b"{\"decision_id\":\"");
    out.extend_from_slice(decision_id.as_bytes());
    out.push(b'"');
    who_and_what(out, &record.request);
    match kind {
        EventType::PolicyDenied => {
            cause(out, record);
            json::string_member(out, "reason_code", record.decision.reason_code.as_str());
            time_member(out, times, "denied_at", record);
        }
        EventType::PolicyApprovalRequired => {
            cause(out, record);
            json::string_member(out, "reason_code", record.decision.reason_code.as_str());
            required_level(out, record);
            time_member(out, times, "approval_required_at", record);
        }
        EventType::PolicyWarningTriggered => {
            cause(out, record);
            warnings(out, record);
            time_member(out, times, "triggered_at", record);
        }
        EventType::PolicyAuditRequired => {
            cause(out, record);
            json::bool_member(out, "requires_audit", true);
            audited_by(out, record);
            time_member(out, times, "audit_at", record);
        }
        _ => evaluated(out, times, rendered, record),
    }
    out.push(b'}');
}

/// The part of `policy.evaluated` that the other events lack: the whole answer and what a replay needs.
fn evaluated(out: &mut Vec<u8>, times: &mut TimeFormat, rendered: &mut Rendered, record: &DecisionRecord) {
    rendered.result(out, record, result);
    out.extend_from_slice(b",\"evaluation_time_ms\":");
    json::number(out, record.evaluation_nanos as f64 / 1e6);
    time_member(out, times, "evaluated_at", record);
    time_member(out, times, "now", record);
    rendered.revision(out, &record.decision.snapshot);
    inputs(out, &record.request);
}

/// The whole answer.
fn result(out: &mut Vec<u8>, record: &DecisionRecord) {
    let decision = &record.decision;
    json::key(out, "result");
    out.push(b'{');
    json::bool_member(out, "allowed", decision.allowed());
    json::string_member(out, "decision", decision.outcome.as_str());
    json::string_member(out, "effect", decision.effect.as_str());
    json::string_member(out, "reason_code", decision.reason_code.as_str());
    cause(out, record);
    warnings(out, record);
    json::bool_member(out, "requires_audit", decision.requires_audit());
    audited_by(out, record);
    required_level(out, record);
    obligations(out, record);
    errors(out, record);
    out.push(b'}');
}

/// The four members that every payload of the predecessor had.
fn who_and_what(out: &mut Vec<u8>, request: &Request) {
    out.extend_from_slice(b",\"agent_id\":");
    json::string(out, &request.subject.id);
    out.extend_from_slice(b",\"agent_role\":");
    json::nullable(out, request.subject.roles.first().map_or("", |role| role.as_str()));
    out.extend_from_slice(b",\"action\":");
    json::string(out, &request.action.name);
    out.extend_from_slice(b",\"resource\":");
    json::nullable(out, &request.resource.id);
}

/// The question in full. Members that are empty are left out; a replay reads them as empty.
fn inputs(out: &mut Vec<u8>, request: &Request) {
    out.extend_from_slice(b",\"inputs\":{");
    json::optional_member(out, "request_id", &request.request_id);
    json::string_member(out, "tenant_id", request.tenant());
    out.extend_from_slice(b",\"subject\":");
    subject(out, &request.subject);
    out.extend_from_slice(b",\"action\":{\"name\":");
    json::string(out, &request.action.name);
    json::map_member(out, "properties", &request.action.properties);
    out.extend_from_slice(b"},\"resource\":{");
    json::optional_member(out, "type", &request.resource.kind);
    json::optional_member(out, "id", &request.resource.id);
    json::map_member(out, "properties", &request.resource.properties);
    out.push(b'}');
    json::map_member(out, "context", &request.context);
    json::optional_member(out, "run_id", &request.run_id);
    json::optional_member(out, "correlation_id", &request.correlation_id);
    json::optional_member(out, "snapshot", &request.snapshot);
    out.push(b'}');
}

/// A subject, without what is empty.
#[inline]
pub(super) fn subject(out: &mut Vec<u8>, subject: &Subject) {
    out.push(b'{');
    json::optional_member(out, "type", &subject.kind);
    json::string_member(out, "id", &subject.id);
    if !subject.roles.is_empty() {
        out.extend_from_slice(b",\"roles\":");
        json::list(out, subject.roles.iter(), |out, role| json::string(out, role));
    }
    json::map_member(out, "properties", &subject.properties);
    json::optional_member(out, "on_behalf_of", &subject.on_behalf_of);
    out.push(b'}');
}

/// What decided: policy and rule, null where the default did, and the reason.
fn cause(out: &mut Vec<u8>, record: &DecisionRecord) {
    let matched = record.decision.matched_rule();
    json::nullable_member(out, "matched_policy", matched.map_or("", |rule| rule.policy.as_str()));
    json::nullable_member(out, "matched_rule", matched.map_or("", |rule| rule.rule.as_str()));
    json::string_member(out, "reason", record.decision.reason());
}

fn warnings(out: &mut Vec<u8>, record: &DecisionRecord) {
    json::key(out, "warnings");
    json::list(out, record.decision.warnings(), |out, warning| {
        out.push(b'{');
        json::nullable_member(out, "policy", warning.policy);
        json::nullable_member(out, "rule", warning.rule);
        json::string_member(out, "message", warning.message);
        out.push(b'}');
    });
}

fn audited_by(out: &mut Vec<u8>, record: &DecisionRecord) {
    let labels = &record.decision.snapshot.rules;
    let rules = record.decision.audited.iter().filter_map(|number| labels.get(*number as usize));
    if record.decision.requires_audit() {
        json::key(out, "audited_by");
        json::list(out, rules, rule_name);
    }
}

fn required_level(out: &mut Vec<u8>, record: &DecisionRecord) {
    if let Some(level) = record.decision.required_level() {
        json::integer_member(out, "required_level", level.into());
    }
}

fn obligations(out: &mut Vec<u8>, record: &DecisionRecord) {
    let owed = record.decision.obliging_rules().flat_map(|rule| rule.obligations.iter().map(move |owed| (rule, owed)));
    json::key(out, "obligations");
    json::list(out, owed, |out, (rule, owed): (&RuleLabel, &Obligation)| {
        out.push(b'{');
        json::string_member(out, "id", &owed.id);
        json::string_member(out, "policy", &rule.policy);
        json::string_member(out, "rule", &rule.rule);
        json::map_member(out, "properties", &owed.properties);
        out.push(b'}');
    });
}

/// Rules whose conditions failed to evaluate.
fn errors(out: &mut Vec<u8>, record: &DecisionRecord) {
    let decision = &record.decision;
    if decision.errors.is_empty() {
        return;
    }
    json::key(out, "errors");
    json::list(out, decision.errors.iter(), |out, (number, error)| {
        out.push(b'{');
        if let Some(rule) = decision.snapshot.rules.get(*number as usize) {
            json::string_member(out, "policy", &rule.policy);
            json::string_member(out, "rule", &rule.rule);
        }
        json::string_member(out, "error", error);
        out.push(b'}');
    });
}

fn rule_name(out: &mut Vec<u8>, rule: &RuleLabel) {
    out.push(b'{');
    json::string_member(out, "policy", &rule.policy);
    json::string_member(out, "rule", &rule.rule);
    out.push(b'}');
}

fn time_member(out: &mut Vec<u8>, times: &mut TimeFormat, name: &'static str, record: &DecisionRecord) {
    json::key(out, name);
    times.write(out, record.decided_at);
}
