//! The HTTP side: `/metrics`, `/healthz` and `/readyz`, for probes and scrapers, and the public keys of receipts at
//! `/.well-known/jwks.json`; on the control runtime.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;

use super::accept::BACK_OFF;
use super::admission::{Admission, Permit};
use super::drain::{Drain, Phase};
use super::health::Readiness;
use super::listeners::HttpListener;
use crate::receipt::Issuer;
use crate::reload::StatusReader;
use crate::telemetry::Telemetry;

/// Most connections; probes and scrapers need few.
const CONNECTIONS: usize = 64;
/// Time within which a request's headers must have arrived, the next request's on a kept connection included.
const HEADERS: Duration = Duration::from_secs(10);
/// Bytes that a connection's headers may take.
const BUFFER_BYTES: usize = 16 * 1_024;

/// A running HTTP side. Stops when dropped.
#[derive(Debug)]
pub struct HttpServer {
    address: SocketAddr,
    phase: tokio::sync::watch::Sender<Phase>,
    acceptor: tokio::task::JoinHandle<()>,
}

#[derive(Debug, Clone)]
struct Shared {
    readiness: Readiness,
    reload: StatusReader,
    telemetry: Arc<Telemetry>,
    issuer: Option<Arc<Issuer>>,
    dev: bool,
}

impl HttpServer {
    /// Answers on the runtime `control`. With `dev`, `/readyz` says that callers are believed who they say they are.
    #[must_use]
    pub fn start(
        listener: HttpListener,
        readiness: Readiness,
        reload: StatusReader,
        telemetry: Arc<Telemetry>,
        issuer: Option<Arc<Issuer>>,
        dev: bool,
        control: &Handle,
    ) -> Self {
        let (phase, drain) = Drain::new();
        let router = Router::new()
            .route("/healthz", get(|| async { "ok\n" }))
            .route("/readyz", get(ready))
            .route("/metrics", get(metrics))
            .route("/.well-known/jwks.json", get(jwks))
            .with_state(Shared { readiness, reload, telemetry, issuer, dev });
        let acceptor = control.spawn(accept(listener.listener, router, drain));
        Self { address: listener.address, phase, acceptor }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops accepting and closes connections once their current request is answered.
    pub async fn shutdown(mut self) {
        self.phase.send_replace(Phase::Draining);
        // An error means that the task has ended already.
        let _ = (&mut self.acceptor).await;
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.phase.send_replace(Phase::Stopping);
    }
}

async fn accept(listener: TcpListener, router: Router, drain: Drain) {
    let admission = Admission::new(CONNECTIONS);
    let mut drained = drain.drained();
    loop {
        let accepted = tokio::select! {
            () = &mut drained => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                if let Some(permit) = admission.enter() {
                    tokio::spawn(serve(stream, router.clone(), drain.clone(), permit));
                }
            }
            Err(error) => {
                if !matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) {
                    tracing::warn!(%error, "no HTTP connection could be accepted; trying again");
                    tokio::time::sleep(BACK_OFF).await;
                }
            }
        }
    }
}

async fn serve(stream: TcpStream, router: Router, drain: Drain, _permit: Permit) {
    let mut drained = drain.drained();
    let service = TowerToHyperService::new(router);
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS)
        .max_buf_size(BUFFER_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let outcome = tokio::select! {
        outcome = connection.as_mut() => outcome,
        () = &mut drained => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = outcome {
        tracing::debug!(%error, "an HTTP connection ended with an error");
    }
}

async fn metrics(State(shared): State<Shared>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], shared.telemetry.render())
}

/// How long a reader may rely on the keys before it asks again.
const KEYS_FRESH: &str = "public, max-age=60";

/// The public keys; an empty set where nothing signs.
async fn jwks(State(shared): State<Shared>) -> impl IntoResponse {
    let keys = shared.issuer.map_or_else(|| serde_json::json!({"keys": []}), |issuer| issuer.jwks());
    ([(header::CONTENT_TYPE, "application/jwk-set+json"), (header::CACHE_CONTROL, KEYS_FRESH)], keys.to_string())
}

/// What `/readyz` says, as JSON.
#[derive(Debug, serde::Serialize)]
struct Ready<'a> {
    ready: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    /// Why the documents on disk are not the live ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    reload_failed: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    snapshot: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<u64>,
    /// Whether callers are believed who they say they are.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    dev: bool,
}

async fn ready(State(shared): State<Shared>) -> Result<Response, Infallible> {
    let checked = shared.readiness.check();
    let reload = shared.reload.status();
    let reload_failed = reload.failure.as_ref().map(|failure| failure.refusal.message.as_str());
    let dev = shared.dev;
    let (status, body) = match &checked {
        Ok(label) => {
            let (digest, revision) = (Some(label.digest.as_str()), Some(label.revision));
            (StatusCode::OK, Ready { ready: true, reason: None, reload_failed, snapshot: digest, revision, dev })
        }
        Err(reason) => {
            let body = Ready { ready: false, reason: Some(reason), reload_failed, snapshot: None, revision: None, dev };
            (StatusCode::SERVICE_UNAVAILABLE, body)
        }
    };
    // Strings and numbers always have a JSON form.
    let mut text = serde_json::to_string(&body).unwrap_or_default();
    text.push('\n');
    Ok((status, [(header::CONTENT_TYPE, "application/json")], text).into_response())
}
