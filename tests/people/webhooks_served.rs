//! What a real server tells an endpoint, from the creation of an approval to its end, and over a kill.

use std::collections::BTreeSet;

use lictor::api::proto::v1;

use crate::receiver::{Answer, Receiver, eventually};
use crate::served::{self, Backend, served_by_both};
use crate::system::Lictor;
use crate::webhooks::documents;

served_by_both!(
    an_approval_is_told_from_its_creation_to_its_end,
    what_was_committed_is_told_after_the_server_was_killed_and_nothing_else,
);

const APPROVED_BY_ONE: &str = r#"
---
apiVersion: lictor.dev/v1
kind: ActionCatalog
metadata: {name: assistant}
spec:
  providers: [bank]
  actions: [{name: bank.transfer, tier: 2, providers: [bank]}]
---
apiVersion: lictor.dev/v1
kind: ApprovalPolicy
metadata: {name: one}
spec:
  stages: [{level: 2}]
  webhooks: [here]
"#;

/// A call by somebody of level 3.
fn by<T>(principal: &str, message: T) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    request.metadata_mut().insert("x-lictor-principal", principal.parse().unwrap());
    request.metadata_mut().insert("x-lictor-level", "3".parse().unwrap());
    request
}

fn creation(key: &str) -> v1::CreateApprovalRequest {
    let step = v1::Step {
        step_id: "pay".into(),
        action: "bank.transfer".into(),
        provider: "bank".into(),
        idempotency_key: "k".into(),
        ..v1::Step::default()
    };
    let plan = v1::ValidateIrRequest {
        subject: Some(v1::Subject { id: "agent-7".into(), ..v1::Subject::default() }),
        steps: vec![step],
        ..v1::ValidateIrRequest::default()
    };
    v1::CreateApprovalRequest {
        idempotency_key: key.into(),
        target: Some(v1::create_approval_request::Target::Plan(plan)),
        correlation_id: "corr-9".into(),
        ..v1::CreateApprovalRequest::default()
    }
}

async fn an_approval_is_told_from_its_creation_to_its_end(backend: Backend) {
    let receiver = Receiver::start(Answer::status(200)).await;
    let folder = tempfile::tempdir().unwrap();
    let mut lictor = Lictor::prepare(&format!("{}{APPROVED_BY_ONE}", documents(&receiver, folder.path())));
    lictor.arguments = vec!["--dev"];
    lictor.config = backend.config();
    lictor.run();
    let mut client = served::client(&lictor).await;
    let made = client.create_approval(by("runtime", creation("k-1"))).await.unwrap().into_inner();
    let approval = made.approval.unwrap();
    let (approval_id, target_hash) = (approval.id, approval.target_hash);
    let approve = v1::ApproveRequest {
        approval_id: approval_id.clone(),
        target_hash: target_hash.clone(),
        ..v1::ApproveRequest::default()
    };
    client.approve(by("ann", approve)).await.unwrap();
    let consume = v1::ConsumeRequest { token: made.token.clone(), target_hash, ..v1::ConsumeRequest::default() };
    client.consume(by("runtime", consume)).await.unwrap();
    let got = receiver.wait_for(3).await;
    let told: Vec<_> = got.iter().map(|got| got.json()["event"].as_str().unwrap().to_owned()).collect();
    assert_eq!(told, ["approval_request_created", "approval_request_approved", "approval_request_consumed"]);
    for got in &got {
        let body = got.json();
        assert_eq!((&body["request_id"], &body["correlation_id"]), (&approval_id.as_str().into(), &"corr-9".into()));
        assert!(
            got.header("x-webhook-signature").starts_with("sha256=")
                && got.header("webhook-signature").starts_with("v1,")
        );
        assert!(!String::from_utf8_lossy(&got.body).contains(&made.token), "the token is in a message");
    }
    assert!(got[1].json()["approver_id"].as_str().is_some_and(|who| who.contains("ann")), "{}", got[1].json());

    // A receiver that wants no more, until it does again.
    receiver.answer(Answer::status(410));
    client.create_approval(by("runtime", creation("k-2"))).await.unwrap();
    let server = lictor.tcp.to_string();
    let ask = |arguments: &[&str]| {
        let by = ["--server", &server, "--dev-as", "ops", "--dev-roles", "operator"];
        lictor.command(&[&["webhooks"], arguments, &by].concat())
    };
    let dead = ["list", "--state", "dead", "--output", "json"];
    eventually("a dead letter", async || ask(&dead).1.contains("delivery_id")).await;
    let (code, printed) = ask(&dead);
    let letter: serde_json::Value = serde_json::from_str(&printed).unwrap();
    assert_eq!((code, &letter["last_status"], &letter["attempts"]), (0, &410.into(), &1.into()), "{printed}");
    receiver.answer(Answer::status(200));
    let (code, printed) = ask(&["redeliver", letter["delivery_id"].as_str().unwrap()]);
    assert_eq!(code, 0, "{printed}");
    eventually("no dead letter", async || ask(&dead).1.is_empty()).await;
    receiver.wait_for(5).await;
    let (code, printed) = ask(&["redeliver", &approval_id]);
    assert!(code == 2 && printed.contains("no such webhook delivery"), "{printed}");
    let (code, printed) = lictor.command(&["webhooks", "list", "--server", &server, "--dev-as", "eve"]);
    assert!(code == 2 && printed.contains("lictor.approval.redeliver"), "{printed}");
}

/// The real way: what a call has committed is queued with it, so that a kill between commit and message loses nothing, and
/// what was refused is told to nobody.
async fn what_was_committed_is_told_after_the_server_was_killed_and_nothing_else(backend: Backend) {
    let receiver = Receiver::start(Answer::Hang).await;
    let folder = tempfile::tempdir().unwrap();
    let mut lictor = Lictor::prepare(&format!("{}{APPROVED_BY_ONE}", documents(&receiver, folder.path())));
    lictor.arguments = vec!["--dev"];
    lictor.config = backend.config();
    let mut committed = BTreeSet::new();
    for round in 1..=3 {
        lictor.run();
        let mut client = served::client(&lictor).await;
        let before = receiver.got().len();
        for number in 0..4 {
            let made = client.create_approval(by("runtime", creation(&format!("{round}-{number}")))).await.unwrap();
            let approval = made.into_inner().approval.unwrap();
            committed.insert((approval.id.clone(), "approval_request_created".to_owned()));
            if number == 0 {
                let reject = v1::RejectRequest {
                    approval_id: approval.id.clone(),
                    target_hash: approval.target_hash,
                    ..v1::RejectRequest::default()
                };
                client.reject(by("ann", reject.clone())).await.unwrap();
                committed.insert((approval.id, "approval_request_rejected".to_owned()));
                // Said again, it changes nothing.
                client.reject(by("eve", reject)).await.unwrap_err();
            }
            let other =
                v1::CreateApprovalRequest { justification: "another".into(), ..creation(&format!("{round}-{number}")) };
            client.create_approval(by("runtime", other)).await.unwrap_err();
        }
        eventually("an attempt", async || receiver.got().len() > before).await;
        lictor.signal("-KILL");
        lictor.wait();
        // What the dead one has claimed is nobody's for a while, which passes.
        let waiting = backend.count(&lictor, "SELECT COUNT(*) FROM delivery WHERE state = 'PENDING'");
        assert_eq!(waiting as usize, committed.len(), "round {round}: nobody has taken any");
        backend.sql(&lictor, "UPDATE delivery SET claimed_until = 0");
    }
    receiver.answer(Answer::status(200));
    let before = receiver.got().len();
    lictor.run();
    eventually("all delivered", async || receiver.got().len() >= before + committed.len()).await;
    lictor.signal("-TERM");
    assert!(lictor.wait().success(), "{}", lictor.log());
    let taken: Vec<_> = receiver.got()[before..]
        .iter()
        .map(|got| {
            let body = got.json();
            let text = |name: &str| body[name].as_str().unwrap().to_owned();
            (text("request_id"), text("event"))
        })
        .collect();
    assert_eq!((taken.len(), taken.into_iter().collect::<BTreeSet<_>>()), (committed.len(), committed));
    assert_eq!(backend.count(&lictor, "SELECT COUNT(*) FROM delivery WHERE state <> 'DELIVERED'"), 0);
}
