//! A client that writes faster than it reads is held back by flow control, and only where it does not read.

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use lictor::api::proto::v1::evaluate_stream_response::Result as Item;
use lictor::api::proto::v1::{EvaluateRequest, EvaluateStreamRequest, EvaluateStreamResponse};
use prost::Message;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::harness::{Running, question};
use crate::raw::{Open, framed, grpc};

const REQUESTS: usize = 20_000;
const STALLED: usize = 3;

fn request(number: usize) -> Bytes {
    let request = EvaluateRequest { request_id: format!("r{number}"), ..question("file.read") };
    framed(&EvaluateStreamRequest { request: Some(request) }.encode_to_vec()).into()
}

/// Opens a stream of requests; gives where to write and what comes back.
async fn open(sender: &mut SendRequest<Open>) -> (UnboundedSender<Bytes>, Answers) {
    let (requests, body) = unbounded_channel();
    let response = sender.send_request(grpc("EvaluateStream").body(Open::new(body)).unwrap()).await.unwrap();
    (requests, Answers { body: response.into_body(), unread: BytesMut::new() })
}

struct Answers {
    body: Incoming,
    unread: BytesMut,
}

impl Answers {
    /// The id of the next answer; `None` at an end that is OK.
    async fn next(&mut self) -> Option<String> {
        loop {
            if let Some(header) = self.unread.first_chunk::<5>() {
                let length = u32::from_be_bytes([header[1], header[2], header[3], header[4]]) as usize;
                if self.unread.len() >= 5 + length {
                    let message = self.unread.split_to(5 + length);
                    let answer = EvaluateStreamResponse::decode(&message[5..]).unwrap();
                    assert!(matches!(answer.result, Some(Item::Response(_))), "{answer:?}");
                    return Some(answer.request_id);
                }
            }
            let frame = self.body.frame().await.expect("trailers come last").expect("the connection stays");
            match frame.into_data() {
                Ok(data) => self.unread.extend_from_slice(&data),
                Err(frame) => {
                    assert_eq!(frame.trailers_ref().unwrap()["grpc-status"], "0");
                    return None;
                }
            }
        }
    }
}

#[tokio::test]
async fn streams_that_do_not_read_are_held_back_and_leave_others_alone() {
    let running = Running::start(|_| {});
    let socket = tokio::net::TcpStream::connect(running.server.tcp_address().unwrap()).await.unwrap();
    let (mut sender, connection) = Builder::new(TokioExecutor::new())
        .initial_stream_window_size(65_535)
        .initial_connection_window_size(4 * 1_024 * 1_024)
        .handshake(TokioIo::new(socket))
        .await
        .unwrap();
    tokio::spawn(connection);

    let mut stalled = Vec::new();
    for _ in 0..STALLED {
        let (requests, answers) = open(&mut sender).await;
        // Each in a frame of its own.
        (0..REQUESTS).for_each(|number| requests.send(request(number)).unwrap());
        stalled.push(answers);
    }
    let (requests, mut answers) = open(&mut sender).await;
    let begin = Instant::now();
    let mut number = 0;
    while begin.elapsed() < Duration::from_secs(2) {
        requests.send(request(number)).unwrap();
        let answer = tokio::time::timeout(Duration::from_secs(30), answers.next()).await.expect("an answer");
        assert_eq!(answer, Some(format!("r{number}")));
        number += 1;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    drop(requests);
    assert_eq!(answers.next().await, None);

    // What has been taken on is what the windows hold, far from everything.
    let text = running.telemetry.render();
    let decided: f64 = text
        .lines()
        .filter(|line| line.starts_with("lictor_decisions_total"))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum();
    assert!(decided > 0.0 && decided < (STALLED * REQUESTS) as f64 / 2.0, "{decided} decisions\n{text}");

    for mut answers in stalled {
        for number in 0..REQUESTS {
            assert_eq!(answers.next().await, Some(format!("r{number}")));
        }
        assert_eq!(answers.next().await, None);
    }
}
