//! The program whose instructions are counted. Without an argument it prints the cases, each with its number of rounds;
//! with the name of a case it sets that up and calls [`measured`] once, inside which the count is taken.

#![allow(clippy::expect_used, clippy::panic, reason = "a measurement that cannot be set up has nothing to measure")]

use std::hint::black_box;

#[path = "../../benches/workload.rs"]
mod workload;

use lictor::decide;
use lictor::model::Limits;
use workload::{NOW, Shape};

/// How often a case runs.
const ROUNDS: u64 = 100;

/// Shapes and numbers of rules that are decided.
const DECIDE: [(Shape, &[usize]); 9] = [
    (Shape::Action, &[10, 10_000]),
    (Shape::Role, &[10, 10_000]),
    (Shape::ResourcePrefix, &[10, 10_000]),
    (Shape::Tenant, &[10, 10_000]),
    (Shape::Value, &[10, 10_000]),
    (Shape::Glob, &[1_000]),
    (Shape::AllMatch, &[1_000]),
    (Shape::AllWarn, &[1_000]),
    (Shape::AllFail, &[1_000]),
];

fn main() {
    let wanted = std::env::args().nth(1);
    let limits = Limits::default();
    for (shape, size) in DECIDE.into_iter().flat_map(|(shape, sizes)| sizes.iter().map(move |size| (shape, *size))) {
        let name = format!("decide/{}/{size}", shape.name());
        match &wanted {
            None => println!("{name} {ROUNDS}"),
            Some(wanted) if *wanted == name => {
                let snapshot = workload::snapshot(shape, size);
                let request = workload::request(shape, size / 2);
                measured(|| decide::evaluate(Some(&snapshot), black_box(&request), NOW, &limits));
            }
            Some(_) => {}
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
