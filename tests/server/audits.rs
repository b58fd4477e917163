//! Receipts in answers, and `VerifyDag`.

use lictor::api::proto::v1::decision_service_client::DecisionServiceClient;
use lictor::api::proto::v1::step_input::Origin;
use lictor::api::proto::v1::verify_dag_request::Binding;
use lictor::api::proto::v1::{
    BoundTo, Compared, DagNode, DeviationKind, Execution, ExecutionOutcome, Ordering, Step, StepInput, StepOrigin,
    ValidateIrRequest, ValidateIrResponse, VerifyDagRequest,
};
use lictor::model::ValidationStatus;
use tonic::Code;
use tonic::transport::Channel;

use crate::harness::{Running, reason};

const CATALOGUE: &str = "
apiVersion: lictor.dev/v1
kind: ActionCatalog
metadata: {name: test}
spec:
  providers: [mail, bank]
  actions:
    - {name: mail.search, tier: 0, providers: [mail]}
    - {name: bank.transfer, tier: 2, providers: [bank], labels: [side_effect]}
";

fn step(id: &str, action: &str, after: &[&str]) -> Step {
    Step {
        step_id: id.into(),
        action: action.into(),
        provider: action.split('.').next().unwrap_or_default().into(),
        idempotency_key: format!("key-{id}"),
        depends_on: after.iter().map(ToString::to_string).collect(),
        ..Step::default()
    }
}

fn search() -> Vec<Step> {
    vec![step("first", "mail.search", &[]), step("second", "mail.search", &["first"])]
}

async fn start() -> (Running, DecisionServiceClient<Channel>) {
    let running = Running::start_empty(|_| {});
    running.publish(CATALOGUE, 1);
    let client = running.client().await;
    (running, client)
}

async fn validate(client: &mut DecisionServiceClient<Channel>, steps: &[Step]) -> ValidateIrResponse {
    let question = ValidateIrRequest {
        ordering: Ordering::Dag.into(),
        steps: steps.to_vec(),
        tenant_id: "acme".into(),
        run_id: "run-1".into(),
        audience: "executor".into(),
        ..ValidateIrRequest::default()
    };
    client.validate_ir(question).await.unwrap().into_inner()
}

/// The audit of `steps`, as their validation names them.
fn audit(answer: &ValidateIrResponse, steps: &[Step]) -> VerifyDagRequest {
    let nodes = steps.iter().zip(&answer.steps).enumerate().map(|(seq, (step, validated))| DagNode {
        ir_step_id: step.step_id.clone(),
        ir_step_hash: validated.step_hash.clone(),
        content: Some(step.clone()),
        depends_on: step.depends_on.clone(),
        seq: Some(seq as u64),
    });
    let calls = steps.iter().enumerate().map(|(seq, step)| Execution {
        seq: seq as u64,
        step_id: step.step_id.clone(),
        action: step.action.clone(),
        outcome: ExecutionOutcome::Done.into(),
        ..Execution::default()
    });
    VerifyDagRequest {
        tenant_id: "acme".into(),
        ordering: Ordering::Dag.into(),
        steps: steps.to_vec(),
        nodes: nodes.collect(),
        executions: calls.collect(),
        binding: Some(Binding::Receipt(answer.receipt.clone())),
        request_id: "audit-1".into(),
        ..VerifyDagRequest::default()
    }
}

#[tokio::test]
async fn every_answer_has_a_receipt_and_only_that_of_a_pass_authorises() {
    let (running, mut client) = start().await;
    let burn = vec![step("a", "mail.burn", &[])];
    let pay = vec![step("a", "bank.transfer", &[])];
    for (steps, status) in
        [(search(), ValidationStatus::Pass), (pay, ValidationStatus::Escalate), (burn, ValidationStatus::Reject)]
    {
        let answer = validate(&mut client, &steps).await;
        let receipt = running.issuer.recognise(&answer.receipt).unwrap();
        assert_eq!((receipt.status(), receipt.authorises()), (status, status == ValidationStatus::Pass));
        assert_eq!((receipt.ir_hash.as_str(), u32::from(receipt.tier)), (answer.ir_hash.as_str(), answer.risk_tier));
        assert_eq!((receipt.jti, receipt.aud.as_str()), (answer.validation_id, "executor"));
        assert_eq!((receipt.tenant.as_str(), receipt.run_id.as_str()), ("acme", "run-1"));
        assert_eq!(receipt.snapshot, answer.snapshot.unwrap().digest);
    }
}

#[tokio::test]
async fn open_arguments_are_held_against_the_schemas_that_the_plan_was_validated_with() {
    let (running, mut client) = start().await;
    let schema = |ty: &str| {
        let schema = format!("providers: [mail], paramsSchema: {{properties: {{id: {{type: {ty}}}}}}}}}");
        CATALOGUE.replacen("providers: [mail]}", &schema, 1)
    };
    running.publish(&schema("string"), 2);
    let mut steps = search();
    let origin = StepOrigin { step_id: "first".into(), ..StepOrigin::default() };
    steps[1].inputs = vec![StepInput { path: "/id".into(), origin: Some(Origin::Step(origin)) }];
    let answer = validate(&mut client, &steps).await;
    let mut question = audit(&answer, &steps);
    question.nodes.clear();
    let text = |text: &str| prost_types::Value { kind: Some(prost_types::value::Kind::StringValue(text.into())) };
    let id = |value: prost_types::Value| prost_types::Struct { fields: [("id".to_owned(), value)].into() };
    question.executions[1].params = Some(id(text("a")));
    // What is live now says something else, and so would an audit that is bound to nothing.
    running.publish(&schema("number"), 3);
    let found = client.verify_dag(question.clone()).await.unwrap().into_inner();
    assert!(found.success, "{found:#?}");
    assert_eq!(found.params_snapshot, answer.snapshot.unwrap().digest);
    assert!(found.unchecked_params.is_empty(), "{found:#?}");
    let question = VerifyDagRequest { binding: None, ..question };
    let unbound = client.verify_dag(question.clone()).await.unwrap().into_inner();
    assert_eq!(unbound.deviations[0].kind(), DeviationKind::InvalidParams);
    assert_ne!(unbound.params_snapshot, found.params_snapshot);
    let message = &unbound.deviations[0].message;
    assert!(message.contains(&unbound.params_snapshot) && message.contains("validated again"), "{message}");
    // Where no catalogue speaks of the action, nothing was checked, and the answer says so.
    running.publish(&CATALOGUE.replace("mail.search", "mail.find"), 4);
    let unknown = client.verify_dag(question.clone()).await.unwrap().into_inner();
    assert_eq!((unknown.success, unknown.params_snapshot.as_str()), (true, ""), "{unknown:#?}");
    assert_eq!(unknown.unchecked_params, ["second"]);
    let many = vec![question.steps[0].clone(); 1_001];
    let refused = client.verify_dag(VerifyDagRequest { steps: many, ..question }).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert_eq!(reason(refused.details()), ("FIELD_TOO_LONG".to_owned(), vec!["steps".to_owned()]));
    let details = String::from_utf8_lossy(refused.details());
    assert!(details.contains("has 1001 steps, and this server allows 1000"), "{details}");
}

#[tokio::test]
async fn what_ran_is_what_was_validated_or_each_difference_is_named() {
    let (running, mut client) = start().await;
    let steps = search();
    let answer = validate(&mut client, &steps).await;
    let good = audit(&answer, &steps);
    let found = client.verify_dag(good.clone()).await.unwrap().into_inner();
    assert!(found.success, "{found:#?}");
    assert_eq!((found.bound_to(), found.compared()), (BoundTo::Receipt, Compared::Content));
    assert_eq!((found.ir_hash.as_str(), found.request_id.as_str()), (answer.ir_hash.as_str(), "audit-1"));
    assert_eq!(found.correlation_id, "audit-1");
    assert!(found.dag_hash.starts_with("sha256:") && found.verified_at.is_some());

    let mut missing = good.clone();
    missing.nodes.pop();
    let mut twice = good.clone();
    twice.nodes.push(good.nodes[0].clone());
    let mut rewired = good.clone();
    rewired.nodes[1].depends_on.clear();
    let mut changed = good.clone();
    changed.nodes[0].content.as_mut().unwrap().resource = "elsewhere".into();
    let mut refused = good.clone();
    refused.executions[1].outcome = ExecutionOutcome::Refused.into();
    let mut unplanned = good.clone();
    unplanned.executions[1].action = "bank.transfer".into();
    let mut other_plan = good.clone();
    other_plan.tenant_id = "other".into();
    for (question, what) in [
        (missing, "missing_steps"),
        (twice, "duplicates"),
        (rewired, "rewired"),
        (changed, "hash_mismatches"),
        (refused, "refused"),
        (unplanned, "deviations"),
        (other_plan, "plan_changed"),
    ] {
        let found = client.verify_dag(question).await.unwrap().into_inner();
        assert!(!found.success, "{what}: {found:#?}");
        let named = match what {
            "missing_steps" => found.missing_steps == ["second"],
            "duplicates" => found.duplicates == ["first"],
            "rewired" => found.rewired == ["second"],
            "hash_mismatches" => found.hash_mismatches[0].changed_paths == ["/resource"],
            "refused" => found.refused == ["second"],
            "deviations" => found.deviations.iter().any(|found| found.execution_seq == Some(1)),
            _ => found.deviations[0].kind() == DeviationKind::PlanChanged,
        };
        assert!(named, "{what}: {found:#?}");
    }
    let unbound = VerifyDagRequest { binding: None, ..good };
    let found = client.verify_dag(unbound).await.unwrap().into_inner();
    assert_eq!((found.success, found.bound_to()), (true, BoundTo::None));

    let metrics = running.telemetry.render();
    for line in
        ["lictor_dag_verifications_total{result=\"ok\"} 2", "lictor_dag_verifications_total{result=\"failed\"} 7"]
    {
        assert!(metrics.lines().any(|found| found == line), "{line} is not in\n{metrics}");
    }
    let events = running.stop_and_read_journal().await;
    let of = |kind: &str| events.iter().filter(|event| event["type"] == kind).collect::<Vec<_>>();
    let (ok, failed) = (of("ir.dag_diff_ok"), of("ir.dag_diff_failed"));
    assert_eq!((ok.len(), failed.len()), (2, 7));
    let payload = &ok[0]["payload"];
    assert_eq!((&payload["ir_hash"], &payload["all_hashes_match"]), (&answer.ir_hash.into(), &true.into()));
    assert_eq!((&payload["step_count"], &payload["dag_node_count"]), (&2.into(), &2.into()));
    assert_eq!(payload["validation_id"], answer.validation_id.as_str());
    assert_eq!(ok[1]["payload"].get("validation_id"), None, "bound to nothing");
    assert_eq!(failed[0]["payload"]["mismatch_details"]["missing_ir_steps"], serde_json::json!(["second"]));
    assert_eq!(failed[0]["payload"]["all_hashes_match"], false);
}

#[tokio::test]
async fn an_escalation_authorises_no_call() {
    let (_running, mut client) = start().await;
    let steps = vec![step("a", "bank.transfer", &[])];
    let answer = validate(&mut client, &steps).await;
    let found = client.verify_dag(audit(&answer, &steps)).await.unwrap().into_inner();
    let kinds: Vec<DeviationKind> = found.deviations.iter().map(|deviation| deviation.kind()).collect();
    assert_eq!((found.success, kinds), (false, vec![DeviationKind::NotAuthorised]));
}

#[tokio::test]
async fn a_binding_that_proves_nothing_is_refused() {
    let (_running, mut client) = start().await;
    let steps = search();
    let answer = validate(&mut client, &steps).await;
    let good = audit(&answer, &steps);
    let (head, signature) = answer.receipt.rsplit_once('.').unwrap();
    let other_server = start().await.0;
    let content = lictor::receipt::ReceiptContent {
        id: "x",
        audience: "executor",
        tenant: "acme",
        run_id: "",
        status: ValidationStatus::Pass,
        tier: 0,
        ir_hash: &answer.ir_hash,
        snapshot: "",
    };
    let now = lictor::model::Timestamp::from_system(std::time::SystemTime::now());
    let foreign = other_server.issuer.sign(&content, now);
    for (receipt, why) in [
        (format!("{head}x.{signature}"), "changed"),
        (foreign, "another server's"),
        ("nonsense".to_owned(), "no receipt"),
    ] {
        let question = VerifyDagRequest { binding: Some(Binding::Receipt(receipt)), ..good.clone() };
        let refused = client.verify_dag(question).await.unwrap_err();
        let (reason, _) = reason(refused.details());
        assert_eq!((refused.code(), reason.as_str()), (Code::InvalidArgument, "INVALID_RECEIPT"), "{why}: {refused:?}");
    }
    let question = VerifyDagRequest { binding: Some(Binding::ApprovalId("a".into())), ..good.clone() };
    let refused = client.verify_dag(question).await.unwrap_err();
    let (reason, _) = reason(refused.details());
    assert_eq!((refused.code(), reason.as_str()), (Code::FailedPrecondition, "APPROVALS_UNAVAILABLE"));
}
