//! A receiver on this machine that answers as it is told, and keeps what it got.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// How long anything that must happen may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// How a receiver answers.
#[derive(Debug, Clone)]
pub enum Answer {
    /// With these bytes, then hangs up.
    Bytes(Vec<u8>),
    /// With a head and a body that never end.
    Endless { head: &'static str },
    /// Never.
    Hang,
}

impl Answer {
    pub fn status(status: u16) -> Self {
        Self::Bytes(format!("HTTP/1.1 {status} Told\r\ncontent-length: 2\r\n\r\nok").into_bytes())
    }

    pub fn redirect(status: u16, to: &str) -> Self {
        Self::Bytes(format!("HTTP/1.1 {status} Told\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n").into_bytes())
    }
}

/// A request, as it arrived.
#[derive(Debug, Clone)]
pub struct Got {
    pub line: String,
    pub headers: HashMap<String, String>,
    pub body: Vec<u8>,
}

impl Got {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(String::as_str).unwrap_or_else(|| panic!("no {name} in {:?}", self.headers))
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

#[derive(Debug)]
struct State {
    got: Mutex<Vec<Got>>,
    answer: Mutex<Answer>,
    connections: AtomicUsize,
}

/// A receiver that runs until it is dropped.
pub struct Receiver {
    pub port: u16,
    state: Arc<State>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Receiver {
    pub async fn start(answer: Answer) -> Self {
        Self::listen(answer, None).await
    }

    /// With a certificate for `name`, signed by the authority whose certificate (PEM) comes back.
    pub async fn start_tls(answer: Answer, name: &str) -> (Self, String) {
        let authority_key = rcgen::KeyPair::generate().unwrap();
        let mut authority = rcgen::CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let authority_certificate = authority.self_signed(&authority_key).unwrap();
        let issuer = rcgen::Issuer::from_params(&authority, &authority_key);
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate =
            rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
            .unwrap();
        let receiver = Self::listen(answer, Some(TlsAcceptor::from(Arc::new(config)))).await;
        (receiver, authority_certificate.pem())
    }

    async fn listen(answer: Answer, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state =
            Arc::new(State { got: Mutex::default(), answer: Mutex::new(answer), connections: AtomicUsize::new(0) });
        let task = tokio::spawn(accept(listener, tls, state.clone()));
        Self { port, state, task }
    }

    pub fn answer(&self, answer: Answer) {
        *self.state.answer.lock().unwrap() = answer;
    }

    pub fn got(&self) -> Vec<Got> {
        self.state.got.lock().unwrap().clone()
    }

    pub fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }

    /// Waits until it has got `count` requests, and gives them.
    pub async fn wait_for(&self, count: usize) -> Vec<Got> {
        eventually("requests at the receiver", async || self.got().len() >= count).await;
        self.got()
    }
}

/// Waits until `holds`.
pub async fn eventually(what: &str, holds: impl AsyncFn() -> bool) {
    let waiting = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, waiting).await.is_ok(), "waited in vain for {what}");
}

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, state: Arc<State>) {
    let mut open = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        state.connections.fetch_add(1, Ordering::SeqCst);
        let (tls, state) = (tls.clone(), state.clone());
        open.spawn(async move {
            match tls {
                None => serve(stream, &state).await,
                // A client that does not trust us hangs up in the middle.
                Some(tls) => match tls.accept(stream).await {
                    Ok(stream) => serve(stream, &state).await,
                    Err(_) => None,
                },
            }
        });
    }
}

async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, state: &State) -> Option<()> {
    let mut bytes = Vec::new();
    let end = loop {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let mut lines = head.lines();
    let line = lines.next()?.to_owned();
    let headers: HashMap<String, String> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length: usize = headers["content-length"].parse().unwrap();
    while bytes.len() < end + 4 + length {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    state.got.lock().unwrap().push(Got { line, headers, body: bytes[end + 4..].to_vec() });
    let answer = state.answer.lock().unwrap().clone();
    match answer {
        Answer::Bytes(bytes) => {
            stream.write_all(&bytes).await.ok()?;
            stream.shutdown().await.ok()?;
        }
        Answer::Endless { head } => {
            stream.write_all(head.as_bytes()).await.ok()?;
            loop {
                stream.write_all(&[b'x'; 1 << 14]).await.ok()?;
            }
        }
        Answer::Hang => std::future::pending().await,
    }
    Some(())
}
