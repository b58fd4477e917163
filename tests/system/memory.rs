//! What policies take in memory, once they are loaded.

use std::fmt::Write as _;

use crate::harness::{Lictor, wait_for};

/// Most anonymous memory with ten thousand rules. They take three quarters of it; reading them takes twice as much.
const MOST_KIB: u64 = 38 << 10;

#[test]
fn what_a_load_took_is_given_back() {
    let mut text =
        String::from("apiVersion: lictor.dev/v1\nkind: Policy\nmetadata: {name: refunds}\nspec:\n  rules:\n");
    for n in 0..10_000 {
        writeln!(
            text,
            "    - {{name: r{n}, effect: allow, actions: [payment.refund.n{n}], subjects: {{roles: [support]}}, when: \
             \"has(context.amount) && context.amount <= {n}.0 && subject.type == 'agent' && 'support' in subject.roles\"}}"
        )
        .expect("a string takes it");
    }
    let lictor = Lictor::start(&text);
    assert!(lictor.peak_memory_kib() > MOST_KIB, "loading takes more, or this shows nothing");
    wait_for("memory given back", || lictor.anonymous_memory_kib() <= MOST_KIB);
}
