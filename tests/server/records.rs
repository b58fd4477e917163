//! What is recorded of calls, and what becomes of a decision that cannot be recorded.

use std::time::Duration;

use lictor::api::proto::v1::decision_service_client::DecisionServiceClient;
use lictor::api::proto::v1::{Decision, EvaluateRequest, ReasonCode};

use crate::harness::{POLICIES, Running, question};

#[tokio::test]
async fn answers_and_records_name_each_other() {
    let running = Running::start(|_| {});
    let mut answers = Vec::new();
    for channel in [running.tcp().await, running.unix().await] {
        let request = EvaluateRequest { request_id: "r-1".into(), ..question("file.write") };
        answers.push(DecisionServiceClient::new(channel).evaluate(request).await.unwrap().into_inner());
    }
    let events = running.stop_and_read_journal().await;
    let uid = format!("uid:{}", rustix::process::getuid().as_raw());
    for (answer, actor) in answers.iter().zip(["anonymous", uid.as_str()]) {
        let of_answer = |event: &&serde_json::Value| event["payload"]["decision_id"] == *answer.decision_id;
        let types: Vec<&str> = events.iter().filter(of_answer).filter_map(|event| event["type"].as_str()).collect();
        assert_eq!(types, ["policy.evaluated", "policy.denied", "policy.warning_triggered"], "{events:#?}");
        for event in events.iter().filter(of_answer) {
            assert_eq!(event["meta"]["actor"], actor);
            assert_eq!(event["meta"]["correlation_id"], *answer.correlation_id);
            assert_eq!(event["meta"]["snapshot"], *answer.snapshot.as_ref().unwrap().digest);
        }
    }
}

#[tokio::test]
async fn a_decision_that_must_be_audited_and_cannot_be_recorded_is_a_denial() {
    // A writer that does not come, and a ring that is soon full.
    let running = Running::start_with_events(
        |_| {},
        |events| {
            events.ring_records = 16;
            (events.poll_busy, events.poll_idle) = (Duration::from_secs(3_600), Duration::from_secs(3_600));
        },
    );
    running.publish(&POLICIES.replace("effect: warn", "effect: audit"), 1);
    let mut client = running.client().await;
    let mut denied = 0;
    for _ in 0..100 {
        if denied == 5 {
            break;
        }
        let answer = client.evaluate(question("file.read")).await.unwrap().into_inner();
        if answer.reason_code() == ReasonCode::AuditUnavailable {
            assert_eq!((answer.decision(), answer.allowed), (Decision::Deny, false));
            assert!(answer.requires_audit);
            assert_eq!((answer.matched_rule.as_str(), answer.obligations.len()), ("", 0));
            denied += 1;
        } else {
            assert_eq!(answer.decision(), Decision::Allow);
            assert_eq!(denied, 0, "the ring does not get emptier");
        }
    }
    assert_eq!(denied, 5);
    let line = format!(
        "lictor_decisions_total{{decision=\"deny\",effect=\"deny\",reason_code=\"AUDIT_UNAVAILABLE\"}} {denied}"
    );
    let metrics = running.telemetry.render();
    assert!(metrics.lines().any(|found| found == line), "{metrics}");
    let events = running.stop_and_read_journal().await;
    let refused = |event: &&serde_json::Value| {
        event["type"] == "policy.denied" && event.to_string().contains("AUDIT_UNAVAILABLE")
    };
    assert_eq!(events.iter().filter(refused).count(), denied, "each is on record");
}
