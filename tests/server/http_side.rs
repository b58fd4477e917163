//! Metrics, health and readiness over HTTP.

use std::net::SocketAddr;

use lictor::api::{HttpListener, HttpServer};
use lictor::reload::StatusReader;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::Handle;

use crate::harness::{POLICIES, Running, question};

async fn get(address: SocketAddr, path: &str) -> (String, String) {
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: lictor\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.lines().next().unwrap().to_owned(), body.to_owned())
}

#[tokio::test]
async fn tells_life_readiness_and_figures() {
    let running = Running::start_empty(|_| {});
    let loopback = "127.0.0.1:0".parse().unwrap();
    let http = HttpServer::start(
        HttpListener::bind(loopback, &Handle::current()).unwrap(),
        running.server.readiness(),
        StatusReader::default(),
        running.telemetry.clone(),
        Some(running.issuer.clone()),
        false,
        &Handle::current(),
    );
    let address = http.address();
    assert_eq!(get(address, "/healthz").await, ("HTTP/1.1 200 OK".into(), "ok\n".into()));
    let (status, body) = get(address, "/readyz").await;
    assert_eq!(status, "HTTP/1.1 503 Service Unavailable");
    assert!(body.contains("no policy snapshot is live yet"), "{body}");

    let digest = running.publish(POLICIES, 7);
    let (status, body) = get(address, "/readyz").await;
    assert_eq!(status, "HTTP/1.1 200 OK");
    let ready: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(ready, serde_json::json!({"ready": true, "snapshot": digest, "revision": 7}));

    let mut client = running.client().await;
    client.evaluate(question("file.read")).await.unwrap();
    let (status, body) = get(address, "/metrics").await;
    assert_eq!(status, "HTTP/1.1 200 OK");
    for line in [
        "lictor_decisions_total{decision=\"allow\",effect=\"allow\",reason_code=\"POLICY\"} 1",
        "lictor_evaluate_duration_seconds_count 1",
        "lictor_connections 1",
    ] {
        assert!(body.lines().any(|found| found == line), "{line} is not in\n{body}");
    }
    let (status, body) = get(address, "/.well-known/jwks.json").await;
    assert_eq!(status, "HTTP/1.1 200 OK");
    let keys: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(keys, running.issuer.jwks());
    assert_eq!(keys["keys"][0]["kid"], *running.issuer.key_id());
    assert!(!body.contains("\"d\""), "the private part stays where it is: {body}");

    drop(client);
    assert_eq!(get(address, "/other").await.0, "HTTP/1.1 404 Not Found");

    // While the server drains the process is alive and not ready.
    assert!(running.stop().await);
    assert_eq!(get(address, "/healthz").await.0, "HTTP/1.1 200 OK");
    assert_eq!(get(address, "/readyz").await.0, "HTTP/1.1 503 Service Unavailable");
    http.shutdown().await;
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn readiness_tells_that_callers_are_believed() {
    let running = Running::start(|_| {});
    let http = HttpServer::start(
        HttpListener::bind("127.0.0.1:0".parse().unwrap(), &Handle::current()).unwrap(),
        running.server.readiness(),
        StatusReader::default(),
        running.telemetry.clone(),
        None,
        true,
        &Handle::current(),
    );
    let (_, body) = get(http.address(), "/readyz").await;
    let ready: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!((&ready["ready"], &ready["dev"]), (&true.into(), &true.into()));
    http.shutdown().await;
}
