//! The data plane as a whole: starts listeners and workers, drains and stops them.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};

use super::accept::{Dealer, WAITING};
use super::admission::Admission;
use super::approvals::ApprovalDesk;
use super::compute::Compute;
use super::desk::Desk;
use super::drain::{Drain, Phase};
use super::health::Readiness;
use super::listeners::Listeners;
use super::options::ServerOptions;
use super::plans::PlanDesk;
use super::routes;
use super::shown::TokenCache;
use super::socket::BoundSocket;
use super::tls::Handshakes;
use super::unsent::Unsent;
use super::worker::{self, Worker};
use crate::event::Recorder;
use crate::identity::Identity;
use crate::receipt::Issuer;
use crate::snapshot::Holder;
use crate::telemetry::{Telemetry, names};

/// What the server decides with.
#[derive(Debug)]
pub struct State {
    /// The live snapshot and the resident ones.
    pub holder: Arc<Holder>,
    /// One way to the event ring for each data-plane worker; there are as many workers.
    pub recorders: Vec<Recorder>,
    /// Metrics.
    pub telemetry: Arc<Telemetry>,
    /// Signs receipts; without it answers have none.
    pub issuer: Option<Arc<Issuer>>,
    /// Knows callers, and decides what they may ask and administer.
    pub identity: Arc<Identity>,
    /// Answers calls about approvals; without it the service is not there.
    pub approvals: Option<ApprovalDesk>,
}

/// Why a server does not start. Each names what it is about and what to do.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// Neither address nor socket is configured.
    #[error("there is nothing to listen on; configure a TCP address, a Unix socket, or both")]
    NowhereToListen,
    /// There are no workers.
    #[error("the server needs at least one worker")]
    NoWorkers,
    /// Other machines could reach the port, and over plain TCP nobody knows who asks.
    #[error(
        "{address} is not a loopback address, and calls over plain TCP are neither private nor authenticated; \
             configure TLS with client certificates or tokens (`listen.tls` and `identity.jwt` in lictor.yaml), choose a \
             loopback address such as 127.0.0.1:50151 with `--listen`, or a Unix socket with `--socket`"
    )]
    NotLoopback {
        /// The address.
        address: SocketAddr,
    },
    /// Other machines could reach the port, and no caller would have to prove who it is.
    #[error(
        "{address} is not a loopback address, and anybody who reaches it could ask anything; \
             let callers prove who they are: name the roots of their certificates in `listen.tls.clientCa` of \
             lictor.yaml, or the issuer of their tokens in `identity.jwt`"
    )]
    NobodyKnown {
        /// The address.
        address: SocketAddr,
    },
    /// Another process has the port.
    #[error("the address {address} is in use, perhaps by another lictor; stop it or choose another with `{flag}`")]
    AddressInUse {
        /// The address.
        address: SocketAddr,
        /// The flag that sets it.
        flag: &'static str,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address}; choose another address with `{flag}`: {source}")]
    Address {
        /// The address.
        address: SocketAddr,
        /// The flag that sets it.
        flag: &'static str,
        /// Why.
        source: io::Error,
    },
    /// Another process listens on the socket.
    #[error("the socket `{path}` is in use by another process; stop it or choose another path with `--socket`")]
    SocketInUse {
        /// The path.
        path: PathBuf,
    },
    /// A file that is not a socket stands where the socket should be.
    #[error("`{path}` exists and is not a socket; remove it or choose another path with `--socket`")]
    NotASocket {
        /// The path.
        path: PathBuf,
    },
    /// Nobody could connect to the socket: the kernel bounds its path.
    #[error(
        "the path of the socket `{path}` has {bytes} bytes; a Unix socket's may have at most {most}, and its folder's \
         {most_of_folder}: choose a shorter one with `--socket`"
    )]
    SocketPathTooLong {
        /// The path.
        path: PathBuf,
        /// How long it is.
        bytes: usize,
        /// How long it may be.
        most: usize,
        /// How long its folder's may be.
        most_of_folder: usize,
    },
    /// The socket cannot be made.
    #[error("cannot make the socket `{path}`; check that its folder exists and is writable: {source}")]
    Socket {
        /// The path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A worker's thread or runtime cannot be started.
    #[error("cannot start worker {number}: {source}")]
    Worker {
        /// Which.
        number: usize,
        /// Why.
        source: io::Error,
    },
    /// The descriptors for reflection cannot be read.
    #[error("the descriptors for reflection cannot be read: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
}

/// A running data plane. Stops without grace when dropped.
#[derive(Debug)]
pub struct Server {
    phase: watch::Sender<Phase>,
    readiness: Readiness,
    tcp: Option<SocketAddr>,
    socket: Option<BoundSocket>,
    calls: Admission,
    connections: Admission,
    acceptors: Vec<tokio::task::JoinHandle<()>>,
    workers: Vec<RunningWorker>,
}

#[derive(Debug)]
struct RunningWorker {
    thread: JoinHandle<()>,
    done: oneshot::Receiver<()>,
}

impl Server {
    /// Starts the workers and serves `listeners`; connections are accepted on the runtime `control`.
    ///
    /// # Errors
    /// There are no workers, or a thread cannot be started.
    pub fn start(
        listeners: Listeners,
        options: &ServerOptions,
        state: State,
        control: &Handle,
    ) -> Result<Self, ServerError> {
        if state.recorders.is_empty() {
            return Err(ServerError::NoWorkers);
        }
        let (phase, drain) = Drain::new();
        let readiness = Readiness::new(state.holder.clone(), drain.clone());
        let connections = Admission::new(options.connections.connections);
        let calls = Admission::new(options.connections.in_flight);
        let unsent = Unsent::new(options.connections.unsent_bytes);

        let routes = routes::build(readiness.clone(), options.reflection)?;

        let mut inboxes = Vec::new();
        let mut workers = Vec::new();
        let limits = Arc::new(options.limits.clone());
        let compute = Compute::new(control.clone());
        for (number, recorder) in state.recorders.into_iter().enumerate() {
            let plans = PlanDesk {
                holder: state.holder.clone(),
                recorder: recorder.clone(),
                limits: limits.clone(),
                metrics: state.telemetry.plans(),
                compute: compute.clone(),
                issuer: state.issuer.clone(),
                identity: state.identity.clone(),
                approvals: state.approvals.clone(),
            };
            let desk = Desk {
                holder: state.holder.clone(),
                recorder,
                limits: limits.clone(),
                metrics: state.telemetry.worker(),
                identity: state.identity.clone(),
            };
            let worker = Worker {
                desk,
                plans,
                connection_limits: options.connections.clone(),
                admission: calls.clone(),
                unsent: unsent.clone(),
                tokens: TokenCache::default(),
                routes: routes.clone(),
                telemetry: state.telemetry.clone(),
                drain: drain.clone(),
            };
            let (inbox, arrivals) = mpsc::channel(WAITING);
            inboxes.push(inbox);
            workers
                .push(start_worker(number, worker, arrivals).map_err(|source| ServerError::Worker { number, source })?);
        }
        let (of_calls, of_connections) = (calls.clone(), connections.clone());
        state.telemetry.collect_from(Box::new(move || {
            metrics::gauge!(names::CALLS_IN_FLIGHT).set(of_calls.in_flight() as f64);
            metrics::gauge!(names::CONNECTIONS).set(of_connections.in_flight() as f64);
        }));
        let dealer = Dealer::new(inboxes, connections.clone(), drain, state.telemetry);
        let limits = &options.connections;
        let mut acceptors = Vec::new();
        let mut address = None;
        if let Some((listener, bound)) = listeners.tcp {
            address = Some(bound);
            acceptors.push(match &options.tls {
                Some(tls) => {
                    let handshakes = Handshakes::new(tls.clone(), state.identity, limits.handshakes, limits.handshake);
                    control.spawn(dealer.clone().accept_tls(listener, handshakes))
                }
                None => control.spawn(dealer.clone().accept_tcp(listener)),
            });
        }
        let mut socket = None;
        if let Some((listener, bound)) = listeners.unix {
            socket = Some(bound);
            acceptors.push(control.spawn(dealer.clone().accept_unix(listener)));
        }
        Ok(Self { phase, readiness, tcp: address, socket, calls, connections, acceptors, workers })
    }

    /// The address of the TCP listener.
    #[must_use]
    pub fn tcp_address(&self) -> Option<SocketAddr> {
        self.tcp
    }

    /// The path of the Unix socket.
    #[must_use]
    pub fn socket_path(&self) -> Option<&Path> {
        self.socket.as_ref().map(BoundSocket::path)
    }

    /// Whether the server can decide.
    #[must_use]
    pub fn readiness(&self) -> Readiness {
        self.readiness.clone()
    }

    /// Calls in flight.
    #[must_use]
    pub fn calls_in_flight(&self) -> usize {
        self.calls.in_flight()
    }

    /// Open connections.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.in_flight()
    }

    /// Stops: accepts nothing more, tells clients to leave, answers what has been asked, and ends what is left after
    /// `grace`. Gives `true` if everything was answered in time.
    pub async fn shutdown(mut self, grace: Duration) -> bool {
        self.phase.send_replace(Phase::Draining);
        for acceptor in self.acceptors.drain(..) {
            // Ends at once, and with it the listener; an error means that it has ended already.
            let _ = acceptor.await;
        }
        let mut workers = std::mem::take(&mut self.workers);
        let all_done = async {
            for worker in &mut workers {
                // An error means that the worker's thread is gone, which is what is waited for.
                let _ = (&mut worker.done).await;
            }
        };
        let in_time = tokio::time::timeout(grace, all_done).await.is_ok();
        self.phase.send_replace(Phase::Stopping);
        for worker in workers {
            let _ = tokio::task::spawn_blocking(|| worker.thread.join()).await;
        }
        in_time
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.phase.send_replace(Phase::Stopping);
    }
}

fn start_worker(
    number: usize,
    worker: Worker,
    arrivals: mpsc::Receiver<worker::Accepted>,
) -> io::Result<RunningWorker> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (finished, done) = oneshot::channel();
    let thread = std::thread::Builder::new().name(format!("lictor-worker-{number}")).spawn(move || {
        worker::run(&runtime, worker, arrivals);
        // Nobody listens where the server was dropped.
        let _ = finished.send(());
    })?;
    Ok(RunningWorker { thread, done })
}
