//! Calls made by hand, for what no client library would send.

use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame};
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::sync::mpsc;

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub http: StatusCode,
    /// Headers and trailers.
    pub headers: HeaderMap,
}

impl Answer {
    pub fn grpc_status(&self) -> tonic::Status {
        tonic::Status::from_header_map(&self.headers).expect("a gRPC status")
    }
}

/// A request body that goes on until its sender is dropped.
pub struct Open(mpsc::UnboundedReceiver<Bytes>);

impl Open {
    /// The body that `receiver` receives, a frame each.
    pub fn new(receiver: mpsc::UnboundedReceiver<Bytes>) -> Self {
        Self(receiver)
    }
}

impl Body for Open {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.0.poll_recv(cx).map(|data| data.map(|data| Ok(Frame::data(data))))
    }
}

/// An HTTP/2 connection.
pub struct Raw {
    sender: SendRequest<Open>,
}

impl Raw {
    pub async fn connect(address: SocketAddr) -> Self {
        let stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let (sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        Self { sender }
    }

    /// Sends headers and leaves the body open.
    pub fn open(
        &mut self,
        request: http::request::Builder,
    ) -> (mpsc::UnboundedSender<Bytes>, impl Future<Output = Answer> + 'static) {
        let (body, receiver) = mpsc::unbounded_channel();
        let response = self.sender.send_request(request.body(Open(receiver)).unwrap());
        let answer = async {
            let response = response.await.unwrap();
            let (http, mut headers) = (response.status(), response.headers().clone());
            let collected = response.into_body().collect().await.unwrap();
            headers.extend(collected.trailers().cloned().unwrap_or_default());
            Answer { http, headers }
        };
        (body, answer)
    }

    /// Sends a whole request.
    pub async fn call(&mut self, request: http::request::Builder, body: impl Into<Bytes>) -> Answer {
        let (sender, answer) = self.open(request);
        sender.send(body.into()).unwrap();
        drop(sender);
        answer.await
    }
}

/// A call of `method` of the decision service.
pub fn grpc(method: &str) -> http::request::Builder {
    Request::post(format!("http://lictor/lictor.v1.DecisionService/{method}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
}

/// A message with its frame.
pub fn framed(message: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0];
    bytes.extend_from_slice(&u32::try_from(message.len()).unwrap().to_be_bytes());
    bytes.extend_from_slice(message);
    bytes
}
