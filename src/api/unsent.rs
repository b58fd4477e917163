//! How many bytes of answers wait for clients to take them. A client may ask for much and read nothing; what flow control
//! keeps from being sent must not fill the memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

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

    /// The answer, counted until it is sent.
    ///
    /// # Errors
    /// The server is overloaded: there is no room for it.
    pub fn hold(&self, answer: impl Into<Bytes>) -> Result<Bytes, Refusal> {
        let answer = answer.into();
        let mut room = self.room();
        room.grow_to(answer.len())?;
        Ok(room.around(answer))
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

    /// The answer, which keeps its room until it is sent.
    pub fn around(self, answer: impl Into<Bytes>) -> Bytes {
        let answer = answer.into();
        if self.taken == 0 { answer } else { Bytes::from_owner(Held { answer, _room: self }) }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.unsent.bytes.fetch_sub(self.taken, Ordering::Relaxed);
    }
}

/// An answer and its room.
struct Held {
    answer: Bytes,
    _room: Room,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_answers_have_room_up_to_the_limit_and_give_it_back() {
        let unsent = Unsent::new(3 * SMALL);
        let small: Vec<Bytes> = (0..10).map(|_| unsent.hold(vec![1; SMALL]).unwrap()).collect();
        let large = unsent.hold(vec![2; 2 * SMALL]).unwrap();
        assert!(unsent.hold(vec![3; SMALL + 1]).is_err());
        let half = large.slice(..SMALL);
        drop(large);
        assert!(unsent.hold(vec![3; SMALL + 1]).is_err(), "a part of it is still to be sent");
        drop(half);
        let mut growing = unsent.room();
        for bytes in [SMALL, 2 * SMALL, 3 * SMALL] {
            assert!(growing.grow_to(bytes).is_ok());
        }
        assert!(growing.grow_to(3 * SMALL + 1).is_err());
        drop(growing);
        assert_eq!(unsent.hold(vec![4; 3 * SMALL]).unwrap().len(), 3 * SMALL);
        assert_eq!(small.len(), 10);
        assert_eq!(unsent.bytes.load(Ordering::Relaxed), 0);
    }
}
