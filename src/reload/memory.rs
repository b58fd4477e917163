//! Giving memory that a load took back to the system.
//!
//! Reading ten thousand rules takes several times the memory that they then need. The allocator keeps freed pages for a
//! second in case they are wanted again, and looks for those that have rested so long only when a large block is freed. A
//! sidecar that has loaded its policies may never free one again, so one is freed for it.

use std::hint::black_box;
use std::time::{Duration, Instant};

use super::mailbox::after;

/// Longer than the allocator keeps freed pages.
const REST: Duration = Duration::from_millis(1_500);

/// Large enough to be a mapping of its own for the allocator. None of its pages is touched.
const BLOCK_BYTES: usize = 8 << 20;

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
