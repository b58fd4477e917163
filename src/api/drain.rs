//! Tells everything that runs that the server drains, and at last that it stops.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::watch;

/// What the server is doing. Only ever moves on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Taking on connections and calls.
    Serving,
    /// Answering what has been asked, taking on nothing new.
    Draining,
    /// Leaving what is not answered.
    Stopping,
}

/// Where one learns what the server is doing.
#[derive(Debug, Clone)]
pub struct Drain {
    phase: watch::Receiver<Phase>,
}

impl Drain {
    /// The way to tell, and to learn.
    pub fn new() -> (watch::Sender<Phase>, Self) {
        let (sender, phase) = watch::channel(Phase::Serving);
        (sender, Self { phase })
    }

    /// Whether the server drains or stops.
    pub fn is_draining(&self) -> bool {
        *self.phase.borrow() >= Phase::Draining
    }

    /// Ready once the server drains, or is gone.
    pub fn drained(&self) -> Drained {
        self.reached(Phase::Draining)
    }

    /// Ready once the server stops, or is gone.
    pub fn stopped(&self) -> Drained {
        self.reached(Phase::Stopping)
    }

    fn reached(&self, wanted: Phase) -> Drained {
        let mut phase = self.phase.clone();
        let waiting = Box::pin(async move {
            // An error means that the sender is gone, and the server with it.
            let _ = phase.wait_for(|phase| *phase >= wanted).await;
        });
        Drained { waiting }
    }
}

/// Ready once the server has reached a phase.
pub struct Drained {
    waiting: Pin<Box<dyn Future<Output = ()> + Send + Sync>>,
}

impl Future for Drained {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.waiting.as_mut().poll(cx)
    }
}

impl std::fmt::Debug for Drained {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Drained").finish_non_exhaustive()
    }
}
