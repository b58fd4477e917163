//! Conditions from source to value.

use super::{bindings, budget, request};
use crate::condition::{Condition, ConditionSource, ListClause, compile};
use crate::model::{Effect, Value};

pub(super) fn cel(text: &str) -> Condition {
    let (condition, problems) = compile(&ConditionSource { when: Some(text), list: &[] }, Effect::Deny);
    condition.unwrap_or_else(|| panic!("{text}: {problems:?}"))
}

pub(super) fn clause(field: &str, operator: &str, value: &str) -> ListClause {
    let value = (!value.is_empty())
        .then(|| Value::try_from(&serde_json::from_str::<serde_json::Value>(value).unwrap()).unwrap());
    ListClause { field: field.into(), operator: operator.into(), value }
}

/// `Ok(true)`, `Ok(false)` or the error, as text.
fn outcome(condition: &Condition, context: &str) -> String {
    let request = request(context);
    let value = condition.evaluate(&bindings(&request), &mut budget());
    let explained = condition.explain(&bindings(&request), &mut budget());
    assert_eq!(value, explained.result, "an explanation has the same result");
    match value {
        Ok(value) => value.to_string(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_condition_reads_the_request() {
    for (text, context, expected) in [
        ("subject.id == 'support-7' && subject.type == 'agent'", "{}", "true"),
        ("'night' in subject.roles && !('admin' in subject.roles)", "{}", "true"),
        ("subject.properties.level >= 3.0", "{}", "true"),
        ("subject.properties.level >= 3", "{}", "true"),
        ("action.name.startsWith('payment.') && resource.type == 'order'", "{}", "true"),
        ("resource.properties.open", "{}", "true"),
        ("tenant == 'acme' && now > timestamp('2026-01-01T00:00:00Z')", "{}", "true"),
        ("has(subject.on_behalf_of)", "{}", "false"),
        ("has(context.amount) && context.amount <= 50.0", r#"{"amount": 20}"#, "true"),
        ("has(context.amount) && context.amount <= 50.0", "{}", "false"),
        ("context.amount <= 50.0", "{}", "no such key `context.amount`"),
        ("context.a.b.c == 'x'", r#"{"a": {}}"#, "no such key `context.a.b`"),
        (
            "context.amount <= 50.0",
            r#"{"amount": "20"}"#,
            "no such overload: `<=` on string and double (`context.amount`)",
        ),
        ("context.amount == 20.0", r#"{"amount": "20"}"#, "false"),
        ("context.x == null", r#"{"x": null}"#, "true"),
        ("context.flag", r#"{"flag": 1}"#, "no such overload: `bool` on double (`context.flag`)"),
        ("!has(context.amount) || context.amount > 50.0", "{}", "true"),
        ("context.missing == 1 && subject.id == 'nobody'", "{}", "false"),
        ("context.missing == 1 || subject.id == 'support-7'", "{}", "true"),
        ("context.tags.exists(t, t == 'vip')", r#"{"tags": ["a", "vip"]}"#, "true"),
        ("context.tags.all(t, t.size() < 3)", r#"{"tags": ["a", "vip"]}"#, "false"),
        (
            "context['content-type'] == 'json' && context.`content-type` == 'json'",
            r#"{"content-type": "json"}"#,
            "true",
        ),
        ("now - timestamp(context.at) < duration('1h')", r#"{"at": "2026-03-14T09:00:00Z"}"#, "true"),
        ("context.amount in [10, 20, 30]", r#"{"amount": 20}"#, "true"),
        ("context.path.matches('^/srv/')", r#"{"path": "/srv/x"}"#, "true"),
        ("dyn(1) == 1 ? context.a : context.b", r#"{"a": true}"#, "true"),
        ("dyn(1)", "{}", "the condition is int, not bool"),
    ] {
        assert_eq!(outcome(&cel(text), context), expected, "{text}");
    }
}

#[test]
fn a_list_never_errors() {
    for (entry, context, expected) in [
        (clause("params.amount", ">", "50"), r#"{"params": {"amount": 51}}"#, true),
        (clause("params.amount", ">", "50"), r#"{"params": {"amount": "51"}}"#, false),
        (clause("params.amount", ">", "50"), "{}", false),
        (clause("params.amount", "!=", "50"), "{}", false),
        (clause("params.amount", "!=", "50"), r#"{"params": {"amount": "50"}}"#, false),
        (clause("params.amount", "!=", "50"), r#"{"params": {"amount": 49}}"#, true),
        (clause("params", "!=", "50"), r#"{"params": 5}"#, true),
        (clause("agent_id", "==", r#""support-7""#), "{}", true),
        (clause("agent.role", "==", r#""night""#), "{}", true),
        (clause("agent_role", "!=", r#""admin""#), "{}", true),
        (clause("agent_role", "not_in", r#"["night"]"#), "{}", false),
        (clause("agent_role", "in", r#"["admin", "night"]"#), "{}", true),
        (clause("agent_role", "contains", r#""nig""#), "{}", false),
        (clause("agent_role", "matches", r#""^nig""#), "{}", true),
        (clause("action", "contains", r#""refund""#), "{}", true),
        (clause("action.name", "in", r#"["payment.refund"]"#), "{}", true),
        (clause("resource", "==", r#""eu/4711""#), "{}", true),
        (clause("environment.name", "exists", ""), r#"{"environment": {"name": "prod"}}"#, true),
        (clause("environment.name", "exists", ""), r#"{"environment": {"name": null}}"#, false),
        (clause("environment.name", "exists", "false"), "{}", true),
        (clause("context.x", "==", "null"), r#"{"x": null}"#, true),
        (clause("context.x", "!=", "null"), r#"{"x": 1}"#, true),
        (clause("context.x", "==", "null"), "{}", false),
        (clause("context.x", "in", "[1, 2]"), r#"{"x": 2}"#, true),
        (clause("context.x", "not_in", "[1, 2]"), r#"{"x": "2"}"#, false),
        (clause("context.x", "not_in", "[1, 2]"), r#"{"x": 3}"#, true),
        (clause("context.x", "==", r#""15""#), r#"{"x": 15}"#, false),
        (clause("context.x", "<", r#""b""#), r#"{"x": "a"}"#, true),
        (clause("context.x", "contains", "2"), r#"{"x": [1, 2]}"#, true),
        (clause("context.x.y", "==", "2"), r#"{"x": "flat"}"#, false),
        (clause("tenant", "==", r#""acme""#), "{}", true),
        (clause("subject.on_behalf_of", "exists", ""), "{}", false),
    ] {
        let (condition, problems) =
            compile(&ConditionSource { when: None, list: std::slice::from_ref(&entry) }, Effect::Allow);
        let condition = condition.unwrap_or_else(|| panic!("{entry:?}: {problems:?}"));
        assert_eq!(outcome(&condition, context), expected.to_string(), "{entry:?} on {context}");
    }
}
