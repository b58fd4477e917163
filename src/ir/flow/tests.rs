//! Plans and what may flow in them.

mod properties;
mod semantics;
mod size;

use std::sync::Arc;

use serde_json::{Value as Json, json};

use crate::diag::{Sources, Span};
use crate::model::{
    Attributes, Input, Observation, Ordering, Origin, Plan, Step, Text, ValidationStatus, Value, Violation,
    ViolationSeverity,
};
use crate::policy::{CatalogAction, FlowRule, LabelledPath, PathPattern};

use super::{FULL_WORK, FlowFindings, check};

/// What an assistant may do, in the tests.
fn catalogue() -> Vec<CatalogAction> {
    let catalogue = json!({
        "mail.search": {
            "labels": ["strangers"],
            "outputs": {"/*/id": [], "/*/sender": []},
        },
        "wiki.read": {"labels": ["strangers"], "outputs": {"/list": ["members"]}},
        "chat.read": {"labels": ["members"], "outputs": {"/*/author": []}},
        "contacts.list": {"labels": [], "outputs": {"/*": [], "/*/note": ["strangers"]}},
        "text.sum": {"labels": []},
        "files.create": {"labels": [], "outputs": {"/id": []}, "parameters": {"/title": ["title"]}},
        "bank.transfer": {
            "labels": ["side_effect"],
            "parameters": {"/recipient": ["recipient"], "/amount": ["amount"], "/date": ["amount"]},
            "schema": {"properties": {"date": {"type": "string", "format": "date"}}},
        },
        "bank.batch": {
            "parameters": {"/payees": ["recipient"], "/parts/total": ["recipient"]},
            "schema": {"properties": {"payees": {"properties": {"note": {}}, "additionalProperties": {
                "properties": {"amount": {"type": "number"}}}}}},
        },
        "mail.send": {"parameters": {"/to/*": ["recipient"], "/body": ["content"]}},
    });
    catalogue.as_object().into_iter().flatten().map(|(name, entry)| action(name, entry)).collect()
}

fn rules() -> Vec<FlowRule> {
    let rule = |name: &str, from: &str, to: &str, effect, level| FlowRule {
        document: "risk".into(),
        name: name.into(),
        from: from.into(),
        to: to.into(),
        effect,
        required_level: level,
        reason: "".into(),
        span: span(),
    };
    vec![
        rule("who", "strangers", "recipient", ValidationStatus::Reject, None),
        rule("much", "strangers", "amount", ValidationStatus::Escalate, Some(3)),
        rule("chat-who", "members", "recipient", ValidationStatus::Escalate, Some(2)),
    ]
}

fn span() -> Span {
    Span::new(Sources::default().add("tests", ""), 0, 0)
}

fn action(name: &str, entry: &Json) -> CatalogAction {
    CatalogAction {
        name: name.into(),
        tier: 0,
        resource_type: None,
        each: Vec::new(),
        providers: None,
        labels: texts(&entry["labels"]),
        outputs: labelled(&entry["outputs"]),
        parameters: labelled(&entry["parameters"]),
        count_paths: Vec::new(),
        count_together: false,
        params_schema: entry.get("schema").map(|schema| Arc::new(schema.clone())),
        params_check: None,
        span: span(),
    }
}

fn labelled(entries: &Json) -> Vec<LabelledPath> {
    let entries = entries.as_object().into_iter().flatten();
    entries
        .map(|(path, labels)| LabelledPath { path: PathPattern::parse(path).expect("a path"), labels: texts(labels) })
        .collect()
}

fn texts(list: &Json) -> Vec<Text> {
    list.as_array().into_iter().flatten().map(text).collect()
}

fn text(json: &Json) -> Text {
    json.as_str().unwrap_or_default().into()
}

/// `{dag, said: [text], seen: {step: output}, steps: [{id, do, params, after: [id], in: [[path, origin…]]}]}`, where an
/// origin is `"user", quote`, `"constant"`, or `"step", id, path`.
fn plan(json: &Json) -> Plan {
    let list = |json: &Json| json.as_array().cloned().unwrap_or_default();
    let value = |json: &Json| Value::try_from(json).expect("a value");
    Plan {
        ordering: if json["dag"] == json!(true) { Ordering::Dag } else { Ordering::Sequential },
        user_messages: texts(&json["said"]),
        observations: json["seen"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(step, output)| Observation { step_id: step.into(), output: value(output) })
            .collect(),
        steps: list(&json["steps"])
            .iter()
            .map(|step| Step {
                step_id: text(&step["id"]),
                action: text(&step["do"]),
                params: step["params"]
                    .as_object()
                    .map_or_else(Attributes::default, |map| Attributes::try_from(map).expect("params")),
                depends_on: texts(&step["after"]),
                inputs: list(&step["in"]).iter().map(input).collect(),
                ..Step::default()
            })
            .collect(),
        ..Plan::default()
    }
}

fn input(json: &Json) -> Input {
    let origin = match json[1].as_str() {
        Some("user") => Origin::User { quote: text(&json[2]) },
        Some("step") => Origin::Step { step_id: text(&json[2]), output_path: text(&json[3]) },
        _ => Origin::Constant,
    };
    Input { path: text(&json[0]), origin }
}

fn findings(plan: &Plan) -> FlowFindings {
    let (catalogue, rules) = (catalogue(), rules());
    let actions: Vec<Option<&CatalogAction>> =
        plan.steps.iter().map(|step| catalogue.iter().find(|action| action.name == step.action)).collect();
    check(plan, &actions, &rules, FULL_WORK)
}

/// `step/path severity rule`, sorted.
fn summary(violations: &[Violation]) -> Vec<String> {
    let mut lines: Vec<String> = violations
        .iter()
        .map(|violation| {
            let (_, path) = violation.path.split_once(".params").expect("a path into params");
            let severity = match violation.severity {
                ViolationSeverity::Error => "rejects",
                ViolationSeverity::Warning => "escalates",
            };
            let rule = violation.rule.strip_prefix("risk/").expect("a rule of ours");
            format!("{}{path} {severity} {rule}", violation.step_id)
        })
        .collect();
    lines.sort();
    lines
}

fn violated(json: &Json) -> Vec<String> {
    summary(&findings(&plan(json)).violations)
}
