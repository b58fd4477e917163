//! Webhooks over both databases, by several couriers, and by a server that is killed.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;

use lictor::api::proto::v1;
use lictor::api::proto::v1::approval_service_client::ApprovalServiceClient;
use lictor::model::{Layer, Text, WebhookEvent};
use lictor::policy::{SourceText, load};
use lictor::snapshot::{Holder, Snapshot};
use lictor::store::{Created, DeliveryQuery, DeliveryState, NewDelivery, Place, Store, StoreOptions};
use lictor::telemetry::Telemetry;
use lictor::webhook::{Courier, CourierOptions, Sender, deliveries};
use tokio::runtime::Handle;

use crate::harness::{Fixture, new, on_both};
use crate::receiver::{Answer, PATIENCE, Receiver, eventually};
use crate::system::Lictor;
use crate::{harness, postgres};

on_both!(couriers_of_one_store_send_each_message_once,);

/// A policy that allows, and the endpoint `here` with its key in `folder`.
fn documents(receiver: &Receiver, folder: &std::path::Path) -> String {
    let key = folder.join("key");
    std::fs::write(&key, "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD").unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    format!(
        "apiVersion: lictor.dev/v1\nkind: Policy\nmetadata: {{name: p}}\nspec:\n  rules:\n    - {{name: r, effect: allow}}\n\
         ---\napiVersion: lictor.dev/v1\nkind: WebhookEndpoint\nmetadata: {{name: here}}\nspec: {{url: 'http://127.0.0.1:{}', \
         secrets: [{{version: v1, file: {}}}], allowPrivate: true}}\n",
        receiver.port,
        key.display()
    )
}

async fn couriers_of_one_store_send_each_message_once(fixture: Fixture) {
    let receiver = Receiver::start(Answer::status(200)).await;
    let text = documents(&receiver, fixture.folder.path());
    let loaded = load(&[SourceText { name: "w.yaml".into(), layer: Layer::Organisation, text: text.into() }]);
    let holder = Arc::new(Holder::default());
    drop(holder.publish(Arc::new(Snapshot::build(&loaded.documents, 1))));
    let mut stores = vec![fixture.store.clone(), fixture.store.clone()];
    if matches!(fixture.options.place, Place::Postgres { .. }) {
        // As another server would.
        stores.push(Store::open(fixture.options.clone()).await.unwrap());
    }
    let mut options = CourierOptions::default();
    options.poll = Duration::from_millis(10);
    let telemetry = Telemetry::new();
    let couriers: Vec<_> = stores
        .into_iter()
        .map(|store| {
            let metrics = telemetry.webhooks();
            Courier::start(store, holder.clone(), Sender::default(), metrics, options.clone(), &Handle::current())
        })
        .collect();
    let mut queued = BTreeSet::new();
    for _ in 0..60 {
        let mut creation = new(fixture.approval().await);
        creation.deliveries = told(&creation.approval, WebhookEvent::Created);
        queued.extend(creation.deliveries.iter().map(|delivery| delivery.id.to_string()));
        assert_eq!(fixture.store.create_approval(creation).await.unwrap(), Created::New);
    }
    eventually("all delivered", async || pending(&fixture.store).await == 0).await;
    for courier in couriers {
        courier.stop(PATIENCE).await;
    }
    let got = receiver.got();
    assert_eq!(got.len(), 60);
    let ids: BTreeSet<_> = got.iter().map(|got| got.header("webhook-id").to_owned()).collect();
    assert_eq!(ids, queued);
}

/// What tells the endpoint `here` of `event`.
fn told(approval: &lictor::model::Approval, event: WebhookEvent) -> Vec<NewDelivery> {
    deliveries(None, &[Text::from("here")], event, approval, "e-1", approval.created_at)
}

async fn pending(store: &Store) -> u64 {
    store.figures().await.unwrap().pending_deliveries
}

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_approval_is_told_from_its_creation_to_its_end() {
    let receiver = Receiver::start(Answer::status(200)).await;
    let folder = tempfile::tempdir().unwrap();
    let mut lictor = Lictor::prepare(&format!("{}{APPROVED_BY_ONE}", documents(&receiver, folder.path())));
    lictor.arguments = vec!["--dev"];
    lictor.run();
    let channel = tonic::transport::Channel::from_shared(format!("http://{}", lictor.tcp)).unwrap();
    let mut client = ApprovalServiceClient::new(channel.connect().await.unwrap());
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_sends_after_its_restart_what_was_committed_and_nothing_else() {
    let url = tokio::task::spawn_blocking(|| postgres::shared().database()).await.unwrap();
    let receiver = Receiver::start(Answer::status(200)).await;
    let folder = tempfile::tempdir().unwrap();
    let mut lictor = Lictor::prepare(&documents(&receiver, folder.path()));
    lictor.config = format!("store: {{url: '{url}'}}\n");
    let store = Store::open(StoreOptions::new(Place::Postgres { url, password: None })).await.unwrap();
    eventually("an epoch", async || store.read_mark().await.is_ok()).await;
    let mut committed = BTreeSet::new();
    for round in 1..=3 {
        receiver.answer(Answer::Hang);
        let before = receiver.got().len();
        lictor.run();
        for number in 0..4 {
            let approval = harness::approval(store.now().await.unwrap(), store.epoch().unwrap());
            let mut creation = new(approval);
            creation.deliveries = told(&creation.approval, WebhookEvent::Created);
            let id = creation.deliveries[0].id.to_string();
            if number == 3 {
                // One more than may wait: nothing of it is committed.
                creation.max_open = 1;
                assert!(matches!(store.create_approval(creation).await.unwrap(), Created::TooManyOpen { .. }));
            } else {
                assert_eq!(store.create_approval(creation).await.unwrap(), Created::New);
                committed.insert(id);
            }
        }
        eventually("an attempt", async || receiver.got().len() > before).await;
        lictor.signal("-KILL");
        lictor.wait();
        assert!(pending(&store).await > 0, "round {round}: nobody has taken it");
    }
    receiver.answer(Answer::status(200));
    lictor.run();
    eventually("all delivered", async || pending(&store).await == 0).await;
    let query = DeliveryQuery { state: Some(DeliveryState::Delivered), limit: 100, ..DeliveryQuery::default() };
    let delivered = store.list_deliveries(&query).await.unwrap().items;
    let delivered: BTreeSet<_> = delivered.iter().map(|delivery| delivery.message.id.to_string()).collect();
    let got: BTreeSet<_> = receiver.got().iter().map(|got| got.header("webhook-id").to_owned()).collect();
    assert_eq!((&delivered, &got), (&committed, &committed));
    lictor.signal("-TERM");
    assert!(lictor.wait().success(), "{}", lictor.log());
    let log = lictor.log();
    assert!(!log.contains("C2FVsBQIhrscChlQIMV"), "the key is in the log");
}
