//! The one message of a unary call.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper::body::{Body, Incoming};
use tokio::time::Sleep;

use super::compute::{BytesPermit, Compute};
use super::frame::{Frames, Next};
use super::refusal::Refusal;

/// Memory for messages up to so many bytes is not claimed: the limit on calls in flight bounds it.
pub const UNCLAIMED_BYTES: usize = 16 * 1_024;

/// Waits until the one message of a call and the end of the request are there.
///
/// Usually both have arrived with the headers, so that the first poll is ready and no timer is set.
#[derive(Debug)]
pub struct OneMessage {
    body: Incoming,
    frames: Frames,
    message: Option<Bytes>,
    deadline: Option<Instant>,
    patience: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    /// Where memory for a large message is claimed, and from how many bytes on.
    claims: Option<(Compute, usize)>,
    claimed: Option<BytesPermit>,
}

impl OneMessage {
    /// Reads `body`, whose message may have `limit` bytes, until the caller's deadline and for no longer than `patience`.
    pub fn new(body: Incoming, limit: usize, deadline: Option<Instant>, patience: Duration) -> Self {
        Self {
            body,
            frames: Frames::new(limit),
            message: None,
            deadline,
            patience,
            timer: None,
            claims: None,
            claimed: None,
        }
    }

    /// Claims memory from `compute` as soon as the message turns out to have more than `free` bytes.
    pub fn with_claims(self, compute: Compute, free: usize) -> Self {
        Self { claims: Some((compute, free)), ..self }
    }

    /// The claim on memory that the message needs, to be held as long as the message.
    pub fn take_claim(&mut self) -> Option<BytesPermit> {
        self.claimed.take()
    }

    /// Takes what has arrived.
    fn read(&mut self, data: Bytes) -> Result<(), Refusal> {
        self.frames.push(data);
        loop {
            match self.frames.next() {
                Next::Incomplete => return self.claim(),
                Next::Compressed => return Err(Refusal::compressed()),
                Next::TooLarge(size) => return Err(Refusal::message_too_large(size, self.frames.limit())),
                Next::Message(_) if self.message.is_some() => {
                    return Err(Refusal::bad_framing("the call takes one message, and more were sent"));
                }
                Next::Message(message) => self.message = Some(message),
            }
        }
    }

    fn claim(&mut self) -> Result<(), Refusal> {
        if let (Some((compute, free)), Some(size), None) = (&self.claims, self.frames.announced(), &self.claimed)
            && size > *free
        {
            self.claimed = Some(compute.claim(size)?);
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<Bytes, Refusal> {
        if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return Err(Refusal::deadline_exceeded());
        }
        if self.frames.is_amid_message() {
            return Err(Refusal::bad_framing("the request ends in the middle of a message"));
        }
        self.message.take().ok_or_else(|| Refusal::bad_framing("the call takes one message, and none was sent"))
    }

    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<Refusal> {
        let (deadline, patience) = (self.deadline, self.patience);
        let timer = self.timer.get_or_insert_with(|| {
            let limit = Instant::now() + patience;
            Box::pin(tokio::time::sleep_until(deadline.map_or(limit, |deadline| deadline.min(limit)).into()))
        });
        timer.as_mut().poll(cx).map(|()| match self.deadline {
            Some(deadline) if Instant::now() >= deadline => Refusal::deadline_exceeded(),
            _ => Refusal::request_timeout(),
        })
    }
}

impl Future for OneMessage {
    type Output = Result<Bytes, Refusal>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let this = &mut *self;
            match Pin::new(&mut this.body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    if let Ok(data) = frame.into_data() {
                        this.read(data)?;
                        if this.body.is_end_stream() {
                            return Poll::Ready(this.finish());
                        }
                    }
                }
                Poll::Ready(Some(Err(_))) => return Poll::Ready(Err(Refusal::cancelled())),
                Poll::Ready(None) => return Poll::Ready(this.finish()),
                Poll::Pending => return this.poll_timer(cx).map(Err),
            }
        }
    }
}
