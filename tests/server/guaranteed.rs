//! The mode `guaranteed`: an answer is on record when the caller has it, or it is a denial.

use std::time::Duration;

use lictor::api::proto::v1::evaluate_batch_result::Result as BatchItem;
use lictor::api::proto::v1::evaluate_stream_response::Result as StreamItem;
use lictor::api::proto::v1::{
    Decision, EvaluateBatchRequest, EvaluateRequest, EvaluateResponse, EvaluateStreamRequest, ReasonCode, Step,
    ValidateIrRequest, ValidateIrResponse, ValidationStatus, ViolationCode,
};
use tokio_stream::StreamExt;

use crate::harness::{POLICIES, Running, question};

const CATALOG: &str = "
---
apiVersion: lictor.dev/v1
kind: ActionCatalog
metadata: {name: test}
spec:
  providers: [mail]
  actions:
    - {name: mail.search, tier: 0, providers: [mail]}
";

fn start(patience: Duration) -> Running {
    let running = Running::start_with_events(
        |_| {},
        |events| {
            events.guaranteed = Some(patience);
            // An fsync only where somebody waits for it; a file for each record, so that writing can be made to fail.
            events.fsync_interval = Duration::from_secs(3_600);
            events.segment_bytes = 1;
        },
    );
    running.publish(&format!("{POLICIES}{CATALOG}"), 1);
    running
}

fn numbered(number: usize) -> EvaluateRequest {
    EvaluateRequest { request_id: format!("r{number}"), ..question("file.read") }
}

/// One answer of each kind: a call, a batch of three, a stream of three.
async fn decisions(running: &Running) -> Vec<EvaluateResponse> {
    let mut client = running.client().await;
    let mut answers = vec![client.evaluate(numbered(0)).await.unwrap().into_inner()];
    let batch = EvaluateBatchRequest { requests: (1..4).map(numbered).collect(), ..Default::default() };
    for result in client.evaluate_batch(batch).await.unwrap().into_inner().results {
        let Some(BatchItem::Response(answer)) = result.result else { panic!("{result:?}") };
        assert_eq!(result.request_id, answer.request_id);
        answers.push(answer);
    }
    let requests = tokio_stream::iter((4..7).map(|number| EvaluateStreamRequest { request: Some(numbered(number)) }));
    let mut stream = client.evaluate_stream(requests).await.unwrap().into_inner();
    while let Some(answer) = stream.next().await {
        let answer = answer.unwrap();
        let Some(StreamItem::Response(response)) = answer.result else { panic!("{answer:?}") };
        assert_eq!(answer.request_id, response.request_id);
        answers.push(response);
    }
    let ids: Vec<&str> = answers.iter().map(|answer| answer.request_id.as_str()).collect();
    assert_eq!(ids, ["r0", "r1", "r2", "r3", "r4", "r5", "r6"]);
    answers
}

async fn validation(running: &Running) -> ValidateIrResponse {
    let step = Step {
        action: "mail.search".into(),
        provider: "mail".into(),
        idempotency_key: "key".into(),
        ..Step::default()
    };
    let subject = question("").subject;
    let plan = ValidateIrRequest { subject, steps: vec![step], ..ValidateIrRequest::default() };
    running.client().await.validate_ir(plan).await.unwrap().into_inner()
}

/// Of an event, what it says became of the decision or validation `id`.
fn outcome<'e>(event: &'e serde_json::Value, id: &str) -> Option<&'e str> {
    let payload = &event["payload"];
    match event["type"].as_str()? {
        "policy.evaluated" if payload["decision_id"] == *id => payload["result"]["reason_code"].as_str(),
        kind if payload["validation_id"] == *id => Some(kind),
        _ => None,
    }
}

#[tokio::test]
async fn every_answer_is_on_record() {
    let running = start(Duration::from_secs(60));
    let answers = decisions(&running).await;
    let validated = validation(&running).await;
    // Nothing is flushed at an end: this is what stands in the files now.
    let events = running.read_journal();
    for answer in &answers {
        assert_eq!((answer.decision(), answer.reason_code()), (Decision::Allow, ReasonCode::Policy));
        let found: Vec<_> = events.iter().filter_map(|event| outcome(event, &answer.decision_id)).collect();
        assert_eq!(found, ["POLICY"]);
    }
    assert_eq!(validated.status(), ValidationStatus::Pass, "{validated:?}");
    let found: Vec<_> = events.iter().filter_map(|event| outcome(event, &validated.validation_id)).collect();
    assert_eq!(found, ["ir.validated_pass"]);
    let metrics = running.telemetry.render();
    let counted = "lictor_decisions_total{decision=\"allow\",effect=\"allow\",reason_code=\"POLICY\"} 7";
    assert!(metrics.contains(counted), "{metrics}");
}

#[tokio::test]
async fn what_cannot_be_recorded_in_time_is_denied_and_the_record_says_so() {
    let running = start(Duration::from_millis(300));
    let allowed = running.client().await.evaluate(numbered(0)).await.unwrap().into_inner();
    assert!(allowed.allowed);
    let (journal, aside) = (running.folder.path().join("state/journal"), running.folder.path().join("aside"));
    std::fs::rename(&journal, &aside).unwrap();
    std::fs::write(&journal, b"in the way").unwrap();

    let answers = decisions(&running).await;
    let validated = validation(&running).await;
    for answer in &answers {
        assert_eq!((answer.decision(), answer.reason_code()), (Decision::Deny, ReasonCode::AuditUnavailable));
        assert!(!answer.allowed && answer.matched_rule.is_empty() && !answer.decision_id.is_empty());
    }
    assert_eq!(validated.status(), ValidationStatus::Reject);
    assert_eq!(validated.violations[0].code(), ViolationCode::AuditUnavailable);
    let receipt = running.issuer.recognise(&validated.receipt).unwrap();
    assert_eq!(receipt.status(), lictor::model::ValidationStatus::Reject);

    std::fs::remove_file(&journal).unwrap();
    std::fs::rename(&aside, &journal).unwrap();
    let events = running.stop_and_read_journal().await;
    for answer in &answers {
        let last = events.iter().filter_map(|event| outcome(event, &answer.decision_id)).next_back();
        assert_eq!(last, Some("AUDIT_UNAVAILABLE"));
    }
    let last = events.iter().filter_map(|event| outcome(event, &validated.validation_id)).next_back();
    assert_eq!(last, Some("ir.validated_reject"));
}
