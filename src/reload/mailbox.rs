//! What the reload thread waits for: changes that have settled, requests, the next poll, the end.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::report::Outcome;

/// Called with the outcome of the load that was asked for.
pub(super) type Reply = Box<dyn FnOnce(Outcome) + Send>;

/// Why the reload thread wakes.
pub(super) enum Wake {
    /// Files have changed, and rest.
    Changed,
    /// Somebody asked.
    Requested(Vec<Reply>),
    /// The time given to [`Mailbox::wait`] is over.
    Elapsed,
    /// It is to end.
    Stop,
}

/// Longest wait; longer ones, which a configuration may name, wait this long.
const LONGEST_WAIT: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The moment `wait` after `start`.
pub(super) fn after(start: Instant, wait: Duration) -> Instant {
    start.checked_add(wait.min(LONGEST_WAIT)).unwrap_or(start)
}

/// Where changes and requests are noted. Of bounded size however many changes there are.
#[derive(Default)]
pub(super) struct Mailbox {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// The first and the last change since the last wake.
    change: Option<(Instant, Instant)>,
    is_requested: bool,
    replies: Vec<Reply>,
    is_stopping: bool,
}

impl Mailbox {
    /// Notes a change.
    pub(super) fn note_change(&self) {
        let now = Instant::now();
        let mut state = self.lock();
        let first = state.change.map_or(now, |(first, _)| first);
        // Further changes only move the moment at which the files rest: the thread finds out when it wakes.
        if state.change.replace((first, now)).is_none() {
            self.changed.notify_one();
        }
    }

    /// Notes a request.
    pub(super) fn request(&self, reply: Option<Reply>) {
        let mut state = self.lock();
        if state.is_stopping {
            return;
        }
        state.is_requested = true;
        state.replies.extend(reply);
        self.changed.notify_one();
    }

    /// Asks the thread to end. Replies that are still open are dropped.
    pub(super) fn stop(&self) {
        let mut state = self.lock();
        state.is_stopping = true;
        state.replies.clear();
        self.changed.notify_one();
    }

    /// Waits until something is to be done, `deadline` at the latest. A change is told of once the files have rested for
    /// `settle`, or `settle_max` after the first change.
    pub(super) fn wait(&self, deadline: Instant, settle: Duration, settle_max: Duration) -> Wake {
        let mut state = self.lock();
        loop {
            if state.is_stopping {
                return Wake::Stop;
            }
            if std::mem::take(&mut state.is_requested) {
                state.change = None;
                return Wake::Requested(std::mem::take(&mut state.replies));
            }
            let now = Instant::now();
            let settled = state.change.map(|(first, last)| after(last, settle).min(after(first, settle_max)));
            if settled.is_some_and(|settled| settled <= now) {
                state.change = None;
                return Wake::Changed;
            }
            if deadline <= now {
                return Wake::Elapsed;
            }
            let until = settled.map_or(deadline, |settled| settled.min(deadline));
            let wait = until.saturating_duration_since(now);
            state = self.changed.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
