//! What a server is started with.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::identity::TlsFiles;
use crate::model::Limits;

/// Where to listen, and within which limits.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// Address of the TCP listener, a loopback address unless callers prove who they are over TLS; port 0 takes a free one.
    pub tcp: Option<SocketAddr>,
    /// TLS on the TCP listener; `None` for plain TCP.
    pub tls: Option<Arc<TlsFiles>>,
    /// Path of the Unix socket.
    pub socket: Option<PathBuf>,
    /// Permissions of the Unix socket.
    pub socket_mode: u32,
    /// Limits on questions.
    pub limits: Limits,
    /// Limits on connections and calls.
    pub connections: ConnectionLimits,
    /// Whether the server answers `grpc.reflection`.
    pub reflection: bool,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            tcp: None,
            tls: None,
            socket: None,
            socket_mode: 0o600,
            limits: Limits::default(),
            connections: ConnectionLimits::default(),
            reflection: true,
        }
    }
}

/// Limits on connections and calls, all of them per server unless they say otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionLimits {
    /// Most connections; further ones are closed at once.
    pub connections: usize,
    /// Most calls in flight, streams included; further ones are RESOURCE_EXHAUSTED.
    pub in_flight: usize,
    /// Most bytes of answers that wait to be sent, where they are larger than 4 KiB each; further ones are
    /// RESOURCE_EXHAUSTED.
    pub unsent_bytes: usize,
    /// Most calls in flight on one connection; HTTP/2 makes further ones wait at the client.
    pub streams_per_connection: u32,
    /// Most bytes of request headers.
    pub header_list_bytes: u32,
    /// Most calls that a client may have cancelled before they were looked at (defence against rapid reset).
    pub pending_reset_streams: usize,
    /// Most calls that a client may make the server reset by breaking the protocol.
    pub error_reset_streams: usize,
    /// Time within which a new connection must have introduced itself as HTTP/2, and before that shaken hands.
    pub handshake: Duration,
    /// Most TLS handshakes at once; further connections are closed at once.
    pub handshakes: usize,
    /// Time within which a request's message must have arrived, where the caller's deadline is not shorter.
    pub request: Duration,
    /// Time within which a client that answers wait for must take at least one of them; where it is silent, it is looked at
    /// with each sign of life only.
    pub untaken: Duration,
    /// Time of silence after which a connection is asked for a sign of life.
    pub keep_alive_interval: Duration,
    /// Time within which that sign must come.
    pub keep_alive_timeout: Duration,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            connections: 16_384,
            in_flight: 8_192,
            unsent_bytes: 64 * 1_024 * 1_024,
            streams_per_connection: 256,
            header_list_bytes: 16 * 1_024,
            pending_reset_streams: 64,
            error_reset_streams: 256,
            handshake: Duration::from_secs(5),
            handshakes: 512,
            request: Duration::from_secs(10),
            untaken: Duration::from_secs(30),
            keep_alive_interval: Duration::from_secs(30),
            keep_alive_timeout: Duration::from_secs(20),
        }
    }
}
