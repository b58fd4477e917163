//! One connection of one client: HTTP/2 in, calls out.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use hyper::rt::Executor;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

use super::authority::Mender;
use super::options::ConnectionLimits;
use super::refusal::Refusal;
use super::service::Calls;
use super::shown::{self, LastToken, Shown};
use super::timer::{self, ConnectionTimer};
use super::tls::TlsSocket;
use super::untaken::{Patience, Untaken};
use super::worker::Worker;
use crate::identity::{Caller, Identity, Trusted};

/// Bytes that a client has sent once it has introduced itself: the preface and the header of its settings.
const INTRODUCTION_BYTES: usize = 24 + 9;
/// Unread bytes that a client may send on one call. A client that does not take its answers is not read from, and waits
/// once its window is full.
const STREAM_WINDOW: u32 = 32 * 1_024;
/// Unread bytes that a client may send on one connection. More than its calls can fill: a call that stands still must not
/// take the window of the others. What counts is half of this: the HTTP/2 library closes a connection whose unread frames,
/// each counted as what it lacks to 256 bytes, exceed it. Half is enough for 256 calls that all stand still with requests
/// of 60 bytes, each in a frame of its own.
const CONNECTION_WINDOW: u32 = 64 * 1_024 * 1_024;
/// Reading from one connection lets the others of its worker have their turn after so long. Some frames cost much more than
/// others of their length: one that changes the windows of all calls, for example.
const TURN: Duration = Duration::from_micros(200);
/// Bytes that are read in a turn before anybody looks at the clock: about what 20 calls bring.
const UNTIMED_BYTES: usize = 4 * 1_024;
/// Bytes in a turn that is not dear: what takes so long is to copy them.
const CHEAP_BYTES: usize = 64 * 1_024;
/// Bytes that are read at a time from a connection whose turns are dear.
const DEAR_BYTES: usize = 1_024;
/// The calls of a client whose certificate would not be accepted any more are answered within so long, or cut off.
const DISTRUSTED: Duration = Duration::from_secs(5);
/// Bytes that may wait to be sent on one call.
const SEND_BUFFER: usize = 128 * 1_024;

/// What the calls of one connection share.
#[derive(Debug)]
pub struct Connection {
    worker: Rc<Worker>,
    caller: Arc<Caller>,
    /// Whether each call must show who makes it, because the connection does not.
    needs_credentials: bool,
    last_token: LastToken,
    untaken: Untaken,
}

impl Connection {
    /// The worker that serves it.
    pub fn worker(&self) -> &Worker {
        &self.worker
    }

    /// The answers that its client has not taken.
    pub fn untaken(&self) -> &Untaken {
        &self.untaken
    }

    /// The answer, counted until it is sent.
    ///
    /// # Errors
    /// The server is overloaded: there is no room for it.
    pub fn hold(&self, answer: impl AsRef<[u8]> + Send + 'static) -> Result<Bytes, Refusal> {
        self.untaken.hold(&self.worker.unsent, answer)
    }

    /// Who is on the channel.
    pub fn caller(&self) -> &Arc<Caller> {
        &self.caller
    }

    /// Whether each call must show who makes it, because the connection does not.
    pub fn needs_credentials(&self) -> bool {
        self.needs_credentials
    }

    /// Whom the call with `headers` shows.
    ///
    /// # Errors
    /// What it shows is not accepted.
    pub fn shown(&self, headers: &HeaderMap) -> Result<Shown, Refusal> {
        shown::shown(headers, &self.worker.desk.identity, &self.last_token, &self.worker.tokens)
    }

    /// Verifies a token and remembers whom it is of.
    ///
    /// # Errors
    /// It is not accepted, too many are being verified, or the deadline passed.
    pub async fn verify(&self, token: HeaderValue, deadline: Option<Instant>) -> Result<Arc<Caller>, Refusal> {
        let identity = self.worker.desk.identity.clone();
        let value = token.clone();
        let verified = self.worker.plans.compute.run(deadline, move || shown::verify(&value, &identity)).await?;
        Ok(self.worker.tokens.remember(token, verified, &self.worker.desk.identity, &self.last_token))
    }
}

/// Serves `socket` until the client leaves, breaks the protocol, or the server drains and all calls are answered.
pub async fn serve(worker: Rc<Worker>, mut socket: Socket) {
    let limits = worker.connection_limits.clone();
    let caller = socket.caller(&worker.desk.identity);
    let needs_credentials = matches!(&socket, Socket::Tls(tls) if tls.needs_credentials);
    let mut expiry = std::pin::pin!(expired(caller.valid_until));
    let trusted = if let Socket::Tls(tls) = &mut socket { tls.trusted.take() } else { None };
    let mut distrust = std::pin::pin!(distrusted(trusted));
    let mut is_distrusted = false;
    let mut cut = std::pin::pin!(tokio::time::sleep(Duration::ZERO));
    let received = Rc::new(Cell::new(0));
    let mender = matches!(socket, Socket::Unix(_)).then(Mender::default);
    let io = TokioIo::new(Counted { socket, received: received.clone(), turn: Turn::default(), mender });
    let mut drained = worker.drained();
    let untaken = Untaken::default();
    let mut patience = Patience::new(untaken.clone(), limits.untaken);
    let last_token = LastToken::default();
    let calls = Calls::new(Rc::new(Connection { worker, caller, needs_credentials, last_token, untaken }));
    let arrived = Arrived::default();
    let mut serving = std::pin::pin!(http2(&limits, arrived.clone()).serve_connection(io, calls));

    let mut introduction = std::pin::pin!(tokio::time::sleep(limits.handshake));
    let mut introduced = false;
    let mut draining = false;
    let outcome = loop {
        tokio::select! {
            biased;
            outcome = std::future::poll_fn(|cx| {
                timer::at_one_time(|| {
                    let outcome = serving.as_mut().poll(cx);
                    arrived.run();
                    if outcome.is_pending() && patience.is_over() { Poll::Ready(None) } else { outcome.map(Some) }
                })
            }) => match outcome {
                Some(outcome) => break outcome,
                None => {
                    tracing::debug!("a client did not take its answers in time; connection closed");
                    return;
                }
            },
            () = &mut drained, if !draining => {
                draining = true;
                serving.as_mut().graceful_shutdown();
            }
            () = &mut expiry, if !draining => {
                tracing::debug!("a client's certificate has expired; the connection ends");
                draining = true;
                serving.as_mut().graceful_shutdown();
            }
            () = &mut distrust, if !is_distrusted => {
                is_distrusted = true;
                cut.as_mut().reset(tokio::time::Instant::now() + DISTRUSTED);
                if !std::mem::replace(&mut draining, true) {
                    serving.as_mut().graceful_shutdown();
                }
            }
            () = &mut cut, if is_distrusted => {
                tracing::debug!("the calls of a client that is not trusted any more are cut off");
                return;
            }
            () = &mut introduction, if !introduced => {
                introduced = true;
                if received.get() < INTRODUCTION_BYTES {
                    tracing::debug!("a client did not introduce itself as HTTP/2 in time; connection closed");
                    return;
                }
            }
        }
    };
    if let Err(error) = outcome {
        tracing::debug!(%error, "connection ended with an error");
    }
}

/// Ready once the client's certificate would not be accepted any more.
async fn distrusted(trusted: Option<Trusted>) {
    match trusted {
        Some(trusted) => trusted.lost().await,
        None => std::future::pending().await,
    }
}

/// Ready once `until` has passed.
async fn expired(until: Option<SystemTime>) {
    let Some(until) = until else { return std::future::pending().await };
    // In steps, because the clock of the day may be set.
    while let Ok(left) = until.duration_since(SystemTime::now()).map(|left| left.min(Duration::from_secs(60))) {
        tokio::time::sleep(left + Duration::from_millis(1)).await;
    }
}

fn http2(limits: &ConnectionLimits, arrived: Arrived) -> hyper::server::conn::http2::Builder<Arrived> {
    let mut builder = hyper::server::conn::http2::Builder::new(arrived);
    builder
        .timer(ConnectionTimer::default())
        .auto_date_header(false)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .max_concurrent_streams(limits.streams_per_connection)
        .max_header_list_size(limits.header_list_bytes)
        .max_pending_accept_reset_streams(limits.pending_reset_streams)
        .max_local_error_reset_streams(limits.error_reset_streams)
        .keep_alive_interval(non_zero(limits.keep_alive_interval))
        .keep_alive_timeout(limits.keep_alive_timeout);
    builder
}

fn non_zero(duration: Duration) -> Option<Duration> {
    (!duration.is_zero()).then_some(duration)
}

/// The calls that have been accepted and not been looked at.
///
/// Calls are not made into tasks right away, nor run while others are being accepted: HTTP/2 sends what is to be sent
/// each time that it accepts, and each answer would be written to the socket by itself. Instead, all calls that one read
/// brought are accepted first, then run one after the other, which usually finishes them because their messages came with
/// them, and their answers are written together. Only a call that has to wait becomes a task.
#[derive(Clone, Default)]
struct Arrived {
    calls: Rc<RefCell<Vec<AcceptedCall>>>,
}

type AcceptedCall = Pin<Box<dyn Future<Output = ()>>>;

impl Arrived {
    /// Runs the calls. Each answer that is ready wakes the connection, which then sends it.
    fn run(&self) {
        let Ok(mut calls) = self.calls.try_borrow_mut() else { return };
        for mut call in calls.drain(..) {
            // Without a waker: a call that has to wait is polled again by its task, and is woken from then on.
            if call.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending() {
                tokio::task::spawn_local(call);
            }
        }
    }
}

impl<F> Executor<F> for Arrived
where
    F: Future<Output = ()> + 'static,
{
    fn execute(&self, call: F) {
        match self.calls.try_borrow_mut() {
            Ok(mut calls) => calls.push(Box::pin(call)),
            // A call that starts another, which those of this server do not.
            Err(_) => {
                tokio::task::spawn_local(call);
            }
        }
    }
}

/// A connected socket of either kind.
#[derive(Debug)]
pub enum Socket {
    /// TCP.
    Tcp(TcpStream),
    /// A Unix socket.
    Unix(UnixStream),
    /// TLS over TCP.
    Tls(Box<TlsSocket>),
}

impl Socket {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Tls(tls) => Pin::new(&mut tls.stream).poll_read(cx, buffer),
            Self::Unix(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }

    /// Who is on the other end: the user of a Unix peer as the kernel knows it, whom a certificate shows; over plain TCP
    /// nobody is known.
    fn caller(&self, identity: &Identity) -> Arc<Caller> {
        match self {
            Self::Tcp(_) => identity.anonymous(),
            Self::Tls(tls) => tls.caller.clone(),
            Self::Unix(stream) => match stream.peer_cred() {
                Ok(peer) => identity.unix_peer(peer.uid()),
                Err(_) => identity.anonymous(),
            },
        }
    }
}

/// One turn of a connection on its worker.
#[derive(Debug, Default)]
struct Turn {
    /// When it began; also tells one from the other.
    began: Option<Instant>,
    /// What had been received by then.
    received: usize,
    /// Whether the one before was ended although it had brought little.
    is_dear: bool,
    /// Whether this one was.
    was_dear: bool,
}

impl Turn {
    /// Whether the others should have their turn, where `received` bytes have been received so far.
    fn is_over(&mut self, received: usize) -> bool {
        let now = timer::held();
        if self.began != now {
            (self.began, self.received) = (now, received);
            self.is_dear = std::mem::take(&mut self.was_dear);
            return false;
        }
        let read = received.saturating_sub(self.received);
        let is_over = (self.is_dear || read >= UNTIMED_BYTES) && now.is_some_and(|began| began.elapsed() >= TURN);
        self.was_dear = is_over && read < CHEAP_BYTES;
        is_over
    }
}

/// A socket that counts what it receives, and mends it where it is a Unix socket.
#[derive(Debug)]
struct Counted {
    socket: Socket,
    received: Rc<Cell<usize>>,
    turn: Turn,
    mender: Option<Mender>,
}

impl AsyncRead for Counted {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let received = self.received.get();
        if self.turn.is_over(received) {
            // Polled again once the others of the worker, and its sockets, have been looked at.
            let _ = std::pin::pin!(tokio::task::yield_now()).poll(cx);
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        let outcome = if self.turn.is_dear {
            let mut bytes = [0; DEAR_BYTES];
            let room = buffer.remaining().min(DEAR_BYTES);
            let mut part = ReadBuf::new(bytes.get_mut(..room).unwrap_or_default());
            let outcome = self.socket.poll_read(cx, &mut part);
            buffer.put_slice(part.filled());
            outcome
        } else {
            self.socket.poll_read(cx, buffer)
        };
        let more = buffer.filled().len().saturating_sub(before);
        self.received.set(received.saturating_add(more));
        if let Some(mender) = &mut self.mender {
            mender.mend(buffer.filled_mut().get_mut(before..).unwrap_or_default());
        }
        outcome
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.socket {
            Socket::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
            Socket::Tls(tls) => Pin::new(&mut tls.stream).poll_write(cx, bytes),
            Socket::Unix(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.socket {
            Socket::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Socket::Tls(tls) => Pin::new(&mut tls.stream).poll_flush(cx),
            Socket::Unix(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.socket {
            Socket::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Socket::Tls(tls) => Pin::new(&mut tls.stream).poll_shutdown(cx),
            Socket::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }

    /// Where slices can be written together, the HTTP/2 library writes each answer above 256 bytes by a system call of its
    /// own. Where they cannot, answers up to 1 KiB are copied into its buffer and written together, which costs less.
    fn is_write_vectored(&self) -> bool {
        false
    }
}
