//! Answers that a client asked for and does not take. HTTP/2 lets a client keep its windows shut for ever; a connection on
//! which no answer gets through for long is closed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::refusal::Refusal;
use super::timer;
use super::unsent::{Room, Unsent};

/// Counts the answers of one connection that were given to the HTTP/2 library and have not left it.
#[derive(Debug, Clone, Default)]
pub struct Untaken(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    given: AtomicU64,
    /// Sent, or given up with their calls.
    gone: AtomicU64,
}

impl Untaken {
    /// The answer, counted until it is sent, within the limit of `unsent`.
    ///
    /// # Errors
    /// The server is overloaded: there is no room for it.
    pub fn hold(&self, unsent: &Unsent, answer: impl AsRef<[u8]> + Send + 'static) -> Result<Bytes, Refusal> {
        let mut room = unsent.room();
        room.grow_to(answer.as_ref().len())?;
        Ok(self.around(room, answer))
    }

    /// The answer, counted until it is sent, which keeps its room until then.
    pub fn around(&self, room: Room, answer: impl AsRef<[u8]> + Send + 'static) -> Bytes {
        self.0.given.fetch_add(1, Ordering::Relaxed);
        Bytes::from_owner(Held { answer, _room: room.if_taken(), untaken: self.clone() })
    }

    /// How many answers are gone, where some are not; `None` where all are.
    pub fn gone_while_waiting(&self) -> Option<u64> {
        let gone = self.0.gone.load(Ordering::Relaxed);
        (self.0.given.load(Ordering::Relaxed) > gone).then_some(gone)
    }
}

/// How long the answers of a connection may wait without any of them being taken.
///
/// Needs no timer: a connection is looked at with each frame that arrives, and where none does, with each sign of life that
/// it is asked for.
#[derive(Debug)]
pub struct Patience {
    untaken: Untaken,
    limit: Duration,
    /// Since when none was taken, and how many were gone by then.
    since: Option<(Instant, u64)>,
}

impl Patience {
    /// Patience for `limit`.
    pub fn new(untaken: Untaken, limit: Duration) -> Self {
        Self { untaken, limit, since: None }
    }

    /// Whether it is over, as of the time at which the connection's clock is held.
    pub fn is_over(&mut self) -> bool {
        let Some((gone, now)) = self.untaken.gone_while_waiting().zip(timer::held()) else {
            self.since = None;
            return false;
        };
        match self.since {
            Some((since, before)) if before == gone => now.saturating_duration_since(since) >= self.limit,
            _ => {
                self.since = Some((now, gone));
                false
            }
        }
    }
}

/// An answer, its room, and where it is counted.
struct Held<A> {
    answer: A,
    _room: Option<Room>,
    untaken: Untaken,
}

impl<A: AsRef<[u8]>> AsRef<[u8]> for Held<A> {
    fn as_ref(&self) -> &[u8] {
        self.answer.as_ref()
    }
}

impl<A> Drop for Held<A> {
    fn drop(&mut self) {
        self.untaken.0.gone.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_count_until_their_last_part_is_gone() {
        let (untaken, unsent) = (Untaken::default(), Unsent::new(1 << 20));
        assert_eq!(untaken.gone_while_waiting(), None);
        let one = untaken.hold(&unsent, vec![1; 10]).unwrap();
        let two = untaken.hold(&unsent, vec![2; 100_000]).unwrap();
        assert_eq!(untaken.gone_while_waiting(), Some(0));
        let part = two.slice(5..);
        drop((one, two));
        assert_eq!(untaken.gone_while_waiting(), Some(1));
        drop(part);
        assert_eq!(untaken.gone_while_waiting(), None);
    }
}
