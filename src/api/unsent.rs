//! How many bytes of answers wait for clients to take them. A client may ask for much and read nothing; what flow control
//! keeps from being sent must not fill the memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::refusal::Refusal;

/// Answers up to so many bytes are not counted: the limit on calls in flight bounds them.
const SMALL: usize = 4 * 1_024;

/// Counts the bytes of large answers until they are sent, up to a limit.
#[derive(Debug, Clone)]
pub struct Unsent {
    bytes: Arc<AtomicUsize>,
    limit: usize,
}

impl Unsent {
    /// Holds at most `limit` bytes at once.
    pub fn new(limit: usize) -> Self {
        Self { bytes: Arc::default(), limit }
    }

    /// Room for an answer that is still to be made.
    pub fn room(&self) -> Room {
        Room { unsent: self.clone(), taken: 0 }
    }
}

/// Room for one answer; given back when dropped.
#[derive(Debug)]
pub struct Room {
    unsent: Unsent,
    taken: usize,
}

impl Room {
    /// Takes room for `bytes` in all.
    ///
    /// # Errors
    /// The server is overloaded: there is no such room.
    pub fn grow_to(&mut self, bytes: usize) -> Result<(), Refusal> {
        if bytes <= SMALL.max(self.taken) {
            return Ok(());
        }
        let more = bytes.saturating_sub(self.taken);
        let before = self.unsent.bytes.fetch_add(more, Ordering::Relaxed);
        self.taken = bytes;
        if before.saturating_add(more) > self.unsent.limit { Err(Refusal::overloaded()) } else { Ok(()) }
    }

    /// The room, where any was taken: small answers need none.
    pub fn if_taken(self) -> Option<Self> {
        (self.taken > 0).then_some(self)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.unsent.bytes.fetch_sub(self.taken, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_answers_have_room_up_to_the_limit_and_give_it_back() {
        let unsent = Unsent::new(3 * SMALL);
        let hold = |bytes: usize| {
            let mut room = unsent.room();
            room.grow_to(bytes).map(|()| room)
        };
        let small: Vec<Room> = (0..10).map(|_| hold(SMALL).unwrap()).collect();
        assert!(small.into_iter().all(|room| room.if_taken().is_none()));
        let large = hold(2 * SMALL).unwrap().if_taken();
        assert!(large.is_some() && hold(SMALL + 1).is_err());
        drop(large);
        let mut growing = unsent.room();
        for bytes in [SMALL, 2 * SMALL, 3 * SMALL] {
            assert!(growing.grow_to(bytes).is_ok());
        }
        assert!(growing.grow_to(3 * SMALL + 1).is_err());
        drop(growing);
        assert!(hold(3 * SMALL).is_ok());
        assert_eq!(unsent.bytes.load(Ordering::Relaxed), 0);
    }
}
