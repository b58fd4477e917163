//! Any condition: it is refused with places that can be shown, or compiled, and then its value is the same however it is
//! asked for. A random expression has the value that the `cel` crate gives it.

use std::ops::Range;

use lictor::condition::{
    Bindings, Budget, Condition, ConditionError, ConditionSource, ExpressionError, ListClause, Place, Problem, compile,
    eval_expression,
};
use lictor::model::{Action, Attributes, Effect, Request, Resource, Subject, Timestamp, Value};

#[path = "expression.rs"]
mod expression;
#[path = "oracle.rs"]
mod oracle;

use super::bytes::Bytes;

/// The context of the question that is decided.
pub const CONTEXT: &str = r#"{"n": 4, "half": 0.5, "s": "héllo", "b": true, "z": null, "l": [1, 2, 3], "w": ["a", "bb"], "m": {"k": "v", "d": {"x": 1}}}"#;

/// The property. The first byte chooses: a text of `when`, a structured list, or an expression that both know.
pub fn check(input: &[u8]) {
    let mut input = Bytes(input);
    match input.below(4) {
        0 => {
            let Ok(text) = std::str::from_utf8(input.0) else { return };
            check_when(text);
        }
        1 => check_list(&mut input),
        _ => check_against_oracle(&expression::random(&mut input)),
    }
}

fn check_when(text: &str) {
    for effect in [Effect::Allow, Effect::Deny] {
        let (condition, problems) = compile(&ConditionSource { when: Some(text), list: &[] }, effect);
        assert_eq!(condition.is_none(), problems.iter().any(|problem| problem.is_error), "{problems:?}");
        for problem in &problems {
            let Place::When(Range { start, end }) = problem.place else { panic!("{problem:?}") };
            assert!(text.get(start..end).is_some(), "{problem:?} points outside of the text, or into a character");
        }
        if let Some(condition) = condition {
            let _ = check_condition(&condition);
        }
    }
}

/// The list's operators never fail: at most, evaluating it costs too much.
fn check_list(input: &mut Bytes<'_>) {
    let mut list = Vec::new();
    while !input.is_empty() && list.len() < 4 {
        let field =
            ["params.n", "context.s", "context.l", "agent_role", "context.m.d.x", "subject.properties.level", "now"];
        let operator = ["==", "!=", ">", ">=", "<", "<=", "contains", "matches", "in", "not_in", "exists", "=~"];
        let field = match input.below(field.len() + 1) {
            0 => String::from_utf8_lossy(input.take(12)).into_owned(),
            known => field[known - 1].to_owned(),
        };
        let operator = operator[input.below(operator.len())];
        list.push(ListClause { field: field.into(), operator: operator.into(), value: value(input, 2) });
    }
    let (condition, problems) = compile(&ConditionSource { when: None, list: &list }, Effect::Deny);
    assert_eq!(
        condition.is_none() && !list.is_empty(),
        problems.iter().any(|problem| problem.is_error),
        "{problems:?}"
    );
    for problem in &problems {
        assert!(place_in_list(problem).is_some_and(|index| index < list.len()), "{problem:?}");
    }
    if let Some(condition) = condition {
        let result = check_condition(&condition);
        assert!(matches!(result, Ok(_) | Err(ConditionError::Limit)), "{result:?} of {list:?}");
    }
}

fn place_in_list(problem: &Problem) -> Option<usize> {
    match problem.place {
        Place::Field(index) | Place::Operator(index) | Place::Value(index) => Some(index),
        Place::When(_) => None,
    }
}

fn value(input: &mut Bytes<'_>, depth: u8) -> Option<Value> {
    Some(match input.below(if depth == 0 { 5 } else { 6 }) {
        0 => return None,
        1 => Value::Null,
        2 => Value::Bool(input.byte() & 1 == 1),
        3 => Value::Number(f64::from(input.byte()) / 4.0),
        4 => Value::String(String::from_utf8_lossy(input.take(6)).as_ref().into()),
        _ => {
            let count = input.below(4);
            Value::List((0..count).filter_map(|_| value(input, depth - 1)).collect())
        }
    })
}

/// Evaluated, evaluated again and explained, a condition has one value, within its budget.
fn check_condition(condition: &Condition) -> Result<bool, ConditionError> {
    let request = request();
    let bindings = Bindings::of_request(&request, NOW);
    let mut budget = BUDGET;
    let result = condition.evaluate(&bindings, &mut budget);
    let mut exact = Budget { remaining: BUDGET.remaining - budget.remaining };
    assert_eq!(condition.evaluate(&bindings, &mut exact), result, "within what it costs");
    if result != Err(ConditionError::Limit) {
        let explained = condition.explain(&bindings, &mut Budget { remaining: u64::MAX }).result;
        assert_eq!(explained.is_err(), result.is_err(), "explained {explained:?}, decided {result:?}");
        assert_eq!(explained.ok(), result.clone().ok());
        assert!(condition.constant().is_none_or(|constant| result == Ok(constant)));
    }
    result
}

fn check_against_oracle(text: &str) {
    let request = request();
    let bindings = Bindings::of_request(&request, NOW);
    let ours = eval_expression(text, &bindings, &mut { BUDGET });
    match (&ours, oracle::value(text, CONTEXT)) {
        (Ok(ours), Some(theirs)) => assert_eq!(ours.to_string(), theirs, "{text}"),
        (Err(ExpressionError::Failed(ConditionError::Limit)), _) | (Err(_), None) => {}
        (ours, theirs) => panic!("{text}\n ours {ours:?}\n theirs {theirs:?}"),
    }
}

const BUDGET: Budget = Budget { remaining: 100_000 };
/// 2026-03-14T09:26:53.589793Z.
const NOW: Timestamp = Timestamp::from_micros(1_773_480_413_589_793);

fn request() -> Request {
    Request {
        tenant_id: "acme".into(),
        subject: Subject {
            kind: "agent".into(),
            id: "support-7".into(),
            roles: vec!["support".into(), "night".into()],
            properties: attributes(r#"{"team": "blue", "level": 3}"#),
            on_behalf_of: "".into(),
        },
        action: Action { name: "payment.refund".into(), properties: Attributes::default() },
        resource: Resource { kind: "order".into(), id: "eu/4711".into(), properties: attributes(r#"{"open": true}"#) },
        context: attributes(CONTEXT),
        ..Request::default()
    }
}

fn attributes(json: &str) -> Attributes {
    let json: serde_json::Value = serde_json::from_str(json).unwrap();
    match Value::try_from(&json) {
        Ok(Value::Map(map)) => map,
        other => panic!("not a map: {other:?}"),
    }
}
