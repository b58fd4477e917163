//! `EvaluateStream`: one answer a request, in order.
//!
//! All requests that have arrived are answered into one buffer, which is sent as one frame when there is nothing more to
//! read or enough to send: a pipelined stream costs little more than its decisions.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming};
use tokio::time::Sleep;

use super::admission::Permit;
use super::compute::BytesPermit;
use super::context::CallContext;
use super::decode;
use super::drain::Drained;
use super::ease::ease;
use super::encode::Writer;
use super::frame::{Frames, Next, write_frame};
use super::message::UNCLAIMED_BYTES;
use super::refusal::Refusal;
use super::reply::{ok_trailers, refusal_trailers};
use super::unconfirmed::{Form, Settling, Unconfirmed};

/// Answers are sent when there are this many bytes of them, even if there is more to read.
const CHUNK_BYTES: usize = 16 * 1_024;

const REFUSE_LATE: fn() -> Refusal = Refusal::deadline_exceeded;
const REFUSE_EXPIRED: fn() -> Refusal = Refusal::credentials_expired;

/// The body of an `EvaluateStream` reply: reads requests and gives answers.
#[derive(Debug)]
pub struct DecisionStream {
    context: CallContext,
    requests: Incoming,
    frames: Frames,
    answers: Vec<u8>,
    /// Those of `answers` that wait for their records.
    unconfirmed: Unconfirmed,
    /// Answers on their way to be on record; nothing is read meanwhile.
    settling: Option<Settling>,
    /// Set while the journal is waited for.
    easing: Option<Easing>,
    deadline: Option<Instant>,
    /// Why the stream ends at the deadline.
    at_deadline: fn() -> Refusal,
    timer: Option<Pin<Box<Sleep>>>,
    /// Until when the rest of a message that has begun must have arrived, and the memory that it needs.
    patience: Option<Pin<Box<Sleep>>>,
    claimed: Option<BytesPermit>,
    drained: Drained,
    state: State,
    _permit: Permit,
}

/// Waits for the journal.
struct Easing(Pin<Box<dyn Future<Output = ()>>>);

impl std::fmt::Debug for Easing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Easing")
    }
}

#[derive(Debug)]
enum State {
    Open,
    /// No more requests; the answers are still to be sent, then this status.
    Ending(Result<(), Refusal>),
    Ended,
}

impl DecisionStream {
    /// Answers `requests` until they end, the deadline passes, what the caller is known by expires, or the server drains.
    pub fn new(context: CallContext, requests: Incoming, deadline: Option<Instant>, permit: Permit) -> Self {
        let frames = Frames::new(context.worker().desk.limits.message_bytes);
        let (deadline, at_deadline) = match (deadline, context.expiry()) {
            (Some(deadline), Some(expiry)) if expiry < deadline => (Some(expiry), REFUSE_EXPIRED),
            (None, Some(expiry)) => (Some(expiry), REFUSE_EXPIRED),
            (deadline, _) => (deadline, REFUSE_LATE),
        };
        let timer = deadline.map(|deadline| Box::pin(tokio::time::sleep_until(deadline.into())));
        let drained = context.worker().drained();
        Self {
            context,
            requests,
            frames,
            answers: Vec::new(),
            unconfirmed: Unconfirmed::default(),
            settling: None,
            easing: None,
            deadline,
            at_deadline,
            timer,
            patience: None,
            claimed: None,
            drained,
            state: State::Open,
            _permit: permit,
        }
    }

    /// The next frame of answers, then the trailers.
    pub fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Frame<Bytes>>> {
        loop {
            if self.settling.is_some()
                && let Some(frame) = ready!(self.poll_chunk(cx))
            {
                return Poll::Ready(Some(frame));
            }
            match &self.state {
                State::Open => {}
                _ if !self.answers.is_empty() => match ready!(self.poll_chunk(cx)) {
                    Some(frame) => return Poll::Ready(Some(frame)),
                    None => continue,
                },
                State::Ended => return Poll::Ready(None),
                State::Ending(status) => {
                    let trailers = match status {
                        Ok(()) => ok_trailers(),
                        Err(refusal) => {
                            self.context.worker().refused(refusal);
                            refusal_trailers(refusal)
                        }
                    };
                    self.state = State::Ended;
                    return Poll::Ready(Some(Frame::trailers(trailers)));
                }
            }
            if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                self.state = State::Ending(Err((self.at_deadline)()));
                continue;
            }
            if self.answers.is_empty() {
                ready!(self.poll_ease(cx));
            }
            if self.answer_arrived()
                && let Some(frame) = ready!(self.poll_chunk(cx))
            {
                return Poll::Ready(Some(frame));
            }
            if !matches!(self.state, State::Open) {
                continue;
            }
            match Pin::new(&mut self.requests).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    if let Ok(data) = frame.into_data() {
                        self.frames.push(data);
                    }
                }
                Poll::Ready(Some(Err(_))) => self.state = State::Ending(Err(Refusal::cancelled())),
                Poll::Ready(None) if self.frames.is_amid_message() => {
                    let refusal = Refusal::bad_framing("the request ends in the middle of a message");
                    self.state = State::Ending(Err(refusal));
                }
                Poll::Ready(None) => self.state = State::Ending(Ok(())),
                Poll::Pending if !self.answers.is_empty() => {
                    if let Some(frame) = ready!(self.poll_chunk(cx)) {
                        return Poll::Ready(Some(frame));
                    }
                }
                Poll::Pending => match self.poll_end(cx) {
                    Poll::Ready(refusal) => self.state = State::Ending(Err(refusal)),
                    Poll::Pending => return Poll::Pending,
                },
            }
        }
    }

    /// Ready where the journal keeps up, or has been waited for long enough.
    fn poll_ease(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.easing.is_none() {
            if !self.context.worker().desk.recorder.is_crowded() {
                return Poll::Ready(());
            }
            let connection = self.context.connection().clone();
            self.easing = Some(Easing(Box::pin(async move { ease(&connection.worker().desk.recorder).await })));
        }
        if let Some(easing) = &mut self.easing {
            ready!(easing.0.as_mut().poll(cx));
        }
        self.easing = None;
        Poll::Ready(())
    }

    /// Answers what has arrived. Gives `true` where there is enough to send and may be more to answer.
    fn answer_arrived(&mut self) -> bool {
        loop {
            match self.frames.next() {
                Next::Message(message) => {
                    self.answer(&message);
                    (self.patience, self.claimed) = (None, None);
                }
                Next::TooLarge(size) => {
                    let refusal = Refusal::message_too_large(size, self.frames.limit());
                    self.answer_refusal("", &refusal);
                    (self.patience, self.claimed) = (None, None);
                }
                Next::Compressed => {
                    self.state = State::Ending(Err(Refusal::compressed()));
                    return false;
                }
                Next::Incomplete => {
                    self.claim();
                    return false;
                }
            }
            if self.answers.len() >= CHUNK_BYTES {
                return true;
            }
        }
    }

    /// Claims the memory for a large message that has begun; ends the stream where there is none.
    fn claim(&mut self) {
        let size = self.frames.announced().filter(|size| *size > UNCLAIMED_BYTES && self.claimed.is_none());
        match size.map(|size| self.context.worker().plans.compute.claim(size)) {
            Some(Ok(claimed)) => self.claimed = Some(claimed),
            Some(Err(refusal)) => self.state = State::Ending(Err(refusal)),
            None => {}
        }
    }

    fn answer(&mut self, message: &[u8]) {
        let desk = &self.context.worker().desk;
        let decoded = match decode::stream_request(message, &desk.limits) {
            Ok(decoded) => decoded,
            Err(why) => return self.answer_refusal("", &Refusal::malformed(why)),
        };
        let request_id = decoded.request_id_to_echo(&desk.limits);
        let start = self.answers.len();
        let mut outcome = Ok(None);
        write_frame(&mut self.answers, |out| {
            let mut out = Writer::new(out);
            out.string(1, &request_id);
            out.nested(2, |out| outcome = desk.answer_decoded(decoded, self.context.caller(), out));
        });
        match outcome {
            Ok(None) => {}
            Ok(Some(pending)) => self.unconfirmed.push(start..self.answers.len(), pending),
            Err(refusal) => {
                self.answers.truncate(start);
                self.answer_refusal(&request_id, &refusal);
            }
        }
    }

    fn answer_refusal(&mut self, request_id: &str, refusal: &Refusal) {
        self.context.worker().refused(refusal);
        write_frame(&mut self.answers, |out| {
            let mut out = Writer::new(out);
            out.string(1, request_id);
            out.bytes(3, &refusal.to_rpc_status());
        });
    }

    /// What ends the stream while the client is silent.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Refusal> {
        if let Some(timer) = &mut self.timer
            && timer.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready((self.at_deadline)());
        }
        if self.frames.is_amid_message() {
            let limit = self.context.worker().connection_limits.request;
            let patience = self.patience.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
            if patience.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Refusal::request_timeout());
            }
        }
        Pin::new(&mut self.drained).poll(cx).map(|()| Refusal::shutting_down())
    }

    /// The answers so far, once they are on record where they must be; `None`, and the end of the stream, where too much
    /// waits to be sent already.
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Frame<Bytes>>> {
        if !self.unconfirmed.is_empty() {
            let (unconfirmed, answers) = (std::mem::take(&mut self.unconfirmed), std::mem::take(&mut self.answers));
            self.settling =
                Some(Settling::new(self.context.connection().clone(), unconfirmed, answers, Form::Streamed));
        }
        if let Some(settling) = &mut self.settling {
            self.answers = ready!(settling.poll(cx));
            self.settling = None;
        }
        Poll::Ready(match self.context.connection().hold(std::mem::take(&mut self.answers)) {
            Ok(answers) => Some(Frame::data(answers)),
            Err(refusal) => {
                self.state = State::Ending(Err(refusal));
                None
            }
        })
    }
}
