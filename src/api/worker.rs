//! A data-plane worker: one thread, one runtime, the connections dealt to it.

use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::rc::Rc;

use tokio::sync::mpsc;
use tokio::task::{JoinSet, LocalSet};

use super::admission::{Admission, Permit};
use super::connection::{self, Socket};
use super::desk::Desk;
use super::drain::{Drain, Drained};
use super::options::ConnectionLimits;
use super::plans::PlanDesk;
use super::refusal::Refusal;
use super::shown::TokenCache;
use super::tls::{Handshaken, TlsSocket};
use super::unsent::Unsent;
use crate::telemetry::Telemetry;

/// A connection on its way to a worker.
#[derive(Debug)]
pub enum Accepted {
    /// TCP.
    Tcp(TcpStream, Permit),
    /// A Unix socket.
    Unix(UnixStream, Permit),
    /// TLS over TCP, shaken hands on.
    Tls(Box<Handshaken>, Permit),
}

/// What the connections of one worker share. Never leaves its thread.
#[derive(Debug)]
pub struct Worker {
    /// Decides and records.
    pub desk: Desk,
    /// Validates plans, here or on the compute pool.
    pub plans: PlanDesk,
    /// Limits on connections and calls.
    pub connection_limits: ConnectionLimits,
    /// Calls in flight, of all workers.
    pub admission: Admission,
    /// Bytes of answers that wait to be sent, of all workers.
    pub unsent: Unsent,
    /// Tokens that have been verified.
    pub tokens: TokenCache,
    /// The services that tonic serves.
    pub routes: tonic::service::Routes,
    /// Where refusals are counted.
    pub telemetry: std::sync::Arc<Telemetry>,
    /// Tells that the server drains.
    pub drain: Drain,
}

impl Worker {
    /// Ready once the server drains.
    pub fn drained(&self) -> Drained {
        self.drain.drained()
    }

    /// Counts a refusal.
    pub fn refused(&self, refusal: &Refusal) {
        self.telemetry.rpc_refused(code_name(refusal.code()), refusal.reason());
    }
}

/// Serves the connections that arrive until the server drains, and then until they end.
pub fn run(runtime: &tokio::runtime::Runtime, worker: Worker, inbox: mpsc::Receiver<Accepted>) {
    LocalSet::new().block_on(runtime, serve(Rc::new(worker), inbox));
}

/// Connections that are begun before those that are open have their turn.
const BEGUN_AT_ONCE: usize = 4;

async fn serve(worker: Rc<Worker>, mut inbox: mpsc::Receiver<Accepted>) {
    let mut connections = JoinSet::new();
    let mut begun = 0;
    loop {
        tokio::select! {
            accepted = inbox.recv() => match accepted {
                Some(accepted) => {
                    connections.spawn_local(serve_accepted(worker.clone(), accepted));
                    begun = (begun + 1) % BEGUN_AT_ONCE;
                    if begun == 0 {
                        tokio::task::yield_now().await;
                    }
                }
                None => break,
            },
            Some(_) = connections.join_next() => {}
        }
    }
    let mut stopped = worker.drain.stopped();
    loop {
        tokio::select! {
            ended = connections.join_next() => if ended.is_none() { return },
            () = &mut stopped => {
                tracing::warn!(connections = connections.len(), "the grace period is over; open connections are closed");
                return;
            }
        }
    }
}

async fn serve_accepted(worker: Rc<Worker>, accepted: Accepted) {
    let (socket, _permit) = match accepted {
        Accepted::Tcp(stream, permit) => (tokio::net::TcpStream::from_std(stream).map(Socket::Tcp), permit),
        Accepted::Tls(shaken, permit) => {
            (TlsSocket::settle(*shaken).map(|socket| Socket::Tls(Box::new(socket))), permit)
        }
        Accepted::Unix(stream, permit) => (tokio::net::UnixStream::from_std(stream).map(Socket::Unix), permit),
    };
    match socket {
        Ok(socket) => connection::serve(worker, socket).await,
        Err(error) => tracing::warn!(%error, "an accepted connection could not be served"),
    }
}

/// The name of a gRPC code, as in its specification.
fn code_name(code: tonic::Code) -> &'static str {
    use tonic::Code;
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}
