//! What services other than the data plane's send: health and reflection, through tonic.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame};

use super::admission::Permit;
use super::drain::Drained;
use super::refusal::Refusal;
use super::reply::{BodyError, refusal_trailers};

/// The body of a reply by a tonic service; ends with UNAVAILABLE where the server drains and the service is silent.
pub struct RoutedBody {
    body: tonic::body::Body,
    drained: Drained,
    ended: bool,
    _permit: Permit,
}

impl RoutedBody {
    /// Passes on `body` until `drained`.
    pub fn new(body: tonic::body::Body, drained: Drained, permit: Permit) -> Self {
        Self { body, drained, ended: false, _permit: permit }
    }

    /// The next frame.
    pub fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(frame) => Poll::Ready(frame.map(|frame| frame.map_err(Into::into))),
            Poll::Pending => Pin::new(&mut self.drained).poll(cx).map(|()| {
                self.ended = true;
                Some(Ok(Frame::trailers(refusal_trailers(&Refusal::shutting_down()))))
            }),
        }
    }

    /// Whether nothing more comes.
    pub fn is_end_stream(&self) -> bool {
        self.ended || self.body.is_end_stream()
    }
}

impl std::fmt::Debug for RoutedBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RoutedBody").field("ended", &self.ended).finish_non_exhaustive()
    }
}
