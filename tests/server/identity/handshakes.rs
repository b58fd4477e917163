//! Listening beyond this machine, and clients that take their time.

use std::sync::Arc;

use lictor::api::proto::v1::decision_service_client::DecisionServiceClient;
use lictor::api::{Listeners, ServerError, ServerOptions};
use lictor::identity::{Identity, IdentityOptions, TlsFiles};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::runtime::Handle;

use super::credentials::{Authority, TokenKey, connect, write_keys, write_tls};
use crate::harness::{Running, identity, question};

#[tokio::test]
async fn other_machines_are_listened_to_only_where_callers_prove_who_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new("all");
    let bind = |tls: Option<TlsFiles>| {
        let tcp = Some("0.0.0.0:0".parse().unwrap());
        let options = ServerOptions { tcp, tls: tls.map(Arc::new), ..ServerOptions::default() };
        Listeners::bind(&options, &Handle::current()).map(drop)
    };
    let open = |client_ca: Option<&Authority>, tokens: bool| {
        TlsFiles::open(write_tls(folder.path(), &authority.server(), client_ca), tokens).unwrap()
    };
    let error = bind(None).unwrap_err();
    assert!(matches!(error, ServerError::NotLoopback { .. }), "{error}");
    assert!(error.to_string().contains("listen.tls"), "{error}");
    let error = bind(Some(open(None, false))).unwrap_err();
    assert!(matches!(error, ServerError::NobodyKnown { .. }), "{error}");
    assert!(error.to_string().contains("clientCa") && error.to_string().contains("identity.jwt"), "{error}");
    bind(Some(open(Some(&authority), false))).unwrap();
    bind(Some(open(None, true))).unwrap();
}

#[tokio::test]
async fn slow_handshakes_delay_nobody_and_are_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new("all");
    let tls = write_tls(folder.path(), &authority.server(), Some(&authority));
    let tls = Arc::new(TlsFiles::open(tls, false).unwrap());
    let running = Running::start_as(identity(), |options| {
        options.tls = Some(tls.clone());
        options.connections.handshakes = 8;
        options.connections.handshake = std::time::Duration::from_secs(60);
    });
    let address = running.server.tcp_address().unwrap();
    let mut silent = Vec::new();
    for _ in 0..7 {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    let shown = authority.spiffe("spiffe://example.org/runtime");
    let mut client = DecisionServiceClient::new(connect(&running, &authority, Some(&shown)).await.unwrap());
    let mut itself = question("file.read");
    itself.subject.as_mut().unwrap().id = "spiffe://example.org/runtime".into();
    assert!(client.evaluate(itself.clone()).await.unwrap().into_inner().allowed);

    // One more takes the last turn; what comes then is closed at once.
    silent.push(TcpStream::connect(address).await.unwrap());
    let mut beyond = TcpStream::connect(address).await.unwrap();
    let closed = beyond.read(&mut [0; 1]).await;
    assert!(matches!(closed, Ok(0) | Err(_)), "{closed:?}");
    assert!(client.evaluate(itself.clone()).await.unwrap().into_inner().allowed, "open connections do not mind");
    // Whoever leaves gives its turn back.
    drop(silent);
    while connect(&running, &authority, Some(&shown)).await.is_err() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_handshake_that_takes_too_long_ends() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new("all");
    let key = TokenKey::new("k", 1);
    let mut options = IdentityOptions::default();
    options.jwt = Some(write_keys(folder.path(), &[&key]));
    let tls = TlsFiles::open(write_tls(folder.path(), &authority.server(), None), true).unwrap();
    let running = Running::start_as(Arc::new(Identity::new(options).unwrap()), |options| {
        options.tls = Some(Arc::new(tls));
        options.connections.handshake = std::time::Duration::from_millis(50);
    });
    let mut silent = TcpStream::connect(running.server.tcp_address().unwrap()).await.unwrap();
    // Ends once the server lets go.
    let closed = silent.read(&mut [0; 1]).await;
    assert!(matches!(closed, Ok(0) | Err(_)), "{closed:?}");
}
