//! What the server is built from, and how that follows from the configuration.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::api::{ConnectionLimits, ServerOptions};
use crate::config::{Config, EventMode, ExporterKind, Receipts, Secret, SecretError, Tls};
use crate::event::{ChainKey, EventError, EventOptions, NamedExporter, StdoutExporter};
use crate::identity::IdentityOptions;
use crate::reload::{PolicySource, ReloadOptions};
use crate::store::{Place, StoreError, StoreOptions};

/// What the server is built from, all of it checked.
pub struct AppOptions {
    /// The state directory.
    pub state: PathBuf,
    /// Listeners and limits.
    pub server: ServerOptions,
    /// Address of metrics, health and readiness; `None` turns them off.
    pub http: Option<SocketAddr>,
    /// Data-plane workers, 1–64.
    pub workers: u8,
    /// Where policies come from.
    pub reload: ReloadOptions,
    /// How decisions are recorded.
    pub events: EventOptions,
    /// Where approvals are kept.
    pub store: StoreOptions,
    /// How receipts are made.
    pub receipts: Receipts,
    /// Who is who.
    pub identity: IdentityOptions,
    /// TLS on the TCP listener.
    pub tls: Option<Tls>,
    /// Grace period of a shutdown.
    pub drain: Duration,
}

/// Why a configuration cannot be used, although it is well formed.
#[derive(Debug, thiserror::Error)]
pub enum OptionsError {
    /// A secret is not where the configuration says.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The store's URL means nothing.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A key or an exporter of the event log is not valid.
    #[error(transparent)]
    Events(#[from] EventError),
}

impl AppOptions {
    /// The options that follow from `config`. Reads the secrets that it refers to.
    ///
    /// # Errors
    /// A secret cannot be read or is not a key.
    pub fn from_config(config: &Config) -> Result<Self, OptionsError> {
        Ok(Self {
            state: config.state.directory.clone(),
            server: server(config),
            http: config.http.address,
            workers: u8::try_from(config.server.workers).unwrap_or(u8::MAX),
            reload: reload(config),
            events: events(config)?,
            store: store(config)?,
            receipts: config.receipts.clone(),
            identity: identity(config),
            tls: config.listen.tls.clone(),
            drain: config.server.drain,
        })
    }
}

fn server(config: &Config) -> ServerOptions {
    let limits = &config.limits;
    let mut connections = ConnectionLimits::default();
    connections.connections = limits.connections.unwrap_or(connections.connections);
    connections.in_flight = limits.in_flight.unwrap_or(connections.in_flight);
    connections.streams_per_connection = limits.streams_per_connection.unwrap_or(connections.streams_per_connection);
    ServerOptions {
        tcp: config.listen.tcp,
        // Its files are read when the server starts.
        tls: None,
        socket: config.state.socket(&config.listen),
        socket_mode: config.listen.socket_mode,
        limits: limits.requests.clone(),
        connections,
        reflection: config.listen.reflection,
    }
}

/// Without the documents over administration, which are read with all their errors before.
fn identity(config: &Config) -> IdentityOptions {
    let mut options = IdentityOptions::default();
    options.principals.clone_from(&config.identity.principals);
    options.jwt.clone_from(&config.identity.jwt);
    options
}

/// How the store is set up.
///
/// # Errors
/// Its URL means nothing.
pub fn store(config: &Config) -> Result<StoreOptions, StoreError> {
    let settings = &config.store;
    let place = Place::parse(&settings.url, settings.password.clone(), &config.state.directory)?;
    let mut options = StoreOptions::new(place);
    options.connections = settings.connections;
    options.wait = settings.wait;
    options.max_bytes = settings.max_bytes;
    Ok(options)
}

/// Where policies come from.
pub fn reload(config: &Config) -> ReloadOptions {
    let policies = &config.policies;
    let source = |source: &crate::config::Source| PolicySource { path: source.path.clone(), layer: source.layer };
    ReloadOptions {
        sources: policies.sources.iter().map(source).collect(),
        allow_empty: policies.allow_empty,
        watch: policies.watch,
        poll: policies.poll,
        ..ReloadOptions::default()
    }
}

fn events(config: &Config) -> Result<EventOptions, OptionsError> {
    let events = &config.events;
    let mut options = EventOptions::new(&config.state.directory);
    options.decisions = events.mode != EventMode::Off;
    options.guaranteed = (events.mode == EventMode::Guaranteed).then_some(events.answer_wait);
    options.journal_bytes = events.journal_bytes;
    options.segment_bytes = events.segment_bytes;
    options.fsync_interval = events.fsync_interval;
    options.ring_records = events.ring_records;
    options.ring_bytes = events.ring_bytes;
    options.mask.clone_from(&events.mask);
    options.key = events.key.as_ref().map(key).transpose()?;
    options.mask_key = events.mask_key.as_ref().map(key).transpose()?;
    for exporter in &events.exporters {
        let sink = match exporter.kind {
            ExporterKind::Stdout => Box::new(StdoutExporter::default()),
        };
        options.exporters.push(NamedExporter::new(&exporter.name, sink)?);
    }
    Ok(options)
}

fn key(secret: &Secret) -> Result<ChainKey, OptionsError> {
    Ok(ChainKey::from_text(&secret.read()?)?)
}
