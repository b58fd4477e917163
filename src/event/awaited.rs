//! Records that an answer waits for, in the mode `guaranteed`: shared by the call that waits and the writer.
//!
//! Whether such a record holds is settled once: by the writer when an fsync covers it, or by the call when its patience
//! ends. Where the call was first, its answer is a denial, and the writer sees to it that the journal says so.

use std::sync::atomic::AtomicU8;
use std::sync::atomic::Ordering::{AcqRel, Acquire};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

/// Neither side has settled it.
const WAITING: u8 = 0;
/// An fsync covers the record: the answer holds.
const DURABLE: u8 = 1;
/// It did not become durable in time, or never can: the answer is a denial.
const FAILED: u8 = 2;

/// A record and whether it holds.
#[derive(Debug)]
pub(super) struct Awaited<R> {
    pub(super) record: R,
    /// Bytes that were claimed of the ring for it.
    pub(super) bytes: u32,
    state: AtomicU8,
    waker: Mutex<Option<Waker>>,
}

impl<R> Awaited<R> {
    pub(super) fn new(record: R, bytes: u32) -> Self {
        Self { record, bytes, state: AtomicU8::new(WAITING), waker: Mutex::default() }
    }

    /// Settles it as durable. `false` where the caller has been told otherwise.
    pub(super) fn durable(&self) -> bool {
        self.settle(DURABLE)
    }

    /// Settles it as lost: it will not become durable as it is.
    pub(super) fn failed(&self) {
        self.settle(FAILED);
    }

    /// Whether the caller has been, or is being, told that it does not hold.
    pub(super) fn has_failed(&self) -> bool {
        self.state.load(Acquire) == FAILED
    }

    fn settle(&self, as_what: u8) -> bool {
        let settled = self.state.compare_exchange(WAITING, as_what, AcqRel, Acquire);
        if settled.is_ok()
            && let Some(waker) = self.waker.lock().unwrap_or_else(PoisonError::into_inner).take()
        {
            waker.wake();
        }
        settled.map_or_else(|before| before == as_what, |_| true)
    }
}

/// A queued record, in the hands of the call that waits for it. Dropping it leaves the record as it is.
#[derive(Debug)]
pub struct Pending<R>(pub(super) Arc<Awaited<R>>);

impl<R> Pending<R> {
    /// The record.
    #[must_use]
    pub fn record(&self) -> &R {
        &self.0.record
    }

    /// Ready once the record is durable or is known to be lost. Wakes the task that polled last.
    pub fn poll_settled(&self, context: &mut Context<'_>) -> Poll<()> {
        if self.0.state.load(Acquire) != WAITING {
            return Poll::Ready(());
        }
        *self.0.waker.lock().unwrap_or_else(PoisonError::into_inner) = Some(context.waker().clone());
        // The writer may have settled it before it could see the waker.
        if self.0.state.load(Acquire) == WAITING { Poll::Pending } else { Poll::Ready(()) }
    }

    /// Ends the wait. Whether the record is durable; where not, the answer must be a denial, and the journal will say so
    /// as soon as it can be written.
    #[must_use]
    pub fn holds(&self) -> bool {
        !self.0.settle(FAILED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_settled_once() {
        let (waits, writes) = two();
        assert!(writes.durable() && writes.durable());
        assert!(waits.holds() && waits.holds() && !writes.has_failed());

        let (waits, writes) = two();
        assert!(!waits.holds());
        assert!(writes.has_failed() && !writes.durable() && !waits.holds());

        let (waits, writes) = two();
        writes.failed();
        assert!(!writes.durable() && !waits.holds());
    }

    #[test]
    fn whoever_waits_is_woken() {
        struct Woken(AtomicU8);
        impl std::task::Wake for Woken {
            fn wake(self: Arc<Self>) {
                self.0.store(1, std::sync::atomic::Ordering::SeqCst);
            }
        }
        let woken = Arc::new(Woken(AtomicU8::new(0)));
        let waker = Waker::from(woken.clone());
        let (waits, writes) = two();
        assert!(waits.poll_settled(&mut Context::from_waker(&waker)).is_pending());
        assert!(writes.durable());
        assert_eq!(woken.0.load(Acquire), 1);
        assert!(waits.poll_settled(&mut Context::from_waker(&waker)).is_ready());
    }

    fn two() -> (Pending<()>, Arc<Awaited<()>>) {
        let awaited = Arc::new(Awaited::new((), 0));
        (Pending(awaited.clone()), awaited)
    }
}
