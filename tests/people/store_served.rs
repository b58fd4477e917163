//! The store of a running server.

use lictor::event::EventType;
use lictor::store::{OutboxEvent, Place, Store, StoreOptions};

use crate::postgres::Cluster;
use crate::system::{Lictor, question, wait_for};

const POLICY: &str =
    "apiVersion: lictor.dev/v1\nkind: Policy\nmetadata: {name: p}\nspec:\n  rules:\n    - {name: r, effect: allow}\n";

fn event(number: u64) -> OutboxEvent {
    let at = lictor::model::Timestamp::from_micros(1_700_000_000_123_456);
    let mut event = OutboxEvent::new(EventType::IrValidatedEscalate, "acme", "jwt:iss#ann", at);
    event.correlation_id = "corr-1".into();
    event.snapshot = "sha256:aa".into();
    event.payload = serde_json::json!({"number": number, "text": "größe\n"});
    event
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn decides_without_a_store_and_records_once_there_is_one() {
    let mut cluster = tokio::task::spawn_blocking(Cluster::own).await.unwrap();
    let url = cluster.database();
    cluster.stop();
    let mut lictor = Lictor::prepare(POLICY);
    lictor.config = format!("store: {{url: '{url}', timeoutMillis: 2000}}\n");
    lictor.run();
    let answer = lictor.client().await.evaluate(question("a")).await.expect("an answer").into_inner();
    assert!(answer.allowed);
    wait_for("look at the store", || {
        lictor.http_get("/metrics").is_some_and(|text| text.contains("lictor_store_up 0"))
    });
    let cluster = tokio::task::spawn_blocking(move || {
        cluster.run();
        cluster
    })
    .await
    .unwrap();
    wait_for("store", || lictor.metric("lictor_store_up") == 1);
    // Another server's change.
    let store = Store::open(StoreOptions::new(Place::Postgres { url, password: None })).await.unwrap();
    let events: Vec<OutboxEvent> = (0..3).map(event).collect();
    store.add_events(events.clone()).await.unwrap();
    wait_for("records", || lictor.records("ir.validated_escalate").len() == 3);
    let records = lictor.records("ir.validated_escalate");
    for (record, event) in records.iter().zip(&events) {
        assert_eq!(record["id"], event.id.to_string());
        assert_eq!(record["payload"], event.payload);
        assert_eq!(record["timestamp"], "2023-11-14T22:13:20.123456Z");
        let meta = &record["meta"];
        for (member, value) in
            [("tenant_id", "acme"), ("actor", "jwt:iss#ann"), ("correlation_id", "corr-1"), ("snapshot", "sha256:aa")]
        {
            assert_eq!(meta[member], value, "{record}");
        }
    }
    wait_for("marks", || lictor.metric("lictor_store_outbox_events") == 0);
    let metrics = lictor.http_get("/metrics").expect("metrics");
    for line in ["_bucket{operation=\"mark_events\",le=\"+Inf\"} ", "_count{operation=\"claim_events\"} "] {
        assert!(metrics.contains(&format!("lictor_store_operation_seconds{line}")), "{line} is not in\n{metrics}");
    }
    lictor.signal("-TERM");
    assert!(lictor.wait().success(), "{}", lictor.log());
    assert_eq!(lictor.audit_verify().0, 0);
    assert_eq!(store.figures().await.unwrap().outbox, 0);
    drop(cluster);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_committed_before_the_start_is_recorded() {
    let mut lictor = Lictor::start(POLICY);
    lictor.signal("-TERM");
    assert!(lictor.wait().success());
    let file = lictor.path("state/lictor.db");
    let store = Store::open(StoreOptions::new(Place::Sqlite(file.clone()))).await.unwrap();
    store.add_events((0..300).map(event).collect()).await.unwrap();
    store.close().await;
    lictor.run();
    // Told to stop at once: what is committed is brought over all the same.
    lictor.signal("-TERM");
    assert!(lictor.wait().success(), "{}", lictor.log());
    let records = lictor.records("ir.validated_escalate");
    let numbers: Vec<u64> = records.iter().filter_map(|record| record["payload"]["number"].as_u64()).collect();
    assert_eq!(numbers, (0..300).collect::<Vec<u64>>());

    // A file that is no store keeps the server from starting, with the remedy.
    std::fs::write(&file, "not a database\n".repeat(1_000)).unwrap();
    lictor.spawn();
    assert_eq!(lictor.wait().code(), Some(2));
    assert!(lictor.log().contains("lictor restore --from FILE"), "{}", lictor.log());
}
