//! Plans to measure validation with, all of which pass.

use lictor::model::{Attributes, Input, Layer, Origin, Plan, Step, Subject, Text, Value};
use lictor::policy::{self, SourceText};
use lictor::snapshot::Snapshot;

/// A catalogue and a risk policy: what strangers wrote must not say who is paid or written to, nor may secrets be written
/// down.
pub const GOVERNANCE: &str = "\
apiVersion: lictor.dev/v1
kind: ActionCatalog
metadata: {name: bench}
spec:
  providers: [mail, bank, notes]
  actions:
    - name: mail.search
      tier: 0
      providers: [mail]
      labels: [reads_untrusted]
      outputs: {\"/*/id\": {labels: []}}
    - name: mail.forward
      tier: 1
      providers: [mail]
      parameters: {recipient: {labels: [recipient]}}
    - name: bank.transfer
      tier: 1
      providers: [bank]
      parameters: {recipient: {labels: [recipient]}, amount: {labels: [amount]}}
      countPaths: [\"/batch\"]
    - name: bank.secrets
      tier: 1
      providers: [bank]
      labels: [secret]
    - name: notes.write
      tier: 1
      providers: [notes]
      parameters: {text: {labels: [note]}}
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
    - {name: secrets-stay, from: secret, to: note, effect: reject}
";

/// A policy whose rule must look at the arguments of every payment.
pub const POLICY: &str = "\
---
apiVersion: lictor.dev/v1
kind: Policy
metadata: {name: bench}
spec:
  rules:
    - {name: no-mallory, effect: deny, actions: [bank.transfer], when: 'context.params.recipient == \"Mallory\"'}
";

/// A snapshot of these documents.
pub fn snapshot(text: &str) -> Snapshot {
    let source = SourceText { name: "bench.yaml".into(), layer: Layer::Organisation, text: text.into() };
    let loaded = policy::load(&[source]);
    assert!(!loaded.findings.has_errors(), "the benchmark's documents are valid");
    Snapshot::build(&loaded.documents, 1)
}

fn plan_of(steps: usize, message: &str, step: fn(usize, Step) -> Step) -> Plan {
    let numbered =
        |n: usize| step(n, Step { step_id: id(n), idempotency_key: format!("k{n}").into(), ..Step::default() });
    Plan {
        subject: Subject { kind: "agent".into(), id: "agent-7".into(), ..Subject::default() },
        steps: (0..steps).map(numbered).collect(),
        user_messages: vec![message.into()],
        ..Plan::default()
    }
}

fn id(n: usize) -> Text {
    format!("s{n}").into()
}

fn params<const N: usize>(entries: [(&str, Value); N]) -> Attributes {
    let entries = entries.into_iter().map(|(key, value)| (key.into(), value)).collect();
    Attributes::from_entries(entries).expect("unique keys")
}

fn user(path: &str, quote: &str) -> Input {
    Input { path: path.into(), origin: Origin::User { quote: quote.into() } }
}

fn output(path: &str, step_id: Text, output_path: &str) -> Input {
    Input { path: path.into(), origin: Origin::Step { step_id, output_path: output_path.into() } }
}

fn search(step: Step) -> Step {
    Step {
        action: "mail.search".into(),
        provider: "mail".into(),
        resource: "inbox".into(),
        params: params([("query", Value::String("invoice".into()))]),
        ..step
    }
}

/// An assistant searches mail and pays, in turn; the user said whom and how much.
pub fn payments(steps: usize) -> Plan {
    plan_of(steps, "Please look for invoices and pay Ann Smith 50 for each", |n, step| {
        if n.is_multiple_of(2) {
            return search(step);
        }
        Step {
            action: "bank.transfer".into(),
            provider: "bank".into(),
            resource: "account/checking".into(),
            params: params([("recipient", Value::String("Ann Smith".into())), ("amount", Value::Number(50.0))]),
            budget_cents: Some(100),
            inputs: vec![user("/recipient", "Ann Smith"), user("/amount", "50")],
            ..step
        }
    })
}

/// An assistant searches mail, forwards what it finds to whom the user said, and makes a note of it; labels have to be
/// followed along the plan to see that no secret is noted.
pub fn data_flow(steps: usize) -> Plan {
    plan_of(steps, "Forward the invoice to ann@example.com and note it", |n, step| match n % 4 {
        0 => Step { inputs: vec![user("/query", "invoice")], ..search(step) },
        1 => Step {
            action: "mail.forward".into(),
            provider: "mail".into(),
            resource: "inbox".into(),
            params: params([("recipient", Value::String("ann@example.com".into()))]),
            inputs: vec![output("/message", id(n - 1), "/0/id"), user("/recipient", "ann@example.com")],
            ..step
        },
        2 => Step {
            action: "notes.write".into(),
            provider: "notes".into(),
            resource: "notes".into(),
            inputs: vec![output("/text", id(n - 2), "")],
            ..step
        },
        _ => Step { action: "bank.secrets".into(), provider: "bank".into(), resource: "vault".into(), ..step },
    })
}
