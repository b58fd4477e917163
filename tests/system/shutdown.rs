//! SIGTERM under load: calls in flight are answered, every answer is on record, the exit code is 0.

use crate::harness::{Lictor, Load, wait_for};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn terminated_under_load() {
    let mut lictor = Lictor::start(
        "apiVersion: lictor.dev/v1\nkind: Policy\nmetadata: {name: p}\nspec:\n  rules:\n    - {name: r, effect: allow}\n",
    );
    let load = Load::start(&lictor, 8, "a").await;
    wait_for("some load", || load.answered() > 500);
    lictor.signal("-TERM");
    let status = lictor.wait();
    assert!(status.success(), "{status}\n{}", lictor.log());
    let (answered, failures) = load.stop().await;
    // Whoever asks after the drain began is turned away before the question is sent, which the client library calls
    // unavailable or cancelled.
    let turned_away = [tonic::Code::Unavailable, tonic::Code::Cancelled];
    let broken: Vec<_> = failures.iter().filter(|status| !turned_away.contains(&status.code())).collect();
    assert!(broken.is_empty(), "{broken:?}");
    // Every decision that was made has been answered, and every answer is on record.
    let recorded = lictor.records("policy.evaluated").len() as u64;
    assert_eq!(recorded, answered);
    assert!(lictor.records("events.gap").is_empty(), "nothing was lost");
    assert!(!lictor.socket().exists(), "the socket is removed");
    let (code, printed) = lictor.audit_verify();
    assert_eq!(code, 0, "{printed}");
}
