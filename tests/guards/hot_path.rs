//! The program whose instructions are counted. Without an argument it prints the cases, each with its number of rounds;
//! with the name of a case it sets that up and calls [`measured`] once, inside which the count is taken.

#![allow(clippy::expect_used, clippy::panic, reason = "a measurement that cannot be set up has nothing to measure")]

use std::cell::RefCell;
use std::hint::black_box;

#[path = "../../benches/plans.rs"]
mod plans;
#[path = "../../benches/receipts.rs"]
mod receipts;
#[path = "../../benches/workload.rs"]
mod workload;

use lictor::api::{evaluate_message, to_request};
use lictor::decide;
use lictor::model::{BootId, Limits, Plan, Ticket};
use lictor::snapshot::Holder;
use prost::Message;
use workload::{NOW, Shape};

/// How often a case runs.
const ROUNDS: u64 = 100;

/// How often one with a plan of the greatest size runs: each run is as long as many.
const LONG_ROUNDS: u64 = 2;

fn main() {
    let wanted = std::env::args().nth(1);
    let limits = Limits::default();
    let flat = Shape::FLAT.into_iter().flat_map(|shape| [(shape, 10), (shape, 10_000)]);
    let linear = Shape::LINEAR.into_iter().map(|shape| (shape, 1_000));
    for (shape, size) in flat.chain(linear) {
        let name = format!("decide/{}/{size}", shape.name());
        match &wanted {
            None => println!("{name} {ROUNDS}"),
            Some(wanted) if *wanted == name => {
                let snapshot = workload::snapshot(shape, size);
                let request = workload::request(shape, size - 1);
                measured(ROUNDS, || decide::evaluate(Some(&snapshot), black_box(&request), NOW, &limits));
            }
            Some(_) => {}
        }
    }
    call(wanted.as_deref(), &limits);
    validate(wanted.as_deref(), &limits);
}

/// Validating plans of ten steps, and of as many as a plan may have.
fn validate(wanted: Option<&str>, limits: &Limits) {
    let documents = || plans::snapshot(&[plans::GOVERNANCE, plans::POLICY].concat());
    for (name, plan, steps) in [
        ("validate/10", plans::payments as fn(usize) -> Plan, 10),
        ("validate/1000", plans::payments, 1_000),
        ("validate/data-flow/10", plans::data_flow, 10),
        ("validate/data-flow/1000", plans::data_flow, 1_000),
        ("validate/with-receipt/10", plans::payments, 10),
    ] {
        let rounds = if steps > 10 { LONG_ROUNDS } else { ROUNDS };
        match wanted {
            None => println!("{name} {rounds}"),
            Some(wanted) if wanted == name => {
                let (snapshot, plan) = (documents(), plan(steps));
                let validate = || lictor::ir::validate(Some(&snapshot), black_box(&plan), NOW, limits);
                if name.contains("receipt") {
                    let issuer = receipts::issuer(NOW);
                    measured(rounds, || {
                        let answer = validate();
                        receipts::sign(&issuer, &plan, &answer, NOW)
                    });
                } else {
                    measured(rounds, validate);
                }
            }
            Some(_) => {}
        }
    }
}

/// The call in process: decode, decide, encode.
fn call(wanted: Option<&str>, limits: &Limits) {
    const NAME: &str = "call/role/1000";
    match wanted {
        None => println!("{NAME} {ROUNDS}"),
        Some(NAME) => {
            let holder = Holder::default();
            drop(holder.publish(workload::snapshot(Shape::Role, 1_000).into()));
            let residents = holder.load();
            let message = to_request(&workload::request(Shape::Role, 7)).encode_to_vec();
            let answer = RefCell::new(Vec::with_capacity(1_024));
            let ticket = Ticket { boot: BootId::from_bits(1), worker: 0, number: 1 };
            measured(ROUNDS, || {
                let mut answer = answer.borrow_mut();
                answer.clear();
                evaluate_message(black_box(&message), &residents, ticket, NOW, limits, &mut answer)
            });
        }
        Some(_) => {}
    }
}

/// Runs `call` as often as `rounds` says and drops what it gives.
#[inline(never)]
fn measured<T>(rounds: u64, call: impl Fn() -> T) {
    for _ in 0..rounds {
        drop(black_box(call()));
    }
}
