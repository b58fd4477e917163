//! Nobody learns or changes anything of another tenant's approvals, whichever way they ask.

use lictor::api::proto::v1::decision_service_client::DecisionServiceClient;
use lictor::api::proto::v1::verify_dag_request::Binding;
use lictor::api::proto::v1::{self, ApprovalStatus};
use tonic::{Code, Request, Status};

use crate::served::{
    Backend, DOCUMENTS, approval_of, approving, channel, consuming, creation, getting, plan, rejecting, served_by_both,
};
use crate::system::Lictor;
use crate::token_key::{TokenKey, key_set};

served_by_both!(another_tenant_is_closed_to_every_verb,);

const IDENTITY: &str = "
identity:
  jwt:
    issuer: https://idp.example
    audience: lictor
    jwks: jwks.json
    algorithms: [EdDSA]
    leewaySeconds: 0
    claims: {tenants: tenant}
  principals:
    - {match: 'jwt:https://idp.example#runtime-*', mayAssert: {subjects: [agent-*]}}
    - {match: 'jwt:https://idp.example#lead-*', level: 5, roles: [operator]}
";

const HOUR: i64 = 3_600;

/// A server that knows callers by their tokens.
pub fn guarded(backend: &Backend, documents: &str, key: &TokenKey) -> Lictor {
    let mut lictor = Lictor::prepare(documents);
    lictor.config = format!("{}{IDENTITY}", backend.config());
    std::fs::write(lictor.path("jwks.json"), key_set(&[key])).unwrap();
    lictor
}

/// A call by the bearer of a token.
pub fn with<T>(token: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    request
}

/// What the answers to one caller were.
struct Answers {
    caller: &'static str,
    said: Vec<(&'static str, Result<(), Status>)>,
}

impl Answers {
    fn of<T>(&mut self, verb: &'static str, answer: Result<T, Status>) {
        self.said.push((verb, answer.map(drop)));
    }

    /// None was an answer, each was refused for one of these reasons, and none tells of `secrets`.
    fn are_all(&self, codes: &[Code], secrets: &[&str]) {
        for (verb, answer) in &self.said {
            let refusal = answer.as_ref().expect_err(verb);
            assert!(codes.contains(&refusal.code()), "{} {verb}: {refusal:?}", self.caller);
            let text = format!("{refusal:?}");
            assert!(secrets.iter().all(|secret| !text.contains(secret)), "{} {verb}: {text}", self.caller);
        }
    }
}

async fn another_tenant_is_closed_to_every_verb(backend: Backend) {
    let key = TokenKey::new("k", 7);
    let mut lictor = guarded(&backend, DOCUMENTS, &key);
    lictor.run();
    let channel = channel(&lictor).await;
    let mut client = crate::served::Client::new(channel.clone());
    let mut decisions = DecisionServiceClient::new(channel);
    let token = |who: &str, tenant: &str| key.token(who, tenant, HOUR);
    let (runtime, lead) = (token("runtime-a", "acme"), token("lead-a", "acme"));
    let made = client.create_approval(with(&runtime, creation("acme", "k"))).await.unwrap().into_inner();
    let approval = approval_of(&made).clone();
    let consumable = client.create_approval(with(&runtime, creation("acme", "k2"))).await.unwrap().into_inner();
    client.approve(with(&lead, approving("acme", approval_of(&consumable)))).await.unwrap();
    // Somebody of the other tenant has one of their own, so that lists are not just empty.
    let (stranger, boss) = (token("runtime-b", "evil"), token("lead-b", "evil"));
    let own = client.create_approval(with(&stranger, creation("evil", "k"))).await.unwrap().into_inner();
    assert_ne!(approval_of(&own).id, approval.id, "keys are a tenant's and a creator's");

    let secrets = [approval.target_hash.as_str(), "agent-7", "runtime-a"];
    // Of their own tenant with another's ids, and of another's tenant: as a boss with every right at home.
    for (tenant, codes) in [("evil", [Code::NotFound, Code::NotFound]), ("acme", [Code::PermissionDenied; 2])] {
        let by = |message| with(&boss, message);
        let mut answers = Answers { caller: "boss", said: Vec::new() };
        answers.of("approve", client.approve(with(&boss, approving(tenant, &approval))).await);
        answers.of("reject", client.reject(with(&boss, rejecting(tenant, &approval))).await);
        let cancel =
            v1::CancelRequest { tenant_id: tenant.into(), approval_id: approval.id.clone(), reason: "x".into() };
        answers.of("cancel", client.cancel(with(&boss, cancel)).await);
        answers.of("get", client.get_approval(by(getting(tenant, &approval.id))).await);
        let watch = v1::WatchApprovalRequest { tenant_id: tenant.into(), approval_id: approval.id.clone() };
        answers.of("watch", client.watch_approval(with(&boss, watch)).await);
        answers.of("consume", client.consume(with(&boss, consuming(tenant, &consumable))).await);
        let verify = v1::VerifyDagRequest {
            tenant_id: tenant.into(),
            steps: plan(tenant, 12.0).steps,
            binding: Some(Binding::ApprovalId(approval_of(&consumable).id.clone())),
            ..v1::VerifyDagRequest::default()
        };
        answers.of("verify", decisions.verify_dag(with(&boss, verify)).await);
        answers.are_all(&codes, &secrets);

        // An id that is another tenant's is answered as one that is nobody's.
        let mut nobodys = approval.clone();
        nobodys.id = "019b7ca9-8c88-7aa9-9555-aaaa55550000".into();
        for (there, nowhere) in [
            (
                client.approve(with(&boss, approving(tenant, &approval))).await.map(drop),
                client.approve(with(&boss, approving(tenant, &nobodys))).await.map(drop),
            ),
            (
                client.get_approval(by(getting(tenant, &approval.id))).await.map(drop),
                client.get_approval(by(getting(tenant, &nobodys.id))).await.map(drop),
            ),
        ] {
            let (there, nowhere) = (there.unwrap_err(), nowhere.unwrap_err());
            assert_eq!((there.code(), there.message()), (nowhere.code(), nowhere.message()));
        }
    }

    // Lists, history and exports of the own tenant hold nothing of the other's; those of the other are refused.
    let list = |tenant: &str| v1::ListApprovalsRequest { tenant_id: tenant.into(), ..Default::default() };
    let history = |tenant: &str, id: &str| v1::ListApprovalHistoryRequest {
        tenant_id: tenant.into(),
        approval_id: id.into(),
        ..Default::default()
    };
    let export = |tenant: &str| v1::ExportApprovalsRequest { tenant_id: tenant.into(), ..Default::default() };
    let deliveries = |tenant: &str| v1::ListWebhookDeliveriesRequest { tenant_id: tenant.into(), ..Default::default() };
    let listed = client.list_approvals(with(&boss, list("evil"))).await.unwrap().into_inner().approvals;
    assert_eq!(listed.iter().map(|one| &one.id).collect::<Vec<_>>(), [&approval_of(&own).id]);
    let rows = client.list_approval_history(with(&boss, history("evil", ""))).await.unwrap().into_inner().entries;
    assert!(!rows.is_empty() && rows.iter().all(|row| row.approval_id == approval_of(&own).id), "{rows:?}");
    let of_other = client.list_approval_history(with(&boss, history("evil", &approval.id))).await.unwrap().into_inner();
    assert!(of_other.entries.is_empty());
    let mut pieces = client.export_approvals(with(&boss, export("evil"))).await.unwrap().into_inner();
    let mut csv = Vec::new();
    while let Some(piece) = pieces.message().await.unwrap() {
        csv.extend(piece.csv);
    }
    let csv = String::from_utf8(csv).unwrap();
    assert!(csv.contains(&approval_of(&own).id) && !csv.contains(&approval.id) && !csv.contains("acme"), "{csv}");
    let mut answers = Answers { caller: "boss at acme", said: Vec::new() };
    answers.of("create", client.create_approval(with(&stranger, creation("acme", "k"))).await);
    answers.of("list", client.list_approvals(with(&boss, list("acme"))).await);
    answers.of("history", client.list_approval_history(with(&boss, history("acme", &approval.id))).await);
    answers.of("export", client.export_approvals(with(&boss, export("acme"))).await);
    answers.of("deliveries", client.list_webhook_deliveries(with(&boss, deliveries("acme"))).await);
    let redeliver = v1::RedeliverWebhookRequest { tenant_id: "acme".into(), delivery_id: approval.id.clone() };
    answers.of("redeliver", client.redeliver_webhook(with(&boss, redeliver)).await);
    answers.are_all(&[Code::PermissionDenied], &secrets);

    // The command line is no other way in.
    std::fs::write(lictor.path("boss.jwt"), &boss).unwrap();
    let server = lictor.tcp.to_string();
    let shown = ["--server", &server, "--token-file", "boss.jwt", "--timeout-ms", "30000"];
    for tenant in ["evil", "acme"] {
        let (code, printed) =
            lictor.command(&[&["approvals", "show", &approval.id, "--tenant", tenant][..], &shown].concat());
        assert!(code == 2 && secrets.iter().all(|secret| !printed.contains(secret)), "{printed}");
    }

    // All that has changed nothing.
    let got = client.get_approval(with(&lead, getting("acme", &approval.id))).await.unwrap().into_inner();
    assert_eq!(
        got.approval.map(|kept| (kept.status(), kept.etag)),
        Some((ApprovalStatus::Pending, approval.etag.clone()))
    );
    client.consume(with(&runtime, consuming("acme", &consumable))).await.expect("still good");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_ends_with_the_token_of_who_watches() {
    let key = TokenKey::new("k", 8);
    let mut lictor = guarded(&Backend::Sqlite, DOCUMENTS, &key);
    lictor.run();
    let mut client = crate::served::Client::new(channel(&lictor).await);
    let long = key.token("runtime-a", "acme", HOUR);
    let made = client.create_approval(with(&long, creation("acme", "k"))).await.unwrap().into_inner();
    let watch = v1::WatchApprovalRequest { tenant_id: "acme".into(), approval_id: approval_of(&made).id.clone() };
    // On a busy machine a short token may have expired before anything is answered; a longer one is tried then.
    for seconds in [2, 10, 60] {
        let token = key.token("runtime-a", "acme", seconds);
        let Ok(changes) = client.watch_approval(with(&token, watch.clone())).await else { continue };
        let mut changes = changes.into_inner();
        let Ok(Some(_)) = changes.message().await else { continue };
        let ended = changes.message().await.unwrap_err();
        assert_eq!(ended.code(), Code::Unauthenticated, "{ended:?}");
        return;
    }
    panic!("nothing was answered within a minute");
}
