//! `lictor serve`: serves decisions until told to stop.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use super::documents::CommandError;
use super::exit;

/// Arguments of `lictor serve`. Each overrides the configuration file.
#[derive(Debug, clap::Args)]
pub struct ServeArgs {
    /// Configuration file.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Directory or file with policy documents (organisation layer) [default: policies/default]
    #[arg(long, value_name = "PATH")]
    policies: Option<PathBuf>,
    /// State directory: journal, snapshots, keys [default: lictor-data]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// TCP address for gRPC [default: 127.0.0.1:50151]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Unix socket for gRPC [default: lictor.sock in the state directory]
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// HTTP address for metrics, health and readiness [default: 127.0.0.1:9151]
    #[arg(long, value_name = "ADDRESS")]
    http: Option<SocketAddr>,
    /// Development: accept asserted identities for administration.
    #[arg(long)]
    dev: bool,
}
