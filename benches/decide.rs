//! Deciding in process: rules that differ in one dimension, one of which matches, with a condition of four terms; and the
//! worst cases, in which every rule must be looked at.
//!
//! `cargo bench --bench decide`

#![allow(clippy::expect_used, missing_docs, reason = "a benchmark that cannot be set up has nothing to measure")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use lictor::decide;
use lictor::model::Limits;

#[path = "workload.rs"]
mod workload;

use workload::{NOW, Shape};

const SIZES: [usize; 4] = [10, 100, 1_000, 10_000];

fn deciding(c: &mut Criterion) {
    let limits = Limits::default();
    for shape in Shape::FLAT.into_iter().chain(Shape::LINEAR) {
        let mut group = c.benchmark_group(format!("decide/{}", shape.name()));
        for rules in SIZES {
            let snapshot = workload::snapshot(shape, rules);
            let request = workload::request(shape, rules / 2);
            let decision = decide::evaluate(Some(&snapshot), &request, NOW, &limits);
            assert_eq!(decision.allowed(), shape != Shape::AllFail, "{decision:?}");
            group.bench_function(BenchmarkId::from_parameter(rules), |b| {
                b.iter(|| decide::evaluate(Some(&snapshot), black_box(&request), NOW, &limits));
            });
        }
        group.finish();
    }
}

criterion_group!(benches, deciding);
criterion_main!(benches);
