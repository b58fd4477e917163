use clap::Parser;

use super::*;
use crate::api::proto::v1;

#[derive(Debug, Parser)]
struct Command {
    #[command(flatten)]
    args: ValidateIrArgs,
}

fn parse(args: &[&str]) -> ValidateIrArgs {
    Command::try_parse_from(["validate-ir"].iter().chain(args)).unwrap().args
}

const PLAN: &str = "
request_id: r-1
ordering: DAG
steps:
  - {step_id: find, action: mail.search, provider: mail, idempotency_key: k-1}
  - step_id: pay
    action: bank.transfer
    provider: bank
    resource: account:main
    params: {amount: 20}
    idempotency_key: k-2
    budget_cents: 2000
    depends_on: [find]
";

const DOCUMENTS: &str = "
apiVersion: lictor.dev/v1
kind: ActionCatalog
metadata: {name: test}
spec:
  providers: [mail, bank]
  actions:
    - {name: mail.search, tier: 0, providers: [mail]}
    - {name: bank.transfer, tier: 2, providers: [bank], labels: [side_effect]}
";

fn answer() -> v1::ValidateIrResponse {
    let reason = v1::TierReason {
        kind: v1::TierKind::Action.into(),
        document: "test".into(),
        rule: "bank.transfer".into(),
        message: "the action moves money".into(),
        tier: 2,
    };
    let step = |index, step_id: &str, tier, tier_reasons| v1::StepValidation {
        index,
        step_id: step_id.into(),
        step_hash: format!("sha256:{:064}", index),
        tier,
        action_tier: tier,
        tier_reasons,
        decision: v1::Decision::Deny.into(),
        reason_code: v1::ReasonCode::Default.into(),
        ..v1::StepValidation::default()
    };
    let hop = |step_id: &str, path: &str| v1::FlowHop {
        step_id: step_id.into(),
        path: path.into(),
        label: "reads_untrusted".into(),
    };
    let violations = vec![
        v1::Violation {
            code: v1::ViolationCode::FlowViolation.into(),
            severity: v1::ViolationSeverity::Warning.into(),
            step_index: Some(1),
            step_id: "pay".into(),
            path: "steps[1].params/recipient".into(),
            message: "a stranger's text would choose who is paid".into(),
            help: "ask the user".into(),
            rule: "assistant/strangers-choose-recipient".into(),
            flow: vec![hop("find", ""), hop("pay", "/recipient")],
        },
        v1::Violation {
            code: v1::ViolationCode::BudgetExceeded.into(),
            severity: v1::ViolationSeverity::Error.into(),
            message: "2000 cents, at most 1000\u{1b}[31m".into(),
            ..v1::Violation::default()
        },
    ];
    v1::ValidateIrResponse {
        validation_id: "019b7ca9-8c88-748d-8567-0c0000000003".into(),
        request_id: "r-1".into(),
        status: v1::ValidationStatus::Reject.into(),
        risk_tier: 2,
        ir_hash: format!("sha256:{:064}", 7),
        hash_scheme: v1::HashScheme::Rfc8785V1.into(),
        violations,
        steps: vec![step(0, "find", 0, Vec::new()), step(1, "pay", 2, vec![reason])],
        total_budget_cents: 2_000,
        snapshot: Some(v1::SnapshotRef { digest: format!("sha256:{:064}", 0), revision: 7 }),
        semantics: 1,
        validated_at: Some(prost_types::Timestamp { seconds: 1_767_323_045, nanos: 3_000 }),
        correlation_id: "r-1".into(),
        validation_nanos: 9_120,
        ..v1::ValidateIrResponse::default()
    }
}

/// A folder with the plan and the documents.
fn folder() -> (tempfile::TempDir, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (plan, documents) = (write("plan.yaml", PLAN), write("policies.yaml", DOCUMENTS));
    (folder, plan, documents)
}

#[test]
fn shows_the_answer_to_people() {
    let (_folder, plan, _) = folder();
    let plan = parse(&["-f", &plan]).plan().unwrap();
    let text = anstream::adapter::strip_str(&render::text(&plan, &answer())).to_string();
    insta::assert_snapshot!(text);
}

#[test]
fn shows_the_answer_to_machines() {
    insta::assert_json_snapshot!(json::answer(&answer()));
}

#[test]
fn validates_in_process() {
    let (_folder, plan, documents) = folder();
    let args = parse(&["-f", &plan, "--policies", &documents, "--tenant=acme", "--audience=executor"]);
    let read = args.plan().unwrap();
    assert_eq!((read.tenant(), read.audience.as_str(), read.steps.len()), ("acme", "executor", 2));
    let answer = ask(&args.target, &read).unwrap();
    assert_eq!((answer.status(), answer.risk_tier, answer.total_budget_cents), (ValidationStatus::Escalate, 2, 2_000));
    assert_eq!((answer.validation_id.as_str(), answer.receipt.as_str()), ("", ""), "there is no record of it");
    assert!(answer.ir_hash.starts_with("sha256:"));
}

#[test]
fn says_what_is_wrong_with_the_file_or_the_usage() {
    let (folder, plan, documents) = folder();
    let misspelt = folder.path().join("misspelt.yaml");
    std::fs::write(&misspelt, "steps:\n  - {action: a, budgetcents: 1}\n").unwrap();
    let error = parse(&["-f", misspelt.to_str().unwrap()]).plan().unwrap_err();
    let CommandError::Refused { sources, findings } = error else { panic!("{error:?}") };
    let text = crate::diag::render_text(&sources, findings.iter().next().unwrap(), false);
    assert!(text.contains("budgetcents") && text.contains("misspelt.yaml:2"), "{text}");

    let args = parse(&["-f", &plan, "--policies", &documents, "--pin=sha256:0"]);
    let error = ask(&args.target, &args.plan().unwrap()).unwrap_err();
    let CommandError::Environment(message) = error else { panic!("{error:?}") };
    assert!(message.contains("`--pin` needs a server"), "{message}");

    let error = parse(&["-f", "nowhere.yaml"]).plan().unwrap_err();
    let CommandError::Environment(message) = error else { panic!("{error:?}") };
    assert!(message.contains("nowhere.yaml"), "{message}");
    assert!(Command::try_parse_from(["validate-ir"]).is_err(), "a plan is needed");
}
