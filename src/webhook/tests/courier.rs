//! The courier over a real store: when it sends, again and to whom.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tokio::runtime::Handle;

use super::house::{House, SECRET, approval, body_verifies, snapshot};
use super::receiver::{Answer, PATIENCE, Receiver, eventually};
use crate::model::{Text, Timestamp, WebhookEvent};
use crate::snapshot::Holder;
use crate::store::{Delivery, DeliveryQuery, DeliveryState, NewDelivery, Place, Store, StoreOptions};
use crate::telemetry::Telemetry;
use crate::webhook::{Courier, CourierOptions, Sender, WAITS, deliveries};

/// A server's worth of what concerns webhooks, with a clock that the test turns.
struct Post {
    house: House,
    store: Store,
    holder: Arc<Holder>,
    telemetry: Telemetry,
    clock: Arc<AtomicI64>,
}

impl Post {
    async fn new() -> Self {
        let house = House::new();
        let clock = Arc::new(AtomicI64::new(1_700_000_000_000_000));
        let mut options = StoreOptions::new(Place::Sqlite(house.path("lictor.db").into()));
        let time = clock.clone();
        options.clock = Arc::new(move || Timestamp::from_micros(time.load(Ordering::SeqCst)));
        let store = Store::open(options).await.unwrap();
        Self { house, store, holder: Arc::default(), telemetry: Telemetry::new(), clock }
    }

    /// Makes these endpoints live: name, URL, further fields.
    fn publish(&self, endpoints: &[(&str, String, &str)]) {
        let documents: Vec<_> =
            endpoints.iter().map(|(name, url, more)| self.house.document(name, url, more)).collect();
        drop(self.holder.publish(Arc::new(snapshot(&documents))));
    }

    fn courier(&self) -> Courier {
        let options = CourierOptions { poll: Duration::from_millis(10), ..CourierOptions::default() };
        let metrics = self.telemetry.webhooks();
        Courier::start(self.store.clone(), self.holder.clone(), Sender::default(), metrics, options, &Handle::current())
    }

    fn pass(&self, time: Duration) {
        self.clock.fetch_add(i64::try_from(time.as_micros()).unwrap(), Ordering::SeqCst);
    }

    /// Queues what tells `endpoint` of `event` in the approval `approval_id`, and gives its id.
    async fn queue(&self, endpoint: &str, event: WebhookEvent, approval_id: &str) -> Text {
        let residents = self.holder.load();
        let now = self.store.now().await.unwrap();
        let names = [Text::from(endpoint)];
        let new = deliveries(residents.live().map(AsRef::as_ref), &names, event, &approval(approval_id), "e-1", now);
        let [NewDelivery { id, .. }] = new.as_slice() else { panic!("one delivery: {new:?}") };
        let id = id.clone();
        self.store.add_deliveries(new).await.unwrap();
        id
    }

    async fn delivery(&self, id: &str) -> Delivery {
        self.store.delivery("acme", id).await.unwrap().unwrap()
    }

    /// Waits until the delivery is in that state after that many attempts, and gives it.
    async fn wait_for(&self, id: &str, state: DeliveryState, attempts: u32) -> Delivery {
        eventually(&format!("{state:?} after {attempts}"), async || {
            let delivery = self.delivery(id).await;
            (delivery.state, delivery.attempts) == (state, attempts)
        })
        .await;
        self.delivery(id).await
    }
}

fn url(receiver: &Receiver) -> String {
    format!("http://127.0.0.1:{}/", receiver.port)
}

#[tokio::test]
async fn what_fails_is_sent_again_after_1_5_and_15_seconds_and_then_given_up_until_somebody_asks() {
    let post = Post::new().await;
    let receiver = Receiver::start(Answer::status(500)).await;
    post.publish(&[("here", url(&receiver), "allowPrivate: true")]);
    let courier = post.courier();
    let id = post.queue("here", WebhookEvent::Created, "a-1").await;
    for (attempts, wait) in (1..).zip(WAITS) {
        let delivery = post.wait_for(&id, DeliveryState::Pending, attempts).await;
        let now = post.store.now().await.unwrap();
        assert_eq!(delivery.attempted_at, Some(now));
        assert_eq!(delivery.message.not_before.as_micros() - now.as_micros(), wait.as_micros() as i64);
        assert_eq!(
            (delivery.last_status, delivery.last_error.as_str()),
            (Some(500), "the receiver answered with status 500")
        );
        assert_eq!(receiver.got().len(), attempts as usize, "not before its time");
        post.pass(wait);
    }
    let dead = post.wait_for(&id, DeliveryState::Dead, 4).await;
    assert_eq!((dead.last_status, receiver.got().len()), (Some(500), 4));
    let query = DeliveryQuery { state: Some(DeliveryState::Dead), limit: 10, ..DeliveryQuery::default() };
    assert_eq!(post.store.list_deliveries(&query).await.unwrap().items.len(), 1);

    assert!(courier.handle().redeliver("another", &id).await.unwrap().is_none(), "another tenant's");
    receiver.answer(Answer::status(204));
    assert!(courier.handle().redeliver("acme", &id).await.unwrap().is_some());
    let delivered = post.wait_for(&id, DeliveryState::Delivered, 1).await;
    assert_eq!((delivered.last_status, delivered.last_error.as_str()), (Some(204), ""));
    let got = receiver.got();
    assert_eq!(got.len(), 5);
    // The receiver can tell that it is the same message.
    assert!(got.iter().all(|got| got.header("webhook-id") == id && body_verifies(got, SECRET)));
    courier.stop(PATIENCE).await;
    let metrics = post.telemetry.render();
    for line in [
        "lictor_webhook_attempts_total{endpoint=\"here\",outcome=\"status\"} 4",
        "lictor_webhook_attempts_total{endpoint=\"here\",outcome=\"delivered\"} 1",
        "lictor_webhook_dead_letters_total{endpoint=\"here\"} 1",
        "lictor_webhook_delivery_seconds_bucket{le=\"15\"} 0",
        "lictor_webhook_delivery_seconds_bucket{le=\"30\"} 1",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} is not in\n{metrics}");
    }
}

#[tokio::test]
async fn a_receiver_that_wants_no_more_gets_no_more() {
    let post = Post::new().await;
    let receiver = Receiver::start(Answer::status(410)).await;
    post.publish(&[("here", url(&receiver), "allowPrivate: true")]);
    let courier = post.courier();
    let id = post.queue("here", WebhookEvent::Created, "a-1").await;
    let dead = post.wait_for(&id, DeliveryState::Dead, 1).await;
    assert_eq!((dead.last_status, receiver.got().len()), (Some(410), 1));
    courier.stop(PATIENCE).await;
}

#[tokio::test]
async fn an_endpoint_that_is_gone_leaves_a_dead_letter() {
    let post = Post::new().await;
    let receiver = Receiver::start(Answer::status(200)).await;
    post.publish(&[("another", url(&receiver), "allowPrivate: true, tenants: [globex]")]);
    let courier = post.courier();
    let id = post.queue("gone", WebhookEvent::Created, "a-1").await;
    let dead = post.wait_for(&id, DeliveryState::Dead, 1).await;
    assert_eq!(dead.last_error, "the live documents have no such endpoint for this tenant");
    let none = deliveries(
        post.holder.load().live().map(AsRef::as_ref),
        &[Text::from("another")],
        WebhookEvent::Created,
        &approval("a-1"),
        "e",
        Timestamp::from_micros(0),
    );
    assert!(none.is_empty(), "the endpoint is not for that tenant: {none:?}");
    courier.stop(PATIENCE).await;
    assert_eq!(receiver.connections(), 0);
}

#[tokio::test]
async fn one_that_hangs_delays_no_other() {
    let post = Post::new().await;
    let (stuck, fine) = (Receiver::start(Answer::Hang).await, Receiver::start(Answer::status(200)).await);
    post.publish(&[
        ("stuck", url(&stuck), "allowPrivate: true, timeoutSeconds: 30"),
        ("fine", url(&fine), "allowPrivate: true"),
    ]);
    for number in 0..40 {
        post.queue("stuck", WebhookEvent::Created, &format!("a-{number}")).await;
    }
    let courier = post.courier();
    eventually("all places of the stuck one taken", async || stuck.got().len() == 4).await;
    for number in 0..40 {
        post.queue("fine", WebhookEvent::Created, &format!("a-{number}")).await;
    }
    fine.wait_for(40).await;
    assert_eq!(stuck.got().len(), 4, "no more at once than there are places");
    courier.stop(Duration::ZERO).await;
}

#[tokio::test]
async fn messages_about_one_approval_keep_their_order() {
    let post = Post::new().await;
    let receiver = Receiver::start(Answer::status(503)).await;
    post.publish(&[("here", url(&receiver), "allowPrivate: true")]);
    let courier = post.courier();
    let created = post.queue("here", WebhookEvent::Created, "a-1").await;
    let approved = post.queue("here", WebhookEvent::Approved, "a-1").await;
    post.wait_for(&created, DeliveryState::Pending, 1).await;
    // Of another approval, so that it is seen to be served meanwhile.
    receiver.answer(Answer::status(200));
    let other = post.queue("here", WebhookEvent::Created, "a-2").await;
    post.wait_for(&other, DeliveryState::Delivered, 1).await;
    assert_eq!(post.delivery(&approved).await.attempts, 0, "waits for the one before");
    post.pass(WAITS[0]);
    post.wait_for(&approved, DeliveryState::Delivered, 1).await;
    let got: Vec<_> = receiver.got().iter().map(|got| got.header("webhook-id").to_owned()).collect();
    assert_eq!(got, [&created, &other, &created, &approved].map(Text::to_string));
    courier.stop(PATIENCE).await;
}

#[tokio::test]
async fn several_couriers_send_each_message_once() {
    let post = Post::new().await;
    let receiver = Receiver::start(Answer::status(200)).await;
    post.publish(&[("here", url(&receiver), "allowPrivate: true")]);
    let couriers = [post.courier(), post.courier(), post.courier()];
    let mut queued = Vec::new();
    for number in 0..100 {
        queued.push(post.queue("here", WebhookEvent::Created, &format!("a-{number}")).await.to_string());
    }
    for id in &queued {
        post.wait_for(id, DeliveryState::Delivered, 1).await;
    }
    for courier in couriers {
        courier.stop(PATIENCE).await;
    }
    let mut got: Vec<_> = receiver.got().iter().map(|got| got.header("webhook-id").to_owned()).collect();
    got.sort();
    queued.sort();
    assert_eq!(got, queued);
}

#[tokio::test]
async fn what_a_dead_server_had_claimed_is_sent_by_the_next() {
    let post = Post::new().await;
    let receiver = Receiver::start(Answer::Hang).await;
    post.publish(&[("here", url(&receiver), "allowPrivate: true, timeoutSeconds: 30")]);
    let courier = post.courier();
    let id = post.queue("here", WebhookEvent::Created, "a-1").await;
    receiver.wait_for(1).await;
    // Ends in the middle, and gives nothing back.
    drop(courier);
    let delivery = post.delivery(&id).await;
    assert_eq!((delivery.state, delivery.attempts), (DeliveryState::Pending, 0));
    receiver.answer(Answer::status(200));
    post.pass(Duration::from_secs(35));
    let next = post.courier();
    post.wait_for(&id, DeliveryState::Delivered, 1).await;
    let got = receiver.got();
    assert_eq!(got.len(), 2);
    assert_eq!(got[0].header("webhook-id"), got[1].header("webhook-id"));
    next.stop(PATIENCE).await;
}

#[tokio::test]
async fn stopping_waits_for_what_is_under_way() {
    let post = Post::new().await;
    let receiver = Receiver::start(Answer::Hang).await;
    post.publish(&[("here", url(&receiver), "allowPrivate: true, timeoutSeconds: 1")]);
    let courier = post.courier();
    let id = post.queue("here", WebhookEvent::Created, "a-1").await;
    receiver.wait_for(1).await;
    courier.stop(PATIENCE).await;
    let delivery = post.delivery(&id).await;
    assert_eq!((delivery.state, delivery.attempts), (DeliveryState::Pending, 1));
    assert_eq!(delivery.last_error, "no answer within 1 s, while waiting for the answer");
}

#[tokio::test]
async fn what_is_cut_short_is_given_back() {
    let post = Post::new().await;
    let receiver = Receiver::start(Answer::Hang).await;
    post.publish(&[("here", url(&receiver), "allowPrivate: true, timeoutSeconds: 30")]);
    let courier = post.courier();
    let id = post.queue("here", WebhookEvent::Created, "a-1").await;
    receiver.wait_for(1).await;
    courier.stop(Duration::ZERO).await;
    receiver.answer(Answer::status(200));
    let next = post.courier();
    // The clock stands still: nobody waits for the lease.
    post.wait_for(&id, DeliveryState::Delivered, 1).await;
    next.stop(PATIENCE).await;
}

#[tokio::test]
async fn nothing_is_given_up_before_documents_are_live() {
    let post = Post::new().await;
    let receiver = Receiver::start(Answer::status(200)).await;
    let courier = post.courier();
    let id = post.queue("here", WebhookEvent::Created, "a-1").await;
    post.publish(&[("here", url(&receiver), "allowPrivate: true")]);
    courier.handle().nudge();
    post.wait_for(&id, DeliveryState::Delivered, 1).await;
    courier.stop(PATIENCE).await;
}

#[tokio::test]
async fn what_is_old_is_forgotten() {
    let post = Post::new().await;
    let receiver = Receiver::start(Answer::status(200)).await;
    post.publish(&[("here", url(&receiver), "allowPrivate: true")]);
    let courier = post.courier();
    let delivered = post.queue("here", WebhookEvent::Created, "a-1").await;
    post.wait_for(&delivered, DeliveryState::Delivered, 1).await;
    receiver.answer(Answer::status(410));
    let dead = post.queue("here", WebhookEvent::Created, "a-2").await;
    post.wait_for(&dead, DeliveryState::Dead, 1).await;
    courier.stop(PATIENCE).await;
    let day = Duration::from_secs(86_400);
    let is_kept = async |id: &Text| post.store.delivery("acme", id).await.unwrap().is_some();
    for (days, keeps_delivered, keeps_dead) in [(6, true, true), (2, false, true), (81, false, true), (2, false, false)]
    {
        post.pass(day * days);
        let courier = post.courier();
        // Whoever starts looks for what is old before the first message.
        receiver.answer(Answer::status(200));
        let fresh = post.queue("here", WebhookEvent::Created, &format!("b-{days}")).await;
        eventually("a look at what is old", async || {
            post.delivery(&fresh).await.state == DeliveryState::Delivered
                && (is_kept(&delivered).await, is_kept(&dead).await) == (keeps_delivered, keeps_dead)
        })
        .await;
        courier.stop(PATIENCE).await;
        assert_eq!((is_kept(&delivered).await, is_kept(&dead).await), (keeps_delivered, keeps_dead));
    }
}
