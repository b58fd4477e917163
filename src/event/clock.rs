//! Where time and randomness come in.

use std::time::{Duration, Instant, SystemTime};

use super::error::EventError;
use crate::model::Timestamp;

/// Time and randomness, so that tests can give their own.
pub trait Surroundings: Send + Sync + std::fmt::Debug {
    /// The time of day.
    fn now(&self) -> Timestamp;

    /// Time since some fixed moment; never goes back.
    fn monotonic(&self) -> Duration;

    /// Fills `bytes` with random bytes.
    ///
    /// # Errors
    /// [`EventError::Entropy`] if there are none to be had.
    fn random(&self, bytes: &mut [u8]) -> Result<(), EventError>;
}

/// The machine's own clock and randomness.
#[derive(Debug)]
pub struct Machine {
    start: Instant,
}

impl Default for Machine {
    fn default() -> Self {
        Self { start: Instant::now() }
    }
}

impl Surroundings for Machine {
    fn now(&self) -> Timestamp {
        Timestamp::from_system(SystemTime::now())
    }

    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }

    fn random(&self, bytes: &mut [u8]) -> Result<(), EventError> {
        getrandom::fill(bytes).map_err(|error| EventError::Entropy { reason: error.to_string() })
    }
}
