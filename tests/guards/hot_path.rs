//! The program whose instructions are counted: sets up each case, then calls [`measured`] once for it. The counts are
//! taken inside that function only. Prints the names of the cases in order.

#![allow(clippy::expect_used, clippy::panic, reason = "a measurement that cannot be set up has nothing to measure")]

use std::hint::black_box;

#[path = "../../benches/workload.rs"]
mod workload;

use lictor::decide;
use lictor::model::Limits;
use workload::{NOW, Shape};

/// How often each case runs.
const ROUNDS: u64 = 100;

fn main() {
    let limits = Limits::default();
    for (shape, sizes) in [
        (Shape::Action, &[10, 10_000][..]),
        (Shape::Role, &[10, 10_000]),
        (Shape::ResourcePrefix, &[10, 10_000]),
        (Shape::Tenant, &[10, 10_000]),
        (Shape::Value, &[10, 10_000]),
        (Shape::Glob, &[1_000]),
        (Shape::AllMatch, &[1_000]),
        (Shape::AllWarn, &[1_000]),
        (Shape::AllFail, &[1_000]),
    ] {
        for size in sizes {
            let snapshot = workload::snapshot(shape, *size);
            let request = workload::request(shape, size / 2);
            println!("decide/{}/{size} {ROUNDS}", shape.name());
            measured(|| decide::evaluate(Some(&snapshot), black_box(&request), NOW, &limits));
        }
    }
}

/// Runs `call` and drops what it gives.
#[inline(never)]
fn measured<T>(call: impl Fn() -> T) {
    for _ in 0..ROUNDS {
        drop(black_box(call()));
    }
}
