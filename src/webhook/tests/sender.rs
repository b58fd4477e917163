//! One attempt, against receivers of every kind.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::house::{House, SECRET, after, approval, body_verifies, standard_verifies};
use super::receiver::{Answer, PATIENCE, Receiver};
use crate::model::{Timestamp, WebhookEvent};
use crate::policy::WebhookEndpoint;
use crate::webhook::{Addresses, AttemptError, Message, Resolve, Sender, payload, test_payload};

const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

async fn send(endpoint: &Arc<WebhookEndpoint>) -> Result<u16, AttemptError> {
    send_with(&Sender::default(), endpoint).await
}

async fn send_with(sender: &Sender, endpoint: &Arc<WebhookEndpoint>) -> Result<u16, AttemptError> {
    let message = Message { id: "m-1", body: br#"{"event":"webhook_test"}"# };
    tokio::time::timeout(PATIENCE, sender.send(endpoint, message, NOW)).await.expect("an attempt ends")
}

/// Answers with one list of addresses after the other, the last for ever.
struct Script {
    answers: Vec<Vec<SocketAddr>>,
    asked: Arc<AtomicUsize>,
}

impl Script {
    fn sender(answers: &[&[&str]], port: u16) -> (Sender, Arc<AtomicUsize>) {
        let address = |text: &&str| SocketAddr::new(text.parse().unwrap(), port);
        let answers = answers.iter().map(|answer| answer.iter().map(address).collect()).collect();
        let asked = Arc::<AtomicUsize>::default();
        (Sender::with_resolver(Box::new(Self { answers, asked: asked.clone() })), asked)
    }
}

impl Resolve for Script {
    fn resolve<'a>(&'a self, _: &'a str, _: u16) -> Addresses<'a> {
        let turn = self.asked.fetch_add(1, Ordering::SeqCst);
        let answer = self.answers.get(turn).or(self.answers.last()).cloned();
        Box::pin(async move { answer.ok_or_else(|| io::Error::other("nothing")) })
    }
}

#[tokio::test]
async fn every_event_arrives_signed_with_its_correlation_id() {
    let house = House::new();
    let receiver = Receiver::start(Answer::status(200)).await;
    let url = format!("http://127.0.0.1:{}/hook?team=finance", receiver.port);
    let endpoint = house.endpoint(&url, "allowPrivate: true");
    for event in WebhookEvent::ALL {
        let mut approval = approval("a-1");
        approval.status = after(event);
        let body = match event {
            WebhookEvent::Test => test_payload("corr-1", NOW),
            event => payload(event, &approval, "e-1", NOW),
        };
        let status = Sender::default().send(&endpoint, Message { id: "m-1", body: &body }, NOW).await;
        assert_eq!(status.unwrap(), 200);
        let got = receiver.got().pop().unwrap();
        assert_eq!(got.body, body);
        assert_eq!(got.line, "POST /hook?team=finance HTTP/1.1");
        assert_eq!(got.header("host"), format!("127.0.0.1:{}", receiver.port));
        assert_eq!(got.header("content-type"), "application/json");
        assert_eq!((got.header("webhook-id"), got.header("webhook-timestamp")), ("m-1", "1700000000"));
        assert_eq!(got.header("x-webhook-key-version"), "v1");
        assert!(body_verifies(&got, SECRET) && standard_verifies(&got, SECRET), "{event:?}");
        let json = got.json();
        assert_eq!(
            (json["correlation_id"].as_str(), json["event"].as_str()),
            (Some("corr-1"), Some(event.body_name()))
        );
        assert!(!String::from_utf8(got.body).unwrap().contains("IGNORE"), "free text of the agent");
    }
}

#[test]
fn bodies_have_the_members_of_the_predecessor() {
    let members = |event: WebhookEvent| {
        let mut approval = approval("a-1");
        approval.status = after(event);
        serde_json::from_slice::<serde_json::Value>(&payload(event, &approval, "e-1", NOW)).unwrap()
    };
    let created = members(WebhookEvent::Created);
    for (name, expected) in [
        ("event", "approval_request_created"),
        ("request_id", "a-1"),
        ("status", "pending"),
        ("expires_at", "1970-01-01T01:01:40.000000Z"),
        ("tenant_id", "acme"),
        ("event_type", "ir.approval_created"),
        ("occurred_at", "2023-11-14T22:13:20.000000Z"),
    ] {
        assert_eq!(created[name], expected, "{name}");
    }
    assert_eq!((created["required_level"].as_u64(), created["cost_cents"].as_u64()), (Some(4), Some(1_250)));
    for event in [WebhookEvent::Added, WebhookEvent::Approved] {
        let body = members(event);
        assert_eq!((body["approver_id"].as_str(), body["level"].as_u64()), (Some("jwt:idp#bob"), Some(4)));
    }
    assert_eq!(members(WebhookEvent::Rejected)["rejector_id"], "jwt:idp#cleo");
    assert_eq!(members(WebhookEvent::Escalated)["escalate_to"], "level-4");
    assert_eq!(members(WebhookEvent::Consumed)["status"], "consumed");
}

#[tokio::test]
async fn only_2xx_is_success() {
    let house = House::new();
    let receiver = Receiver::start(Answer::status(200)).await;
    let endpoint = house.endpoint(&format!("http://localhost:{}", receiver.port), "allowPrivate: true");
    for status in [200, 202, 204, 299] {
        receiver.answer(Answer::status(status));
        assert_eq!(send(&endpoint).await.unwrap(), status);
    }
    for status in [400, 401, 404, 429, 500, 503] {
        receiver.answer(Answer::status(status));
        let error = send(&endpoint).await.unwrap_err();
        assert_eq!((error.kind(), error.status(), error.is_final()), ("status", Some(status), false));
    }
    receiver.answer(Answer::status(410));
    let error = send(&endpoint).await.unwrap_err();
    assert_eq!((error.kind(), error.status(), error.is_final()), ("gone", Some(410), true));
    receiver.answer(Answer::Bytes(b"SSH-2.0-OpenSSH_9.9\r\n".to_vec()));
    assert_eq!(send(&endpoint).await.unwrap_err().kind(), "http");
    receiver.answer(Answer::Bytes(Vec::new()));
    assert_eq!(send(&endpoint).await.unwrap_err().kind(), "http");
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let house = House::new();
    let trap = Receiver::start(Answer::status(200)).await;
    let receiver = Receiver::start(Answer::status(200)).await;
    let endpoint = house.endpoint(&format!("http://127.0.0.1:{}", receiver.port), "allowPrivate: true");
    for status in [301, 302, 303, 307, 308] {
        for to in ["http://169.254.169.254/latest/meta-data".to_owned(), format!("http://127.0.0.1:{}/", trap.port)] {
            receiver.answer(Answer::redirect(status, &to));
            let error = send(&endpoint).await.unwrap_err();
            assert_eq!((error.kind(), error.status(), error.is_final()), ("redirect", Some(status), false));
        }
    }
    assert_eq!((receiver.got().len(), trap.connections()), (10, 0));
}

#[tokio::test]
async fn what_a_name_resolves_to_is_checked_at_every_attempt() {
    let house = House::new();
    let receiver = Receiver::start(Answer::status(200)).await;
    // As an attacker's name server would: harmless at first, then where the credentials are.
    let url = format!("http://rebinding.example:{}/", receiver.port);
    let endpoint = house.endpoint(&url, "allowPrivate: true");
    let (sender, asked) = Script::sender(&[&["127.0.0.1"], &["169.254.169.254"]], receiver.port);
    assert_eq!(send_with(&sender, &endpoint).await.unwrap(), 200);
    assert_eq!(asked.load(Ordering::SeqCst), 1, "what is connected to is what was checked");
    let error = send_with(&sender, &endpoint).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "`rebinding.example` is at 169.254.169.254, a link-local address, and nothing may be sent there"
    );
    assert_eq!(receiver.connections(), 1);
}

#[tokio::test]
async fn private_addresses_are_refused_unless_allowed() {
    let house = House::new();
    let receiver = Receiver::start(Answer::status(200)).await;
    let url = format!("http://receiver.example:{}/", receiver.port);
    let closed = house.endpoint(&url, "");
    let open = house.endpoint(&url, "allowPrivate: true");
    for private in ["127.0.0.1", "10.0.0.1", "100.64.0.1", "::1", "fd00::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1"] {
        let (sender, _) = Script::sender(&[&[private]], receiver.port);
        let error = send_with(&sender, &closed).await.unwrap_err();
        assert_eq!(error.kind(), "refused_address", "{private}");
        assert!(error.to_string().contains("allowPrivate: true"), "{error}");
        // One of several is enough, whichever comes first.
        for mixed in [["8.8.8.8", private], [private, "8.8.8.8"]] {
            let (sender, _) = Script::sender(&[&mixed], receiver.port);
            assert_eq!(send_with(&sender, &closed).await.unwrap_err().kind(), "refused_address", "{mixed:?}");
        }
    }
    for never in ["0.0.0.0", "169.254.169.254", "224.0.0.1", "::", "fe80::1", "ff02::1", "::ffff:169.254.169.254"] {
        let (sender, _) = Script::sender(&[&[never]], receiver.port);
        assert_eq!(send_with(&sender, &open).await.unwrap_err().kind(), "refused_address", "{never}");
    }
    assert_eq!(receiver.connections(), 0);
    let (sender, _) = Script::sender(&[&["127.0.0.1"]], receiver.port);
    assert_eq!(send_with(&sender, &open).await.unwrap(), 200);
    let (sender, _) = Script::sender(&[&[]], receiver.port);
    assert_eq!(send_with(&sender, &open).await.unwrap_err().kind(), "resolve");
}

#[tokio::test]
async fn a_receiver_proves_who_it_is() {
    let house = House::new();
    let (receiver, authority) = Receiver::start_tls(Answer::status(200), "hooks.acme.example").await;
    house.write("ca.pem", &authority);
    let url = |host: &str| format!("https://{host}:{}/", receiver.port);
    let (sender, _) = Script::sender(&[&["127.0.0.1"]], receiver.port);
    let trusting = house.endpoint(&url("hooks.acme.example"), "allowPrivate: true, caFile: FOLDER/ca.pem");
    assert_eq!(send_with(&sender, &trusting).await.unwrap(), 200);
    assert!(body_verifies(&receiver.got()[0], SECRET));

    let unknown = house.endpoint(&url("hooks.acme.example"), "allowPrivate: true");
    assert_eq!(send_with(&sender, &unknown).await.unwrap_err().kind(), "tls");
    let another = house.endpoint(&url("hooks.evil.example"), "allowPrivate: true, caFile: FOLDER/ca.pem");
    assert_eq!(send_with(&sender, &another).await.unwrap_err().kind(), "tls");
    let missing = house.endpoint(&url("hooks.acme.example"), "allowPrivate: true, caFile: FOLDER/none.pem");
    let error = send_with(&sender, &missing).await.unwrap_err();
    assert!(error.kind() == "certificates" && error.to_string().contains("none.pem"), "{error}");
    house.write("empty.pem", "nothing here");
    let empty = house.endpoint(&url("hooks.acme.example"), "allowPrivate: true, caFile: FOLDER/empty.pem");
    assert_eq!(send_with(&sender, &empty).await.unwrap_err().kind(), "certificates");
    let plain = Receiver::start(Answer::status(200)).await;
    let (sender, _) = Script::sender(&[&["127.0.0.1"]], plain.port);
    let endpoint =
        house.endpoint(&format!("https://hooks.acme.example:{}/", plain.port), "allowPrivate: true, timeoutSeconds: 1");
    assert!(matches!(send_with(&sender, &endpoint).await.unwrap_err().kind(), "tls" | "timeout"));
    assert_eq!(receiver.got().len(), 1);
}

#[tokio::test]
async fn an_answer_without_end_is_cut_off() {
    let house = House::new();
    let receiver = Receiver::start(Answer::status(200)).await;
    let endpoint = house.endpoint(&format!("http://127.0.0.1:{}", receiver.port), "allowPrivate: true");
    receiver.answer(Answer::Endless { head: "HTTP/1.1 200 OK\r\ntransfer-encoding: identity\r\n\r\n" });
    // Whether hyper takes that coding or not: it ends.
    drop(send(&endpoint).await);
    receiver.answer(Answer::Endless { head: "HTTP/1.1 200 OK\r\ncontent-length: 1000000000000000000\r\n\r\n" });
    assert_eq!(send(&endpoint).await.unwrap(), 200);
    receiver.answer(Answer::Endless { head: "HTTP/1.1 200 OK\r\nx-endless: " });
    assert_eq!(send(&endpoint).await.unwrap_err().kind(), "http");
}

#[tokio::test]
async fn a_receiver_that_never_answers_is_left() {
    let house = House::new();
    let receiver = Receiver::start(Answer::Hang).await;
    let endpoint =
        house.endpoint(&format!("http://127.0.0.1:{}", receiver.port), "allowPrivate: true, timeoutSeconds: 1");
    let error = send(&endpoint).await.unwrap_err();
    assert_eq!(error.to_string(), "no answer within 1 s, while waiting for the answer");
}

#[tokio::test]
async fn keys_are_rotated_without_a_restart() {
    let house = House::new();
    let receiver = Receiver::start(Answer::status(200)).await;
    let url = format!("http://127.0.0.1:{}", receiver.port);
    let (v1, v2) = (SECRET, "whsec_bmV3IGtleSBvZiB0aGUgcmVjZWl2ZXIgdjI=");
    house.write("v1", v1);
    house.write("v2", &format!("{v2}\n"));
    let with = |secrets: &str| house.endpoint(&url, &format!("allowPrivate: true, secrets: [{secrets}]"));
    let last = async |endpoint: &Arc<WebhookEndpoint>| {
        send(endpoint).await.unwrap();
        let got = receiver.got().pop().unwrap();
        let version = got.header("x-webhook-key-version").to_owned();
        (
            version,
            body_verifies(&got, v1),
            body_verifies(&got, v2),
            standard_verifies(&got, v1),
            standard_verifies(&got, v2),
        )
    };
    let old = with("{version: v1, file: FOLDER/v1}");
    assert_eq!(last(&old).await, ("v1".to_owned(), true, false, true, false));
    // Both receivers take it: those who know only v1, and those who choose by the version.
    let window = with("{version: v2, file: FOLDER/v2}, {version: v1, file: FOLDER/v1, grace: true}");
    assert_eq!(last(&window).await, ("v2".to_owned(), false, true, true, true));
    let new = with("{version: v2, file: FOLDER/v2}");
    assert_eq!(last(&new).await, ("v2".to_owned(), false, true, false, true));
    // Only the file changes.
    house.write("v2", v1);
    assert_eq!(last(&new).await, ("v2".to_owned(), true, false, true, false));
    // A key in grace that is gone does not keep the other from signing.
    std::fs::remove_file(house.path("v1")).unwrap();
    assert_eq!(last(&window).await.0, "v2");
    std::fs::remove_file(house.path("v2")).unwrap();
    let error = send(&new).await.unwrap_err();
    assert!(error.kind() == "secret" && error.to_string().contains(&house.path("v2")), "{error}");
    house.write("v2", "\n");
    assert!(send(&new).await.unwrap_err().to_string().contains("is empty"));
}
