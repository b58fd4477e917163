//! Giving memory that a load took back to the system.
//!
//! Reading ten thousand rules takes several times the memory that they then need. The allocator keeps what a thread has
//! freed at hand for that thread, so a load has a thread of its own, which ends with it. Freed pages it keeps for a second
//! in case they are wanted again, and looks for those that have rested so long only when a large block is freed. A sidecar
//! that has loaded its policies may never free one again, so one is freed for it.

use std::hint::black_box;
use std::io;
use std::panic::resume_unwind;
use std::thread;
use std::time::{Duration, Instant};

use super::mailbox::after;

/// Longer than the allocator keeps freed pages.
const REST: Duration = Duration::from_millis(1_500);

/// Large enough to be a mapping of its own for the allocator. None of its pages is touched.
const BLOCK_BYTES: usize = 8 << 20;

/// Documents may be nested and conditions long; the parsers are depth-limited well below this.
pub(super) const STACK_BYTES: usize = 8 << 20;

/// Runs `load` on a thread of its own and waits for it.
pub(super) fn apart<T: Send>(load: impl FnOnce() -> T + Send) -> io::Result<T> {
    thread::scope(|scope| {
        let thread = thread::Builder::new().name("lictor-load".to_owned()).stack_size(STACK_BYTES);
        Ok(thread.spawn_scoped(scope, load)?.join().unwrap_or_else(|panic| resume_unwind(panic)))
    })
}

/// When freed memory is to be given back.
#[derive(Debug, Default)]
pub(super) struct GiveBack {
    due: Option<Instant>,
}

impl GiveBack {
    /// Notes that much was freed just now.
    pub(super) fn was_freed(&mut self, now: Instant) {
        self.due = Some(after(now, REST));
    }

    /// When it is due, `None` if nothing is to be given back.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Gives back what has rested long enough.
    pub(super) fn run(&mut self, now: Instant) {
        if self.due.is_some_and(|due| due <= now) {
            self.due = None;
            drop(black_box(Vec::<u8>::with_capacity(BLOCK_BYTES)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_due_once_and_only_after_the_rest() {
        let (mut give_back, now) = (GiveBack::default(), Instant::now());
        assert_eq!(give_back.due(), None);
        give_back.was_freed(now);
        give_back.run(now);
        assert_eq!(give_back.due(), Some(now + REST));
        give_back.run(now + REST);
        assert_eq!(give_back.due(), None);
    }
}
