//! The timer of a connection, whose clock stands still while the connection is served.
//!
//! The HTTP/2 library looks at the clock for each frame that it reads, to know when the client was last heard of. All
//! frames that one read brought were heard of at the same time, so that one look at the clock is enough for them.

use std::cell::Cell;
use std::pin::Pin;
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};
use hyper_util::rt::TokioTimer;

thread_local! {
    /// The time as of the last look, while a connection of this thread is served.
    static NOW: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Runs `serve` with the clock held at the present.
pub fn at_one_time<T>(serve: impl FnOnce() -> T) -> T {
    NOW.set(Some(Instant::now()));
    let outcome = serve();
    NOW.set(None);
    outcome
}

/// The time at which the clock is held, while a connection of this thread is served.
pub fn held() -> Option<Instant> {
    NOW.get()
}

/// See the module.
#[derive(Debug, Clone, Default)]
pub struct ConnectionTimer(TokioTimer);

impl Timer for ConnectionTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.0.sleep(duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        self.0.sleep_until(deadline)
    }

    fn now(&self) -> Instant {
        NOW.get().unwrap_or_else(Instant::now)
    }

    fn reset(&self, sleep: &mut Pin<Box<dyn Sleep>>, deadline: Instant) {
        self.0.reset(sleep, deadline);
    }
}
