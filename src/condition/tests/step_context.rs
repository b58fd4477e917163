//! A step read in place against the same context made into a map: nothing may tell the two apart.

use super::conditions::{cel, clause};
use super::{NOW, budget, request};
use crate::condition::{Bindings, Condition, ConditionSource, StepContext, compile};
use crate::model::{Attributes, Effect, Step, Value};

const STEP: &str = r#"{"to": "ann", "amount": 5, "empty": {}, "deep": {"list": [1, 2], "text": "x"}, "none": null}"#;

fn step(params: &str) -> Step {
    let attributes = |json: &str| match Value::try_from(&serde_json::from_str::<serde_json::Value>(json).unwrap()) {
        Ok(Value::Map(map)) => map,
        other => panic!("not a map: {other:?}"),
    };
    Step {
        step_id: "s1".into(),
        provider: "mail".into(),
        budget_cents: Some(7),
        params: attributes(params),
        constraints: attributes(r#"{"environment": "dev"}"#),
        ..Step::default()
    }
}

/// Asserts that `condition` makes the same of a step and of the map, at the same cost.
fn assert_same(condition: &Condition, step: &Step, what: &str) {
    let context = StepContext::of(step, None);
    let base = request("{}");
    let (mut in_place, mut in_map) = (budget(), budget());
    let found = condition.evaluate(&Bindings::of_request_for(&base, &context, NOW), &mut in_place);
    let whole = request("{}");
    let whole = crate::model::Request { context: context.whole().clone(), ..whole };
    let expected = condition.evaluate(&Bindings::of_request(&whole, NOW), &mut in_map);
    assert_eq!(found, expected, "{what}");
    assert_eq!(in_place.remaining, in_map.remaining, "{what}");
}

#[test]
fn a_step_reads_as_its_context() {
    for params in [STEP, "{}", r#"{"to": {"amount": 1}}"#] {
        let step = step(params);
        for text in [
            "context.params.to == 'ann'",
            "context.params.to == 'bob'",
            "context.params.amount > 4.0",
            "context.params.gone == 'x'",
            "context.params.to.amount == 1.0",
            "context.params.deep.text.startsWith('x')",
            "context.params.deep.gone",
            "2.0 in context.params.deep.list",
            "has(context.params)",
            "has(context.params.to)",
            "has(context.params.gone)",
            "has(context.params.deep.text)",
            "has(context.params.gone.text)",
            "has(context.constraints.environment) && context.constraints.environment == 'dev'",
            "has(context.gone)",
            "has(context.idempotency_key)",
            "context.gone == 'x'",
            "context.gone.to == 'x'",
            "context.provider == 'mail' && context.step_id == 's1' && context.budget_cents == 7.0",
            "context.provider.to == 'x'",
            "context.params.size() == 5",
            "context.size() == 5",
            "'params' in context && 'to' in context.params",
            "context.params['to'] == 'ann'",
            "context.params.exists(k, k == 'deep')",
            "context.params == {'to': 'ann'}",
            "context.params.none == null",
            "context.params",
        ] {
            assert_same(&cel(text), &step, &format!("{text} {params}"));
        }
        for (field, operator, value) in [
            ("params.to", "==", "\"ann\""),
            ("context.params.to", "!=", "\"ann\""),
            ("context.params", "exists", ""),
            ("context.params.empty", "exists", ""),
            ("context.constraints", "==", r#"{"environment": "dev"}"#),
            ("context.params.deep.list", "contains", "2"),
            ("context", "exists", ""),
            ("context.gone", "exists", ""),
        ] {
            let list = [clause(field, operator, value)];
            let (condition, problems) = compile(&ConditionSource { when: None, list: &list }, Effect::Deny);
            let condition = condition.unwrap_or_else(|| panic!("{field}: {problems:?}"));
            assert_same(&condition, &step, &format!("{field} {operator} {params}"));
        }
    }
}

#[test]
fn what_says_nothing_is_left_out() {
    let step = Step::default();
    let keys = |context: &Attributes| context.iter().map(|(key, _)| key.to_string()).collect::<Vec<_>>();
    assert_eq!(keys(StepContext::of(&step, None).whole()), ["params", "constraints"]);
}
