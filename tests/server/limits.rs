//! What the server takes on, and what it refuses.

use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioIo};
use lictor::api::proto::v1::{EvaluateBatchRequest, EvaluateRequest, EvaluateStreamRequest, Resource};
use prost::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::Code;

use crate::harness::{Running, question, reason};
use crate::raw::{Open, Raw, framed, grpc};

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
    // Nor on a stream, once it has begun.
    let (body, answer) = raw.open(grpc("EvaluateStream"));
    let message = framed(&EvaluateStreamRequest { request: Some(question("file.read")) }.encode_to_vec());
    body.send([&message[..], &message[..7]].concat().into()).unwrap();
    let status = answer.await.grpc_status();
    assert_eq!((status.code(), reason(status.details()).0.as_str()), (Code::DeadlineExceeded, "REQUEST_TIMEOUT"));
}

#[tokio::test]
async fn more_calls_than_the_limit_are_shed() {
    let running = Running::start(|options| options.connections.in_flight = 3);
    let mut client = running.client().await;
    let mut open = Vec::new();
    // One below, at and above the limit, with the streams that stay open.
    for accepted in [true, true, true, false] {
        let answer = client.evaluate(question("file.read")).await;
        assert_eq!(answer.is_ok(), accepted, "{} streams are open: {answer:?}", open.len());
        match answer {
            Ok(_) => {
                let (requests, stream) = mpsc::unbounded_channel::<EvaluateStreamRequest>();
                open.push((requests, client.evaluate_stream(UnboundedReceiverStream::new(stream)).await.unwrap()));
            }
            Err(refused) => {
                let found = (refused.code(), reason(refused.details()).0);
                assert_eq!(found, (Code::ResourceExhausted, "OVERLOADED".to_owned()));
            }
        }
    }
    drop(open);
    while running.server.calls_in_flight() > 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(client.evaluate(question("file.read")).await.is_ok());
}

#[tokio::test]
async fn more_calls_than_one_connection_may_have_wait() {
    let running = Running::start(|options| options.connections.streams_per_connection = 3);
    let address = running.server.tcp_address().unwrap();
    let mut raw = Raw::connect(address).await;
    let message = framed(&question("file.read").encode_to_vec());
    // The server's settings have come with this answer.
    assert_eq!(raw.call(grpc("Evaluate"), message.clone()).await.grpc_status().code(), Code::Ok);
    let mut open = Vec::new();
    for _ in 0..3 {
        let (body, answer) = raw.open(grpc("EvaluateStream"));
        open.push((body, tokio::spawn(answer)));
    }
    let (body, waiting) = raw.open(grpc("Evaluate"));
    let waiting = tokio::spawn(waiting);
    body.send(message.clone().into()).unwrap();
    drop(body);
    // Another connection is not held up, and three is all that this one has.
    assert_eq!(Raw::connect(address).await.call(grpc("Evaluate"), message).await.grpc_status().code(), Code::Ok);
    while running.server.calls_in_flight() < 3 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(!waiting.is_finished());
    let (body, answer) = open.remove(0);
    drop(body);
    assert_eq!(answer.await.unwrap().grpc_status().code(), Code::Ok);
    assert_eq!(waiting.await.unwrap().grpc_status().code(), Code::Ok);
}

#[tokio::test]
async fn answers_that_nobody_takes_are_bounded() {
    let running = Running::start(|options| options.connections.unsent_bytes = 100_000);
    let batch = EvaluateBatchRequest { requests: vec![question("file.read"); 256], ..Default::default() };
    let message = framed(&batch.encode_to_vec());
    let stream = tokio::net::TcpStream::connect(running.server.tcp_address().unwrap()).await.unwrap();
    // A client whose window takes one byte of each answer.
    let (mut sender, connection) = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
        .initial_stream_window_size(1)
        .handshake::<_, Open>(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    let mut unread = Vec::new();
    let refused = loop {
        let (body, receiver) = mpsc::unbounded_channel();
        body.send(message.clone().into()).unwrap();
        drop(body);
        let response = sender.send_request(grpc("EvaluateBatch").body(Open::new(receiver)).unwrap()).await.unwrap();
        match tonic::Status::from_header_map(response.headers()) {
            Some(status) => break status,
            None => unread.push(response),
        }
        assert!(unread.len() < 100, "so much was answered that nobody read");
    };
    assert_eq!((refused.code(), reason(refused.details()).0.as_str()), (Code::ResourceExhausted, "OVERLOADED"));
    assert!(!unread.is_empty());
    // Small answers have room, and once the client is gone so have large ones.
    let mut client = running.client().await;
    assert!(client.evaluate(question("file.read")).await.is_ok());
    assert!(client.evaluate_batch(batch.clone()).await.is_err());
    drop((unread, sender));
    while client.evaluate_batch(batch.clone()).await.is_err() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn more_connections_than_the_limit_are_closed() {
    let running = Running::start(|options| options.connections.connections = 2);
    let mut client = running.client().await;
    assert!(client.evaluate(question("file.read")).await.is_ok());
    let mut at_the_limit = running.client().await;
    assert!(at_the_limit.evaluate(question("file.read")).await.is_ok());
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
    let limit = 2_000;
    let running = Running::start(|options| options.connections.header_list_bytes = limit);
    let mut raw = Raw::connect(running.server.tcp_address().unwrap()).await;
    let message = framed(&question("file.read").encode_to_vec());
    // Each counts as its name, its value and 32 bytes (RFC 9113, section 6.5.2).
    let others = [
        (":method", "POST"),
        (":scheme", "http"),
        (":authority", "lictor"),
        (":path", "/lictor.v1.DecisionService/Evaluate"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
        ("x-long", ""),
    ];
    let rest: usize = others.iter().map(|(name, value)| name.len() + value.len() + 32).sum();
    // The HTTP/2 library refuses what reaches the limit.
    let edge = limit as usize - 1 - rest;
    for (length, accepted) in [(edge - 1, true), (edge, true), (edge + 1, false), (2 * edge, false)] {
        let answer = raw.call(grpc("Evaluate").header("x-long", "x".repeat(length)), message.clone()).await;
        let expected = if accepted { http::StatusCode::OK } else { http::StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE };
        assert_eq!(answer.http, expected, "{length} of {edge}");
    }
    assert_eq!(raw.call(grpc("Evaluate"), message).await.grpc_status().code(), Code::Ok);
}

#[tokio::test]
async fn a_client_that_takes_no_answer_loses_its_connection_and_an_idle_one_does_not() {
    let running = Running::start(|options| {
        options.connections.untaken = Duration::from_millis(200);
        options.connections.keep_alive_interval = Duration::from_millis(50);
    });
    let (requests, stream) = mpsc::unbounded_channel();
    let ask = || requests.send(EvaluateStreamRequest { request: Some(question("file.read")) }).unwrap();
    let mut client = running.client().await;
    ask();
    let mut answers = client.evaluate_stream(UnboundedReceiverStream::new(stream)).await.unwrap().into_inner();
    assert!(answers.message().await.unwrap().is_some());

    // It answers to every sign of life that it is asked for, but lets nothing in.
    let socket = tokio::net::TcpStream::connect(running.server.tcp_address().unwrap()).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
        .initial_stream_window_size(0)
        .handshake(TokioIo::new(socket))
        .await
        .unwrap();
    let connection = tokio::spawn(connection);
    let (body, receiver) = mpsc::unbounded_channel();
    body.send(framed(&question("file.read").encode_to_vec()).into()).unwrap();
    drop(body);
    let response = sender.send_request(grpc("Evaluate").body(Open::new(receiver)).unwrap()).await.unwrap();
    assert_eq!(response.status(), 200);
    let ended = tokio::time::timeout(Duration::from_secs(30), connection).await;
    assert!(ended.is_ok(), "the connection stays although nothing is taken");
    drop(response);

    ask();
    assert!(answers.message().await.unwrap().is_some());
}
