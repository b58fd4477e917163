//! Snapshots that are no longer resident, kept until no request can hold them any more.
//!
//! Freeing a large snapshot takes milliseconds. Whoever drops the last reference frees it, so the reload thread keeps one
//! until requests that began before the swap are over.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::snapshot::Residents;

/// Most that wait; beyond it, those that nobody reads go before their time, so that reloads in quick succession do not
/// fill the memory.
const MOST_WAITING: usize = 16;

/// What waits to be freed.
#[derive(Debug)]
pub(super) struct Retired {
    grace: Duration,
    waiting: VecDeque<(Instant, Arc<Residents>)>,
}

impl Retired {
    pub(super) fn new(grace: Duration) -> Self {
        Self { grace, waiting: VecDeque::new() }
    }

    /// Takes over what a swap gave back.
    pub(super) fn push(&mut self, residents: Arc<Residents>, now: Instant) {
        self.waiting.push_back((now, residents));
        self.release(now);
    }

    /// Frees what has waited long enough and nobody reads.
    pub(super) fn release(&mut self, now: Instant) {
        while let Some((since, residents)) = self.waiting.front() {
            let has_waited = now.saturating_duration_since(*since) >= self.grace || self.waiting.len() > MOST_WAITING;
            if !has_waited || Arc::strong_count(residents) > 1 {
                return;
            }
            self.waiting.pop_front();
        }
    }

    /// Whether something waits.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}
