//! Accepts connections on the control runtime and deals them to the workers in turn.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio::sync::mpsc;

use super::admission::{Admission, Permit};
use super::drain::Drain;
use super::tls::Handshakes;
use super::worker::Accepted;
use crate::telemetry::Telemetry;

/// Wait after an error that does not go away by itself, such as too many open files.
pub const BACK_OFF: Duration = Duration::from_millis(100);

/// Connections that may wait for one worker. Beyond that they wait in the kernel, and whoever opens thousands at once is
/// held up by the workers instead of holding up their callers.
pub const WAITING: usize = 32;

/// Deals connections to the workers in turn, up to a limit.
#[derive(Debug, Clone)]
pub struct Dealer {
    workers: Arc<[mpsc::Sender<Accepted>]>,
    next: Arc<AtomicUsize>,
    connections: Admission,
    drain: Drain,
    telemetry: Arc<Telemetry>,
}

impl Dealer {
    /// Deals to `workers`.
    pub fn new(
        workers: Vec<mpsc::Sender<Accepted>>,
        connections: Admission,
        drain: Drain,
        telemetry: Arc<Telemetry>,
    ) -> Self {
        Self { workers: workers.into(), next: Arc::default(), connections, drain, telemetry }
    }

    /// Accepts TCP connections until the server drains.
    pub async fn accept_tcp(self, listener: TcpListener) {
        self.accept(
            || async { listener.accept().await.map(|(stream, _)| stream) },
            |stream, permit| {
                // Answers are small and are waited for.
                stream.set_nodelay(true)?;
                Ok(Some(Accepted::Tcp(stream.into_std()?, permit)))
            },
        )
        .await;
    }

    /// Accepts TLS connections until the server drains. Hands are shaken beside accepting: a slow client delays nobody.
    pub async fn accept_tls(self, listener: TcpListener, handshakes: Handshakes) {
        self.accept(
            || async { listener.accept().await.map(|(stream, _)| stream) },
            |stream, permit| {
                stream.set_nodelay(true)?;
                match handshakes.enter() {
                    Some(turn) => {
                        drop(tokio::spawn(self.clone().shake_hands(stream, handshakes.clone(), turn, permit)))
                    }
                    None => self.telemetry.connection_refused(),
                }
                Ok(None)
            },
        )
        .await;
    }

    async fn shake_hands(self, stream: TcpStream, handshakes: Handshakes, turn: Permit, permit: Permit) {
        let served = async {
            let shaken = handshakes.shake(stream).await;
            drop(turn);
            match shaken {
                Ok(shaken) => self.deal(Accepted::Tls(Box::new(shaken), permit)).await,
                Err(error) => tracing::debug!(%error, "a TLS connection ended before it was served"),
            }
        };
        tokio::select! {
            biased;
            () = self.drain.drained() => {}
            () = served => {}
        }
    }

    /// Accepts connections to the Unix socket until the server drains.
    pub async fn accept_unix(self, listener: UnixListener) {
        self.accept(
            || async { listener.accept().await.map(|(stream, _)| stream) },
            |stream, permit| Ok(Some(Accepted::Unix(stream.into_std()?, permit))),
        )
        .await;
    }

    async fn accept<S, F>(
        &self,
        mut accept: impl FnMut() -> F,
        prepare: impl Fn(S, Permit) -> io::Result<Option<Accepted>>,
    ) where
        F: Future<Output = io::Result<S>>,
    {
        let mut drained = self.drain.drained();
        loop {
            let accepted = tokio::select! {
                biased;
                () = &mut drained => return,
                accepted = accept() => accepted,
            };
            let Some(stream) = self.check(accepted).await else { continue };
            let Some(permit) = self.connections.enter() else {
                self.telemetry.connection_refused();
                continue;
            };
            match prepare(stream, permit) {
                // Not yet to be served.
                Ok(None) => {}
                Ok(Some(accepted)) => tokio::select! {
                    biased;
                    () = &mut drained => return,
                    () = self.deal(accepted) => {}
                },
                Err(error) => tracing::debug!(%error, "a connection ended before it was served"),
            }
        }
    }

    async fn check<S>(&self, accepted: io::Result<S>) -> Option<S> {
        match accepted {
            Ok(stream) => Some(stream),
            Err(error) => {
                let passing = matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset);
                if !passing {
                    tracing::warn!(%error, "no connection could be accepted; trying again");
                    tokio::time::sleep(BACK_OFF).await;
                }
                None
            }
        }
    }

    async fn deal(&self, accepted: Accepted) {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        if let Some(worker) = turn.checked_rem(self.workers.len()).and_then(|worker| self.workers.get(worker)) {
            // A worker that is gone has stopped, and the connection ends here.
            let _ = worker.send(accepted).await;
        }
    }
}
