//! The configuration: one `lictor.yaml`, overridden by environment variables.
//!
//! The file is read by the same parser as policy documents, with the same errors. A variable `LICTOR_SECTION__KEY`
//! overrides the setting `section.key`: `LICTOR_EVENTS__JOURNAL__MAX_BYTES=64MiB` sets `events.journal.maxBytes`. Its value
//! is written as in the file. A variable with `__` that names no setting is an error; others that start with `LICTOR_`
//! are left alone, because Kubernetes sets such variables for services. Secrets are never in the file, only where to
//! find them.

mod decode;
mod environment;
mod fields;
mod identity;
mod load;
mod receipts;
mod secret;
mod spec;
mod store;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

pub use identity::{Algorithm, Claims, Group, Identity, Jwt, Principal, PrincipalAsserts};
pub use load::{DEFAULT_FILE, json_schema};
pub use secret::{Secret, SecretError};

use crate::model::{Layer, Limits};

/// Everything that can be set. [`Config::default`] is what holds without a file.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Config {
    /// Where questions are taken.
    pub listen: Listen,
    /// Metrics and health.
    pub http: Http,
    /// Where policies come from.
    pub policies: Policies,
    /// What is kept on disk.
    pub state: State,
    /// The record of decisions.
    pub events: Events,
    /// Approvals, and what is to be told of them.
    pub store: Store,
    /// Signed answers to plans.
    pub receipts: Receipts,
    /// Who is who, and what they may assert and administer.
    pub identity: Identity,
    /// Limits on questions and connections.
    pub limits: ServerLimits,
    /// What the program says of itself.
    pub logs: Logs,
    /// Threads, and the end.
    pub server: Server,
}

/// Where questions are taken.
#[derive(Debug, Clone, PartialEq)]
pub struct Listen {
    /// Address of the TCP listener; `None` for none.
    pub tcp: Option<SocketAddr>,
    /// Path of the Unix socket, relative paths below the state directory; `None` for none.
    pub socket: Option<PathBuf>,
    /// Permissions of the Unix socket.
    pub socket_mode: u32,
    /// Whether the server answers `grpc.reflection`.
    pub reflection: bool,
    /// What the TCP listener proves itself with, and asks of clients; `None` for plain TCP.
    pub tls: Option<Tls>,
}

/// Files of the TLS listener. They are read again when their content changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// The server's certificate and those that lead to its root, in PEM.
    pub certificate: PathBuf,
    /// The key of the certificate, in PEM.
    pub key: PathBuf,
    /// Roots of clients' certificates, in PEM; `None` asks clients for none.
    pub client_ca: Option<PathBuf>,
    /// Lists of revoked certificates of clients, in PEM, one of each authority; `None` revokes none.
    pub client_crl: Option<PathBuf>,
}

/// Metrics and health.
#[derive(Debug, Clone, PartialEq)]
pub struct Http {
    /// Address of the HTTP listener; `None` for none.
    pub address: Option<SocketAddr>,
}

/// Where policies come from.
#[derive(Debug, Clone, PartialEq)]
pub struct Policies {
    /// Directories and files of documents.
    pub sources: Vec<Source>,
    /// Whether the file system is asked to tell of changes.
    pub watch: bool,
    /// How often the files are compared besides, as a net below watching.
    pub poll: Duration,
    /// Whether a reload from some policies to none is let through.
    pub allow_empty: bool,
}

/// A directory or file of documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Where it is.
    pub path: PathBuf,
    /// The layer of all documents in it.
    pub layer: Layer,
}

/// What is kept on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// The state directory.
    pub directory: PathBuf,
}

impl State {
    /// Where the Unix socket of `listen` is.
    #[must_use]
    pub fn socket(&self, listen: &Listen) -> Option<PathBuf> {
        listen.socket.as_ref().map(|socket| self.directory.join(socket))
    }
}

/// The record of decisions.
#[derive(Debug, Clone, PartialEq)]
pub struct Events {
    /// What happens where the record cannot keep up.
    pub mode: EventMode,
    /// In the mode `guaranteed`, how long an answer waits for its record.
    pub answer_wait: Duration,
    /// Most bytes of all segments of the journal together.
    pub journal_bytes: u64,
    /// Most bytes of one segment.
    pub segment_bytes: u64,
    /// Longest time between a write and the fsync that covers it.
    pub fsync_interval: Duration,
    /// Most decision records that wait for the writer.
    pub ring_records: usize,
    /// Most bytes that those records own.
    pub ring_bytes: u64,
    /// Where events go besides the journal.
    pub exporters: Vec<Exporter>,
    /// Attributes whose values are replaced by a keyed hash, for example `context.params.card_number`.
    pub mask: Vec<String>,
    /// Key of the journal's chain; without one the chain shows corruption, with one tampering.
    pub key: Option<Secret>,
    /// Key of the masks; `None` to use the one in the state directory.
    pub mask_key: Option<Secret>,
}

/// What happens where the record cannot keep up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventMode {
    /// The record is dropped and a gap names it.
    BestEffort,
    /// Answers wait until their records are durable; where that takes too long they are denials.
    Guaranteed,
    /// Decisions are not recorded at all; those that must be audited are refused.
    Off,
}

/// Where events go besides the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exporter {
    /// Its name in metrics, and of its cursor. Unique.
    pub name: String,
    /// What it is.
    pub kind: ExporterKind,
}

/// What an exporter is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExporterKind {
    /// JSON lines on standard output.
    Stdout,
}

/// Approvals, and what is to be told of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    /// Where it is: `sqlite:PATH` or `postgres://…`.
    pub url: String,
    /// Password of the PostgreSQL user.
    pub password: Option<Secret>,
    /// Most connections to PostgreSQL, 1–1000.
    pub connections: u32,
    /// Longest time that a call waits for its turn, and again for its answer.
    pub wait: Duration,
    /// Most bytes of the embedded database; `None` for as many as the disk has.
    pub max_bytes: Option<u64>,
}

/// Signed answers to plans.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipts {
    /// Who issues them; `None` for `lictor:` and the id of the state directory.
    pub issuer: Option<String>,
    /// Who they are for where a plan does not say.
    pub audience: String,
    /// How long they are valid, 10–86 400 s.
    pub ttl: Duration,
    /// How long a key verifies after another has succeeded it.
    pub grace: Duration,
    /// The key that signs; `None` for one in the state directory.
    pub key: Option<Secret>,
    /// Keys that still verify, beside a configured one.
    pub previous_keys: Vec<Secret>,
}

/// Limits on questions and connections.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ServerLimits {
    /// On what is asked.
    pub requests: Limits,
    /// Most connections; `None` for the server's own limit.
    pub connections: Option<usize>,
    /// Most calls in flight; `None` for the server's own limit.
    pub in_flight: Option<usize>,
    /// Most calls in flight on one connection; `None` for the server's own limit.
    pub streams_per_connection: Option<u32>,
}

/// What the program says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Logs {
    /// How lines are written.
    pub format: LogFormat,
    /// What is left out.
    pub level: LogLevel,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// The least important log lines that are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Only errors.
    Error,
    /// Warnings too.
    Warn,
    /// What happens in the large.
    Info,
    /// What happens in the small.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// The name in the file.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// Threads, and the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Threads that decide, 1–64.
    pub workers: usize,
    /// How long calls in flight may take to finish when the server ends.
    pub drain: Duration,
}

impl Default for Listen {
    fn default() -> Self {
        Self {
            tcp: Some(SocketAddr::from(([127, 0, 0, 1], 50_151))),
            socket: Some(PathBuf::from("lictor.sock")),
            socket_mode: 0o600,
            reflection: true,
            tls: None,
        }
    }
}

impl Default for Http {
    fn default() -> Self {
        Self { address: Some(SocketAddr::from(([127, 0, 0, 1], 9_151))) }
    }
}

impl Default for Policies {
    fn default() -> Self {
        let default = Source { path: PathBuf::from("policies/default"), layer: Layer::Organisation };
        Self { sources: vec![default], watch: true, poll: Duration::from_secs(30), allow_empty: false }
    }
}

impl Default for State {
    fn default() -> Self {
        Self { directory: PathBuf::from("lictor-data") }
    }
}

impl Default for Events {
    fn default() -> Self {
        Self {
            mode: EventMode::BestEffort,
            answer_wait: Duration::from_secs(2),
            journal_bytes: 256 << 20,
            segment_bytes: 16 << 20,
            fsync_interval: Duration::from_secs(1),
            ring_records: 65_536,
            ring_bytes: 32 << 20,
            exporters: Vec::new(),
            mask: Vec::new(),
            key: None,
            mask_key: None,
        }
    }
}

impl Default for Store {
    fn default() -> Self {
        Self {
            url: "sqlite:lictor.db".to_owned(),
            password: None,
            connections: 16,
            wait: Duration::from_secs(5),
            max_bytes: None,
        }
    }
}

impl Default for Receipts {
    fn default() -> Self {
        Self {
            issuer: None,
            audience: "executor".to_owned(),
            ttl: Duration::from_secs(300),
            grace: Duration::from_secs(7 * 86_400),
            key: None,
            previous_keys: Vec::new(),
        }
    }
}

impl Default for Logs {
    fn default() -> Self {
        Self { format: LogFormat::Text, level: LogLevel::Info }
    }
}

impl Default for Server {
    fn default() -> Self {
        Self { workers: 1, drain: Duration::from_secs(20) }
    }
}
