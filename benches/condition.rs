//! Evaluating one condition: four terms that hold, the first or the last that fails, an error, the structured list, and
//! what a matching text, a macro and arithmetic cost. And the worst case: how long one request may take until its budget is
//! spent, where all of it goes to one kind of work.
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

/// What a whole budget is spent on, by name.
const SPENT_ON: [(&str, &str); 28] = [
    ("elements", "context.numbers.all(a, context.numbers.all(b, a >= -1.0 && b >= -1.0))"),
    ("errors", "context.numbers.exists(a, context.maps.exists(b, b.absent == a))"),
    ("overloads", "context.numbers.exists(a, context.texts.exists(b, b < a))"),
    ("fields", "context.maps.all(a, context.maps.all(b, a.number <= b.number || a.number > b.number))"),
    ("keys", "context.texts.all(a, context.maps.all(b, !(a in b)))"),
    ("texts compared", "context.long.all(a, context.long.all(b, a == b || a != b))"),
    ("short texts compared", "context.texts.all(a, context.texts.all(b, a <= b || a > b))"),
    ("maps compared", "context.maps.all(a, context.maps.all(b, a == b || a != b))"),
    ("mixed compared", "context.mixed.all(a, context.mixed.all(b, a == b || a != b))"),
    ("members", "context.numbers.all(a, !((a + 0.5) in context.numbers))"),
    ("text members", "context.texts.all(a, (a + 'x') in context.texts || true)"),
    ("texts joined", "context.long.all(a, context.long.all(b, size(a + b) > 0))"),
    ("lists joined", "context.numbers.all(a, size(context.numbers + context.numbers) > 0)"),
    ("lists made", "context.numbers.all(a, size([a, a, a, a, a, a, a, a]) == 8)"),
    ("maps made", "context.numbers.all(a, size({'a': a, 'b': a, 'c': a, 'd': a, 'e': a, 'f': a, 'g': a}) == 7)"),
    ("mapped", "context.numbers.all(a, size(context.numbers.map(b, b)) > 0)"),
    ("filtered", "context.numbers.all(a, size(context.texts.filter(b, b != '')) > 0)"),
    ("searched", "context.long.all(a, context.texts.all(b, !a.contains(b + '!')))"),
    ("matched", "context.long.all(a, context.numbers.all(b, !a.matches('(a|b)*a(a|b){12}c')))"),
    ("matched simply", "context.long.all(a, context.numbers.all(b, !a.matches('[0-9]{4}-[0-9]{2}x')))"),
    ("split", "context.long.all(a, context.numbers.all(b, size(a.split(' ')) > 0))"),
    ("replaced", "context.long.all(a, context.numbers.all(b, size(a.replace('a', 'bb')) > 0))"),
    ("characters", "context.long.all(a, context.numbers.all(b, size(a) > 0 && a.indexOf('~') < 0))"),
    ("lowered", "context.long.all(a, context.numbers.all(b, a.lowerAscii() != ''))"),
    (
        "times",
        "context.numbers.all(a, context.numbers.all(b, timestamp('2026-01-02T03:04:05Z').getHours('Asia/Tokyo') == 12))",
    ),
    ("numbers read", "context.numbers.all(a, context.numbers.all(b, double(string(a)) == a))"),
    ("durations", "context.numbers.all(a, context.numbers.all(b, duration('1h2m3s').getSeconds() > 0))"),
    ("formatted", "context.numbers.all(a, '%s %s'.format([string(a), context.texts]) != '')"),
];

/// Attributes that make work: many short ones, and some long ones.
fn laborious() -> Request {
    let text = |text: String| Value::String(text.into());
    let map = |entries| Attributes::from_entries(entries).expect("unique keys");
    let number = |n: u16| Value::Number(f64::from(n));
    let entries = |n: u16| {
        let fields = (0..8).map(|field| (format!("field-{field}").into(), number(field)));
        Value::Map(map(fields.chain([("number".into(), number(n))]).collect()))
    };
    let context = vec![
        ("numbers".into(), Value::List((0..2_000).map(number).collect())),
        ("texts".into(), Value::List((0..2_000).map(|n| text(format!("text-{n:04}"))).collect())),
        ("long".into(), Value::List((0..16).map(|n| text(format!("{}é{n}", "ab aab ".repeat(600)))).collect())),
        ("maps".into(), Value::List((0..500).map(entries).collect())),
        (
            "mixed".into(),
            Value::List((0..500).flat_map(|n| [number(n), text(n.to_string()), Value::Bool(n % 2 == 0)]).collect()),
        ),
    ];
    Request { context: map(context), ..request() }
}

/// How long a request may take at most: the whole budget, spent on one kind of work by as many rules as it needs.
fn worst(c: &mut Criterion) {
    let request = laborious();
    let bindings = Bindings::of_request(&request, Timestamp::from_micros(1_800_000_000_000_000));
    let remaining = Limits::default().evaluation_cost;
    let mut group = c.benchmark_group("whole budget");
    group.sample_size(10);
    for (name, when) in SPENT_ON {
        let condition = compiled(&ConditionSource { when: Some(when), list: &[] });
        let spend = || {
            let mut budget = Budget { remaining };
            while budget.remaining > 0 {
                let _ = black_box(condition.evaluate(black_box(&bindings), &mut budget));
            }
        };
        group.bench_function(name, |b| b.iter(spend));
    }
    group.finish();
}

criterion_group!(benches, evaluate, worst);
criterion_main!(benches);
