//! How often memory is allocated on the hot path, and how much a snapshot keeps.

use std::hint::black_box;

use allocation_counter::measure;
use lictor::api::{evaluate_message, to_request};
use lictor::decide;
use lictor::identity::{Identity, IdentityOptions};
use lictor::model::{BootId, Limits, Ticket};
use lictor::snapshot::Holder;
use prost::Message;

use crate::workload::{self, NOW, Shape};

/// Deciding allocates nothing: what it needs is borrowed from the request and the snapshot, or fits the stack.
#[test]
fn allowing_allocates_nothing() {
    let limits = Limits::default();
    for shape in Shape::FLAT.into_iter().chain([Shape::Glob, Shape::AllMatch]) {
        for size in [1, 10, 1_000] {
            let snapshot = workload::snapshot(shape, size);
            let request = workload::request(shape, size - 1);
            let decision = decide::evaluate(Some(&snapshot), &request, NOW, &limits);
            assert!(decision.allowed(), "{} {size}", shape.name());
            let allocated = measure(|| drop(black_box(decide::evaluate(Some(&snapshot), &request, NOW, &limits))));
            assert_eq!(allocated.count_total, 0, "{} {size}", shape.name());
        }
    }
}

/// Where every rule fails or warns, memory is allocated for what the decision says of them: the texts of at most eight
/// errors, and lists that grow by doubling.
#[test]
fn the_worst_cases_allocate_for_what_they_say() {
    let limits = Limits::default();
    for shape in Shape::LINEAR {
        let snapshot = workload::snapshot(shape, 1_000);
        let request = workload::request(shape, 999);
        let allocated = measure(|| drop(black_box(decide::evaluate(Some(&snapshot), &request, NOW, &limits))));
        assert!(allocated.count_total <= 32, "{}: {}", shape.name(), allocated.count_total);
    }
}

/// Whether a caller may ask is known without allocating.
#[test]
fn asking_who_calls_allocates_nothing() {
    let identity = Identity::new(IdentityOptions::default()).expect("the system policies that come with the program");
    let own = identity.unix_peer(rustix::process::geteuid().as_raw());
    let request = workload::request(Shape::Role, 7);
    let allocated = measure(|| {
        assert!(black_box(&own).may_ask("", &request.subject).is_ok());
        assert!(black_box(&own).may_ask("default", &request.subject).is_ok());
    });
    assert_eq!(allocated.count_total, 0);
}

/// So does denying by default.
#[test]
fn a_question_that_no_rule_matches_allocates_nothing() {
    let limits = Limits::default();
    let snapshot = workload::snapshot(Shape::Action, 10);
    let request = workload::request(Shape::Action, 10);
    let decision = decide::evaluate(Some(&snapshot), &request, NOW, &limits);
    assert!(!decision.allowed());
    let allocated = measure(|| drop(black_box(decide::evaluate(Some(&snapshot), &request, NOW, &limits))));
    assert_eq!(allocated.count_total, 0);
}

/// The call in process allocates twice, both times for what the request holds: its list of roles and its map of context
/// attributes. Texts of up to 24 bytes live in place, and the answer goes into a buffer that is used again.
#[test]
fn a_call_in_process_allocates_for_the_request_only() {
    let limits = Limits::default();
    let holder = Holder::default();
    drop(holder.publish(workload::snapshot(Shape::Role, 1_000).into()));
    let residents = holder.load();
    let message = to_request(&workload::request(Shape::Role, 7)).encode_to_vec();
    let mut answer = Vec::with_capacity(1_024);
    let ticket = Ticket { boot: BootId::from_bits(1), worker: 0, number: 1 };
    let mut call = || {
        answer.clear();
        evaluate_message(&message, &residents, ticket, NOW, &limits, &mut answer).expect("a good question");
        assert!(!black_box(&answer).is_empty());
    };
    call();
    assert_eq!(measure(call).count_total, 2);
}

/// Bytes that a snapshot keeps for a rule with one pattern and a condition of four terms, all rules different, as asked
/// of the allocator. With 10 000 rules the snapshot stays below 20 MB.
const BYTES_PER_RULE: u64 = 2_000;

#[test]
fn a_rule_keeps_little_memory() {
    const RULES: usize = 2_000;
    let mut kept = None;
    let info = measure(|| kept = Some(workload::snapshot(Shape::Value, RULES)));
    let bytes = u64::try_from(info.bytes_current).expect("something is kept") / RULES as u64;
    assert!(bytes <= BYTES_PER_RULE, "a rule keeps {bytes} bytes in {} pieces", info.count_current / RULES as i64);
    drop(kept);
}
