//! What is listened on. Binding is apart from serving, so that a port in use is known before anything else has begun.

use std::io;
use std::net::SocketAddr;
use std::path::Path;

use tokio::runtime::Handle;

use super::options::ServerOptions;
use super::server::ServerError;
use super::socket::{self, BoundSocket};

/// Connections that may wait to be accepted; beyond it the kernel makes clients try again, a second later at the earliest.
const BACKLOG: i32 = 1_024;

/// The listeners of the decision service, bound and not served. Who connects waits.
#[derive(Debug)]
pub struct Listeners {
    pub(super) tcp: Option<(tokio::net::TcpListener, SocketAddr)>,
    pub(super) unix: Option<(tokio::net::UnixListener, BoundSocket)>,
}

impl Listeners {
    /// Binds the address and the socket of `options`, to be served on the runtime `control`.
    ///
    /// # Errors
    /// There is none, the address is not a loopback address and callers would not have to prove who they are, or one of
    /// them cannot be listened on.
    pub fn bind(options: &ServerOptions, control: &Handle) -> Result<Self, ServerError> {
        if options.tcp.is_none() && options.socket.is_none() {
            return Err(ServerError::NowhereToListen);
        }
        if let Some(address) = options.tcp.filter(|address| !address.ip().to_canonical().is_loopback()) {
            match &options.tls {
                None => return Err(ServerError::NotLoopback { address }),
                Some(tls) if !tls.knows_callers() => return Err(ServerError::NobodyKnown { address }),
                Some(_) => {}
            }
        }
        let tcp = options.tcp.map(|address| bind_tcp(address, "--listen", control)).transpose()?;
        let unix = options.socket.as_deref().map(|path| bind_unix(path, options.socket_mode, control)).transpose()?;
        Ok(Self { tcp, unix })
    }
}

/// The listener of the HTTP side, bound and not served.
#[derive(Debug)]
pub struct HttpListener {
    pub(super) listener: tokio::net::TcpListener,
    pub(super) address: SocketAddr,
}

impl HttpListener {
    /// Binds `address`, to be served on the runtime `control`.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub fn bind(address: SocketAddr, control: &Handle) -> Result<Self, ServerError> {
        bind_tcp(address, "--http", control).map(|(listener, address)| Self { listener, address })
    }
}

/// Binds exclusively: no other process can share the port.
fn bind_tcp(
    address: SocketAddr,
    flag: &'static str,
    control: &Handle,
) -> Result<(tokio::net::TcpListener, SocketAddr), ServerError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::AddrInUse => ServerError::AddressInUse { address, flag },
        _ => ServerError::Address { address, flag, source },
    };
    let listener = std::net::TcpListener::bind(address).map_err(failed)?;
    rustix::net::listen(&listener, BACKLOG).map_err(|error| failed(error.into()))?;
    listener.set_nonblocking(true).map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    let _entered = control.enter();
    Ok((tokio::net::TcpListener::from_std(listener).map_err(failed)?, bound))
}

fn bind_unix(path: &Path, mode: u32, control: &Handle) -> Result<(tokio::net::UnixListener, BoundSocket), ServerError> {
    let (listener, bound) = socket::bind(path, mode)?;
    let _entered = control.enter();
    let listener = tokio::net::UnixListener::from_std(listener)
        .map_err(|source| ServerError::Socket { path: path.to_owned(), source })?;
    Ok((listener, bound))
}
