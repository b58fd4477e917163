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
    telemetry.snapshot_published(7, 40);
    telemetry.collect_from(Box::new(|| gauge!(names::RING_RECORDS).set(3.0)));
    let text = telemetry.render();
    for line in [
        "lictor_decisions_total{decision=\"deny\",effect=\"deny\",reason_code=\"NO_POLICY\"} 3",
        "lictor_tenant_decisions_total{tenant=\"822b33ad\"} 3",
        "lictor_rpc_errors_total{code=\"INVALID_ARGUMENT\",reason=\"DUPLICATE_KEY\"} 2",
        "lictor_snapshot_revision 7",
        "lictor_snapshot_rules 40",
        "lictor_event_ring_records 3",
        "lictor_evaluate_duration_seconds_count 3",
        "lictor_evaluate_duration_seconds_bucket{le=\"0.000002\"} 3",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
}

#[test]
fn every_metric_is_described() {
    let telemetry = Telemetry::new();
    telemetry.collect_from(Box::new(|| {
        for (name, kind, _) in names::DESCRIBED {
            match kind {
                names::Kind::Counter => counter!(name).absolute(1),
                names::Kind::Gauge => gauge!(name).set(1.0),
            }
        }
    }));
    let text = telemetry.render();
    for (name, kind, help) in names::DESCRIBED {
        let kind = if kind == names::Kind::Counter { "counter" } else { "gauge" };
        assert!(text.contains(&format!("# HELP {name} {help}\n# TYPE {name} {kind}\n")), "{name} in\n{text}");
    }
}
