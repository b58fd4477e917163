//! Webhooks over both databases, by several couriers, and by a server that is killed.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;

use lictor::model::{Layer, Text, WebhookEvent};
use lictor::policy::{SourceText, load};
use lictor::snapshot::{Holder, Snapshot};
use lictor::store::{Created, Delivery, DeliveryQuery, DeliveryState, NewDelivery, Place, Store, StoreOptions};
use lictor::telemetry::Telemetry;
use lictor::webhook::{Courier, CourierOptions, Sender, deliveries};
use tokio::runtime::Handle;

use crate::harness::{Fixture, new, on_both};
use crate::receiver::{Answer, PATIENCE, Receiver, eventually};
use crate::system::Lictor;
use crate::{harness, postgres};

on_both!(
    couriers_of_one_store_send_each_message_once,
    what_fails_is_sent_again_and_then_given_up_until_somebody_asks,
    who_wants_no_more_gets_no_more,
);

/// A policy that allows, and the endpoint `here` with its key in `folder`.
pub fn documents(receiver: &Receiver, folder: &std::path::Path) -> String {
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

/// The documents, live.
fn published(receiver: &Receiver, fixture: &Fixture) -> Arc<Holder> {
    let text = documents(receiver, fixture.folder.path());
    let loaded = load(&[SourceText { name: "w.yaml".into(), layer: Layer::Organisation, text: text.into() }]);
    let holder = Arc::new(Holder::default());
    drop(holder.publish(Arc::new(Snapshot::build(&loaded.documents, 1))));
    holder
}

/// A courier over the store, and one message that it is to deliver.
async fn courier_with_one_message(receiver: &Receiver, fixture: &Fixture) -> (Courier, Text) {
    let mut options = CourierOptions::default();
    options.poll = Duration::from_millis(10);
    let (holder, metrics) = (published(receiver, fixture), Telemetry::new().webhooks());
    let courier =
        Courier::start(fixture.store.clone(), holder, Sender::default(), metrics, options, &Handle::current());
    let mut creation = new(fixture.approval().await);
    creation.deliveries = told(&creation.approval, WebhookEvent::Created);
    let id = creation.deliveries[0].id.clone();
    assert_eq!(fixture.store.create_approval(creation).await.unwrap(), Created::New);
    (courier, id)
}

/// Waits until a delivery has ended, or waits again, as it should.
async fn ended(fixture: &Fixture, id: &str, state: DeliveryState) -> Delivery {
    eventually("the end of a delivery", async || {
        fixture.store.delivery("acme", id).await.unwrap().is_some_and(|delivery| delivery.state == state)
    })
    .await;
    fixture.store.delivery("acme", id).await.unwrap().unwrap()
}

async fn what_fails_is_sent_again_and_then_given_up_until_somebody_asks(fixture: Fixture) {
    let receiver = Receiver::start(Answer::status(500)).await;
    let (courier, id) = courier_with_one_message(&receiver, &fixture).await;
    let dead = ended(&fixture, &id, DeliveryState::Dead).await;
    assert_eq!((dead.attempts, dead.last_status, receiver.got().len()), (4, Some(500), 4));
    // No attempt comes before its time, by the whole seconds that the messages bear.
    let times: Vec<i64> = receiver.got().iter().map(|got| got.header("webhook-timestamp").parse().unwrap()).collect();
    for (pair, wait) in times.windows(2).zip([1, 5, 15]) {
        assert!(pair[1] - pair[0] >= wait - 1, "{times:?}");
    }
    let letters = DeliveryQuery { state: Some(DeliveryState::Dead), limit: 9, ..DeliveryQuery::default() };
    let letters = fixture.store.list_deliveries(&letters).await.unwrap().items;
    assert_eq!(letters.iter().map(|letter| &letter.message.id).collect::<Vec<_>>(), [&id]);

    assert!(courier.handle().redeliver("another", &id).await.unwrap().is_none(), "another tenant's");
    receiver.answer(Answer::status(204));
    assert!(courier.handle().redeliver("acme", &id).await.unwrap().is_some());
    let delivered = ended(&fixture, &id, DeliveryState::Delivered).await;
    assert_eq!((delivered.attempts, delivered.last_status, delivered.last_error.as_str()), (1, Some(204), ""));
    courier.stop(PATIENCE).await;
    // The receiver can tell that it is the same message.
    let got = receiver.got();
    assert!(got.len() == 5 && got.iter().all(|it| it.header("webhook-id") == id && it.body == got[0].body));
}

async fn who_wants_no_more_gets_no_more(fixture: Fixture) {
    let receiver = Receiver::start(Answer::status(410)).await;
    let (courier, id) = courier_with_one_message(&receiver, &fixture).await;
    let dead = ended(&fixture, &id, DeliveryState::Dead).await;
    assert_eq!((dead.attempts, dead.last_status, receiver.got().len()), (1, Some(410), 1));
    assert_eq!(fixture.store.figures().await.unwrap().dead_deliveries, 1);
    courier.stop(PATIENCE).await;
}

async fn couriers_of_one_store_send_each_message_once(fixture: Fixture) {
    let receiver = Receiver::start(Answer::status(200)).await;
    let holder = published(&receiver, &fixture);
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
