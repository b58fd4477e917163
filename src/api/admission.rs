//! How much the server takes on at once; what is beyond is refused right away instead of queued.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts what is in flight, up to a limit.
#[derive(Debug, Clone)]
pub struct Admission {
    in_flight: Arc<AtomicUsize>,
    limit: usize,
}

impl Admission {
    /// Takes on at most `limit` at once.
    pub fn new(limit: usize) -> Self {
        Self { in_flight: Arc::default(), limit }
    }

    /// Takes one on, until the permit is dropped; `None` if the limit is reached.
    pub fn enter(&self) -> Option<Permit> {
        let before = self.in_flight.fetch_add(1, Ordering::Relaxed);
        let permit = Permit { in_flight: self.in_flight.clone() };
        (before < self.limit).then_some(permit)
    }

    /// How many are in flight.
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }
}

/// One that is in flight.
#[derive(Debug)]
pub struct Permit {
    in_flight: Arc<AtomicUsize>,
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}
