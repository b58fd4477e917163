//! TLS connections: hands are shaken on the control runtime, and what comes of it is served by a worker.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::admission::{Admission, Permit};
use crate::identity::{BadCertificate, Caller, Identity, TlsFiles, Trusted};

/// Why a handshake came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    /// It took too long.
    #[error("the client did not shake hands in time")]
    Timeout,
    /// The client broke the protocol, has no good certificate, or went away.
    #[error("the client did not shake hands: {0}")]
    Io(#[from] io::Error),
    /// The client's certificate shows nobody.
    #[error("the client's certificate shows nobody: {0}")]
    Certificate(#[from] BadCertificate),
    /// The client's certificate has lost its worth since hands were shaken.
    #[error("the client's certificate is not good any more: {0}")]
    Distrusted(#[from] rustls::Error),
}

/// A TLS connection on its way to a worker.
#[derive(Debug)]
pub struct Handshaken {
    session: TlsStream<Movable>,
    stream: std::net::TcpStream,
    caller: Arc<Caller>,
    trusted: Option<Trusted>,
    needs_credentials: bool,
}

/// Shakes hands with clients, so many at once and each for so long.
#[derive(Debug, Clone)]
pub struct Handshakes {
    tls: Arc<TlsFiles>,
    identity: Arc<Identity>,
    at_once: Admission,
    limit: Duration,
}

impl Handshakes {
    /// With what `tls` says, at most `at_once` at the same time, each within `limit`.
    pub fn new(tls: Arc<TlsFiles>, identity: Arc<Identity>, at_once: usize, limit: Duration) -> Self {
        Self { tls, identity, at_once: Admission::new(at_once), limit }
    }

    /// A turn for one handshake; `None` where too many are under way.
    pub fn enter(&self) -> Option<Permit> {
        self.at_once.enter()
    }

    /// Shakes hands with the client at the other end of `stream`.
    ///
    /// # Errors
    /// The client did not.
    pub async fn shake(&self, stream: TcpStream) -> Result<Handshaken, HandshakeError> {
        let terms = self.tls.terms();
        let handshake = TlsAcceptor::from(terms.config()).accept(Movable(Some(stream)));
        let mut session = tokio::time::timeout(self.limit, handshake).await.map_err(|_| HandshakeError::Timeout)??;
        let (movable, connection) = session.get_mut();
        let (caller, trusted, needs_credentials) = match connection.peer_certificates() {
            Some(chain @ [certificate, ..]) => {
                (self.identity.certificate(certificate)?, Some(self.tls.admit(&terms, chain)?), false)
            }
            _ => (self.identity.anonymous(), None, self.tls.knows_callers()),
        };
        let stream = movable.0.take().ok_or_else(gone)?.into_std()?;
        Ok(Handshaken { session, stream, caller, trusted, needs_credentials })
    }
}

/// A TLS connection that a worker serves.
#[derive(Debug)]
pub struct TlsSocket {
    /// The plain side.
    pub stream: TlsStream<Movable>,
    /// Whom the client's certificate shows.
    pub caller: Arc<Caller>,
    /// What becomes of the certificate; `None` where the client has shown none.
    pub trusted: Option<Trusted>,
    /// Whether each call must show who makes it.
    pub needs_credentials: bool,
}

impl TlsSocket {
    /// Goes on with a connection on this thread's runtime.
    ///
    /// # Errors
    /// The runtime takes no more sockets.
    pub fn settle(shaken: Handshaken) -> io::Result<Self> {
        let Handshaken { mut session, stream, caller, trusted, needs_credentials } = shaken;
        session.get_mut().0.0 = Some(TcpStream::from_std(stream)?);
        Ok(Self { stream: session, caller, trusted, needs_credentials })
    }
}

/// A TCP stream that can be taken out of its TLS session, because a stream belongs to the runtime that polls it.
#[derive(Debug)]
pub struct Movable(Option<TcpStream>);

fn gone() -> io::Error {
    io::ErrorKind::NotConnected.into()
}

impl Movable {
    fn stream(&mut self) -> io::Result<Pin<&mut TcpStream>> {
        self.0.as_mut().map(Pin::new).ok_or_else(gone)
    }
}

impl AsyncRead for Movable {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_read(cx, buffer)
    }
}

impl AsyncWrite for Movable {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.stream()?.poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.stream()?.poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.as_ref().is_some_and(AsyncWrite::is_write_vectored)
    }
}
