//! Clients that mean harm: whatever they do, others are answered, memory stays bounded and nothing panics.
//!
//! `benches/robustness/hostile.rs` runs the same attacks harder and measures.

use crate::harness::{Lictor, Load, PATIENCE, wait_for};

mod attacks;

use attacks::frames::*;
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
        let (now, answers) = (lictor.resident_memory_kib(), load.answered() - before);
        eprintln!("{}: {now} KiB, {peak} KiB at most, {answers} answers to others", attack.name);
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

/// What no well-meant client does ends its connection, with the reason.
#[test]
fn breaking_the_protocol_ends_the_connection() {
    const PROTOCOL_ERROR: u32 = 0x1;
    const FLOW_CONTROL_ERROR: u32 = 0x3;
    const FRAME_SIZE_ERROR: u32 = 0x6;
    const ENHANCE_YOUR_CALM: u32 = 0xb;
    let lictor = Lictor::start(&attacks::policy());
    let headers = |id| frame(HEADERS, END_HEADERS, id, &call("Evaluate"));
    let reset = |id| [headers(id), frame(RST_STREAM, 0, id, &8_u32.to_be_bytes())].concat();
    let continued = |parts: usize| {
        let part = field("a", &"b".repeat(1_000));
        [frame(HEADERS, END_STREAM, 1, &call("Evaluate")), frame(CONTINUATION, 0, 1, &part).repeat(parts)].concat()
    };
    let window = 0x7fff_ffff_u32.to_be_bytes();
    let cases = [
        ("resets", (1..4_000).step_by(2).flat_map(reset).collect(), ENHANCE_YOUR_CALM),
        ("endless headers", continued(1_000), ENHANCE_YOUR_CALM),
        (
            "empty continuations",
            [continued(0), frame(CONTINUATION, 0, 1, &[]).repeat(1_000)].concat(),
            ENHANCE_YOUR_CALM,
        ),
        ("a window beyond its size", frame(WINDOW_UPDATE, 0, 0, &window), FLOW_CONTROL_ERROR),
        ("a frame amid headers", [continued(0), frame(PING, 0, 0, b"lictor!!")].concat(), PROTOCOL_ERROR),
        ("a stream of the server", headers(2), PROTOCOL_ERROR),
        ("data before a call", frame(DATA, 0, 1, b"x"), PROTOCOL_ERROR),
        ("broken compression", frame(HEADERS, END_HEADERS, 1, &[0xff; 40]), PROTOCOL_ERROR),
        ("a long frame", frame(DATA, 0, 1, &[0; 20_000]), FRAME_SIZE_ERROR),
        ("a short ping", frame(PING, 0, 0, b"x"), PROTOCOL_ERROR),
    ];
    for (what, bytes, expected) in cases {
        let mut wire = Wire::introduced(lictor.tcp, &[]).expect("the server accepts");
        wire.send(&bytes);
        let sent = wire.until_closed(PATIENCE);
        assert_eq!(goodbyes(&sent).last(), Some(&expected), "{what}: {}", lictor.log());
    }
    assert!(!lictor.log().contains("panicked"), "{}", lictor.log());
}
