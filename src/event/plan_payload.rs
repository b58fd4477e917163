//! Payloads of the events of a validated plan.

use super::json::{self, TimeFormat};
use super::payload::subject;
use super::plan_record::PlanRecord;
use crate::model::{Input, Origin, Plan, Step, StepValidation, Validation, ValidationStatus, Violation};

/// Tier from which on a step of a plan that escalates is named as risky. It is the event's own, whatever `approvalTier` says: who
/// reads the events of several servers finds the same in all.
const HIGH_RISK_TIER: u8 = 2;

/// Appends the payload of a validation's event. `validation_id` is the validation's UUID.
pub(super) fn write(out: &mut Vec<u8>, times: &mut TimeFormat, record: &PlanRecord, validation_id: &str) {
    let PlanRecord { plan, validation, .. } = record;
    out.push(b'{');
    json::string_member(out, "validation_id", validation_id);
    json::string_member(out, "tenant_id", plan.tenant());
    json::nullable_member(out, "request_id", &plan.request_id);
    json::nullable_member(out, "ir_hash", &validation.ir_hash);
    json::integer_member(out, "risk_tier", validation.risk_tier.into());
    json::bool_member(out, "requires_approval", validation.requires_approval);
    json::key(out, "violations");
    json::list(out, validation.violations.iter(), violation);
    json::key(out, "validated_at");
    times.write(out, record.validated_at);
    json::integer_member(out, "step_count", plan.steps.len() as u64);
    if validation.status == ValidationStatus::Escalate {
        json::key(out, "high_risk_steps");
        let risky = validation.steps.iter().filter(|step| step.tier >= HIGH_RISK_TIER);
        json::list(out, risky.map(|step| (step, plan.steps.get(step.index as usize))), high_risk_step);
    }
    json::string_member(out, "status", validation.status.as_str());
    if let Some(level) = validation.required_level {
        json::integer_member(out, "required_level", level.into());
    }
    json::key(out, "steps");
    json::list(out, validation.steps.iter(), |out, step| step_validation(out, validation, step));
    json::signed_member(out, "total_budget_cents", validation.total_budget_cents);
    json::key(out, "validation_time_ms");
    json::number(out, record.validation_nanos as f64 / 1e6);
    json::key(out, "now");
    times.write(out, record.validated_at);
    json::integer_member(out, "snapshot_revision", validation.snapshot.revision);
    json::optional_member(out, "policy_version", &validation.snapshot.version);
    json::key(out, "inputs");
    inputs(out, plan);
    out.push(b'}');
}

fn violation(out: &mut Vec<u8>, found: &Violation) {
    out.push(b'{');
    json::key(out, "step_index");
    match found.step_index {
        Some(index) => json::integer(out, index.into()),
        None => out.extend_from_slice(b"null"),
    }
    json::string_member(out, "code", found.code.as_str());
    json::string_member(out, "message", &found.message);
    json::string_member(out, "severity", found.severity.as_str());
    json::optional_member(out, "step_id", &found.step_id);
    json::optional_member(out, "path", &found.path);
    json::optional_member(out, "rule", &found.rule);
    if !found.flow.is_empty() {
        json::key(out, "flow");
        json::list(out, found.flow.iter(), |out, hop| {
            out.push(b'{');
            json::string_member(out, "step_id", &hop.step_id);
            json::string_member(out, "path", &hop.path);
            json::string_member(out, "label", &hop.label);
            out.push(b'}');
        });
    }
    out.push(b'}');
}

fn high_risk_step(out: &mut Vec<u8>, (validation, step): (&StepValidation, Option<&Step>)) {
    let reason = validation.tier_reasons.iter().find(|reason| reason.tier == validation.tier);
    out.push(b'{');
    json::integer_member(out, "step_index", validation.index.into());
    json::string_member(out, "action", step.map_or("", |step| &step.action));
    json::nullable_member(out, "provider", step.map_or("", |step| &step.provider));
    json::integer_member(out, "risk_tier", validation.tier.into());
    json::string_member(out, "reason", reason.map_or("", |reason| &reason.message));
    out.push(b'}');
}

fn step_validation(out: &mut Vec<u8>, validation: &Validation, step: &StepValidation) {
    out.push(b'{');
    json::integer_member(out, "index", step.index.into());
    json::optional_member(out, "step_id", &step.step_id);
    json::nullable_member(out, "step_hash", &step.step_hash);
    json::integer_member(out, "tier", step.tier.into());
    json::integer_member(out, "action_tier", step.action_tier.into());
    json::integer_member(out, "scope_tier", step.scope_tier.into());
    json::integer_member(out, "impact_tier", step.impact_tier.into());
    if !step.tier_reasons.is_empty() {
        json::key(out, "tier_reasons");
        json::list(out, step.tier_reasons.iter(), |out, reason| {
            out.push(b'{');
            json::string_member(out, "kind", reason.kind.as_str());
            json::integer_member(out, "tier", reason.tier.into());
            json::optional_member(out, "document", &reason.document);
            json::optional_member(out, "rule", &reason.rule);
            json::string_member(out, "message", &reason.message);
            out.push(b'}');
        });
    }
    json::string_member(out, "decision", step.decision.as_str());
    json::string_member(out, "reason_code", step.reason_code.as_str());
    if let Some(rule) = validation.matched_rule(step) {
        json::string_member(out, "matched_policy", &rule.policy);
        json::string_member(out, "matched_rule", &rule.rule);
    }
    out.push(b'}');
}

/// The plan in full. Members that are empty are left out; a replay reads them as empty.
fn inputs(out: &mut Vec<u8>, plan: &Plan) {
    out.push(b'{');
    json::optional_member(out, "request_id", &plan.request_id);
    json::string_member(out, "tenant_id", plan.tenant());
    json::key(out, "subject");
    subject(out, &plan.subject);
    json::string_member(out, "ordering", plan.ordering.as_str());
    json::key(out, "steps");
    json::list(out, plan.steps.iter(), step);
    json::optional_member(out, "intent_summary", &plan.intent_summary);
    if !plan.user_messages.is_empty() {
        json::key(out, "user_messages");
        json::list(out, plan.user_messages.iter(), |out, text| json::string(out, text));
    }
    if !plan.observations.is_empty() {
        json::key(out, "observations");
        json::list(out, plan.observations.iter(), |out, observation| {
            out.push(b'{');
            json::string_member(out, "step_id", &observation.step_id);
            json::key(out, "output");
            json::value(out, &observation.output);
            out.push(b'}');
        });
    }
    if !plan.labels.is_empty() {
        json::key(out, "labels");
        out.push(b'{');
        for (index, (key, value)) in plan.labels.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            json::string(out, key);
            out.push(b':');
            json::string(out, value);
        }
        out.push(b'}');
    }
    json::optional_member(out, "run_id", &plan.run_id);
    json::optional_member(out, "correlation_id", &plan.correlation_id);
    json::optional_member(out, "snapshot", &plan.snapshot);
    json::optional_member(out, "audience", &plan.audience);
    out.push(b'}');
}

/// A step in full. Members that are empty are left out.
pub(super) fn step(out: &mut Vec<u8>, step: &Step) {
    out.push(b'{');
    json::optional_member(out, "step_id", &step.step_id);
    json::string_member(out, "action", &step.action);
    json::optional_member(out, "provider", &step.provider);
    json::optional_member(out, "resource", &step.resource);
    json::map_member(out, "params", &step.params);
    json::map_member(out, "constraints", &step.constraints);
    json::optional_member(out, "idempotency_key", &step.idempotency_key);
    if let Some(cents) = step.budget_cents {
        json::signed_member(out, "budget_cents", cents);
    }
    if !step.depends_on.is_empty() {
        json::key(out, "depends_on");
        json::list(out, step.depends_on.iter(), |out, id| json::string(out, id));
    }
    if !step.inputs.is_empty() {
        json::key(out, "inputs");
        json::list(out, step.inputs.iter(), input);
    }
    json::optional_member(out, "description", &step.description);
    out.push(b'}');
}

/// A claim of origin, in the form that plans in files have.
fn input(out: &mut Vec<u8>, input: &Input) {
    out.push(b'{');
    json::string_member(out, "path", &input.path);
    match &input.origin {
        Origin::User { quote } => {
            json::key(out, "user");
            out.push(b'{');
            json::optional_member(out, "quote", quote);
            out.push(b'}');
        }
        Origin::Constant => {
            json::key(out, "constant");
            out.extend_from_slice(b"{}");
        }
        Origin::Step { step_id, output_path } => {
            json::key(out, "step");
            out.push(b'{');
            json::string_member(out, "step_id", step_id);
            json::optional_member(out, "output_path", output_path);
            out.push(b'}');
        }
    }
    out.push(b'}');
}
