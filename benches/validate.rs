//! Validating plans in process: ten steps to a thousand, with data flow, and with a receipt,
//! with the allocator of the server.
//!
//! `cargo bench --bench validate`

#![allow(clippy::expect_used, missing_docs, reason = "a benchmark that cannot be set up has nothing to measure")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use lictor::model::{Limits, Plan, Timestamp, ValidationStatus};
use lictor::snapshot::Snapshot;

#[path = "plans.rs"]
mod plans;
#[path = "receipts.rs"]
mod receipts;

use plans::{GOVERNANCE, POLICY};

/// As in the server.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

/// Measures validating plans of these many steps.
fn group(c: &mut Criterion, name: &str, snapshot: &Snapshot, plan: fn(usize) -> Plan, sizes: &[usize]) {
    let limits = Limits::default();
    let mut group = c.benchmark_group(format!("validate/{name}"));
    for steps in sizes.iter().copied() {
        let plan = plan(steps);
        let answer = lictor::ir::validate(Some(snapshot), &plan, NOW, &limits);
        assert_eq!(answer.status, ValidationStatus::Pass, "{:?}", answer.violations.first());
        group.throughput(Throughput::Elements(steps as u64));
        group.bench_function(BenchmarkId::from_parameter(steps), |b| {
            b.iter(|| lictor::ir::validate(Some(snapshot), black_box(&plan), NOW, &limits));
        });
    }
    group.finish();
}

fn validate(c: &mut Criterion) {
    let with_policy = plans::snapshot(&[GOVERNANCE, POLICY].concat());
    group(c, "governance", &plans::snapshot(GOVERNANCE), plans::payments, &[10, 100, 1_000]);
    group(c, "with-policy", &with_policy, plans::payments, &[10, 100, 1_000]);
    group(c, "data-flow", &with_policy, plans::data_flow, &[10, 100, 1_000]);
}

fn receipt(c: &mut Criterion) {
    let snapshot = plans::snapshot(&[GOVERNANCE, POLICY].concat());
    let (limits, issuer) = (Limits::default(), receipts::issuer(NOW));
    let mut group = c.benchmark_group("validate/with-receipt");
    let plan = plans::payments(10);
    group.bench_function(BenchmarkId::from_parameter(10), |b| {
        b.iter(|| {
            let answer = lictor::ir::validate(Some(&snapshot), black_box(&plan), NOW, &limits);
            let receipt = receipts::sign(&issuer, &plan, &answer, NOW);
            (answer, receipt)
        });
    });
    group.finish();
}

criterion_group!(benches, validate, receipt);
criterion_main!(benches);
