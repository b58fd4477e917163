//! Deciding in process, with one matching rule and a CEL condition of four terms: 10 to 10 000 rules that differ in one
//! dimension, which must cost the same, and 100 to 10 000 rules all of which must be looked at.
//!
//! `cargo bench --bench decide`

#![allow(
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "a benchmark that cannot be set up has nothing to measure"
)]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use lictor::decide;
use lictor::model::Limits;

mod workload;

use workload::{NOW, Shape};

fn shapes(c: &mut Criterion, shapes: impl IntoIterator<Item = Shape>, sizes: &[usize]) {
    let limits = Limits::default();
    for shape in shapes {
        let mut group = c.benchmark_group(format!("decide/{}", shape.name()));
        for rules in sizes {
            let snapshot = workload::snapshot(shape, *rules);
            let request = workload::request(shape, rules / 2);
            assert_eq!(decide::evaluate(Some(&snapshot), &request, NOW, &limits).allowed(), shape != Shape::AllFail);
            group.bench_function(BenchmarkId::from_parameter(rules), |b| {
                b.iter(|| decide::evaluate(Some(&snapshot), black_box(&request), NOW, &limits));
            });
        }
        group.finish();
    }
}

fn flat(c: &mut Criterion) {
    shapes(c, Shape::FLAT, &[10, 100, 1_000, 10_000]);
}

fn linear(c: &mut Criterion) {
    shapes(c, Shape::LINEAR, &[100, 1_000, 10_000]);
}

criterion_group!(benches, flat, linear);
criterion_main!(benches);
