//! Approvals for machines.

use serde_json::{Value, json};

use crate::api::proto::v1::{self, approval_view::What};
use crate::cli::eval::word;
use crate::cli::validate_ir::{json_of_step, json_of_violation};
use crate::model::{Attributes, Timestamp};

/// An approval with all its fields; `view` where the answer has it.
pub fn approval(approval: &v1::Approval) -> Value {
    let stages = approval.stages.iter().map(|stage| {
        let votes = stage.approvals.iter().map(
            |vote| json!({"principal": vote.principal, "level": vote.level, "notes": vote.notes, "at": time(&vote.at)}),
        );
        json!({
            "level": stage.level,
            "quorum": stage.quorum,
            "complete": stage.complete,
            "approvals": votes.collect::<Value>(),
        })
    });
    let mut object = json!({
        "id": approval.id,
        "tenant_id": approval.tenant_id,
        "status": status_word(approval.status()),
        "target_kind": word(approval.target_kind().as_str_name(), "TARGET_KIND_"),
        "target_hash": approval.target_hash,
        "tier": approval.tier,
        "required_level": approval.required_level,
        "stages": stages.collect::<Value>(),
        "snapshot": approval.snapshot,
        "subject_id": approval.subject_id,
        "actions": approval.actions,
        "policies": approval.policies,
        "requested_by": approval.requested_by,
        "on_behalf_of": approval.on_behalf_of,
        "created_by": approval.created_by,
        "justification": approval.justification,
        "cost_cents": approval.cost_cents,
        "correlation_id": approval.correlation_id,
        "run_id": approval.run_id,
        "webhook_endpoints": approval.webhook_endpoints,
        "created_at": time(&approval.created_at),
        "escalates_at": time(&approval.escalates_at),
        "expires_at": time(&approval.expires_at),
        "resolved_at": time(&approval.resolved_at),
        "consumed_at": time(&approval.consumed_at),
        "consumed_by": approval.consumed_by,
        "redemption_mode": word(approval.redemption_mode().as_str_name(), "REDEMPTION_MODE_"),
        "redeemed_steps": approval.redeemed_steps,
        "resolved_by": approval.resolved_by,
        "resolution": approval.resolution,
        "etag": approval.etag,
    });
    if let (Some(view), Some(members)) = (&approval.view, object.as_object_mut()) {
        members.insert("view".into(), self::view(view));
    }
    object
}

fn view(view: &v1::ApprovalView) -> Value {
    let what = match &view.what {
        Some(What::Plan(plan)) => json!({"plan": {
            "subject": plan.subject.as_ref().map(|subject| &subject.id),
            "ordering": word(plan.ordering().as_str_name(), "ORDERING_"),
            "steps": plan.steps.iter().map(step).collect::<Value>(),
            "violations": plan.violations.iter().map(json_of_violation).collect::<Value>(),
            "total_budget_cents": plan.total_budget_cents,
        }}),
        Some(What::Action(action)) => json!({"action": {
            "subject": action.subject.as_ref().map(|subject| &subject.id),
            "action": action.action.as_ref().map(|action| &action.name),
            "resource": action.resource.as_ref().map(|resource| &resource.id),
            "context": structure(&action.context),
            "reason": action.decision.as_ref().map(|decision| &decision.reason),
        }}),
        None => json!({}),
    };
    let unverified = view.unverified.as_ref().map(|texts| {
        json!({
            "intent_summary": texts.intent_summary,
            "labels": texts.labels,
            "user_messages": texts.user_messages,
        })
    });
    json!({"what": what, "unverified": unverified})
}

fn step(step: &v1::ApprovalStep) -> Value {
    let planned = step.step.clone().unwrap_or_default();
    let open = step
        .open_paths
        .iter()
        .map(|open| json!({"path": open.path, "step_id": open.step_id, "output_path": open.output_path}));
    json!({
        "step_id": planned.step_id,
        "action": planned.action,
        "provider": planned.provider,
        "resource": planned.resource,
        "params": structure(&planned.params),
        "constraints": structure(&planned.constraints),
        "idempotency_key": planned.idempotency_key,
        "budget_cents": planned.budget_cents,
        "depends_on": planned.depends_on,
        "description": planned.description,
        "open_paths": open.collect::<Value>(),
        "validation": step.validation.as_ref().map(json_of_step),
    })
}

/// One change of an approval.
pub fn change(entry: &v1::ApprovalHistoryEntry) -> Value {
    let from = match entry.from_status() {
        v1::ApprovalStatus::Unspecified => None,
        from => Some(status_word(from)),
    };
    json!({
        "approval_id": entry.approval_id,
        "from_status": from,
        "to_status": status_word(entry.to_status()),
        "actor": entry.actor,
        "reason": entry.reason,
        "at": time(&entry.at),
    })
}

/// What was redeemed.
pub fn redeemed(answer: &v1::ConsumeResponse) -> Value {
    json!({
        "approval_id": answer.approval_id,
        "mode": word(answer.mode().as_str_name(), "REDEMPTION_MODE_"),
        "redeemed_steps": answer.redeemed_steps,
        "remaining": answer.remaining,
        "grant": answer.grant,
        "replayed": answer.replayed,
        "consumed_at": time(&answer.consumed_at),
        "step_hash": answer.step_hash,
    })
}

/// The name of a status.
pub fn status_word(status: v1::ApprovalStatus) -> &'static str {
    word(status.as_str_name(), "APPROVAL_STATUS_")
}

/// A time as RFC 3339.
pub fn time(time: &Option<prost_types::Timestamp>) -> Option<String> {
    let time = time.as_ref()?;
    let micros = time.seconds.checked_mul(1_000_000)?.checked_add(i64::from(time.nanos / 1_000))?;
    Some(Timestamp::from_micros(micros).to_string())
}

/// Attributes as JSON, members in the order of their names.
pub fn structure(structure: &Option<prost_types::Struct>) -> Value {
    use prost_types::value::Kind;
    fn value(of: &prost_types::Value) -> Value {
        match &of.kind {
            Some(Kind::BoolValue(truth)) => json!(truth),
            Some(Kind::NumberValue(number)) => number_of(*number),
            Some(Kind::StringValue(text)) => json!(text),
            Some(Kind::ListValue(list)) => list.values.iter().map(value).collect(),
            Some(Kind::StructValue(map)) => members(map),
            Some(Kind::NullValue(_)) | None => Value::Null,
        }
    }
    fn members(map: &prost_types::Struct) -> Value {
        let sorted: std::collections::BTreeMap<_, _> = map.fields.iter().collect();
        Value::Object(sorted.into_iter().map(|(key, of)| (key.clone(), value(of))).collect())
    }
    fn number_of(number: f64) -> Value {
        serde_json::to_value(crate::model::Value::Number(number)).unwrap_or_default()
    }
    structure.as_ref().map_or_else(|| serde_json::to_value(Attributes::default()).unwrap_or_default(), members)
}
