//! Deciding in process: 10 to 10 000 rules that differ in one dimension, one of which matches, with a CEL condition.
//!
//! `cargo bench --bench decide`

#![allow(clippy::expect_used, missing_docs, reason = "a benchmark that cannot be set up has nothing to measure")]

use std::fmt::Write as _;
use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use lictor::model::{Action, Attributes, Layer, Limits, Request, Resource, Subject, Timestamp, Value};
use lictor::policy::{self, SourceText};
use lictor::snapshot::Snapshot;

const SIZES: [usize; 4] = [10, 100, 1_000, 10_000];

/// The dimension in which rules differ, with the rule's patterns and the request's part for rule `n`.
#[derive(Clone, Copy)]
enum Differ {
    Action,
    Role,
    ResourcePrefix,
    Tenant,
}

const WHEN: &str = "has(context.amount) && context.amount <= 50.0 && context.region == 'eu' && subject.type == 'agent'";

fn documents(differ: Differ, rules: usize) -> String {
    let mut text = String::new();
    let policy = |text: &mut String, name: &str, tenants: &str| {
        let _ = write!(
            text,
            "---\napiVersion: lictor.dev/v1\nkind: Policy\nmetadata: {{name: {name}}}\nspec:\n{tenants}  rules:\n"
        );
    };
    if !matches!(differ, Differ::Tenant) {
        policy(&mut text, "p", "");
    }
    for n in 0..rules {
        let patterns = match differ {
            Differ::Action => format!("actions: [act.n{n}]"),
            Differ::Role => format!("subjects: {{roles: [role-{n}]}}"),
            Differ::ResourcePrefix => format!("resources: {{ids: [\"eu/{n}/**\"]}}"),
            Differ::Tenant => {
                policy(&mut text, &format!("p{n}"), &format!("  tenants: [t{n}]\n"));
                "actions: [act]".to_owned()
            }
        };
        let _ = writeln!(text, "    - {{name: r{n}, effect: allow, {patterns}, when: \"{WHEN}\"}}");
    }
    text
}

fn request(differ: Differ, n: usize) -> Request {
    let number = |value: f64| Value::Number(value);
    let context = vec![("amount".into(), number(20.0)), ("region".into(), Value::String("eu".into()))];
    let mut request = Request {
        subject: Subject {
            kind: "agent".into(),
            id: "agent-7".into(),
            roles: vec!["support".into()],
            ..Subject::default()
        },
        action: Action { name: "act".into(), ..Action::default() },
        resource: Resource { kind: "order".into(), id: "eu/1/2".into(), ..Resource::default() },
        context: Attributes::from_entries(context).expect("unique keys"),
        ..Request::default()
    };
    match differ {
        Differ::Action => request.action.name = format!("act.n{n}").into(),
        Differ::Role => request.subject.roles.push(format!("role-{n}").into()),
        Differ::ResourcePrefix => request.resource.id = format!("eu/{n}/4711").into(),
        Differ::Tenant => request.tenant_id = format!("t{n}").into(),
    }
    request
}

fn snapshot(text: &str) -> Snapshot {
    let source = SourceText { name: "bench.yaml".into(), layer: Layer::Organisation, text: text.into() };
    let loaded = policy::load(&[source]);
    assert!(!loaded.findings.has_errors(), "the benchmark's documents are valid");
    Snapshot::build(&loaded.documents, 1)
}

fn decide(c: &mut Criterion) {
    let limits = Limits::default();
    let now = Timestamp::from_micros(1_800_000_000_000_000);
    for (name, differ) in [
        ("action", Differ::Action),
        ("role", Differ::Role),
        ("resource-prefix", Differ::ResourcePrefix),
        ("tenant", Differ::Tenant),
    ] {
        let mut group = c.benchmark_group(format!("decide/{name}"));
        for rules in SIZES {
            let snapshot = snapshot(&documents(differ, rules));
            let request = request(differ, rules / 2);
            assert!(lictor::decide::evaluate(Some(&snapshot), &request, now, &limits).allowed());
            group.bench_function(BenchmarkId::from_parameter(rules), |b| {
                b.iter(|| lictor::decide::evaluate(Some(&snapshot), black_box(&request), now, &limits));
            });
        }
        group.finish();
    }
}

fn load(c: &mut Criterion) {
    let mut group = c.benchmark_group("load");
    group.sample_size(10);
    let text = documents(Differ::Action, 10_000);
    group.bench_function("10000 rules", |b| b.iter(|| snapshot(black_box(&text))));
    group.finish();
}

criterion_group!(benches, decide, load);
criterion_main!(benches);
