//! The lossless way to the journal, for what the control plane has to say, and the acknowledgement that it is durable.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::error::EventError;
use super::record::ControlRecord;

/// Most control records that wait for the writer.
const MAX_WAITING: usize = 1_024;

/// Records on their way from the control plane to the writer. The data plane never touches it.
#[derive(Debug, Default)]
pub(super) struct ControlQueue {
    /// Length of the queue, so that the writer need not lock to see that it is empty.
    waiting: AtomicUsize,
    queue: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    records: VecDeque<(ControlRecord, Ack)>,
    closed: bool,
}

impl ControlQueue {
    /// Queues a record.
    pub(super) fn push(&self, record: ControlRecord) -> Result<Ack, EventError> {
        let mut inner = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.closed {
            return Err(EventError::Closed);
        }
        if inner.records.len() >= MAX_WAITING {
            return Err(EventError::Busy { waiting: inner.records.len() });
        }
        let ack = Ack::default();
        inner.records.push_back((record, ack.clone()));
        self.waiting.store(inner.records.len(), Release);
        Ok(ack)
    }

    /// Takes the oldest record.
    pub(super) fn pop(&self) -> Option<(ControlRecord, Ack)> {
        if self.is_empty() {
            return None;
        }
        let mut inner = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = inner.records.pop_front();
        self.waiting.store(inner.records.len(), Release);
        taken
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.load(Acquire) == 0
    }

    /// Takes no further records.
    pub(super) fn close(&self) {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
    }

    /// Fails what still waits.
    pub(super) fn fail_rest(&self) {
        while let Some((_, ack)) = self.pop() {
            ack.settle(Err(EventError::Closed));
        }
    }
}

/// Tells when a published record is durable: on disk, behind an fsync. Can be waited for by a thread or awaited by a task.
#[derive(Debug, Clone, Default)]
pub struct Ack(Arc<(Mutex<AckState>, Condvar)>);

#[derive(Debug, Default)]
struct AckState {
    outcome: Option<Result<u64, EventError>>,
    wakers: Vec<Waker>,
}

impl Ack {
    /// Waits until the record is durable and gives its sequence number. Blocks the thread.
    ///
    /// # Errors
    /// [`EventError::Timeout`] after `limit`; the record may still become durable. [`EventError::Closed`] if the log was
    /// closed without it.
    pub fn wait(&self, limit: Duration) -> Result<u64, EventError> {
        let (state, settled) = &*self.0;
        let state = state.lock().unwrap_or_else(PoisonError::into_inner);
        let (state, _) = settled
            .wait_timeout_while(state, limit, |state| state.outcome.is_none())
            .unwrap_or_else(PoisonError::into_inner);
        state
            .outcome
            .clone()
            .unwrap_or(Err(EventError::Timeout { what: "recording an event", millis: limit.as_millis() }))
    }

    pub(super) fn settle(&self, outcome: Result<u64, EventError>) {
        let (state, settled) = &*self.0;
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        state.outcome.get_or_insert(outcome);
        let wakers = std::mem::take(&mut state.wakers);
        drop(state);
        settled.notify_all();
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl Future for Ack {
    type Output = Result<u64, EventError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(outcome) = &state.outcome {
            return Poll::Ready(outcome.clone());
        }
        if !state.wakers.iter().any(|waker| waker.will_wake(context.waker())) {
            state.wakers.push(context.waker().clone());
        }
        Poll::Pending
    }
}
