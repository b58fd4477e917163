//! Evaluating one condition: four terms that hold, the first or the last that fails, an error, the structured list, and
//! what a matching text, a macro and arithmetic cost.
//!
//! `cargo bench --bench condition`

#![allow(clippy::expect_used, missing_docs, reason = "a benchmark that cannot be set up has nothing to measure")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use lictor::condition::{Bindings, Budget, Condition, ConditionSource, ListClause, compile};
use lictor::model::{Action, Attributes, Effect, Limits, Request, Subject, Timestamp, Value};

/// Name, condition, and its value (`None` where it fails).
const CASES: [(&str, &str, Option<bool>); 8] = [
    (
        "four terms, true",
        "has(context.amount) && context.amount <= 50.0 && context.region == 'eu' && subject.type == 'agent'",
        Some(true),
    ),
    (
        "four terms, first false",
        "context.amount > 50.0 && context.region == 'eu' && subject.type == 'agent' && action.name == 'act'",
        Some(false),
    ),
    (
        "four terms, last false",
        "has(context.amount) && context.amount <= 50.0 && context.region == 'eu' && subject.type == 'user'",
        Some(false),
    ),
    ("missing attribute", "context.absent == 'x' && context.region == 'eu'", None),
    ("role in list", "'support' in subject.roles && context.region in ['us', 'eu', 'uk']", Some(true)),
    ("regular expression", "context.note.matches('^order [0-9]+ .*late')", Some(true)),
    ("macro over 8 elements", "context.items.all(item, item.price < 100.0)", Some(true)),
    ("arithmetic and time", "context.amount * 1.19 < 50.0 && now.getHours('Europe/Berlin') >= 0", Some(true)),
];

fn request() -> Request {
    let text = |text: &str| Value::String(text.into());
    let map = |entries| Attributes::from_entries(entries).expect("unique keys");
    let item = |n: u8| Value::Map(map(vec![("price".into(), Value::Number(f64::from(n)))]));
    let context = vec![
        ("amount".into(), Value::Number(20.0)),
        ("region".into(), text("eu")),
        ("note".into(), text("order 4711 arrived three days late, says the customer")),
        ("items".into(), Value::List((0..8).map(item).collect())),
    ];
    Request {
        subject: Subject {
            kind: "agent".into(),
            id: "agent-7".into(),
            roles: vec!["night".into(), "support".into()],
            ..Subject::default()
        },
        action: Action { name: "act".into(), ..Action::default() },
        context: map(context),
        ..Request::default()
    }
}

fn compiled(source: &ConditionSource<'_>) -> Condition {
    compile(source, Effect::Allow).0.expect("a valid condition")
}

fn evaluate(c: &mut Criterion) {
    let request = request();
    let now = Timestamp::from_micros(1_800_000_000_000_000);
    let remaining = Limits::default().evaluation_cost;
    let mut group = c.benchmark_group("condition");
    let mut bench = |name: &str, condition: &Condition, expected: Option<bool>| {
        let value = || {
            let bindings = Bindings::of_request(black_box(&request), now);
            condition.evaluate(&bindings, &mut Budget { remaining })
        };
        assert_eq!(value().ok(), expected, "{name}");
        group.bench_function(name, |b| b.iter(value));
    };
    for (name, when, expected) in CASES {
        bench(name, &compiled(&ConditionSource { when: Some(when), list: &[] }), expected);
    }
    let clause = |field: &str, operator: &str, value: Value| ListClause {
        field: field.into(),
        operator: operator.into(),
        value: Some(value),
    };
    let list = [
        clause("context.amount", "<=", Value::Number(50.0)),
        clause("context.region", "==", Value::String("eu".into())),
        clause("subject.type", "==", Value::String("agent".into())),
        clause("subject.roles", "contains", Value::String("support".into())),
    ];
    bench("structured list of four", &compiled(&ConditionSource { when: None, list: &list }), Some(true));
    group.finish();
}

criterion_group!(benches, evaluate);
criterion_main!(benches);
