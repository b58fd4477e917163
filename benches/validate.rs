//! Validating plans in process, without receipt: ten steps to a thousand, of an assistant that searches mail and pays.
//!
//! `cargo bench --bench validate`

#![allow(clippy::expect_used, missing_docs, reason = "a benchmark that cannot be set up has nothing to measure")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use lictor::model::{
    Attributes, Input, Layer, Limits, Origin, Plan, Step, Subject, Timestamp, ValidationStatus, Value,
};
use lictor::policy::{self, SourceText};
use lictor::snapshot::Snapshot;

const GOVERNANCE: &str = "\
apiVersion: lictor.dev/v1
kind: ActionCatalog
metadata: {name: bench}
spec:
  providers: [mail, bank]
  actions:
    - name: mail.search
      tier: 0
      providers: [mail]
      labels: [reads_untrusted]
      outputs: {\"/*/id\": {labels: []}}
    - name: bank.transfer
      tier: 1
      providers: [bank]
      parameters: {recipient: {labels: [recipient]}, amount: {labels: [amount]}}
      countPaths: [\"/batch\"]
---
apiVersion: lictor.dev/v1
kind: RiskPolicy
metadata: {name: bench}
spec:
  maxBudgetCents: 1000000
  tiers:
    - {name: large, actions: [bank.transfer], when: 'has(step.params.amount) && step.params.amount > 1000.0', tier: 3}
  flows:
    - {name: strangers-pay, from: reads_untrusted, to: recipient, effect: escalate}
";

const POLICY: &str = "\
---
apiVersion: lictor.dev/v1
kind: Policy
metadata: {name: bench}
spec:
  rules:
    - {name: no-mallory, effect: deny, actions: [bank.transfer], when: 'context.params.recipient == \"Mallory\"'}
";

fn snapshot(text: &str) -> Snapshot {
    let source = SourceText { name: "bench.yaml".into(), layer: Layer::Organisation, text: text.into() };
    let loaded = policy::load(&[source]);
    assert!(!loaded.findings.has_errors(), "the benchmark's documents are valid");
    Snapshot::build(&loaded.documents, 1)
}

fn plan(steps: usize) -> Plan {
    let attributes = |entries: Vec<(&str, Value)>| {
        let entries = entries.into_iter().map(|(key, value)| (key.into(), value)).collect();
        Attributes::from_entries(entries).expect("unique keys")
    };
    let user = |path: &str, quote: &str| Input { path: path.into(), origin: Origin::User { quote: quote.into() } };
    let step = |n: usize| {
        let base = Step { step_id: format!("s{n}").into(), idempotency_key: format!("k{n}").into(), ..Step::default() };
        if n.is_multiple_of(2) {
            return Step {
                action: "mail.search".into(),
                provider: "mail".into(),
                resource: "inbox".into(),
                params: attributes(vec![("query", Value::String("invoice".into()))]),
                ..base
            };
        }
        Step {
            action: "bank.transfer".into(),
            provider: "bank".into(),
            resource: "account/checking".into(),
            params: attributes(vec![("recipient", Value::String("Ann Smith".into())), ("amount", Value::Number(50.0))]),
            budget_cents: Some(100),
            inputs: vec![user("/recipient", "Ann Smith"), user("/amount", "50")],
            ..base
        }
    };
    Plan {
        subject: Subject { kind: "agent".into(), id: "agent-7".into(), ..Subject::default() },
        steps: (0..steps).map(step).collect(),
        user_messages: vec!["Please look for invoices and pay Ann Smith 50 for each".into()],
        ..Plan::default()
    }
}

fn validate(c: &mut Criterion) {
    let limits = Limits::default();
    let now = Timestamp::from_micros(1_800_000_000_000_000);
    for (name, documents) in [("governance", GOVERNANCE.to_owned()), ("with-policy", [GOVERNANCE, POLICY].concat())] {
        let snapshot = snapshot(&documents);
        let mut group = c.benchmark_group(format!("validate/{name}"));
        for steps in [10, 100, 1_000] {
            let plan = plan(steps);
            let answer = lictor::ir::validate(Some(&snapshot), &plan, now, &limits);
            assert_eq!(answer.status, ValidationStatus::Pass, "{:?}", answer.violations.first());
            group.throughput(Throughput::Elements(steps as u64));
            group.bench_function(BenchmarkId::from_parameter(steps), |b| {
                b.iter(|| lictor::ir::validate(Some(&snapshot), black_box(&plan), now, &limits));
            });
        }
        group.finish();
    }
}

criterion_group!(benches, validate);
criterion_main!(benches);
