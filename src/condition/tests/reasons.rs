//! Explanations, and what attributes must equal.

use super::conditions::{cel, clause};
use super::{bindings, budget, request};
use crate::condition::{ConditionSource, WhenMissing, compile};
use crate::model::{Effect, Value};

#[test]
fn the_clause_that_settles_is_named_with_its_values() {
    let list = [clause("params.amount", ">", "50"), clause("action", "==", "\"payment.refund\"")];
    let source = ConditionSource { when: Some("has(context.a) && (context.a > 1.0 || tenant == 'x')"), list: &list };
    let (condition, _) = compile(&source, Effect::Deny);
    let condition = condition.unwrap();
    for (context, result, clause, values) in [
        ("{}", "Ok(false)", "has(context.a)", "context.a=None"),
        (
            r#"{"a": 0}"#,
            "Ok(false)",
            "(context.a > 1.0 || tenant == 'x')",
            "context.a=Some(Number(0.0)) tenant=Some(String(\"acme\"))",
        ),
        (r#"{"a": 2}"#, "Ok(false)", "params.amount > 50", "context.params.amount=None"),
        (
            r#"{"a": "text", "params": {"amount": 60}}"#,
            "Err(NoSuchOverload",
            "(context.a > 1.0 || tenant == 'x')",
            "context.a=Some(String(\"text\")) tenant=Some(String(\"acme\"))",
        ),
        (
            r#"{"a": "text", "params": {"amount": 6}}"#,
            "Ok(false)",
            "params.amount > 50",
            "context.params.amount=Some(Number(6.0))",
        ),
        (
            r#"{"a": 2, "params": {"amount": 60}}"#,
            "Ok(true)",
            "has(context.a) && (context.a > 1.0 || tenant == 'x') && params.amount > 50 && action == \"payment.refund\"",
            "context.a=Some(Number(2.0)) tenant=Some(String(\"acme\")) context.params.amount=Some(Number(60.0)) action.name=Some(String(\"payment.refund\"))",
        ),
    ] {
        let request = request(context);
        let explained = condition.explain(&bindings(&request), &mut budget());
        assert!(format!("{:?}", explained.result).starts_with(result), "{context}: {explained:?}");
        assert_eq!(explained.clause, clause, "{context}");
        let found: Vec<String> =
            explained.values.iter().map(|value| format!("{}={:?}", value.path, value.value)).collect();
        assert_eq!(found.join(" "), values, "{context}");
    }
}

#[test]
fn what_has_no_fields_is_named() {
    for (text, context, expected) in [
        ("context.x.y == 1", r#"{"x": 1}"#, "`context.x` is a number and has no fields"),
        ("context.x.y.z == 1", r#"{"x": {"y": "a"}}"#, "`context.x.y` is a string and has no fields"),
        ("context.x.y.z == 1", r#"{"x": [1]}"#, "`context.x` is a list and has no fields"),
        ("has(context.x.y.z)", r#"{"x": {"y": null}}"#, "`context.x.y` is null and has no fields"),
        ("has(context.x.y.z)", r#"{"x": true}"#, "`context.x` is a bool and has no fields"),
        ("dyn(tenant).y == 1", "{}", "the value is a string and has no fields"),
    ] {
        let request = request(context);
        let error = cel(text).evaluate(&bindings(&request), &mut budget()).unwrap_err();
        assert_eq!(error.to_string(), format!("no such overload: {expected}"), "{text} of {context}");
    }
}

#[test]
fn required_equalities_are_found_in_the_outermost_terms() {
    let of = |when: Option<&str>, list: &[crate::condition::ListClause]| -> Vec<String> {
        let (condition, problems) = compile(&ConditionSource { when, list }, Effect::Deny);
        let condition = condition.unwrap_or_else(|| panic!("{problems:?}"));
        condition
            .required_equalities()
            .iter()
            .map(|required| {
                let values: Vec<String> =
                    required.values.iter().map(|value| serde_json::to_string(value).unwrap()).collect();
                let element = if required.any_element { "any " } else { "" };
                format!("{} {element}{} {:?}", required.path.as_str(), values.join("|"), required.when_missing)
            })
            .collect()
    };
    assert_eq!(
        of(Some("context.a == 'x' && tenant in ['a', 'b'] && context.n > 1.0"), &[]),
        ["context.a \"x\" Error", "tenant \"a\"|\"b\" Impossible"]
    );
    assert_eq!(of(Some("5 == context.a.b"), &[]), ["context.a.b 5 Error"]);
    for (text, when_missing) in [
        ("has(context.a) && context.a == 'x'", "context.a \"x\" False"),
        ("has(context.b) && context.a == 'x'", "context.a \"x\" Error"),
        ("!has(context.a) && context.a == 'x'", "context.a \"x\" Error"),
        // `has` fails where `context.a` is no map.
        ("has(context.a) && has(context.a.b) && context.a.b == 'x'", "context.a.b \"x\" Error"),
    ] {
        assert_eq!(of(Some(text), &[]), [when_missing], "{text}");
    }
    assert_eq!(of(Some("context.a.b == 'x'"), &[clause("context.a.b", "exists", "true")]), ["context.a.b \"x\" False"]);
    assert_eq!(of(Some("'admin' in subject.roles"), &[]), ["subject.roles any \"admin\" Impossible"]);
    assert_eq!(
        of(None, &[clause("params.env", "==", "\"prod\""), clause("agent_role", "in", "[\"a\", 1, null]")]),
        ["context.params.env any \"prod\" False", "subject.roles any \"a\"|1|null Impossible"]
    );
    for text in [
        "context.a != 'x'",
        "!(context.a == 'x')",
        "context.a == 'x' || tenant == 'b'",
        "context.a == [1]",
        "'k' in context.m",
        "context.a == 9223372036854775807",
        "now == timestamp('2020-01-01T00:00:00Z')",
    ] {
        assert_eq!(of(Some(text), &[]), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn an_attribute_without_the_required_value_settles_the_condition() {
    let condition = cel("context.a == 'x' && context.gone > 1.0");
    let required = condition.required_equalities().remove(0);
    assert_eq!(required.when_missing, WhenMissing::Error);
    let present = request(r#"{"a": 5}"#);
    assert_eq!(required.path.read(&bindings(&present)).map(|found| found.to_value()), Some(Value::Number(5.0)));
    assert_eq!(condition.evaluate(&bindings(&present), &mut budget()), Ok(false));
    let missing = request("{}");
    assert!(required.path.read(&bindings(&missing)).is_none());
    assert!(condition.evaluate(&bindings(&missing), &mut budget()).is_err());
}

#[test]
fn constants_are_known() {
    for (text, expected) in [
        ("true", Some(true)),
        ("1 + 1 == 2", Some(true)),
        ("false && context.a", Some(false)),
        ("context.a || true", Some(true)),
        ("[1, 2].exists(x, x == 2)", Some(true)),
        ("'abc'.matches('b') && size('a') == 1", Some(true)),
        ("timestamp('2020-01-01T00:00:00Z') < timestamp('2021-01-01T00:00:00Z')", Some(true)),
        ("true ? false : context.a", Some(false)),
        ("1 / 0 == 1", None),
        ("now > timestamp('2020-01-01T00:00:00Z')", None),
        ("context.a == 1", None),
    ] {
        assert_eq!(cel(text).constant(), expected, "{text}");
    }
    let (condition, _) = compile(&ConditionSource::default(), Effect::Deny);
    assert_eq!(condition.unwrap().constant(), Some(true));
    let list = [clause("tenant", "==", "\"x\"")];
    let (condition, _) = compile(&ConditionSource { when: Some("false"), list: &list }, Effect::Deny);
    assert_eq!(condition.unwrap().constant(), Some(false));
}

#[test]
fn errors_are_small() {
    assert!(size_of::<crate::condition::ConditionError>() <= 16);
}
