//! What the server is built from.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::api::ServerOptions;
use crate::event::EventOptions;
use crate::reload::ReloadOptions;

/// What the server is built from, all of it checked.
pub struct AppOptions {
    /// The state directory.
    pub state: PathBuf,
    /// Listeners and limits; its `socket` is not used.
    pub server: ServerOptions,
    /// The Unix socket; `None` means `lictor.sock` in the state directory.
    pub socket: Option<PathBuf>,
    /// Address of metrics, health and readiness; `None` turns them off.
    pub http: Option<SocketAddr>,
    /// Data-plane workers, 1–64.
    pub workers: u8,
    /// Where policies come from.
    pub reload: ReloadOptions,
    /// How decisions are recorded.
    pub events: EventOptions,
    /// Grace period of a shutdown.
    pub drain: Duration,
}
