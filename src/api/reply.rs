//! What a call sends back, as an HTTP/2 body.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, header};
use hyper::body::{Body, Frame};

use super::refusal::Refusal;
use super::routed::RoutedBody;
use super::stream::DecisionStream;

/// A body that cannot be sent.
pub type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// The body of a reply.
#[derive(Debug, Default)]
pub enum Reply {
    /// Nothing: the status travelled in the headers, or everything has been sent.
    #[default]
    Empty,
    /// One message, then the status OK.
    Message(Bytes),
    /// The status OK, after the message.
    Ok,
    /// A stream of decisions.
    Stream(Box<DecisionStream>),
    /// What another service sends.
    Routed(Box<RoutedBody>),
}

impl Reply {
    /// A reply of one framed message.
    pub fn message(framed: Bytes) -> Response<Self> {
        with_body(Self::Message(framed))
    }

    /// A reply that streams decisions.
    pub fn stream(stream: DecisionStream) -> Response<Self> {
        with_body(Self::Stream(Box::new(stream)))
    }

    /// A reply that another service streams.
    pub fn routed(body: RoutedBody) -> Response<Self> {
        with_body(Self::Routed(Box::new(body)))
    }

    /// A reply that refuses.
    pub fn refusal(refusal: &Refusal) -> Response<Self> {
        refusal.to_status().into_http()
    }

    /// A reply to something that is not gRPC.
    pub fn not_grpc(status: http::StatusCode) -> Response<Self> {
        let mut response = Response::new(Self::Empty);
        *response.status_mut() = status;
        response
    }
}

fn with_body(body: Reply) -> Response<Reply> {
    let mut response = Response::new(body);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    response
}

/// The trailers of a call that was answered.
pub fn ok_trailers() -> HeaderMap {
    let mut trailers = HeaderMap::with_capacity(1);
    trailers.insert(tonic::Status::GRPC_STATUS, HeaderValue::from_static("0"));
    trailers
}

/// The trailers of a call that was refused after it had begun to answer.
pub fn refusal_trailers(refusal: &Refusal) -> HeaderMap {
    let mut trailers = HeaderMap::with_capacity(3);
    // Fails only where a text is no header, and tonic encodes texts.
    let _ = refusal.to_status().add_header(&mut trailers);
    trailers
}

impl Body for Reply {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut *self {
            Self::Empty => Poll::Ready(None),
            Self::Message(message) => {
                let message = std::mem::take(message);
                *self = Self::Ok;
                Poll::Ready(Some(Ok(Frame::data(message))))
            }
            Self::Ok => {
                *self = Self::Empty;
                Poll::Ready(Some(Ok(Frame::trailers(ok_trailers()))))
            }
            Self::Stream(stream) => stream.poll_frame(cx).map(|frame| frame.map(Ok)),
            Self::Routed(body) => body.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Routed(body) => body.is_end_stream(),
            _ => false,
        }
    }
}
