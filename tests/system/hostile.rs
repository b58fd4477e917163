//! Clients that mean harm: whatever they do, others are answered, memory stays bounded and nothing panics.
//!
//! `benches/hostile.rs` runs the same attacks harder and measures.

use crate::harness::{Lictor, Load, wait_for};

mod attacks;

use attacks::{ATTACKS, Target};

/// Most that the server may hold while it is attacked, all buffers included. A server at rest holds about a tenth.
const MOST_KIB: u64 = 256 * 1_024;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn others_are_served_while_one_attacks() {
    let mut lictor = Lictor::start(&attacks::policy());
    let target = Target { tcp: lictor.tcp, scale: 1 };
    let load = Load::start(&lictor, 1, "a").await;
    wait_for("the first answers", || load.answered() > 10);
    for attack in ATTACKS {
        lictor.reset_peak_memory();
        let before = load.answered();
        let round = attack.round;
        let held = tokio::task::spawn_blocking(move || round(&target)).await.expect("the attack ends");
        // Answers that came only after the attack would not count: the connections of the attack are still there.
        let during = load.answered();
        wait_for("answers beside an attack", || load.answered() > during + 10);
        let peak = lictor.peak_memory_kib();
        eprintln!("{}: {peak} KiB at most, {} answers to others", attack.name, load.answered() - before);
        assert!(peak < MOST_KIB, "{}: {peak} KiB", attack.name);
        drop(held);
        assert!(!lictor.log().contains("panicked"), "{}", attack.name);
    }
    let (_, failures) = load.stop().await;
    assert!(failures.is_empty(), "{failures:?}");
    // Nothing of an attack stays behind but the caller that ended.
    wait_for("the end of every connection", || lictor.metric("lictor_connections") <= 1);
    wait_for("the end of every call", || lictor.metric("lictor_calls_in_flight") == 0);
    lictor.signal("-TERM");
    assert!(lictor.wait().success(), "{}", lictor.log());
    let (code, printed) = lictor.audit_verify();
    assert_eq!(code, 0, "{printed}");
}
