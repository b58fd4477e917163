//! Plans of the largest size, meant well and not.

use serde_json::json;

use crate::model::{Attributes, Input, Ordering, Origin, Plan, Step, Value};

use super::{findings, plan};

fn steps(count: usize, make: impl Fn(usize) -> Step) -> Vec<Step> {
    (0..count).map(make).collect()
}

#[test]
fn a_thousand_steps_that_say_where_everything_comes_from() {
    let recipients: Vec<String> = (0..1000).map(|number| format!("friend-{number}@x.com")).collect();
    let said = format!("write to {}", recipients.join(", "));
    let mut plan = plan(&json!({"said": [said]}));
    plan.steps = steps(1000, |number| {
        let to = recipients[number].as_str();
        let params = json!({"to": [to], "body": "x".repeat(100)});
        Step {
            step_id: format!("s{number}").into(),
            action: if number == 0 { "mail.search" } else { "mail.send" }.into(),
            params: Attributes::try_from(params.as_object().expect("a map")).expect("params"),
            inputs: vec![Input { path: "/to".into(), origin: Origin::User { quote: to.into() } }],
            ..Step::default()
        }
    });
    assert_eq!(findings(&plan).violations, []);
    plan.user_messages.clear();
    assert_eq!(findings(&plan).violations.len(), 999);
}

#[test]
fn a_dag_in_which_everything_depends_on_everything() {
    let plan = Plan {
        ordering: Ordering::Dag,
        steps: steps(600, |number| Step {
            step_id: format!("s{number:03}").into(),
            action: if number == 0 { "mail.search" } else { "bank.transfer" }.into(),
            params: Attributes::from_entries(vec![("recipient".into(), Value::String("x".into()))]).expect("params"),
            depends_on: (0..number).map(|before| format!("s{before:03}").into()).collect(),
            ..Step::default()
        }),
        ..Plan::default()
    };
    assert_eq!(findings(&plan).violations.len(), 599);
}

/// An argument of many small parts, each of which is looked for among many others.
#[test]
fn an_argument_in_a_hundred_thousand_parts() {
    for (part, said) in [("19:00 ", true), ("bob ", true), ("12:00 13 ", false)] {
        let recipient = format!("bob {}", part.repeat(100_000));
        let claim = json!([["/recipient", "user", "bob"], ["/recipient", "user", "bob"]]);
        let plan = plan(&json!({"said": ["write to bob"], "steps": [
            {"id": "read", "do": "mail.search"},
            {"id": "pay", "do": "bank.transfer", "params": {"recipient": recipient}, "in": claim}]}));
        assert_eq!(findings(&plan).violations.is_empty(), said, "{part}");
    }
}

/// Quotes that all nearly stand in a long message: the work is bounded, and what could not be compared does not hold.
#[test]
fn hostile_quotes_end_in_refusal() {
    let message = "ab ba ".repeat(50_000);
    let quote = |number: usize| format!("{}{number:b}", "ab ba ".repeat(50)).replace('0', "ab ").replace('1', "ba ");
    let mut plan = plan(&json!({"said": [message]}));
    plan.steps = steps(500, |number| Step {
        action: if number == 0 { "mail.search" } else { "bank.transfer" }.into(),
        params: Attributes::from_entries(vec![("recipient".into(), Value::String(quote(number).into()))])
            .expect("params"),
        inputs: vec![Input { path: "/recipient".into(), origin: Origin::User { quote: "".into() } }; 3],
        ..Step::default()
    });
    assert!(findings(&plan).violations.len() > 400);
}

#[test]
fn many_claims_about_many_arguments() {
    let items: Vec<Value> = (0..5_000).map(|number| Value::String(format!("name {number}").into())).collect();
    let mut plan = plan(&json!({"said": ["names"], "steps": [{"do": "mail.search"}]}));
    plan.steps.push(Step {
        action: "mail.send".into(),
        params: Attributes::from_entries(vec![("to".into(), Value::List(items.into()))]).expect("params"),
        inputs: vec![Input { path: "".into(), origin: Origin::User { quote: "names".into() } }; 5_000],
        ..Step::default()
    });
    let found = findings(&plan).violations;
    assert_eq!(found.len(), 1, "one for the sink, not one for each value");
    assert!(found[0].message.contains("4999 more"), "{}", found[0].message);
}

#[test]
fn deep_params_and_outputs_are_looked_into_only_so_far() {
    let deep = (0..200).fold(Value::String("x".into()), |inner, _| Value::List(vec![inner].into()));
    let mut plan =
        plan(&json!({"said": ["x"], "seen": {"mails": "y"}, "steps": [{"id": "mails", "do": "mail.search"}]}));
    plan.observations[0].output = deep.clone();
    plan.steps.push(Step {
        action: "bank.transfer".into(),
        params: Attributes::from_entries(vec![("recipient".into(), deep)]).expect("params"),
        inputs: vec![Input { path: "/recipient".into(), origin: Origin::User { quote: "x".into() } }],
        ..Step::default()
    });
    assert_eq!(findings(&plan).violations.len(), 1, "what lies too deep has no known origin");
}

/// A path is written out for every value below it: the longest key must not be repeated for each of them.
#[test]
fn a_long_key_is_not_repeated_for_every_value() {
    let items = Value::List(vec![Value::Number(1.0); 100_000].into());
    let inner = Attributes::from_entries(vec![("k".repeat(1_000_000).into(), items)]).expect("params");
    let mut plan = plan(&json!({"seen": {"mails": "y"}, "steps": [{"id": "mails", "do": "mail.search"}]}));
    plan.observations[0].output = Value::Map(inner.clone());
    plan.steps.push(Step {
        action: "bank.transfer".into(),
        params: Attributes::from_entries(vec![("recipient".into(), Value::Map(inner))]).expect("params"),
        ..Step::default()
    });
    assert_eq!(findings(&plan).violations.len(), 1);
}

#[test]
fn one_value_seen_everywhere() {
    let mut plan = plan(&json!({"said": ["x"]}));
    plan.steps = steps(400, |number| Step {
        step_id: format!("s{number}").into(),
        action: if number < 200 { "contacts.list" } else { "mail.send" }.into(),
        params: Attributes::from_entries(vec![(
            "to".into(),
            Value::List(vec![Value::String("same name".into()); 50].into()),
        )])
        .expect("params"),
        ..Step::default()
    });
    plan.observations = (0..200)
        .map(|number| crate::model::Observation {
            step_id: format!("s{number}").into(),
            output: Value::List(vec![Value::String("same name".into()); 50].into()),
        })
        .collect();
    plan.steps[0].action = "mail.search".into();
    // The work ends before all are compared; what is left has no known origin.
    assert_eq!(findings(&plan).violations.len(), 200);
}
