//! `EvaluateStream`: in order, and an item's error leaves the stream open.

use lictor::api::proto::v1::evaluate_stream_response::Result as Item;
use lictor::api::proto::v1::{Decision, EvaluateBatchRequest, EvaluateRequest, EvaluateStreamRequest};
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::Code;

use crate::harness::{POLICIES, Running, question, reason};

fn numbered(action: &str, number: usize) -> EvaluateStreamRequest {
    EvaluateStreamRequest { request: Some(EvaluateRequest { request_id: format!("r{number}"), ..question(action) }) }
}

#[tokio::test]
async fn answers_a_pipelined_stream_in_order() {
    let running = Running::start(|_| {});
    let actions = ["file.read", "file.write", "file.publish"];
    let decisions = [Decision::Allow, Decision::Deny, Decision::RequireApproval];
    for channel in [running.tcp().await, running.unix().await] {
        let mut client = lictor::api::proto::v1::decision_service_client::DecisionServiceClient::new(channel);
        let requests = tokio_stream::iter((0..2_000).map(move |number| numbered(actions[number % 3], number)));
        let mut answers = client.evaluate_stream(requests).await.unwrap().into_inner();
        let mut count = 0;
        while let Some(answer) = answers.next().await {
            let answer = answer.unwrap();
            assert_eq!(answer.request_id, format!("r{count}"));
            let Some(Item::Response(response)) = answer.result else { panic!("{answer:?}") };
            assert_eq!(response.request_id, answer.request_id);
            assert_eq!(response.decision(), decisions[count % 3]);
            count += 1;
        }
        assert_eq!(count, 2_000);
    }
}

#[tokio::test]
async fn errors_of_items_leave_the_stream_open() {
    let running = Running::start(|options| options.limits.message_bytes = 1_000);
    let (requests, stream) = mpsc::unbounded_channel();
    let mut client = running.client().await;
    let mut answers = client.evaluate_stream(UnboundedReceiverStream::new(stream)).await.unwrap().into_inner();
    let mut invalid = numbered("file.read", 1);
    invalid.request.as_mut().unwrap().subject = None;
    let mut pinned = numbered("file.read", 2);
    pinned.request.as_mut().unwrap().snapshot = format!("sha256:{:064}", 0);
    let mut large = numbered("file.read", 3);
    large.request.as_mut().unwrap().resource =
        Some(lictor::api::proto::v1::Resource { id: "x".repeat(60_000), ..Default::default() });
    let cases = [
        (EvaluateStreamRequest { request: None }, "", Code::InvalidArgument, "MISSING_FIELD"),
        (invalid, "r1", Code::InvalidArgument, "MISSING_FIELD"),
        (pinned, "r2", Code::NotFound, "SNAPSHOT_NOT_RESIDENT"),
        (large, "", Code::ResourceExhausted, "MESSAGE_TOO_LARGE"),
    ];
    for (request, id, code, expected) in cases {
        requests.send(request).unwrap();
        let answer = answers.next().await.unwrap().unwrap();
        assert_eq!(answer.request_id, id);
        let Some(Item::Error(status)) = &answer.result else { panic!("{answer:?}") };
        assert_eq!(status.code, code as i32);
        assert_eq!(reason(&prost::Message::encode_to_vec(status)).0, expected);
        // The next question is answered as if nothing had happened.
        requests.send(numbered("file.read", 9)).unwrap();
        let answer = answers.next().await.unwrap().unwrap();
        assert!(matches!(answer.result, Some(Item::Response(_))), "{answer:?}");
    }
    drop(requests);
    assert!(answers.next().await.is_none());
}

#[tokio::test]
async fn a_journal_that_stands_still_does_not_hold_up_streams_and_batches() {
    let hour = std::time::Duration::from_secs(3_600);
    let running = Running::start_with_events(
        |_| {},
        |events| (events.ring_records, events.poll_busy, events.poll_idle) = (64, hour, hour),
    );
    running.publish(POLICIES, 1);
    let mut client = running.client().await;
    let requests = tokio_stream::iter((0..2_000).map(|number| numbered("file.read", number)));
    let mut answers = client.evaluate_stream(requests).await.unwrap().into_inner();
    let mut count = 0;
    while let Some(answer) = answers.next().await {
        assert!(matches!(answer.unwrap().result, Some(Item::Response(_))));
        count += 1;
    }
    assert_eq!(count, 2_000);
    let requests = vec![question("file.read"); 256];
    let batch = EvaluateBatchRequest { requests, ..EvaluateBatchRequest::default() };
    assert_eq!(client.evaluate_batch(batch).await.unwrap().into_inner().results.len(), 256);
    let events = running.stop_and_read_journal().await;
    assert!(events.iter().any(|event| event["type"] == "events.gap"), "the ring was full");
}
