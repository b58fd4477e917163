//! What is bound over the wire: a redemption to its last argument, and an approval to people other than those who ask.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use lictor::api::proto::v1::create_approval_request::Target;
use lictor::api::proto::v1::decision_service_client::DecisionServiceClient;
use lictor::api::proto::v1::verify_dag_request::Binding;
use lictor::api::proto::v1::{self, ApprovalStatus, DeviationKind};
use prost_types::value::Kind;
use tonic::Code;

use crate::served::{
    Backend, Client, approval_of, approving, by, channel, client, consuming, created, creation, history_of, plan,
    rejecting, served_by_both,
};
use crate::system::{Lictor, wait_for};

served_by_both!(a_step_is_redeemed_with_its_arguments_and_no_others, nobody_approves_for_themselves_by_another_name,);

fn params(pairs: &[(&str, Kind)]) -> prost_types::Struct {
    let member = |(key, kind): &(&str, Kind)| (key.to_string(), prost_types::Value { kind: Some(kind.clone()) });
    prost_types::Struct { fields: pairs.iter().map(member).collect::<BTreeMap<_, _>>() }
}

fn to(recipient: &str) -> prost_types::Struct {
    params(&[("amount", Kind::NumberValue(12.0)), ("recipient", Kind::StringValue(recipient.into()))])
}

/// Looks, and pays whom it has found.
fn two_steps() -> v1::ValidateIrRequest {
    let mut both = plan("default", 12.0);
    let look = v1::Step {
        step_id: "look".into(),
        action: "bank.look".into(),
        provider: "bank".into(),
        idempotency_key: "l".into(),
        ..v1::Step::default()
    };
    both.steps.insert(0, look);
    let origin = v1::StepOrigin { step_id: "look".into(), output_path: "/iban".into() };
    both.steps[1].inputs =
        vec![v1::StepInput { path: "/recipient".into(), origin: Some(v1::step_input::Origin::Step(origin)) }];
    both
}

/// The claims of a grant, its signature aside.
fn claims(grant: &str) -> serde_json::Value {
    let body = grant.split('.').nth(1).expect("a compact JWS");
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(body).expect("base64url");
    serde_json::from_slice(&bytes).expect("JSON")
}

async fn verified(lictor: &Lictor, id: &str, recipient: &str) -> v1::VerifyDagResponse {
    let plan = two_steps();
    let executions = plan.steps.iter().map(|step| v1::Execution {
        step_id: step.step_id.clone(),
        action: step.action.clone(),
        params: if step.step_id == "pay" { Some(to(recipient)) } else { step.params.clone() },
        outcome: v1::ExecutionOutcome::Done.into(),
        ..v1::Execution::default()
    });
    let request = v1::VerifyDagRequest {
        tenant_id: plan.tenant_id.clone(),
        executions: executions.collect(),
        steps: plan.steps.clone(),
        binding: Some(Binding::ApprovalId(id.into())),
        ..v1::VerifyDagRequest::default()
    };
    let mut decisions = DecisionServiceClient::new(channel(lictor).await);
    decisions.verify_dag(by("runtime", None, request)).await.expect("compared").into_inner()
}

fn deviations(answer: &v1::VerifyDagResponse) -> Vec<(DeviationKind, &str)> {
    answer.deviations.iter().map(|deviation| (deviation.kind(), deviation.step_id.as_str())).collect()
}

async fn a_step_is_redeemed_with_its_arguments_and_no_others(backend: Backend) {
    let lictor = backend.server();
    let mut client = client(&lictor).await;
    let asked = v1::CreateApprovalRequest { target: Some(Target::Plan(two_steps())), ..creation("default", "k") };
    let made = client.create_approval(by("runtime", None, asked)).await.expect("creation").into_inner();
    let id = approval_of(&made).id.clone();
    client.approve(by("ann", Some("4"), approving("default", approval_of(&made)))).await.expect("approved");
    // Given and not redeemed: no call of it was authorised.
    let early = verified(&lictor, &id, "bob").await;
    let unauthorised = DeviationKind::NotAuthorised;
    assert_eq!((early.success, deviations(&early)), (false, vec![(unauthorised, "look"), (unauthorised, "pay")]));

    let mut redeem = async |step_id: &str, params: Option<prost_types::Struct>, key: &str| {
        let step = Some(v1::ConsumeStep { step_id: step_id.into(), params });
        let request = v1::ConsumeRequest { step, redemption_key: key.into(), ..consuming("default", &made) };
        client.consume(by("runtime", None, request)).await.map(tonic::Response::into_inner)
    };
    redeem("look", None, "1").await.expect("the first step");
    let incomplete =
        redeem("pay", Some(params(&[("amount", Kind::NumberValue(12.0))])), "2").await.expect_err("no recipient");
    assert_eq!(incomplete.code(), Code::FailedPrecondition, "{incomplete}");
    assert!(incomplete.message().contains("params/recipient"), "{incomplete}");
    let paid = redeem("pay", Some(to("bob")), "2").await.expect("the second step");
    let hash = paid.step_hash.clone();
    assert!(hash.starts_with("sha256:"), "{hash}");
    assert_eq!(claims(&paid.grant)["step_hash"], hash.as_str());
    let again = redeem("pay", Some(to("bob")), "2").await.expect("the same again");
    assert_eq!((again.replayed, &again.grant, &again.step_hash), (true, &paid.grant, &hash));
    for (step_id, params) in [("pay", Some(to("mallory"))), ("look", None)] {
        let refused = redeem(step_id, params, "2").await.expect_err("another content");
        assert_eq!(refused.code(), Code::AlreadyExists, "{refused}");
    }
    wait_for("records", || lictor.records("ir.approval_consumed").len() == 2);
    let records = lictor.records("ir.approval_consumed");
    assert_eq!(records[1]["payload"]["step_hash"], hash.as_str());
    wait_for("refusals", || lictor.records("ir.approval_invalid").len() == 3);

    let good = verified(&lictor, &id, "bob").await;
    assert!(good.success, "{good:?}");
    let bad = verified(&lictor, &id, "mallory").await;
    assert_eq!((bad.success, deviations(&bad)), (false, vec![(DeviationKind::ChangedParams, "pay")]));
    wait_for("audits", || lictor.records("ir.dag_diff_ok").len() + lictor.records("ir.dag_diff_failed").len() == 3);
    let audits = [lictor.records("ir.dag_diff_ok"), lictor.records("ir.dag_diff_failed")].concat();
    assert!(audits.iter().all(|record| record["payload"]["approval_id"] == id.as_str()), "{audits:?}");
}

async fn nobody_approves_for_themselves_by_another_name(backend: Backend) {
    let mut lictor = backend.prepare();
    lictor.config += "identity:\n  principals:\n    - {match: 'cn:alice@example.org', name: alice}\n    \
                      - {match: 'jwt:https://idp.example#00u1*', name: alice}\n";
    lictor.run();
    let mut client = client(&lictor).await;
    let names = ["alice", "Alice ", "cn:alice@example.org", "CN:Alice@example.org", "jwt:https://idp.example#00u1a2b3"];
    for (number, name) in names.into_iter().enumerate() {
        for role in ["requested_by", "subject", "on_behalf_of"] {
            let mut asked = creation("default", &format!("{number}-{role}"));
            let mut target = plan("default", 12.0);
            let subject = target.subject.as_mut().expect("a subject");
            match role {
                "requested_by" => asked.requested_by = name.into(),
                "subject" => subject.id = name.into(),
                _ => subject.on_behalf_of = name.into(),
            }
            asked.target = Some(Target::Plan(target));
            let made = client.create_approval(by("runtime", None, asked)).await.expect("creation").into_inner();
            let approval = approval_of(&made);
            let own = client.approve(by("alice", Some("4"), approving("default", approval))).await;
            let own = own.expect_err("her own");
            assert_eq!(own.code(), Code::PermissionDenied, "{name} as {role}: {own}");
            let own = client.reject(by("alice", Some("4"), rejecting("default", approval))).await;
            assert_eq!(own.expect_err("her own").code(), Code::PermissionDenied, "{name} as {role}");
            let other = client.approve(by("bob", Some("4"), approving("default", approval))).await;
            let after = other.expect("another's").into_inner().approval.expect("an approval");
            assert_eq!(after.status(), ApprovalStatus::Approved, "{name} as {role}");
        }
    }
}

/// What `lictor approvals …` prints, and its exit code.
fn command(lictor: &Lictor, arguments: &[&str]) -> (i32, String) {
    let address = lictor.tcp.to_string();
    let of_server = ["--server", &address, "--dev-as", "ann", "--dev-level", "4"];
    lictor.command(&[&["approvals"], arguments, &of_server].concat())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_requester_writes_is_not_taken_for_the_record() {
    let lictor = Backend::Sqlite.server();
    let mut client: Client = client(&lictor).await;
    let forged = format!("urgent{}APPROVED  hash sha256:0\n  subject  boss", "\n".repeat(300));
    let mut target = plan("default", 12.0);
    target.intent_summary = forged.clone();
    target.user_messages = vec![forged.clone()];
    target.steps[0].description = "pays\nWHAT WILL RUN".into();
    target.steps[0].resource = "account 7\u{1f600} \"x\"".into();
    let asked = v1::CreateApprovalRequest {
        target: Some(Target::Plan(target)),
        justification: forged.clone(),
        ..creation("default", "k")
    };
    let made = client.create_approval(by("runtime", None, asked)).await.expect("creation").into_inner();
    let approval = approval_of(&made).clone();
    let (code, printed) = command(&lictor, &["show", &approval.id]);
    assert_eq!(code, 0, "{printed}");
    let lines: Vec<&str> = printed.lines().collect();
    assert!(lines.len() < 150, "{} lines", lines.len());
    for line in &lines {
        assert!(!line.contains("APPROVED") || line.trim_start().starts_with('|'), "{line}");
        assert!(!line.contains("WHAT WILL RUN") || line.trim_start().starts_with('|'), "{line}");
    }
    assert!(printed.contains("--full shows them") && printed.contains("description"), "{printed}");
    let last = format!("PENDING  {}  {}", approval.id, approval.target_hash);
    assert!(lines.first().is_some_and(|line| line.starts_with("PENDING")), "{printed}");
    assert_eq!(lines.last().copied(), Some(last.as_str()));
    let (_, full) = command(&lictor, &["show", &approval.id, "--full"]);
    assert!(full.lines().count() > 900, "{} lines", full.lines().count());
    assert!(full.lines().filter(|line| line.contains("APPROVED")).all(|line| line.trim_start().starts_with('|')));

    // Who rejected it and why is there for whoever looks.
    let (code, printed) = command(
        &lictor,
        &["reject", &approval.id, "--hash", &approval.target_hash, "--notes", "not on a Sunday\nsigned: boss"],
    );
    assert_eq!(code, 0, "{printed}");
    for arguments in [&["show", &approval.id][..], &["history", &approval.id], &["history", "--actor", "dev:ann"]] {
        let (code, printed) = command(&lictor, arguments);
        assert!(code == 0 && printed.contains("not on a Sunday") && printed.contains("dev:ann"), "{printed}");
    }
    let (code, printed) = command(&lictor, &["show", &approval.id, "--output", "json"]);
    let shown: serde_json::Value = serde_json::from_str(&printed).unwrap_or_default();
    assert_eq!(code, 0, "{printed}");
    assert_eq!((&shown["resolved_by"], shown["history"].as_array().map(Vec::len)), (&"dev:ann".into(), Some(2)));
    assert_eq!(history_of(&mut client, "default", &approval.id).await.len(), 2);
    let (code, printed) = command(&lictor, &["watch", &approval.id]);
    assert!(code == 1 && printed.contains("not on a Sunday"), "{code}: {printed}");
    let (code, csv) = command(&lictor, &["export", "--dev-roles", "auditor"]);
    assert!(code == 0 && csv.contains(&approval.id) && csv.starts_with("id,"), "{code}: {csv}");
    let other = created(&mut client, "default", "other").await;
    let (code, printed) = command(&lictor, &["list", "--all", "--limit", "1"]);
    assert!(code == 0 && printed.contains(&approval_of(&other).id) && printed.contains("there are more"), "{printed}");
    let low = ["approve", &approval_of(&other).id, "--hash", &approval_of(&other).target_hash, "--level", "2"];
    let (code, printed) = command(&lictor, &low);
    assert!(code == 1 && printed.contains("does not count"), "{code}: {printed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watcher_outlives_the_server() {
    let mut lictor = Backend::Sqlite.server();
    let made = created(&mut client(&lictor).await, "default", "k").await;
    let id = approval_of(&made).id.clone();
    let mut watcher = std::process::Command::new(env!("CARGO_BIN_EXE_lictor"))
        .args(["approvals", "watch", &id, "--dev-as", "runtime", "--socket"])
        .arg(lictor.socket())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("lictor runs");
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(watcher.stdout.take().expect("its output")));
    let first = lines.next().expect("a line").expect("text");
    assert!(first.contains("PENDING"), "{first}");
    lictor.signal("-TERM");
    assert!(lictor.wait().success(), "{}", lictor.log());
    lictor.run();
    let approved = client(&lictor).await.approve(by("ann", Some("4"), approving("default", approval_of(&made)))).await;
    approved.expect("approved");
    let said: Vec<String> = lines.map(|line| line.expect("text")).collect();
    assert!(watcher.wait().expect("an end").success(), "{said:?}");
    assert!(said.iter().any(|line| line.contains("APPROVED")), "{said:?}");
    assert!(!said.iter().any(|line| line.contains("PENDING")), "the same is not shown twice: {said:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_single_action_is_asked_for_and_redeemed_from_the_command_line() {
    let mut lictor = Lictor::prepare(&crate::served::DOCUMENTS.replace(
        "spec: {rules: [{name: all, effect: allow}]}",
        "spec: {rules: [{name: all, effect: allow}, {name: big, effect: require_approval, actions: [bank.close], priority: 5}]}",
    ));
    lictor.arguments = vec!["--dev"];
    lictor.run();
    let token = lictor.path("token");
    let token_to = token.display().to_string();
    let asked = ["create", "--action", "bank.close", "--subject", "agent/a-7", "--resource", "account/7"];
    let kept = ["--key", "k", "--token-to", &token_to];
    let (code, printed) = command(&lictor, &[&asked[..], &kept].concat());
    assert!(code == 0 && printed.contains("bank.close on account 7"), "{code}: {printed}");
    assert_eq!(std::fs::read_to_string(&token).expect("the token").trim().len(), 43);
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&token).expect("the file").permissions());
    assert_eq!(mode & 0o777, 0o600);
    // What may still be good is not written over, and a refusal leaves nothing.
    let before = std::fs::read_to_string(&token).expect("the token");
    let (code, printed) = command(&lictor, &[&asked[..], &["--key", "k3", "--token-to", &token_to]].concat());
    assert!(code == 2 && printed.contains("name another, or remove it"), "{code}: {printed}");
    assert_eq!(std::fs::read_to_string(&token).expect("the token"), before);
    let other = lictor.path("other-token");
    let refused = ["--key", "", "--token-to", &other.display().to_string()];
    let (code, printed) = command(&lictor, &[&asked[..], &refused].concat());
    assert!(code == 2 && !other.exists(), "{code}: {printed}");
    let request = lictor.path("request.yaml");
    std::fs::write(
        &request,
        "subject: {type: agent, id: a-7}\naction: bank.close\nresource: {type: account, id: '7'}\n",
    )
    .expect("a file");
    let file = request.display().to_string();
    let (code, printed) = command(&lictor, &["create", "-f", &file, "--key", "k2", "--output", "json"]);
    let answer: serde_json::Value = serde_json::from_str(&printed).unwrap_or_default();
    assert!(code == 0 && answer["approval"]["target_kind"] == "ACTION", "{code}: {printed}");
    let (code, printed) = command(&lictor, &["consume", "--hash", "sha256:0", "--token-from", "/nowhere/token"]);
    assert!(code == 2 && printed.contains("`/nowhere/token`"), "{code}: {printed}");
}
