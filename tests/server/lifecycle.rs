//! Starting beside others, and stopping.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::time::Duration;

use lictor::api::proto::v1::EvaluateStreamRequest;
use lictor::api::{Listeners, Server, ServerError, ServerOptions, State};
use lictor::event::{EventLog, EventOptions};
use prost::Message;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::Code;

use crate::harness::{Running, identity, question, reason};
use crate::raw::{Raw, framed, grpc};

/// Starts without policies; the event log goes away at once, which recorders survive.
fn start(options: &ServerOptions) -> Result<Server, Box<ServerError>> {
    let folder = tempfile::tempdir().unwrap();
    let events = EventLog::open(EventOptions::new(folder.path())).unwrap();
    let state = State {
        holder: Arc::default(),
        recorders: vec![events.recorder(0)],
        telemetry: Arc::default(),
        issuer: None,
        identity: identity(),
        approvals: None,
    };
    let listeners = Listeners::bind(options, &Handle::current())?;
    Ok(Server::start(listeners, options, state, &Handle::current())?)
}

#[tokio::test]
async fn a_stale_socket_is_replaced_and_removed_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lictor.sock");
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists(), "a listener leaves its file behind");
    let server = start(&ServerOptions { socket: Some(path.clone()), ..Default::default() }).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    tokio::net::UnixStream::connect(&path).await.unwrap();
    assert!(server.shutdown(Duration::from_secs(10)).await);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_socket_in_use_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lictor.sock");
    let options = ServerOptions { socket: Some(path.clone()), socket_mode: 0o660, ..Default::default() };
    let first = start(&options).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
    let error = start(&options).unwrap_err();
    assert!(matches!(*error, ServerError::SocketInUse { .. }), "{error}");
    assert!(error.to_string().contains("--socket"), "{error}");
    tokio::net::UnixStream::connect(&path).await.unwrap();
    assert!(first.shutdown(Duration::from_secs(10)).await);
}

#[tokio::test]
async fn a_socket_that_nobody_could_connect_to_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let used = folder.path().as_os_str().len() + 1;
    let of_length = |length: usize| ServerOptions {
        socket: Some(folder.path().join("s".repeat(length - used))),
        ..Default::default()
    };
    let error = start(&of_length(108)).unwrap_err();
    assert!(matches!(*error, ServerError::SocketPathTooLong { .. }), "{error}");
    assert!(error.to_string().contains("107"), "{error}");
    let deep = folder.path().join("d".repeat(95 - used));
    std::fs::create_dir(&deep).unwrap();
    let error = start(&ServerOptions { socket: Some(deep.join("s")), ..Default::default() }).unwrap_err();
    assert!(matches!(*error, ServerError::SocketPathTooLong { .. }), "{error}");

    let longest = of_length(107);
    let server = start(&longest).unwrap();
    tokio::net::UnixStream::connect(longest.socket.as_ref().unwrap()).await.unwrap();
    assert!(server.shutdown(Duration::from_secs(10)).await);
}

#[tokio::test]
async fn only_a_socket_is_ever_replaced_or_removed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lictor.sock");
    std::fs::write(&path, "precious").unwrap();
    let options = ServerOptions { socket: Some(path.clone()), ..Default::default() };
    let error = start(&options).unwrap_err();
    assert!(matches!(*error, ServerError::NotASocket { .. }), "{error}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");

    // What has taken the place of the socket meanwhile is not the server's to remove.
    std::fs::remove_file(&path).unwrap();
    let server = start(&options).unwrap();
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, "precious").unwrap();
    assert!(server.shutdown(Duration::from_secs(10)).await);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
}

#[tokio::test]
async fn a_port_in_use_is_named_with_the_remedy() {
    let running = Running::start(|_| {});
    let error = start(&ServerOptions { tcp: running.server.tcp_address(), ..Default::default() }).unwrap_err();
    assert!(matches!(*error, ServerError::AddressInUse { .. }), "{error}");
    assert!(error.to_string().contains("--listen"), "{error}");
}

#[tokio::test]
async fn there_must_be_somewhere_to_listen_that_only_this_machine_reaches() {
    let error = start(&ServerOptions::default()).unwrap_err();
    assert!(matches!(*error, ServerError::NowhereToListen), "{error}");
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:50151"] {
        let error = start(&ServerOptions { tcp: Some(address.parse().unwrap()), ..Default::default() }).unwrap_err();
        assert!(matches!(*error, ServerError::NotLoopback { .. }), "{error}");
    }
}

#[tokio::test]
async fn draining_answers_what_was_asked_and_ends_streams() {
    let running = Running::start(|_| {});
    let mut client = running.client().await;
    let (requests, stream) = mpsc::unbounded_channel();
    let mut answers = client.evaluate_stream(UnboundedReceiverStream::new(stream)).await.unwrap().into_inner();
    requests.send(EvaluateStreamRequest { request: Some(question("file.read")) }).unwrap();
    assert!(answers.next().await.unwrap().is_ok());
    // A unary call whose message is still on its way.
    let mut raw = Raw::connect(running.server.tcp_address().unwrap()).await;
    let message = framed(&question("file.read").encode_to_vec());
    let (body, unary) = raw.open(grpc("Evaluate"));
    body.send(message[..7].to_vec().into()).unwrap();
    while running.server.calls_in_flight() < 2 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }

    let (readiness, address) = (running.server.readiness(), running.server.tcp_address().unwrap());
    let stopping = tokio::spawn(running.stop());
    while readiness.check().is_ok() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    body.send(message[7..].to_vec().into()).unwrap();
    drop(body);
    assert_eq!(unary.await.grpc_status().code(), Code::Ok);
    let ended = answers.next().await.unwrap().unwrap_err();
    assert_eq!((ended.code(), reason(ended.details()).0.as_str()), (Code::Unavailable, "SHUTTING_DOWN"));
    assert!(stopping.await.unwrap(), "everything was answered in time");
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn the_grace_period_ends() {
    let running = Running::start(|_| {});
    let mut raw = Raw::connect(running.server.tcp_address().unwrap()).await;
    let (_body, _answer) = raw.open(grpc("Evaluate"));
    while running.server.calls_in_flight() == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(!running.server.shutdown(Duration::from_millis(50)).await);
}
