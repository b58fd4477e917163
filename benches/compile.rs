//! Loading: compiling conditions, reading a whole set of documents, its digest, and building the snapshot.
//!
//! `cargo bench --bench compile`

#![allow(clippy::expect_used, missing_docs, reason = "a benchmark that cannot be set up has nothing to measure")]

use std::fmt::Write as _;
use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use lictor::condition::{ConditionSource, compile};
use lictor::model::{Effect, Layer};
use lictor::policy::{self, Loaded, SourceText};
use lictor::snapshot::Snapshot;

const RULES: usize = 10_000;

/// Four terms, of which no two rules have the same.
fn condition(n: usize) -> String {
    format!(
        "has(context.amount) && context.amount <= {n}.5 && context.account == 'account-{n}' && subject.type == 'agent'"
    )
}

/// One file of rules that differ in their action and their condition.
fn documents() -> SourceText {
    let mut text = String::from("apiVersion: lictor.dev/v1\nkind: Policy\nmetadata: {name: p}\nspec:\n  rules:\n");
    for n in 0..RULES {
        let when = condition(n);
        let _ = writeln!(text, "    - {{name: r{n}, effect: allow, actions: [act.n{n}], when: \"{when}\"}}");
    }
    SourceText { name: "bench.yaml".into(), layer: Layer::Organisation, text: text.into() }
}

fn load(text: &SourceText) -> Loaded {
    let loaded = policy::load(std::slice::from_ref(text));
    assert!(!loaded.findings.has_errors(), "the benchmark's documents are valid");
    loaded
}

fn compiling(c: &mut Criterion) {
    let mut group = c.benchmark_group("compile");
    group.sample_size(10);
    let conditions: Vec<String> = (0..RULES).map(condition).collect();
    group.bench_function("10000 conditions", |b| {
        b.iter(|| {
            let compiled = conditions.iter().filter_map(|when| {
                compile(&ConditionSource { when: Some(black_box(when)), list: &[] }, Effect::Allow).0
            });
            assert_eq!(compiled.collect::<Vec<_>>().len(), RULES);
        });
    });
    let text = documents();
    let loaded = load(&text);
    group.bench_function("10000 rules: read and check", |b| b.iter(|| load(black_box(&text))));
    group.bench_function("10000 rules: digest", |b| b.iter(|| Snapshot::digest_of(black_box(&loaded.documents))));
    group.bench_function("10000 rules: snapshot with digest and index", |b| {
        b.iter(|| Snapshot::build(black_box(&loaded.documents), 1));
    });
    group.finish();
}

criterion_group!(benches, compiling);
criterion_main!(benches);
