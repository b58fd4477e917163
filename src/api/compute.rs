//! The compute pool: work that takes too long for a data-plane worker, off the threads that decide.
//!
//! Few run at once, so that deciding keeps processor time; few more wait; and what is beyond is refused right away. Work
//! that has begun is finished: the server waits for it when it drains, because its call is in flight.

use std::sync::Arc;
use std::time::Instant;

use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use super::admission::Admission;
use super::refusal::Refusal;

/// Most calls that run or wait.
const CALLS: usize = 256;
/// Most bytes of large messages that are being received or wait, over all calls.
const BYTES: usize = 64 * 1024 * 1024;

/// Where large work is done. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Compute {
    threads: Handle,
    turns: Arc<Semaphore>,
    calls: Admission,
    bytes: Arc<Semaphore>,
}

/// Bytes that a message holds, until they are given back by dropping it.
pub type BytesPermit = tokio::sync::OwnedSemaphorePermit;

impl Compute {
    /// A pool on the blocking threads of `threads`, half as many at once as there are processors.
    pub fn new(threads: Handle) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let turns = Arc::new(Semaphore::new((processors / 2).max(1)));
        Self { threads, turns, calls: Admission::new(CALLS), bytes: Arc::new(Semaphore::new(BYTES)) }
    }

    /// Claims memory for a message of `bytes` bytes.
    ///
    /// # Errors
    /// Too much is in flight already.
    pub fn claim(&self, bytes: usize) -> Result<BytesPermit, Refusal> {
        let count = u32::try_from(bytes).unwrap_or(u32::MAX);
        self.bytes.clone().try_acquire_many_owned(count).map_err(|_| Refusal::overloaded())
    }

    /// Runs `work` once its turn has come, and gives what it gives.
    ///
    /// # Errors
    /// Too many wait already, or the deadline passed before the turn came.
    pub async fn run<T: Send + 'static>(
        &self,
        deadline: Option<Instant>,
        work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let permit = self.calls.enter().ok_or_else(Refusal::overloaded)?;
        let turn = self.turns.clone().acquire_owned();
        let turn = match deadline {
            Some(deadline) => tokio::time::timeout_at(deadline.into(), turn).await,
            None => Ok(turn.await),
        };
        // The semaphore is never closed.
        let turn = turn.map_err(|_| Refusal::deadline_exceeded())?.map_err(|_| Refusal::shutting_down())?;
        let job = self.threads.spawn_blocking(move || {
            let _held = (permit, turn);
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Err(Refusal::deadline_exceeded());
            }
            work()
        });
        // Fails only where the pool is gone, or the work had a fault of ours.
        job.await.unwrap_or_else(|_| Err(Refusal::internal()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn what_is_beyond_the_limits_is_refused() {
        let compute = Compute::new(Handle::current());
        let held = compute.claim(BYTES - 1).unwrap();
        assert_eq!(compute.claim(2).unwrap_err().reason(), "OVERLOADED");
        drop(held);
        drop(compute.claim(2).unwrap());

        let (release, released) = mpsc::channel::<()>();
        let released = Arc::new(std::sync::Mutex::new(released));
        let wait = || {
            let released = released.clone();
            move || {
                // An error means that the test has let go of everybody.
                let _ = released.lock().map(|released| released.recv());
                Ok(())
            }
        };
        let waiting: Vec<_> = (0..CALLS)
            .map(|_| {
                let (compute, work) = (compute.clone(), wait());
                tokio::spawn(async move { compute.run(None, work).await })
            })
            .collect();
        while compute.calls.in_flight() < CALLS {
            tokio::task::yield_now().await;
        }
        assert_eq!(compute.run(None, || Ok(())).await.unwrap_err().reason(), "OVERLOADED");
        drop(release);
        for call in waiting {
            call.await.unwrap().unwrap();
        }
    }

    #[tokio::test]
    async fn a_deadline_ends_the_wait_for_a_turn() {
        let compute = Compute::new(Handle::current());
        let turns = u32::try_from(compute.turns.available_permits()).unwrap();
        let all = compute.turns.clone().acquire_many_owned(turns).await.unwrap();
        let deadline = Instant::now() + Duration::from_millis(5);
        let refused = compute.run(Some(deadline), || Ok(())).await.unwrap_err();
        assert_eq!(refused.reason(), "DEADLINE_EXCEEDED");
        drop(all);
        compute.run(None, || Ok(())).await.unwrap();
    }

    #[tokio::test]
    async fn a_fault_of_ours_is_one_calls_only() {
        let compute = Compute::new(Handle::current());
        let refused = compute.run(None, || -> Result<(), Refusal> { std::panic::panic_any("oh") }).await.unwrap_err();
        assert_eq!(refused.code(), tonic::Code::Internal);
        compute.run(None, || Ok(())).await.unwrap();
    }
}
