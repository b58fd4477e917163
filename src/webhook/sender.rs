//! One attempt: look up, check, connect, sign, send, read the status.

use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::{Request, header};
use hyper::body::Body as _;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;

use super::error::AttemptError;
use super::keys::Keys;
use super::resolve::{Resolve, SystemResolver, addresses};
use super::sign::{self, Signatures};
use super::tls;
use crate::model::Timestamp;
use crate::policy::{EndpointUrl, UrlHost, WebhookEndpoint};

/// How long one of several addresses may take to answer, so that a dead one leaves time for the next.
const CONNECT: Duration = Duration::from_secs(3);

/// Most that is read of an answer's head, in bytes.
const MAX_HEAD_BYTES: usize = 16 << 10;

/// Most headers of an answer.
const MAX_HEADERS: usize = 100;

/// Most that is read of an answer's body, in bytes. It is not looked at; a receiver may want to get rid of it.
const MAX_BODY_BYTES: usize = 64 << 10;

/// How long is waited for the body of an answer, whose status is known already.
const BODY: Duration = Duration::from_secs(1);

/// A message, ready to be sent.
#[derive(Debug, Clone, Copy)]
pub struct Message<'m> {
    /// Stays the same over all attempts.
    pub id: &'m str,
    /// Its JSON.
    pub body: &'m [u8],
}

/// Sends messages to endpoints.
pub struct Sender {
    resolver: Box<dyn Resolve>,
}

impl Default for Sender {
    fn default() -> Self {
        Self::with_resolver(Box::new(SystemResolver))
    }
}

impl Sender {
    /// A sender that looks names up with `resolver`.
    #[must_use]
    pub fn with_resolver(resolver: Box<dyn Resolve>) -> Self {
        Self { resolver }
    }

    /// Tries once to deliver `message`, as of `now`. Gives the status, which is 2xx.
    ///
    /// # Errors
    /// Everything else that came of it.
    pub async fn send(
        &self,
        endpoint: &Arc<WebhookEndpoint>,
        message: Message<'_>,
        now: Timestamp,
    ) -> Result<u16, AttemptError> {
        let seconds = endpoint.timeout_seconds;
        let mut phase = "while reading its keys";
        let until = Instant::now() + Duration::from_secs(u64::from(seconds));
        let attempt = self.attempt(endpoint, message, now, until, &mut phase);
        let result = timeout_at(until, attempt).await;
        result.unwrap_or(Err(AttemptError::Timeout { seconds, phase }))
    }

    async fn attempt(
        &self,
        endpoint: &Arc<WebhookEndpoint>,
        message: Message<'_>,
        now: Timestamp,
        until: Instant,
        phase: &mut &'static str,
    ) -> Result<u16, AttemptError> {
        let url = &endpoint.url;
        let (keys, tls) = on_files(endpoint, |endpoint| {
            let keys = Keys::read(endpoint)?;
            let tls = endpoint.url.is_https.then(|| tls::client_config(endpoint.ca_file.as_deref())).transpose()?;
            Ok((keys, tls))
        })
        .await?;
        let signatures = sign::sign(&keys, message.id, now.as_micros().div_euclid(1_000_000), message.body);
        let request = request(url, message, signatures)?;
        *phase = "while looking up its name";
        let addresses = addresses(self.resolver.as_ref(), url, endpoint.allow_private).await?;
        *phase = "while connecting";
        let stream = connect(url, &addresses).await?;
        let status = if let Some(tls) = tls {
            *phase = "while securing the connection";
            let stream = secure(url, tls, stream).await?;
            *phase = "while waiting for the answer";
            exchange(stream, request, until).await?
        } else {
            *phase = "while waiting for the answer";
            exchange(stream, request, until).await?
        };
        match status {
            200..=299 => Ok(status),
            300..=399 => Err(AttemptError::Redirect(status)),
            410 => Err(AttemptError::Gone),
            status => Err(AttemptError::Status(status)),
        }
    }
}

/// Runs `read`, which reads files, where a file that hangs holds nobody up.
async fn on_files<T: Send + 'static>(
    endpoint: &Arc<WebhookEndpoint>,
    read: impl FnOnce(&WebhookEndpoint) -> Result<T, AttemptError> + Send + 'static,
) -> Result<T, AttemptError> {
    let endpoint = endpoint.clone();
    let reading = tokio::task::spawn_blocking(move || read(&endpoint));
    reading.await.unwrap_or_else(|error| Err(AttemptError::Http(error.to_string())))
}

fn request(url: &EndpointUrl, message: Message<'_>, signatures: Signatures) -> Result<Request<Body>, AttemptError> {
    Request::post(url.target().as_str())
        .header(header::HOST, url.authority())
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::USER_AGENT, concat!("lictor/", env!("CARGO_PKG_VERSION")))
        .header(header::CONNECTION, "close")
        .header(sign::BODY_SIGNATURE, signatures.body)
        .header(sign::KEY_VERSION, signatures.key_version)
        .header(sign::ID, message.id)
        .header(sign::TIMESTAMP, signatures.timestamp)
        .header(sign::SIGNATURE, signatures.standard)
        .body(Body::from(message.body.to_vec()))
        .map_err(|error| AttemptError::Http(error.to_string()))
}

/// Connects to the first address that answers.
async fn connect(url: &EndpointUrl, addresses: &[SocketAddr]) -> Result<TcpStream, AttemptError> {
    let mut last = io::Error::other("the name has no address");
    for address in addresses {
        let attempt = TcpStream::connect(address);
        // The only one may take all the time there is.
        let result = if addresses.len() == 1 {
            attempt.await
        } else {
            timeout(CONNECT, attempt).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
        };
        match result {
            Ok(stream) => {
                // Only costs time where it fails.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(AttemptError::Connect { host: url.authority().to_owned(), source: last })
}

/// Has the receiver prove that it is the host of the URL.
async fn secure(
    url: &EndpointUrl,
    config: Arc<ClientConfig>,
    stream: TcpStream,
) -> Result<impl AsyncRead + AsyncWrite + Unpin + Send + 'static, AttemptError> {
    let failed = |reason: String| AttemptError::Tls { host: url.authority().to_owned(), reason };
    let name = match &url.host {
        UrlHost::Address(address) => ServerName::from(*address),
        UrlHost::Name(name) => ServerName::try_from(name.to_string()).map_err(|error| failed(error.to_string()))?,
    };
    let connector = TlsConnector::from(config);
    connector.connect(name, stream).await.map_err(|error| failed(error.to_string()))
}

/// Sends the request and gives the status of the answer.
async fn exchange<S>(stream: S, request: Request<Body>, until: Instant) -> Result<u16, AttemptError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let failed = |error: hyper::Error| AttemptError::Http(in_words(&error));
    let mut client = http1::Builder::new();
    client.max_buf_size(MAX_HEAD_BYTES).max_headers(MAX_HEADERS);
    let (mut sender, connection) = client.handshake(TokioIo::new(stream)).await.map_err(failed)?;
    // Ends with this attempt, however that ends.
    let mut driver = JoinSet::new();
    driver.spawn(async move { drop(connection.await) });
    let response = sender.send_request(request).await.map_err(failed)?;
    let status = response.status().as_u16();
    let read = timeout_at(until.min(Instant::now() + BODY), pass_over(response.into_body()));
    // The status says it all.
    drop(read.await);
    Ok(status)
}

/// Reads a body to its end, or to as much as anybody would need to say.
async fn pass_over(body: hyper::body::Incoming) {
    let mut body = pin!(body);
    let mut read = 0;
    while read <= MAX_BODY_BYTES {
        match std::future::poll_fn(|context| Pin::as_mut(&mut body).poll_frame(context)).await {
            Some(Ok(frame)) => read += frame.data_ref().map_or(0, |data| data.len()),
            Some(Err(_)) | None => return,
        }
    }
}

/// What went wrong, with its cause.
fn in_words(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// What a document may say can be sent, to that host and path and no other.
        #[test]
        fn every_url_of_a_document_makes_a_request(
            host in "[a-z][a-z0-9-]{0,8}[a-z0-9](\\.[a-z]{2,5})?|10\\.0\\.0\\.7|\\[::1\\]",
            port in prop::option::of(1_u16..),
            target in "(/[ -~]{0,20})?(\\?[ -~]{0,20})?",
        ) {
            let authority = port.map_or(host.clone(), |port| format!("{host}:{port}"));
            let Ok(url) = EndpointUrl::parse(&format!("https://{authority}{target}")) else { return Ok(()) };
            let signatures = Signatures {
                body: "sha256=00".to_owned(),
                key_version: "v1".to_owned(),
                timestamp: "0".to_owned(),
                standard: "v1,AA==".to_owned(),
            };
            let request = request(&url, Message { id: "m-1", body: b"{}" }, signatures).unwrap();
            prop_assert_eq!(request.headers()[header::HOST].as_bytes(), authority.as_bytes());
            prop_assert_eq!(request.uri().authority(), None);
            let slash = if target.starts_with('/') { "" } else { "/" };
            prop_assert_eq!(request.uri().to_string(), format!("{slash}{target}"));
        }
    }
}
