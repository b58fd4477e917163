//! The server as a whole: builds everything from its options, owns the threads and the order of shutdown.
//!
//! Starting: state directory, listeners bound, event log, store, first load, listeners served, watching. Stopping, on
//! SIGTERM or SIGINT: stop accepting and answer what is in flight, stop reloading and sending webhooks, bring the store's
//! events over and close it, flush the events. SIGHUP asks for a reload.

mod identity;
mod keys;
mod memory;
mod observe;
mod open_files;
mod options;
mod relay;
mod reserve;
mod seen;
mod store;

use std::io;
use std::sync::Arc;
use std::time::Instant;

use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::api::{
    ApprovalDesk, HttpListener, HttpServer, KnownPeople, Listeners, Server, ServerError, State, WireCodec,
};
use crate::approval::{Approvals, Parts};
use crate::event::{EventError, EventLog, EventOptions};
use crate::identity::{IdentityError, TlsError};
use crate::receipt::{Issuer, KeyError};
use crate::reload::{ArchiveError, ReloadHandle, Reloader};
use crate::snapshot::Holder;
use crate::state_dir::{StateDir, StateDirError};
use crate::store::{Store, StoreError};
use crate::telemetry::Telemetry;
use crate::webhook::{Courier, CourierOptions, Sender};
pub use options::{AppOptions, OptionsError, reload as reload_options, store as store_options};
pub use relay::Relay;
pub use seen::{SeenError, note, seen};

/// Why the server does not run, or did not stop in order.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The state directory cannot be used.
    #[error(transparent)]
    StateDir(#[from] StateDirError),
    /// The event log cannot be used.
    #[error(transparent)]
    Events(#[from] EventError),
    /// The event log could not be flushed.
    #[error("events could not be flushed: {0}")]
    Flush(EventError),
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It is not known what the store should be.
    #[error(transparent)]
    Seen(#[from] SeenError),
    /// The keys of receipts cannot be used.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// The durable snapshots cannot be read.
    #[error(transparent)]
    Snapshots(#[from] ArchiveError),
    /// Callers cannot be told apart as configured.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// TLS cannot be served as configured.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Asserted identities would be believed from other machines.
    #[error(
        "`--dev` believes callers who they say they are, and {address} is not a loopback address; leave `--dev` out, or \
         choose a loopback address such as 127.0.0.1:50151 with `--listen`"
    )]
    DevNotLoopback {
        /// The address.
        address: std::net::SocketAddr,
    },
    /// A listener or worker cannot be started.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// A thread, runtime or signal handler cannot be set up.
    #[error("cannot set up {what}: {source}")]
    System {
        /// What.
        what: &'static str,
        /// Why.
        source: io::Error,
    },
    /// Calls were still in flight when the grace period ended.
    #[error("calls were still in flight after {seconds} s and were ended")]
    Drain {
        /// The grace period.
        seconds: u64,
    },
}

impl AppError {
    /// Whether the server did run, and only its end was not in order.
    #[must_use]
    pub fn is_about_stopping(&self) -> bool {
        matches!(self, Self::Drain { .. } | Self::Flush(_))
    }
}

/// Runs the server until it is told to stop, and stops it in order.
///
/// # Errors
/// It cannot start, or did not stop in order.
pub fn run(options: AppOptions) -> Result<(), AppError> {
    memory::use_small_pages();
    let control = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("lictor-control")
        .enable_all()
        .build()
        .map_err(|source| AppError::System { what: "the control runtime", source })?;
    // Before anything else, so that a signal during start-up is not lost.
    let mut signals = control.block_on(async { Signals::new() })?;
    let app = App::start(options, &control)?;
    control.spawn(memory::give_back());
    control.block_on(signals.serve(&app.reload, &app.issuer));
    app.stop(&control)
}

/// A running server. The fields stop in the order in which they stand.
struct App {
    server: Server,
    http: Option<HttpServer>,
    reload: ReloadHandle,
    issuer: Arc<Issuer>,
    workers: [tokio::task::JoinHandle<()>; 3],
    courier: Courier,
    relay: Relay,
    store_watch: tokio::task::JoinHandle<()>,
    store: Store,
    events: Arc<EventLog>,
    state_dir: StateDir,
    drain: std::time::Duration,
}

impl App {
    fn start(mut options: AppOptions, control: &Runtime) -> Result<Self, AppError> {
        let connections = &mut options.server.connections.connections;
        *connections = open_files::room_for(*connections);
        let dev = options.identity.dev;
        let (identity, tls) = identity::open(options.identity, options.tls, options.server.tcp)?;
        options.server.tls.clone_from(&tls);
        reserve::release(&options.state);
        let state_dir = StateDir::open(&options.state)?;
        // What most often keeps a server from starting comes before anything that leaves a trace.
        let listeners = Listeners::bind(&options.server, control.handle())?;
        let http = options.http.map(|address| HttpListener::bind(address, control.handle())).transpose()?;
        let telemetry = Arc::new(Telemetry::new());
        let producer = format!("{}/{}", options.events.producer, state_dir.instance_id());
        let events = Arc::new(EventLog::open(EventOptions { producer, dev, ..options.events })?);
        telemetry.collect_from(observe::event_metrics(events.stats()));
        let known = store::expect(&mut options.store, &state_dir)?;
        let store = control.block_on(Store::open(options.store))?;
        let epoch = store.epoch().unwrap_or(known);
        let seen = store::Seen::default();
        telemetry.collect_from(store::metrics(&store, seen.clone()));
        telemetry.render_from(store::durations(&store));
        let holder = Arc::new(Holder::default());
        let listener = observe::ReloadRecorder::new(events.clone(), telemetry.clone(), holder.clone());
        let mut reloader = Reloader::new(options.reload, &state_dir, holder.clone(), Box::new(listener))?;
        let status = reloader.status();
        telemetry.collect_from(observe::reload_metrics(status));
        reloader.first_load();

        let recorders = (0..options.workers).map(|worker| events.recorder(worker)).collect();
        let issuer = keys::issuer(options.receipts, epoch, &state_dir)?;
        control.spawn(keys::keep_fresh(Arc::downgrade(&issuer)));
        let (watched, directory) = (Arc::downgrade(&issuer), state_dir.path().to_owned());
        let store_watch = control.spawn(store::watch(store.clone(), seen, watched, directory));
        let owner = state_dir.instance_id().to_string();
        let relay = {
            let _inside = control.enter();
            Relay::start(store.clone(), events.clone(), state_dir.journal(), owner)
        };
        let courier = Courier::start(
            store.clone(),
            holder.clone(),
            Sender::default(),
            telemetry.webhooks(),
            CourierOptions::default(),
            control.handle(),
        );
        identity::watch(control.handle(), &telemetry, &identity, tls.as_ref());
        let approvals = Approvals::new(Parts {
            store: store.clone(),
            holder: holder.clone(),
            limits: Arc::new(options.server.limits.clone()),
            issuer: Some(issuer.clone()),
            codec: Box::new(WireCodec),
            people: Box::new(KnownPeople(identity.clone())),
            metrics: telemetry.approvals(),
            courier: Some(courier.handle()),
        });
        let workers = [
            control.spawn(approvals.clone().work()),
            control.spawn(approvals.clone().keep_archiving()),
            control.spawn(approvals.clone().look_up_watched()),
        ];
        let desk = ApprovalDesk {
            approvals,
            identity: identity.clone(),
            courier: courier.handle(),
            limits: Arc::new(options.server.limits.clone()),
            control: control.handle().clone(),
        };
        let state = State {
            holder,
            recorders,
            telemetry: telemetry.clone(),
            issuer: Some(issuer.clone()),
            identity,
            approvals: Some(desk),
        };
        // Before anything is recorded, which would take the room.
        reserve::keep(state_dir.path());
        let server = Server::start(listeners, &options.server, state, control.handle())?;
        let http = http.map(|listener| {
            let keys = Some(issuer.clone());
            HttpServer::start(listener, server.readiness(), reloader.status(), telemetry, keys, dev, control.handle())
        });
        let reload = reloader.spawn().map_err(|source| AppError::System { what: "the reload thread", source })?;
        tracing::info!(
            socket = server.socket_path().map(|path| path.display().to_string()),
            tcp = server.tcp_address().map(|address| address.to_string()),
            tls = tls.is_some(),
            http = http.as_ref().map(|http| http.address().to_string()),
            state = %state_dir.path().display(),
            "serving decisions"
        );
        let drain = options.drain;
        Ok(Self { server, http, reload, issuer, workers, courier, relay, store_watch, store, events, state_dir, drain })
    }

    fn stop(self, control: &Runtime) -> Result<(), AppError> {
        tracing::info!("stopping: answering what is in flight");
        let until = Instant::now() + self.drain;
        let in_time = control.block_on(self.server.shutdown(self.drain));
        self.reload.stop();
        if let Some(http) = self.http {
            control.block_on(http.shutdown());
        }
        // What is recorded is worth waiting for, even if the calls took all of the grace period.
        let rest = || until.saturating_duration_since(Instant::now()).max(std::time::Duration::from_secs(1));
        self.workers.iter().for_each(tokio::task::JoinHandle::abort);
        self.store_watch.abort();
        control.block_on(self.courier.stop(rest()));
        control.block_on(self.relay.stop(rest()));
        if let Ok(mark) = control.block_on(self.store.read_mark()) {
            store::note(self.state_dir.path(), &mark);
        }
        control.block_on(self.store.close());
        let rest = rest();
        self.events.close(rest).map_err(AppError::Flush)?;
        drop(self.state_dir);
        tracing::info!("stopped");
        if in_time { Ok(()) } else { Err(AppError::Drain { seconds: self.drain.as_secs() }) }
    }
}

/// The signals that the server understands.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    /// Must run inside a runtime.
    fn new() -> Result<Self, AppError> {
        let handler = |kind| signal(kind).map_err(|source| AppError::System { what: "a signal handler", source });
        Ok(Self {
            terminate: handler(SignalKind::terminate())?,
            interrupt: handler(SignalKind::interrupt())?,
            hangup: handler(SignalKind::hangup())?,
        })
    }

    /// Returns when the server is told to stop.
    async fn serve(&mut self, reload: &ReloadHandle, issuer: &Arc<Issuer>) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hangup.recv() => {
                    tracing::info!("reloading on SIGHUP");
                    reload.trigger();
                    keys::refresh(issuer.clone()).await;
                }
            }
        }
    }
}
