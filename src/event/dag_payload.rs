//! Payloads of the events of an audit.

use super::dag_record::DagRecord;
use super::json::{self, TimeFormat};
use super::plan_payload::step;
use crate::model::{BoundTo, DagNode, DagVerification, Execution, Text};

/// Appends the payload of an audit's event.
pub(super) fn write(out: &mut Vec<u8>, times: &mut TimeFormat, record: &DagRecord) {
    let DagRecord { plan, verification, .. } = record;
    out.push(b'{');
    json::string_member(out, "tenant_id", plan.tenant());
    json::nullable_member(out, "request_id", &plan.request_id);
    json::nullable_member(out, "ir_hash", &verification.ir_hash);
    json::nullable_member(out, "dag_hash", &verification.dag_hash);
    json::integer_member(out, "step_count", plan.steps.len() as u64);
    json::integer_member(out, "dag_node_count", record.nodes.len() as u64);
    json::integer_member(out, "execution_count", record.executions.len() as u64);
    json::bool_member(out, "all_hashes_match", verification.success);
    json::key(out, "verified_at");
    times.write(out, record.verified_at);
    json::string_member(out, "bound_to", verification.bound_to.as_str());
    match verification.bound_to {
        BoundTo::Receipt => json::optional_member(out, "validation_id", &record.bound_by),
        BoundTo::Approval => json::optional_member(out, "approval_id", &record.bound_by),
        BoundTo::None => {}
    }
    json::string_member(out, "compared", verification.compared.as_str());
    json::optional_member(out, "params_snapshot", &verification.params_snapshot);
    if !verification.unchecked_params.is_empty() {
        json::key(out, "unchecked_params");
        texts(out, &verification.unchecked_params);
    }
    if !verification.success {
        json::key(out, "mismatch_details");
        details(out, verification);
    }
    json::key(out, "inputs");
    out.push(b'{');
    json::string_member(out, "tenant_id", plan.tenant());
    json::string_member(out, "ordering", plan.ordering.as_str());
    json::key(out, "steps");
    json::list(out, plan.steps.iter(), step);
    json::key(out, "nodes");
    json::list(out, record.nodes.iter(), node);
    json::key(out, "executions");
    json::list(out, record.executions.iter(), execution);
    out.extend_from_slice(b"}}");
}

/// What does not fit. The first three are always there; the others where there is something to say.
fn details(out: &mut Vec<u8>, found: &DagVerification) {
    out.push(b'{');
    json::key(out, "missing_ir_steps");
    texts(out, &found.missing_steps);
    json::key(out, "extra_dag_nodes");
    texts(out, &found.extra_nodes);
    json::key(out, "hash_mismatches");
    json::list(out, found.hash_mismatches.iter(), |out, mismatch| {
        out.push(b'{');
        json::string_member(out, "step_id", &mismatch.step_id);
        json::string_member(out, "expected_hash", &mismatch.expected);
        json::string_member(out, "actual_hash", &mismatch.actual);
        if !mismatch.changed_paths.is_empty() {
            json::key(out, "changed_paths");
            json::list(out, mismatch.changed_paths.iter(), |out, path| json::string(out, path));
        }
        out.push(b'}');
    });
    for (name, ids) in [
        ("duplicates", &found.duplicates),
        ("rewired", &found.rewired),
        ("reordered", &found.reordered),
        ("not_run", &found.not_run),
        ("refused", &found.refused),
    ] {
        if !ids.is_empty() {
            json::key(out, name);
            texts(out, ids);
        }
    }
    if !found.malformed.is_empty() {
        json::key(out, "malformed");
        json::list(out, found.malformed.iter(), |out, node| {
            out.push(b'{');
            json::integer_member(out, "index", node.index.into());
            json::string_member(out, "reason", &node.reason);
            out.push(b'}');
        });
    }
    if !found.deviations.is_empty() {
        json::key(out, "deviations");
        json::list(out, found.deviations.iter(), |out, deviation| {
            out.push(b'{');
            json::string_member(out, "kind", deviation.kind.as_str());
            json::optional_member(out, "step_id", &deviation.step_id);
            if let Some(seq) = deviation.execution_seq {
                json::integer_member(out, "execution_seq", seq);
            }
            json::string_member(out, "message", &deviation.message);
            out.push(b'}');
        });
    }
    out.push(b'}');
}

fn node(out: &mut Vec<u8>, node: &DagNode) {
    out.push(b'{');
    json::string_member(out, "ir_step_id", &node.ir_step_id);
    json::optional_member(out, "ir_step_hash", &node.ir_step_hash);
    if let Some(content) = &node.content {
        json::key(out, "content");
        step(out, content);
    }
    if !node.depends_on.is_empty() {
        json::key(out, "depends_on");
        texts(out, &node.depends_on);
    }
    if let Some(seq) = node.seq {
        json::integer_member(out, "seq", seq);
    }
    out.push(b'}');
}

fn execution(out: &mut Vec<u8>, call: &Execution) {
    out.push(b'{');
    json::integer_member(out, "seq", call.seq);
    json::optional_member(out, "step_id", &call.step_id);
    json::string_member(out, "action", &call.action);
    json::optional_member(out, "resource", &call.resource);
    json::map_member(out, "params", &call.params);
    json::string_member(out, "outcome", call.outcome.as_str());
    out.push(b'}');
}

fn texts(out: &mut Vec<u8>, texts: &[Text]) {
    json::list(out, texts.iter(), |out, text| json::string(out, text));
}
