//! `EvaluateBatch`: one snapshot, independent items.

use lictor::api::proto::v1::evaluate_batch_result::Result as Item;
use lictor::api::proto::v1::{Decision, EvaluateBatchRequest, EvaluateRequest};
use tonic::Code;

use crate::harness::{POLICIES, Running, question, reason};

#[tokio::test]
async fn items_are_independent_and_inherit() {
    let running = Running::start(|_| {});
    let mut bad = question("file.read");
    bad.subject.as_mut().unwrap().id.clear();
    let pinned = EvaluateRequest { snapshot: format!("sha256:{:064}", 0), ..question("file.read") };
    let requests = [question("file.read"), bad, question("file.write"), pinned]
        .into_iter()
        .zip(1..)
        .map(|(request, number)| EvaluateRequest { request_id: format!("r{number}"), ..request })
        .collect();
    let batch = EvaluateBatchRequest { requests, correlation_id: "c".into(), ..Default::default() };
    let answer = running.client().await.evaluate_batch(batch).await.unwrap().into_inner();
    let ids: Vec<&str> = answer.results.iter().map(|result| result.request_id.as_str()).collect();
    assert_eq!(ids, ["r1", "r2", "r3", "r4"]);
    let digest = answer.snapshot.unwrap().digest;
    for (result, decision) in [(0, Decision::Allow), (2, Decision::Deny)] {
        let Some(Item::Response(response)) = &answer.results[result].result else { panic!("{:?}", answer.results) };
        assert_eq!(response.decision(), decision);
        assert_eq!(response.correlation_id, "c");
        assert_eq!(response.snapshot.as_ref().unwrap().digest, digest);
    }
    for (result, path) in [(1, "requests[1].subject.id"), (3, "requests[3].snapshot")] {
        let Some(Item::Error(status)) = &answer.results[result].result else { panic!("{:?}", answer.results) };
        assert_eq!(status.code, Code::InvalidArgument as i32);
        assert_eq!(reason(&prost::Message::encode_to_vec(status)).1, [path]);
    }
}

#[tokio::test]
async fn a_batch_that_cannot_be_asked_is_refused_whole() {
    let running = Running::start(|_| {});
    let mut client = running.client().await;
    let of = |count| vec![question("file.read"); count];
    let cases = [
        (EvaluateBatchRequest::default(), Code::InvalidArgument, "INVALID_BATCH"),
        (EvaluateBatchRequest { requests: of(257), ..Default::default() }, Code::InvalidArgument, "INVALID_BATCH"),
        (
            EvaluateBatchRequest { requests: of(1), tenant_id: "\t".into(), ..Default::default() },
            Code::InvalidArgument,
            "FORBIDDEN_CHARACTER",
        ),
        (
            EvaluateBatchRequest { requests: of(1), snapshot: format!("sha256:{:064}", 0), ..Default::default() },
            Code::NotFound,
            "SNAPSHOT_NOT_RESIDENT",
        ),
    ];
    for (batch, code, expected) in cases {
        let refused = client.evaluate_batch(batch).await.unwrap_err();
        assert_eq!((refused.code(), reason(refused.details()).0.as_str()), (code, expected));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_never_mixes_snapshots() {
    let running = Running::start(|_| {});
    let mut client = running.client().await;
    let holder = running.holder.clone();
    let swapping = tokio::task::spawn_blocking(move || {
        let texts = [POLICIES.to_owned(), POLICIES.replace("reading is fine", "fine")];
        let snapshots: Vec<_> = texts
            .iter()
            .map(|text| {
                let source = lictor::policy::SourceText {
                    name: "test.yaml".into(),
                    layer: lictor::model::Layer::Organisation,
                    text: text.as_str().into(),
                };
                std::sync::Arc::new(lictor::snapshot::Snapshot::build(&lictor::policy::load(&[source]).documents, 1))
            })
            .collect();
        for round in 0..2_000 {
            drop(holder.publish(snapshots[round % 2].clone()));
        }
    });
    let mut seen = std::collections::HashSet::new();
    while !swapping.is_finished() || seen.len() < 2 {
        let batch = EvaluateBatchRequest { requests: vec![question("file.read"); 200], ..Default::default() };
        let answer = client.evaluate_batch(batch).await.unwrap().into_inner();
        let digest = answer.snapshot.unwrap().digest;
        for result in answer.results {
            let Some(Item::Response(response)) = result.result else { panic!("an item failed") };
            assert_eq!(response.snapshot.unwrap().digest, digest);
        }
        seen.insert(digest);
        if swapping.is_finished() {
            break;
        }
    }
    swapping.await.unwrap();
}
