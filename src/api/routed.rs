//! What services other than the data plane's send: health and reflection, through tonic.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use hyper::body::{Body, Frame};
use tokio::time::Sleep;

use super::admission::Permit;
use super::drain::Drained;
use super::refusal::Refusal;
use super::reply::{BodyError, refusal_trailers};

/// The body of a reply by a tonic service. It ends with UNAUTHENTICATED where what the caller is known by expires, however
/// much more there is to say, and, while the service is silent, with UNAVAILABLE where the server drains.
pub struct RoutedBody {
    body: tonic::body::Body,
    drained: Drained,
    /// Until what the caller is known by expires.
    expiry: Option<Pin<Box<Sleep>>>,
    ended: bool,
    _permit: Permit,
}

impl RoutedBody {
    /// Passes on `body` until `drained`, or until `expiry`.
    pub fn new(body: tonic::body::Body, drained: Drained, expiry: Option<Instant>, permit: Permit) -> Self {
        let expiry = expiry.map(|expiry| Box::pin(tokio::time::sleep_until(expiry.into())));
        Self { body, drained, expiry, ended: false, _permit: permit }
    }

    /// The next frame.
    pub fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        if let Some(expiry) = &mut self.expiry
            && expiry.as_mut().poll(cx).is_ready()
        {
            return self.end(&Refusal::credentials_expired());
        }
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        match Pin::new(&mut self.drained).poll(cx) {
            Poll::Ready(()) => self.end(&Refusal::shutting_down()),
            Poll::Pending => Poll::Pending,
        }
    }

    fn end(&mut self, refusal: &Refusal) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.ended = true;
        // Whoever makes the rest need not.
        self.body = tonic::body::Body::empty();
        Poll::Ready(Some(Ok(Frame::trailers(refusal_trailers(refusal)))))
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
