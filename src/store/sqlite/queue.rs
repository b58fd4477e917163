//! Calls that wait for a thread, and callers that wait for its answer.

use std::collections::VecDeque;
use std::sync::atomic::AtomicU8;
use std::sync::atomic::Ordering::{AcqRel, Acquire};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::store::error::StoreError;

/// Jobs in the order in which they came.
#[derive(Debug)]
pub(super) struct Queue<J> {
    state: Mutex<State<J>>,
    /// Told when there is something for a thread that waits.
    some: Condvar,
    most: usize,
}

#[derive(Debug)]
struct State<J> {
    jobs: VecDeque<J>,
    /// Threads that wait for a job.
    idle: usize,
    closed: bool,
}

/// Why a job was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// As many as may do already wait.
    Full,
    /// Nothing is taken any more.
    Closed,
}

impl<J> Queue<J> {
    /// For at most `most` jobs that wait.
    pub(super) fn new(most: usize) -> Self {
        let state = State { jobs: VecDeque::new(), idle: 0, closed: false };
        Self { state: Mutex::new(state), some: Condvar::new(), most }
    }

    fn state(&self) -> MutexGuard<'_, State<J>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn push(&self, job: J) -> Result<(), Refused> {
        let mut state = self.state();
        if state.closed {
            return Err(Refused::Closed);
        }
        if state.jobs.len() >= self.most {
            return Err(Refused::Full);
        }
        state.jobs.push_back(job);
        let is_awaited = state.idle > 0;
        drop(state);
        if is_awaited {
            self.some.notify_one();
        }
        Ok(())
    }

    /// Waits until there are jobs and takes at most `limit` of them; none where it is closed and empty.
    pub(super) fn take(&self, limit: usize) -> Vec<J> {
        let mut state = self.state();
        while state.jobs.is_empty() && !state.closed {
            state.idle += 1;
            state = self.some.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
        }
        let taken = state.jobs.len().min(limit);
        state.jobs.drain(..taken).collect()
    }

    /// Takes nothing new; what waits is still given out.
    pub(super) fn close(&self) {
        self.state().closed = true;
        self.some.notify_all();
    }
}

/// Whether a job still waits, was begun, or was given up by its caller.
#[derive(Debug, Clone, Default)]
pub(super) struct Stage(Arc<AtomicU8>);

const WAITING: u8 = 0;
const BEGUN: u8 = 1;
const GIVEN_UP: u8 = 2;

impl Stage {
    /// Begins the job, unless it was given up.
    pub(super) fn begin(&self) -> bool {
        self.0.compare_exchange(WAITING, BEGUN, AcqRel, Acquire).is_ok()
    }

    fn give_up(&self) -> bool {
        self.0.compare_exchange(WAITING, GIVEN_UP, AcqRel, Acquire).is_ok()
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Silence {
    /// It did not get its turn in time, and now never does.
    NoTurn,
    /// It was begun, and has not ended in time.
    NoAnswer,
    /// The thread ended with the job in hand.
    Lost,
}

/// Waits for an answer: so long for the turn, and so long again for the end of what was begun.
pub(super) async fn answered<T>(wait: Duration, stage: &Stage, mut answer: oneshot::Receiver<T>) -> Result<T, Silence> {
    if let Ok(answer) = tokio::time::timeout(wait, &mut answer).await {
        return answer.map_err(|_| Silence::Lost);
    }
    if stage.give_up() {
        return Err(Silence::NoTurn);
    }
    match tokio::time::timeout(wait, answer).await {
        Ok(answer) => answer.map_err(|_| Silence::Lost),
        Err(_) => Err(Silence::NoAnswer),
    }
}

/// Nothing is taken any more.
pub(super) fn closed() -> StoreError {
    StoreError::unavailable("it is closed")
}

/// Threads that end when nobody can give them a job any more.
#[derive(Debug)]
pub(super) struct Threads<J> {
    queue: Arc<Queue<J>>,
    running: Mutex<Vec<std::thread::JoinHandle<()>>>,
}

impl<J: Send + 'static> Threads<J> {
    /// Starts so many threads, each of which does `work` until the queue is closed.
    pub(super) fn start<W: FnOnce(&Queue<J>) + Send + 'static>(
        name: &str,
        most: usize,
        works: Vec<W>,
    ) -> Result<Self, StoreError> {
        let queue = Arc::new(Queue::new(most));
        let threads = Self { queue: queue.clone(), running: Mutex::default() };
        for work in works {
            let queue = queue.clone();
            let body = move || {
                // However it ends, nobody shall wait for it.
                let closing = Closing(&queue);
                work(closing.0);
            };
            let thread = std::thread::Builder::new().name(name.to_owned()).spawn(body);
            let thread =
                thread.map_err(|error| StoreError::unavailable(format!("no thread for the store: {error}")))?;
            threads.running.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
        }
        Ok(threads)
    }

    pub(super) fn push(&self, job: J) -> Result<(), Refused> {
        self.queue.push(job)
    }

    /// Does what waits, then ends the threads.
    pub(super) async fn close(&self) {
        self.queue.close();
        let running = std::mem::take(&mut *self.running.lock().unwrap_or_else(PoisonError::into_inner));
        let _ = tokio::task::spawn_blocking(|| running.into_iter().for_each(|thread| drop(thread.join()))).await;
    }
}

impl<J> Drop for Threads<J> {
    fn drop(&mut self) {
        self.queue.close();
    }
}

/// Closes a queue when a thread ends.
struct Closing<'q, J>(&'q Queue<J>);

impl<J> Drop for Closing<'_, J> {
    fn drop(&mut self) {
        self.0.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_out_what_came_in_order_and_then_ends() {
        let queue = Queue::new(3);
        assert_eq!([1, 2, 3, 4].map(|job| queue.push(job)), [Ok(()), Ok(()), Ok(()), Err(Refused::Full)]);
        assert_eq!(queue.take(2), [1, 2]);
        queue.close();
        assert_eq!(queue.push(5), Err(Refused::Closed));
        assert_eq!(queue.take(9), [3], "what waits is still given out");
        assert!(queue.take(9).is_empty());
    }

    #[test]
    fn all_that_is_pushed_is_taken_once() {
        let queue = Queue::new(usize::MAX);
        let taken: Vec<u32> = std::thread::scope(|scope| {
            let takers: Vec<_> = (0..3)
                .map(|_| {
                    scope.spawn(|| {
                        let mut mine = Vec::new();
                        loop {
                            let jobs = queue.take(7);
                            if jobs.is_empty() {
                                return mine;
                            }
                            mine.extend(jobs);
                        }
                    })
                })
                .collect();
            (0..1_000).for_each(|job| queue.push(job).unwrap());
            queue.close();
            takers.into_iter().flat_map(|taker| taker.join().unwrap()).collect()
        });
        assert_eq!(taken.len(), 1_000);
        assert_eq!(taken.into_iter().collect::<std::collections::BTreeSet<_>>().len(), 1_000);
    }

    #[tokio::test]
    async fn who_has_no_turn_in_time_never_gets_one() {
        let (stage, (answer, receiver)) = (Stage::default(), oneshot::channel::<()>());
        assert_eq!(answered(Duration::ZERO, &stage, receiver).await, Err(Silence::NoTurn));
        assert!(!stage.begin());
        drop(answer);

        let (stage, (answer, receiver)) = (Stage::default(), oneshot::channel::<()>());
        assert!(stage.begin());
        assert_eq!(answered(Duration::ZERO, &stage, receiver).await, Err(Silence::NoAnswer));
        drop(answer);

        let (answer, receiver) = oneshot::channel::<()>();
        drop(answer);
        assert_eq!(answered(Duration::from_secs(30), &Stage::default(), receiver).await, Err(Silence::Lost));
    }
}
