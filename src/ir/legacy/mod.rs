//! `LEGACY_V1`: the hashes that the predecessor gave to its plans, so that its approvals and records can still be checked.
//!
//! They differ from [`plan_hash`](super::plan_hash) in what they cover (also request id, time, intent, labels and fields
//! that the validator computes, as they stand in the object), in form (bare hexadecimal, keys by code point, nulls and
//! defaults written out) and in what they refuse (every fraction). They bind nothing new: use them to look back only.

mod canonical;
mod fields;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use self::canonical::Writer;
use self::fields::Object;
use super::hex::hex;

/// Something that the predecessor's canonical form cannot hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct LegacyRefusal {
    /// Where, for example `steps[0].params/amount`; empty for the whole.
    pub path: String,
    /// What is wrong.
    pub message: String,
}

/// The hash of a step in the predecessor's JSON: 64 hexadecimal digits.
///
/// Absent fields have the predecessor's defaults: `params` and `constraints` `{}`, `requires_approval` false, all others
/// null. `risk_tier` and `requires_approval` count as they stand: before validation, or as the validator left them.
///
/// # Errors
/// Everything that is no such step, or has no canonical form.
pub fn step_hash(step: &Value) -> Result<String, Vec<LegacyRefusal>> {
    let mut refusals = Vec::new();
    let step = step_of(step, String::new(), &mut refusals);
    hash(&step, refusals)
}

/// The hashes of a plan and of its steps in the predecessor's JSON.
///
/// `request_id` and `created_at` must be there: the predecessor made them up, and hashed them. `created_at` is a time
/// without zone; one in UTC is taken for that.
///
/// # Errors
/// Everything that is no such plan, or has no canonical form.
pub fn plan_hashes(plan: &Value) -> Result<LegacyHashes, Vec<LegacyRefusal>> {
    let mut refusals = Vec::new();
    let Some(mut object) = Object::read(plan, String::new(), "a plan", fields::PLAN, &mut refusals) else {
        return Err(refusals);
    };
    let created_at = object.time("created_at");
    let intent = object.optional_string("intent_summary");
    let labels = object.labels("labels");
    let request_id = object.string("request_id", false);
    let list = object.list("steps");
    let tenant_id = object.string("tenant_id", true);
    let mut steps = Vec::with_capacity(list.len());
    for (i, step) in list.iter().enumerate() {
        steps.push(step_of(step, format!("steps[{i}]"), &mut refusals));
    }
    let step_hashes = steps.iter().map(|step| hash(step, Vec::new()).unwrap_or_default()).collect();
    let whole = Value::Object(Map::from_iter([
        ("created_at".to_owned(), created_at),
        ("intent_summary".to_owned(), intent),
        ("labels".to_owned(), labels),
        ("request_id".to_owned(), request_id),
        ("steps".to_owned(), Value::Array(steps)),
        ("tenant_id".to_owned(), tenant_id),
    ]));
    hash(&whole, refusals).map(|ir_hash| LegacyHashes { ir_hash, step_hashes })
}

/// The predecessor's hashes of one plan, each 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegacyHashes {
    /// That of the whole.
    pub ir_hash: String,
    /// That of each step, in the order of the plan.
    pub step_hashes: Vec<String>,
}

/// The hash of a DAG in the predecessor's JSON: over its nodes' `ir_step_id` and `ir_step_hash`, sorted by id as text
/// ("10" before "2"). Other fields of a node are not covered.
///
/// # Errors
/// Everything that is no list of such nodes, or has no canonical form.
pub fn dag_hash(nodes: &Value) -> Result<String, Vec<LegacyRefusal>> {
    let mut refusals = Vec::new();
    let Value::Array(list) = nodes else {
        return Err(vec![LegacyRefusal { path: String::new(), message: "a DAG is a list of nodes".to_owned() }]);
    };
    let mut pairs = Vec::with_capacity(list.len());
    for (i, node) in list.iter().enumerate() {
        let text = |name: &str| node.get(name).and_then(Value::as_str);
        match (text("ir_step_id"), text("ir_step_hash")) {
            (Some(id), Some(hash)) => pairs.push((id, hash)),
            _ => refusals.push(LegacyRefusal {
                path: format!("[{i}]"),
                message: "a node has the texts `ir_step_id` and `ir_step_hash`".to_owned(),
            }),
        }
    }
    // A stable sort, as the predecessor's: nodes that share an id keep their order.
    pairs.sort_by_key(|(id, _)| *id);
    let sorted = pairs.into_iter().map(|(id, hash)| serde_json::json!({"ir_step_hash": hash, "ir_step_id": id}));
    hash(&sorted.collect(), refusals)
}

/// The step with every field, defaults filled in.
fn step_of(step: &Value, path: String, refusals: &mut Vec<LegacyRefusal>) -> Value {
    let Some(mut object) = Object::read(step, path, "a step", fields::STEP, refusals) else { return Value::Null };
    Value::Object(Map::from_iter([
        ("action".to_owned(), object.string("action", false)),
        ("budget_cents".to_owned(), object.integer("budget_cents", 0..=i64::MAX)),
        ("constraints".to_owned(), object.map("constraints")),
        ("description".to_owned(), object.optional_string("description")),
        ("idempotency_key".to_owned(), object.string("idempotency_key", true)),
        ("params".to_owned(), object.map("params")),
        ("provider".to_owned(), object.string("provider", false)),
        ("requires_approval".to_owned(), object.boolean("requires_approval")),
        ("resource".to_owned(), object.string("resource", true)),
        ("risk_tier".to_owned(), object.integer("risk_tier", 0..=3)),
        ("step_id".to_owned(), object.optional_string("step_id")),
    ]))
}

fn hash(value: &Value, mut refusals: Vec<LegacyRefusal>) -> Result<String, Vec<LegacyRefusal>> {
    let mut writer = Writer { out: Vec::new(), refusals: &mut refusals };
    writer.write(value);
    let out = writer.out;
    if !refusals.is_empty() {
        return Err(refusals);
    }
    Ok(hex(&Sha256::digest(&out).into()).into_iter().map(char::from).collect())
}
