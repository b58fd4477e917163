//! What the server takes on, and what it refuses.

use std::time::Duration;

use lictor::api::proto::v1::{EvaluateRequest, EvaluateStreamRequest, Resource};
use prost::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::Code;

use crate::harness::{Running, question, reason};
use crate::raw::{Raw, framed, grpc};

#[tokio::test]
async fn messages_may_be_as_long_as_the_limit_and_no_longer() {
    let running = Running::start(|options| {
        options.limits.message_bytes = 100_000;
        options.limits.resource_id_bytes = 100_000;
    });
    let mut client = running.client().await;
    let base = question("file.read").encoded_len();
    let of_length = |length: usize| {
        // Tag and length of the resource and of its id are four bytes each.
        let id = "x".repeat(length - base - 8);
        let request =
            EvaluateRequest { resource: Some(Resource { id, ..Default::default() }), ..question("file.read") };
        assert_eq!(request.encoded_len(), length);
        request
    };
    assert!(client.evaluate(of_length(100_000)).await.is_ok());
    let refused = client.evaluate(of_length(100_001)).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert_eq!(reason(refused.details()).0, "MESSAGE_TOO_LARGE");

    // The length is refused as soon as it is known, before the message comes.
    let mut raw = Raw::connect(running.server.tcp_address().unwrap()).await;
    let (body, answer) = raw.open(grpc("Evaluate"));
    body.send(vec![0, 0xff, 0xff, 0xff, 0xff].into()).unwrap();
    assert_eq!(answer.await.grpc_status().code(), Code::ResourceExhausted);
}

#[tokio::test]
async fn the_callers_deadline_ends_each_kind_of_call() {
    let running = Running::start(|_| {});
    let mut raw = Raw::connect(running.server.tcp_address().unwrap()).await;
    for method in ["Evaluate", "EvaluateBatch", "EvaluateStream"] {
        let (body, answer) = raw.open(grpc(method).header("grpc-timeout", "20m"));
        let status = answer.await.grpc_status();
        assert_eq!(status.code(), Code::DeadlineExceeded, "{method}");
        assert_eq!(reason(status.details()).0, "DEADLINE_EXCEEDED", "{method}");
        drop(body);
    }
    // A deadline that has passed already is not answered either.
    let message = framed(&question("file.read").encode_to_vec());
    let answer = raw.call(grpc("Evaluate").header("grpc-timeout", "0n"), message).await;
    assert_eq!(answer.grpc_status().code(), Code::DeadlineExceeded);
}

#[tokio::test]
async fn a_message_that_does_not_come_is_not_waited_for() {
    let running = Running::start(|options| options.connections.request = Duration::from_millis(20));
    let mut raw = Raw::connect(running.server.tcp_address().unwrap()).await;
    let message = framed(&question("file.read").encode_to_vec());
    let (body, answer) = raw.open(grpc("Evaluate"));
    body.send(message[..7].to_vec().into()).unwrap();
    let status = answer.await.grpc_status();
    assert_eq!((status.code(), reason(status.details()).0.as_str()), (Code::DeadlineExceeded, "REQUEST_TIMEOUT"));
}

#[tokio::test]
async fn more_calls_than_the_limit_are_shed() {
    let running = Running::start(|options| options.connections.in_flight = 1);
    let mut client = running.client().await;
    let (requests, stream) = mpsc::unbounded_channel::<EvaluateStreamRequest>();
    let answers = client.evaluate_stream(UnboundedReceiverStream::new(stream)).await.unwrap();
    let refused = client.evaluate(question("file.read")).await.unwrap_err();
    assert_eq!((refused.code(), reason(refused.details()).0.as_str()), (Code::ResourceExhausted, "OVERLOADED"));
    drop((requests, answers));
    while running.server.calls_in_flight() > 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(client.evaluate(question("file.read")).await.is_ok());
}

#[tokio::test]
async fn more_connections_than_the_limit_are_closed() {
    let running = Running::start(|options| options.connections.connections = 1);
    let mut client = running.client().await;
    assert!(client.evaluate(question("file.read")).await.is_ok());
    let mut second = tokio::net::TcpStream::connect(running.server.tcp_address().unwrap()).await.unwrap();
    assert_eq!(second.read(&mut [0; 16]).await.unwrap_or(0), 0);
    assert!(client.evaluate(question("file.read")).await.is_ok());
    assert!(running.telemetry.render().contains("lictor_connections_refused_total 1"));
}

#[tokio::test]
async fn a_client_that_does_not_introduce_itself_is_let_go() {
    let running = Running::start(|options| options.connections.handshake = Duration::from_millis(50));
    let address = running.server.tcp_address().unwrap();
    let mut silent = tokio::net::TcpStream::connect(address).await.unwrap();
    let mut slow = tokio::net::TcpStream::connect(address).await.unwrap();
    slow.write_all(b"PRI * HTTP/2.0\r\n").await.unwrap();
    for stream in [&mut silent, &mut slow] {
        // The server's own settings may come first; then the end.
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
    }
    // One that has introduced itself stays.
    let mut client = running.client().await;
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert!(client.evaluate(question("file.read")).await.is_ok());
}

#[tokio::test]
async fn headers_beyond_the_limit_are_refused() {
    let running = Running::start(|options| options.connections.header_list_bytes = 2_000);
    let mut raw = Raw::connect(running.server.tcp_address().unwrap()).await;
    let message = framed(&question("file.read").encode_to_vec());
    let answer = raw.call(grpc("Evaluate").header("x-long", "x".repeat(4_000)), message.clone()).await;
    assert_eq!(answer.http, http::StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    assert_eq!(raw.call(grpc("Evaluate"), message).await.grpc_status().code(), Code::Ok);
}
