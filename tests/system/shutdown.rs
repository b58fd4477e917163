//! Ending: SIGTERM under load, where calls in flight are answered, every answer is on record and the exit code is 0; and
//! right at the start, where a port is in use.

use crate::harness::{Lictor, Load, free_address, wait_for};

const POLICY: &str =
    "apiVersion: lictor.dev/v1\nkind: Policy\nmetadata: {name: p}\nspec:\n  rules:\n    - {name: r, effect: allow}\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn terminated_under_load() {
    let mut lictor = Lictor::start(POLICY);
    let load = Load::start(&lictor, 8, "a").await;
    wait_for("some load", || load.answered() > 500);
    lictor.signal("-TERM");
    let status = lictor.wait();
    assert!(status.success(), "{status}\n{}", lictor.log());
    let (answered, failures) = load.stop().await;
    // Every decision that was made has been answered, and every answer is on record: so that a call that failed was turned
    // away undecided, whatever its client makes of that.
    let recorded = lictor.records("policy.evaluated").len() as u64;
    assert_eq!(recorded, answered, "{failures:?}");
    assert!(lictor.records("events.gap").is_empty(), "nothing was lost");
    assert!(!lictor.socket().exists(), "the socket is removed");
    let (code, printed) = lictor.audit_verify();
    assert_eq!(code, 0, "{printed}");
}

/// A second server that is to listen where the first one does ends before it records or publishes anything.
#[test]
fn a_port_in_use_leaves_no_trace() {
    let first = Lictor::start(POLICY);
    let mut second = Lictor::prepare(POLICY);
    for (tcp, http, flag) in [(first.tcp, second.http, "--listen"), (second.tcp, first.http, "--http")] {
        (second.tcp, second.http) = (tcp, http);
        second.spawn();
        let status = second.wait();
        assert_eq!(status.code(), Some(2), "{}", second.log());
        assert!(second.log().contains(flag), "{}", second.log());
        assert!(second.segments().is_empty() && !second.path("state/snapshots/HEAD").exists());
        assert!(!second.socket().exists());
        (second.tcp, second.http) = (free_address(), free_address());
    }
    second.run();
}
