//! `ValidateIR`: answers, refusals, limits, records.

use std::time::Duration;

use lictor::api::proto::v1::decision_service_client::DecisionServiceClient;
use lictor::api::proto::v1::{Decision, ReasonCode, Step, Subject, ValidateIrRequest, ValidationStatus, ViolationCode};
use lictor::model::Layer;
use lictor::policy::{self, SourceText};
use lictor::snapshot::Snapshot;
use prost::Message;
use prost_types::value::Kind;
use tonic::Code;

use crate::harness::{Running, reason};
use crate::raw::{Raw, framed, grpc};

/// What the tests ask about; `$TIER` is that of a transfer.
const GOVERNANCE: &str = "
apiVersion: lictor.dev/v1
kind: ActionCatalog
metadata: {name: test}
spec:
  providers: [mail, bank]
  actions:
    - {name: mail.search, tier: 0, providers: [mail]}
    - {name: bank.transfer, tier: $TIER, providers: [bank], labels: [side_effect]}
    - {name: bank.close, tier: 1, providers: [bank], labels: [side_effect]}
---
apiVersion: lictor.dev/v1
kind: Policy
metadata: {name: accounts}
spec:
  rules:
    - {name: nobody-closes, effect: deny, actions: [bank.close], reason: accounts stay open}
";

fn governance(tier: u8) -> String {
    GOVERNANCE.replace("$TIER", &tier.to_string())
}

fn start() -> Running {
    let running = Running::start_empty(|_| {});
    running.publish(&governance(2), 1);
    running
}

fn step(action: &str, number: usize) -> Step {
    Step {
        action: action.into(),
        provider: action.split('.').next().unwrap_or_default().into(),
        idempotency_key: format!("key-{number}"),
        ..Step::default()
    }
}

fn plan(actions: &[&str]) -> ValidateIrRequest {
    ValidateIrRequest {
        subject: Some(Subject { r#type: "agent".into(), id: "support-7".into(), ..Subject::default() }),
        steps: actions.iter().enumerate().map(|(number, action)| step(action, number)).collect(),
        ..ValidateIrRequest::default()
    }
}

fn params(entries: impl IntoIterator<Item = (&'static str, Kind)>) -> Option<prost_types::Struct> {
    let value = |kind| prost_types::Value { kind: Some(kind) };
    Some(prost_types::Struct { fields: entries.into_iter().map(|(key, kind)| (key.to_owned(), value(kind))).collect() })
}

#[tokio::test]
async fn a_plan_may_run_waits_or_must_not_run() {
    let running = start();
    let digest = running.publish(&governance(2), 1);
    let mut client = running.client().await;
    let cases = [
        (plan(&[]), ValidationStatus::Pass, 0, vec![]),
        (plan(&["mail.search"]), ValidationStatus::Pass, 0, vec![]),
        (plan(&["mail.search", "bank.transfer"]), ValidationStatus::Escalate, 2, vec![]),
        (plan(&["mail.burn"]), ValidationStatus::Reject, 3, vec![ViolationCode::UnknownAction]),
        (plan(&["bank.close"]), ValidationStatus::Reject, 1, vec![ViolationCode::PolicyDenied]),
    ];
    for (question, status, tier, codes) in cases {
        let answer = client.validate_ir(question.clone()).await.unwrap().into_inner();
        assert_eq!((answer.status(), answer.risk_tier), (status, tier), "{answer:#?}");
        let found: Vec<ViolationCode> = answer.violations.iter().map(|violation| violation.code()).collect();
        assert_eq!(found, codes, "{answer:#?}");
        assert_eq!(answer.requires_approval, status == ValidationStatus::Escalate);
        assert_eq!(answer.steps.len(), question.steps.len());
        assert!(answer.ir_hash.starts_with("sha256:") && answer.ir_hash.len() == 71, "{answer:#?}");
        assert_eq!(answer.snapshot.unwrap().digest, digest);
        let id: uuid::Uuid = answer.validation_id.parse().unwrap();
        assert_eq!(id.get_version_num(), 7);
        assert_eq!(answer.correlation_id, answer.validation_id, "nobody gave another");
        assert!(answer.validated_at.unwrap().seconds > 1_700_000_000 && answer.semantics > 0);
    }
}

#[tokio::test]
async fn ids_are_echoed_and_the_hash_is_of_the_content_alone() {
    let running = start();
    let mut client = running.client().await;
    let first = ValidateIrRequest { request_id: "r-1".into(), ..plan(&["mail.search"]) };
    let second = ValidateIrRequest { request_id: "r-2".into(), correlation_id: "c".into(), ..first.clone() };
    let first = client.validate_ir(first).await.unwrap().into_inner();
    let second = client.validate_ir(second).await.unwrap().into_inner();
    assert_eq!((first.request_id.as_str(), first.correlation_id.as_str()), ("r-1", "r-1"));
    assert_eq!((second.request_id.as_str(), second.correlation_id.as_str()), ("r-2", "c"));
    assert_eq!(first.ir_hash, second.ir_hash);
    assert_ne!(first.validation_id, second.validation_id);
}

#[tokio::test]
async fn what_cannot_be_asked_is_refused_with_its_reason() {
    let running = start();
    let mut client = running.client().await;
    let of_step = |step| ValidateIrRequest { steps: vec![step], ..ValidateIrRequest::default() };
    let nan = Step { params: params([("a", Kind::NumberValue(f64::NAN))]), ..step("mail.search", 0) };
    let deep = (0..1_000).fold(Kind::BoolValue(true), |inner, _| Kind::StructValue(params([("a", inner)]).unwrap()));
    let deep = Step { params: params([("a", deep)]), ..step("mail.search", 0) };
    let deep_path = format!("steps[0].params{}", ".a".repeat(32));
    let pinned = ValidateIrRequest { snapshot: format!("sha256:{:064}", 0), ..plan(&[]) };
    let huge = ValidateIrRequest { intent_summary: "x".repeat(5 << 20), ..plan(&[]) };
    let cases = [
        (of_step(nan), Code::InvalidArgument, "NUMBER_NOT_FINITE", vec!["steps[0].params.a"]),
        (of_step(deep), Code::InvalidArgument, "TOO_DEEP", vec![deep_path.as_str()]),
        (
            ValidateIrRequest { run_id: "\n".into(), ..plan(&[]) },
            Code::InvalidArgument,
            "FORBIDDEN_CHARACTER",
            vec!["run_id"],
        ),
        (pinned, Code::NotFound, "SNAPSHOT_NOT_RESIDENT", vec![]),
        (huge, Code::ResourceExhausted, "MESSAGE_TOO_LARGE", vec![]),
    ];
    for (question, code, expected, fields) in cases {
        let refused = client.validate_ir(question).await.unwrap_err();
        let (reason, found) = reason(refused.details());
        assert_eq!((refused.code(), reason.as_str()), (code, expected), "{refused:?}");
        assert_eq!(found, fields, "{refused:?}");
    }
    // By hand: a client library that is as late gives up by itself.
    let mut raw = Raw::connect(running.server.tcp_address().unwrap()).await;
    let late = framed(&plan(&["mail.search"]).encode_to_vec());
    let answer = raw.call(grpc("ValidateIR").header("grpc-timeout", "0n"), late).await;
    assert_eq!(answer.grpc_status().code(), Code::DeadlineExceeded);
    // And the connection serves on.
    client.validate_ir(plan(&["mail.search"])).await.unwrap();
}

#[tokio::test]
async fn large_plans_are_answered_like_small_ones_and_too_large_ones_are_rejected() {
    let running = start();
    let mut client = running.client().await;
    let steps = |count: usize| {
        let steps = (0..count).map(|number| step("mail.search", number)).collect();
        ValidateIrRequest { steps, ..plan(&[]) }
    };
    let large = client.validate_ir(steps(1_000)).await.unwrap().into_inner();
    assert_eq!((large.status(), large.steps.len()), (ValidationStatus::Pass, 1_000));
    let small = ValidateIrRequest { steps: steps(1).steps, ..plan(&[]) };
    let small = client.validate_ir(small).await.unwrap().into_inner();
    assert_eq!(small.steps[0].step_hash, large.steps[0].step_hash);
    for count in [1_001, 10_000] {
        let answer = client.validate_ir(steps(count)).await.unwrap().into_inner();
        assert_eq!(answer.status(), ValidationStatus::Reject);
        assert_eq!(answer.violations[0].code(), ViolationCode::TooManySteps, "{:?}", answer.violations);
        assert!(answer.violations[0].message.contains(&count.to_string()), "{:?}", answer.violations);
        assert_eq!(answer.ir_hash, "");
    }
}

#[tokio::test]
async fn draining_waits_for_a_large_plan() {
    let running = start();
    let mut raw = Raw::connect(running.server.tcp_address().unwrap()).await;
    let mut question = plan(&["mail.search"]);
    question.intent_summary = "x".repeat(20_000);
    let message = framed(&question.encode_to_vec());
    let (body, answer) = raw.open(grpc("ValidateIR"));
    body.send(message[..7].to_vec().into()).unwrap();
    while running.server.calls_in_flight() == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let readiness = running.server.readiness();
    let stopping = tokio::spawn(running.stop());
    while readiness.check().is_ok() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    body.send(message[7..].to_vec().into()).unwrap();
    drop(body);
    assert_eq!(answer.await.grpc_status().code(), Code::Ok);
    assert!(stopping.await.unwrap(), "everything was answered in time");
}

#[tokio::test]
async fn every_validation_is_on_record() {
    let running = start();
    let mut channels = [running.tcp().await, running.unix().await].into_iter().map(DecisionServiceClient::new);
    let mut client = channels.next().unwrap();
    let mut transfer = plan(&["mail.search", "bank.transfer"]);
    transfer.tenant_id = "acme".into();
    transfer.request_id = "r-1".into();
    transfer.user_messages = vec!["pay 20 to Ada".into()];
    transfer.steps[1].params = params([("amount", Kind::NumberValue(20.0))]);
    transfer.steps[1].budget_cents = Some(2_000);
    let questions = [plan(&["mail.search"]), transfer, plan(&["mail.burn"])];
    let mut answers = Vec::new();
    for question in questions {
        answers.push(client.validate_ir(question).await.unwrap().into_inner());
    }
    let metrics = running.telemetry.render();
    for line in [
        "lictor_validations_total{status=\"PASS\",tier=\"0\"} 1",
        "lictor_validations_total{status=\"ESCALATE\",tier=\"2\"} 1",
        "lictor_validations_total{status=\"REJECT\",tier=\"3\"} 1",
        "lictor_validation_violations_total{code=\"UNKNOWN_ACTION\"} 1",
        "lictor_validate_duration_seconds_count 3",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} is not in\n{metrics}");
    }
    let events = running.stop_and_read_journal().await;
    let of = |kind: &str| events.iter().find(|event| event["type"] == kind).unwrap_or_else(|| panic!("{events:#?}"));
    for (answer, kind) in answers.iter().zip(["ir.validated_pass", "ir.validated_escalate", "ir.validated_reject"]) {
        let event = of(kind);
        assert_eq!(event["source"], "ir_governance");
        assert_eq!(event["meta"]["correlation_id"], *answer.correlation_id);
        assert_eq!(event["meta"]["snapshot"], *answer.snapshot.as_ref().unwrap().digest);
        let payload = &event["payload"];
        assert_eq!(payload["validation_id"], *answer.validation_id);
        assert_eq!(payload["ir_hash"], *answer.ir_hash);
        assert_eq!(payload["risk_tier"], answer.risk_tier);
        assert_eq!(payload["requires_approval"], answer.requires_approval);
        assert_eq!(payload["step_count"], answer.steps.len());
        assert_eq!(payload["steps"].as_array().unwrap().len(), answer.steps.len());
        assert_eq!(payload["violations"].as_array().unwrap().len(), answer.violations.len());
        assert!(payload["validated_at"].is_string());
    }
    let risky = &of("ir.validated_escalate")["payload"]["high_risk_steps"];
    assert_eq!(risky.as_array().unwrap().len(), 1);
    let named = (&risky[0]["step_index"], &risky[0]["action"], &risky[0]["provider"], &risky[0]["risk_tier"]);
    assert_eq!(serde_json::json!(named), serde_json::json!([1, "bank.transfer", "bank", 2]));
    assert!(!risky[0]["reason"].as_str().unwrap().is_empty());
    let inputs = &of("ir.validated_escalate")["payload"]["inputs"];
    assert_eq!(inputs["tenant_id"], "acme");
    assert_eq!(inputs["user_messages"], serde_json::json!(["pay 20 to Ada"]));
    assert_eq!(inputs["steps"][1]["params"], serde_json::json!({"amount": 20}));
    assert_eq!(inputs["steps"][1]["budget_cents"], 2_000);
    let violation = &of("ir.validated_reject")["payload"]["violations"][0];
    assert_eq!(
        (&violation["step_index"], &violation["code"], &violation["severity"]),
        (&0.into(), &"UNKNOWN_ACTION".into(), &"ERROR".into())
    );
}

#[tokio::test]
async fn what_is_masked_is_in_no_record() {
    let running = Running::start_with_events(|_| {}, |events| events.mask = vec!["context.params.card".into()]);
    running.publish(&governance(2), 1);
    let mut client = running.client().await;
    let mut question = plan(&["bank.transfer"]);
    question.steps[0].params =
        params([("card", Kind::StringValue("4111-1111".into())), ("note", Kind::StringValue("hi".into()))]);
    question.steps[0].description = "pay with 4111-1111".into();
    question.user_messages = vec!["my card is 4111-1111".into(), "thanks".into()];
    client.validate_ir(question).await.unwrap();
    let events = running.stop_and_read_journal().await;
    let text = serde_json::Value::from(events.clone()).to_string();
    assert!(!text.contains("4111-1111"), "{text}");
    let inputs = &events.iter().find(|event| event["type"] == "ir.validated_escalate").unwrap()["payload"]["inputs"];
    assert_eq!(inputs["steps"][0]["params"]["note"], "hi");
    assert!(inputs["steps"][0]["params"]["card"]["masked"].as_str().unwrap().starts_with("hmac-sha256:"));
    assert_eq!(inputs["user_messages"][1], "thanks");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_validations_during_reloads_agree_with_the_snapshot_that_they_name() {
    let running = start();
    let snapshots: Vec<_> = [0, 2]
        .into_iter()
        .map(|tier| {
            let source = SourceText {
                name: "test.yaml".into(),
                layer: Layer::Organisation,
                text: governance(tier).as_str().into(),
            };
            std::sync::Arc::new(Snapshot::build(&policy::load(&[source]).documents, 1))
        })
        .collect();
    let digests: Vec<String> = snapshots.iter().map(|snapshot| snapshot.digest().to_owned()).collect();
    drop(running.holder.publish(snapshots[0].clone()));
    let holder = running.holder.clone();
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let stopping = stop.clone();
    let swapping = tokio::task::spawn_blocking(move || {
        let mut round = 0_usize;
        while !stopping.load(std::sync::atomic::Ordering::Relaxed) {
            drop(holder.publish(snapshots[round % 2].clone()));
            round += 1;
            std::thread::yield_now();
        }
    });
    let client = running.client().await;
    let calls: Vec<_> = (0..1_000)
        .map(|number| {
            let mut client = client.clone();
            let mut question = plan(&["mail.search", "bank.transfer", "bank.transfer"]);
            // Every other one is large enough for the compute pool.
            question.intent_summary = "x".repeat(if number % 2 == 0 { 0 } else { 20_000 });
            tokio::spawn(async move { client.validate_ir(question).await })
        })
        .collect();
    let mut hashes = std::collections::HashSet::new();
    for call in calls {
        let answer = call.await.unwrap().unwrap().into_inner();
        let tier = if answer.snapshot.as_ref().unwrap().digest == digests[0] { 0 } else { 2 };
        let status = if tier == 0 { ValidationStatus::Pass } else { ValidationStatus::Escalate };
        assert_eq!((answer.risk_tier, answer.status()), (tier, status));
        let tiers: Vec<u32> = answer.steps.iter().map(|step| step.tier).collect();
        assert_eq!(tiers, [0, tier, tier], "one snapshot for the whole plan");
        hashes.insert(answer.ir_hash);
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    swapping.await.unwrap();
    assert_eq!(hashes.len(), 1);
}

#[tokio::test]
async fn a_plan_that_must_be_audited_and_cannot_be_recorded_is_rejected() {
    // A writer that does not come, and a queue that is soon full.
    let running = Running::start_with_events(
        |_| {},
        |events| {
            events.ring_bytes = 64 * 1024;
            (events.poll_busy, events.poll_idle) = (Duration::from_secs(3_600), Duration::from_secs(3_600));
        },
    );
    let audited = "    - {name: searches, effect: audit, actions: [mail.search]}\n";
    running.publish(&format!("{}{audited}", governance(0)), 1);
    let mut client = running.client().await;
    let question = plan(&["bank.transfer", "mail.search"]);
    let mut rejected = 0;
    for _ in 0..1_500 {
        if rejected == 3 {
            break;
        }
        let answer = client.validate_ir(question.clone()).await.unwrap().into_inner();
        let receipt = running.issuer.recognise(&answer.receipt).unwrap();
        if answer.status() == ValidationStatus::Pass {
            assert_eq!((rejected, receipt.authorises()), (0, true), "the queue does not get emptier");
            continue;
        }
        rejected += 1;
        assert_eq!((answer.status(), receipt.authorises()), (ValidationStatus::Reject, false));
        let [violation] = &answer.violations[..] else { panic!("{answer:#?}") };
        assert_eq!((violation.code(), violation.step_index), (ViolationCode::AuditUnavailable, None));
        let reasons: Vec<ReasonCode> = answer.steps.iter().map(|step| step.reason_code()).collect();
        assert_eq!(reasons, [ReasonCode::Default, ReasonCode::AuditUnavailable]);
        assert_eq!(answer.steps[1].decision(), Decision::Deny);
    }
    assert_eq!(rejected, 3);
    // What need not be audited goes on, recorded or not.
    let answer = client.validate_ir(plan(&["bank.transfer"])).await.unwrap().into_inner();
    assert_eq!(answer.status(), ValidationStatus::Pass);
    let events = running.stop_and_read_journal().await;
    let refused = |event: &&serde_json::Value| {
        event["type"] == "ir.validated_reject" && event.to_string().contains("AUDIT_UNAVAILABLE")
    };
    assert_eq!(events.iter().filter(refused).count(), rejected, "each is on record");
}

#[tokio::test]
async fn a_small_plan_that_takes_long_is_answered_all_the_same() {
    const PAIRS: &str = "
---
apiVersion: lictor.dev/v1
kind: RiskPolicy
metadata: {name: pairs}
spec:
  plan:
    - {name: alike, effect: escalate, when: 'ir.steps.all(a, ir.steps.all(b, a.action == b.action))'}
";
    let running = Running::start_empty(|_| {});
    running.publish(&format!("{}{PAIRS}", governance(0)), 1);
    let mut client = running.client().await;
    for count in [2, 150] {
        let question = plan(&vec!["mail.search"; count]);
        assert!(question.encoded_len() < 16 * 1024);
        let answer = client.validate_ir(question).await.unwrap().into_inner();
        assert_eq!((answer.status(), answer.steps.len()), (ValidationStatus::Escalate, count), "{answer:#?}");
    }
}
