//! Calls that show a token.

use std::sync::Arc;

use lictor::api::proto::v1::decision_service_client::DecisionServiceClient;
use lictor::api::proto::v1::{EvaluateRequest, EvaluateStreamRequest, Subject, ValidateIrRequest};
use lictor::identity::{Identity, IdentityOptions};
use tokio_stream::StreamExt;
use tonic::Code;

use super::credentials::{TokenKey, patterns, principal, with_token, write_keys};
use crate::harness::{Running, question, reason};

const HOUR: i64 = 3_600;

/// Accepts tokens of `keys`, whose bearers may speak for agents in their tenant.
fn identity(folder: &std::path::Path, keys: &[&TokenKey]) -> Arc<Identity> {
    let mut options = IdentityOptions::default();
    options.jwt = Some(write_keys(folder, keys));
    options.principals.push(principal("jwt:https://idp.example#*", &["unset"], |principal| {
        principal.tenants = None;
        principal.may_assert.subjects = patterns(&["support-*"]);
    }));
    Arc::new(Identity::new(options).unwrap())
}

fn of_tenant(tenant: &str) -> EvaluateRequest {
    EvaluateRequest { tenant_id: tenant.into(), ..question("file.read") }
}

#[tokio::test]
async fn a_token_says_who_calls_whatever_the_connection_says() {
    let folder = tempfile::tempdir().unwrap();
    let key = TokenKey::new("k1", 1);
    let running = Running::start_as(identity(folder.path(), &[&key]), |_| {});
    let (a, b) = (key.token("a", "tenant-a", HOUR), key.token("b", "tenant-b", HOUR));
    for channel in [running.tcp().await, running.unix().await] {
        let mut client = DecisionServiceClient::new(channel);
        // By turns, so that what a connection remembers is never taken for another's.
        for _ in 0..3 {
            assert!(client.evaluate(with_token(of_tenant("tenant-a"), &a)).await.unwrap().into_inner().allowed);
            assert!(client.evaluate(with_token(of_tenant("tenant-b"), &b)).await.unwrap().into_inner().allowed);
            for (tenant, token) in [("tenant-a", &b), ("tenant-b", &a), ("", &a), ("default", &b)] {
                let refused = client.evaluate(with_token(of_tenant(tenant), token)).await.unwrap_err();
                assert_eq!(refused.code(), Code::PermissionDenied);
                assert_eq!(reason(refused.details()).0, "TENANT_NOT_ALLOWED");
            }
        }
        // Without a token the call is the connection's.
        assert!(client.evaluate(question("file.read")).await.unwrap().into_inner().allowed);
        let subject = Some(Subject { id: "support-1".into(), ..Subject::default() });
        let plan = ValidateIrRequest { tenant_id: "tenant-a".into(), subject, ..ValidateIrRequest::default() };
        client.validate_ir(with_token(plan.clone(), &a)).await.unwrap();
        let refused = client.validate_ir(with_token(plan, &b)).await.unwrap_err();
        assert_eq!(reason(refused.details()).0, "TENANT_NOT_ALLOWED");
        let asked = tokio_stream::iter([EvaluateStreamRequest { request: Some(of_tenant("tenant-a")) }]);
        let answers = client.evaluate_stream(with_token(asked, &a)).await.unwrap().into_inner();
        let answers: Vec<_> = answers.collect().await;
        assert!(matches!(&answers[..], [Ok(_)]), "{answers:?}");
    }
    let events = running.stop_and_read_journal().await;
    let actor = |event: &serde_json::Value| event["meta"]["actor"].as_str().unwrap().to_owned();
    for event in events.iter().filter(|event| event["meta"]["tenant_id"] == "tenant-a") {
        assert_eq!(actor(event), "jwt:https://idp.example#a");
    }
    assert!(events.iter().any(|event| actor(event) == "jwt:https://idp.example#b"));
}

#[tokio::test]
async fn a_token_that_is_not_accepted_is_refused_and_nobody_else_is_taken_for_its_bearer() {
    let folder = tempfile::tempdir().unwrap();
    let key = TokenKey::new("k1", 1);
    let running = Running::start_as(identity(folder.path(), &[&key]), |_| {});
    let mut client = DecisionServiceClient::new(running.unix().await);
    let good = key.token("a", "default", HOUR);
    let (rest, _) = good.rsplit_once('.').unwrap();
    let unsigned = format!("{rest}.");
    let expired = key.token("a", "default", -HOUR);
    let cases = [
        (expired.as_str(), "TOKEN_EXPIRED"),
        (&TokenKey::new("k2", 2).token("a", "default", HOUR), "TOKEN_INVALID"),
        (&TokenKey::new("k1", 2).token("a", "default", HOUR), "TOKEN_INVALID"),
        (&unsigned, "TOKEN_INVALID"),
        ("", "TOKEN_INVALID"),
        (&"x".repeat(9_000), "TOKEN_INVALID"),
    ];
    for (token, expected) in cases {
        let refused = client.evaluate(with_token(question("file.read"), token)).await.unwrap_err();
        assert_eq!((refused.code(), &*reason(refused.details()).0), (Code::Unauthenticated, expected));
    }
    let mut basic = tonic::Request::new(question("file.read"));
    basic.metadata_mut().insert("authorization", "Basic YTpi".parse().unwrap());
    assert_eq!(client.evaluate(basic).await.unwrap_err().code(), Code::Unauthenticated);
    assert!(client.evaluate(with_token(question("file.read"), &good)).await.unwrap().into_inner().allowed);
    let mut twice = with_token(question("file.read"), &good);
    twice.metadata_mut().append("authorization", format!("Bearer {good}").parse().unwrap());
    let refused = client.evaluate(twice).await.unwrap_err();
    assert_eq!((refused.code(), &*reason(refused.details()).0), (Code::Unauthenticated, "TOKEN_AMBIGUOUS"));
    assert!(refused.message().contains("more than one `authorization`"), "{refused}");
}

#[tokio::test]
async fn what_was_verified_with_a_key_that_is_gone_counts_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (TokenKey::new("old", 1), TokenKey::new("new", 2));
    let identity = identity(folder.path(), &[&old]);
    let running = Running::start_as(identity.clone(), |_| {});
    let mut client = running.client().await;
    let (by_old, by_new) = (old.token("a", "default", HOUR), new.token("a", "default", HOUR));
    let mut allowed = async |token: &str| client.evaluate(with_token(question("file.read"), token)).await.is_ok();
    assert!(allowed(&by_old).await && !allowed(&by_new).await);
    write_keys(folder.path(), &[&old, &new]);
    assert!(identity.refresh_keys().unwrap());
    assert!(allowed(&by_old).await && allowed(&by_new).await);
    write_keys(folder.path(), &[&new]);
    assert!(identity.refresh_keys().unwrap());
    assert!(!allowed(&by_old).await && allowed(&by_new).await);
}

#[tokio::test]
async fn a_stream_ends_when_its_token_does() {
    let folder = tempfile::tempdir().unwrap();
    let key = TokenKey::new("k1", 1);
    let running = Running::start_as(identity(folder.path(), &[&key]), |_| {});
    let mut client = running.client().await;
    // On a busy machine a short token may have expired before anything is answered; a longer one is tried then.
    for seconds in [2, 10, 60] {
        let (asked, requests) = tokio::sync::mpsc::channel(1);
        let requests = tokio_stream::wrappers::ReceiverStream::new(requests);
        asked.send(EvaluateStreamRequest { request: Some(question("file.read")) }).await.unwrap();
        let token = key.token("a", "default", seconds);
        let Ok(answers) = client.evaluate_stream(with_token(requests, &token)).await else { continue };
        let mut answers = answers.into_inner();
        let Some(Ok(_)) = answers.next().await else { continue };
        // The client goes on holding its side open.
        let ended = answers.next().await.unwrap().unwrap_err();
        assert_eq!((ended.code(), &*reason(ended.details()).0), (Code::Unauthenticated, "TOKEN_EXPIRED"));
        drop(asked);
        return;
    }
    panic!("nothing was answered within a minute");
}

#[tokio::test]
async fn a_server_that_accepts_no_tokens_says_so() {
    let running = Running::start(|_| {});
    let token = TokenKey::new("k1", 1).token("a", "default", HOUR);
    let refused = running.client().await.evaluate(with_token(question("file.read"), &token)).await.unwrap_err();
    assert_eq!((refused.code(), &*reason(refused.details()).0), (Code::Unauthenticated, "TOKENS_NOT_ACCEPTED"));
    assert!(refused.message().contains("identity.jwt"), "{refused}");
}
