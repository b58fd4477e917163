use super::*;
use crate::model::{Decision, Limits, Request, Timestamp};

fn no_policy() -> Decision {
    crate::decide::evaluate(None, &Request::default(), Timestamp::default(), &Limits::default())
}

#[test]
fn what_was_counted_shows() {
    let telemetry = Telemetry::new();
    let (one, two) = (telemetry.worker(), telemetry.worker());
    let outcome = DecisionOutcome::of(&no_policy());
    for worker in [&one, &one, &two] {
        worker.decided(outcome, worker.tenant("acme"), 1_500);
    }
    telemetry.rpc_refused("INVALID_ARGUMENT", "DUPLICATE_KEY");
    telemetry.rpc_refused("INVALID_ARGUMENT", "DUPLICATE_KEY");
    telemetry.policies_reloaded(ReloadResult::Published);
    telemetry.policies_reloaded(ReloadResult::Failed);
    telemetry.snapshot_published(7, 40);
    telemetry.collect_from(Box::new(|| {
        gauge!("lictor_event_ring_depth").set(3.0);
        gauge!(names::CALLS_IN_FLIGHT).set(0.0);
        gauge!(names::CONNECTIONS).set(0.0);
    }));
    let text = telemetry.render();
    for line in [
        "lictor_decisions_total{decision=\"deny\",effect=\"deny\",reason_code=\"NO_POLICY\"} 3",
        "lictor_tenant_decisions_total{tenant=\"822b33ad\"} 3",
        "lictor_rpc_errors_total{code=\"INVALID_ARGUMENT\",reason=\"DUPLICATE_KEY\"} 2",
        "lictor_policy_reloads_total{result=\"published\"} 1",
        "lictor_policy_reloads_total{result=\"failed\"} 1",
        "lictor_policy_reload_failed 1",
        "lictor_snapshot_revision 7",
        "lictor_snapshot_rules 40",
        "lictor_event_ring_depth 3",
        "lictor_evaluate_duration_seconds_count 3",
        "lictor_evaluate_duration_seconds_bucket{le=\"0.000002\"} 3",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    for name in names::DESCRIBED.map(|(name, ..)| name) {
        assert!(text.contains(&format!("# HELP {name} ")), "{name} is not described in\n{text}");
    }
}
