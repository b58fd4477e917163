//! What callers without certificate and token may ask, and what `--dev` changes.

use std::sync::Arc;

use lictor::api::proto::v1::decision_service_client::DecisionServiceClient;
use lictor::api::proto::v1::evaluate_batch_result::Result as Item;
use lictor::api::proto::v1::evaluate_stream_response::Result as Streamed;
use lictor::api::proto::v1::{
    EvaluateBatchRequest, EvaluateRequest, EvaluateStreamRequest, ValidateIrRequest, VerifyDagRequest,
};
use lictor::identity::{Identity, IdentityOptions};
use prost::Message;
use tokio_stream::StreamExt;
use tonic::Code;

use super::credentials::{patterns, principal};
use crate::harness::{POLICIES, Running, question, reason};

fn unconfigured() -> Arc<Identity> {
    Arc::new(Identity::new(IdentityOptions::default()).unwrap())
}

/// Each call of the service with another tenant.
#[tokio::test]
async fn another_tenant_is_refused_by_every_call() {
    let running = Running::start_as(unconfigured(), |_| {});
    let of_tenant = EvaluateRequest { tenant_id: "acme".into(), ..question("file.read") };
    for channel in [running.tcp().await, running.unix().await] {
        let mut client = DecisionServiceClient::new(channel);
        assert!(client.evaluate(question("file.read")).await.unwrap().into_inner().allowed);
        let default = EvaluateRequest { tenant_id: "default".into(), ..question("file.read") };
        assert!(client.evaluate(default).await.unwrap().into_inner().allowed);

        let subject = of_tenant.subject.clone();
        let plan = ValidateIrRequest { tenant_id: "acme".into(), subject, ..Default::default() };
        let dag = VerifyDagRequest { tenant_id: "acme".into(), ..Default::default() };
        for refused in [
            client.evaluate(of_tenant.clone()).await.unwrap_err(),
            client.validate_ir(plan).await.unwrap_err(),
            client.verify_dag(dag).await.unwrap_err(),
        ] {
            assert_eq!(refused.code(), Code::PermissionDenied);
            assert_eq!(reason(refused.details()).0, "TENANT_NOT_ALLOWED");
            assert!(refused.message().contains("`tenant_id`") && refused.message().contains("`acme`"), "{refused}");
            assert!(refused.message().contains("identity.principals"), "{refused}");
        }

        let requests = vec![question("file.read"), of_tenant.clone()];
        let batch = EvaluateBatchRequest { requests, ..Default::default() };
        let results = client.evaluate_batch(batch).await.unwrap().into_inner().results;
        let [first, second] = &results[..] else { panic!("{results:?}") };
        assert!(matches!(&first.result, Some(Item::Response(response)) if response.allowed));
        let Some(Item::Error(status)) = &second.result else { panic!("{second:?}") };
        assert_eq!(status.code, Code::PermissionDenied as i32);
        assert_eq!(reason(&status.encode_to_vec()).0, "TENANT_NOT_ALLOWED");

        let requests = [of_tenant.clone(), question("file.read")];
        let requests = requests.map(|request| EvaluateStreamRequest { request: Some(request) });
        let answers = client.evaluate_stream(tokio_stream::iter(requests)).await.unwrap().into_inner();
        let answers: Vec<_> = answers.map(|answer| answer.unwrap().result.unwrap()).collect().await;
        let [Streamed::Error(status), Streamed::Response(response)] = &answers[..] else { panic!("{answers:?}") };
        assert_eq!(reason(&status.encode_to_vec()).0, "TENANT_NOT_ALLOWED");
        assert!(response.allowed);
    }
}

/// A caller that is held to its subjects and roles, and the fields that are named where it goes beyond.
#[tokio::test]
async fn subjects_and_roles_are_held_to_the_configuration() {
    let mut options = IdentityOptions::default();
    options.principals.push(principal("anonymous", &["default"], |principal| {
        principal.may_assert.subjects = patterns(&["support-*"]);
        principal.may_assert.roles = patterns(&["guest"]);
        principal.may_assert.on_behalf_of = patterns(&["user:*"]);
    }));
    let running = Running::start_as(Arc::new(Identity::new(options).unwrap()), |_| {});
    let mut client = running.client().await;
    let ask = |id: &str, roles: &[&str], on_behalf_of: &str| {
        let mut request = question("file.read");
        let subject = request.subject.as_mut().unwrap();
        subject.id = id.into();
        subject.roles = roles.iter().map(|role| (*role).to_owned()).collect();
        subject.on_behalf_of = on_behalf_of.into();
        request
    };
    for (request, expected) in [
        (ask("support-7", &["guest"], "user:1"), None),
        (ask("support-7", &["guest", "admin"], ""), Some(("ROLE_NOT_ALLOWED", "subject.roles[1]"))),
        (ask("billing-7", &[], ""), Some(("SUBJECT_NOT_ALLOWED", "subject.id"))),
        (ask("support-7", &[], "root"), Some(("ON_BEHALF_OF_NOT_ALLOWED", "subject.on_behalf_of"))),
    ] {
        match (client.evaluate(request).await, expected) {
            (Ok(answer), None) => assert!(answer.into_inner().allowed),
            (Err(refused), Some((expected, field))) => {
                assert_eq!((refused.code(), &*reason(refused.details()).0), (Code::PermissionDenied, expected));
                assert!(refused.message().starts_with(&format!("`{field}`")), "{refused}");
            }
            (outcome, expected) => panic!("{outcome:?} instead of {expected:?}"),
        }
    }
}

#[tokio::test]
async fn a_stranger_may_see_why_but_not_choose_the_snapshot() {
    let running = Running::start_as(unconfigured(), |_| {});
    let old = running.publish(POLICIES, 1);
    running.publish(&POLICIES.replace("effect: allow", "effect: deny"), 2);
    let pinned = EvaluateRequest { snapshot: old.clone(), ..question("file.read") };
    let explained = EvaluateRequest { explain: true, ..question("file.read") };
    let (mut tcp, mut unix) = (running.client().await, DecisionServiceClient::new(running.unix().await));
    assert!(tcp.evaluate(explained).await.unwrap().into_inner().explanation.is_some());
    assert!(unix.evaluate(pinned.clone()).await.unwrap().into_inner().allowed, "the runtime beside the server may");
    let requests = vec![question("file.read")];
    let batch = EvaluateBatchRequest { requests, snapshot: old.clone(), ..Default::default() };
    let results = tcp.evaluate_batch(batch).await.unwrap().into_inner().results;
    let Some(Item::Error(of_batch)) = &results[0].result else { panic!("{results:?}") };
    let plan = ValidateIrRequest { subject: pinned.subject.clone(), snapshot: old, ..Default::default() };
    for details in [
        tcp.evaluate(pinned).await.unwrap_err().details().to_vec(),
        tcp.validate_ir(plan).await.unwrap_err().details().to_vec(),
        of_batch.encode_to_vec(),
    ] {
        assert_eq!(reason(&details).0, "RIGHT_MISSING");
    }
}

#[tokio::test]
async fn with_dev_callers_are_who_they_say_and_records_tell() {
    let mut options = IdentityOptions::default();
    options.dev = true;
    let running = Running::start_as(Arc::new(Identity::new(options).unwrap()), |_| {});
    let mut client = running.client().await;
    let said = |name: &'static str, value: &str| {
        let acme = EvaluateRequest { tenant_id: "acme".into(), ..question("file.read") };
        let mut request = tonic::Request::new(acme);
        request.metadata_mut().insert("x-lictor-principal", "alice".parse().unwrap());
        request.metadata_mut().insert(name, value.parse().unwrap());
        request
    };
    assert!(client.evaluate(said("x-lictor-level", "manager")).await.unwrap().into_inner().allowed);
    for (name, value) in [("x-lictor-level", "9"), ("x-lictor-principal", "")] {
        let refused = client.evaluate(said(name, value)).await.unwrap_err();
        assert_eq!((refused.code(), &*reason(refused.details()).0), (Code::Unauthenticated, "ASSERTION_INVALID"));
    }
    client.evaluate(question("file.read")).await.unwrap();
    let mut unix = DecisionServiceClient::new(running.unix().await);
    unix.evaluate(question("file.read")).await.unwrap();
    let events = running.stop_and_read_journal().await;
    let evaluated = events.iter().filter(|event| event["type"] == "policy.evaluated");
    let actors: Vec<_> =
        evaluated.map(|event| (event["meta"]["actor"].clone(), event["meta"].get("asserted"))).collect();
    let uid = format!("uid:{}", rustix::process::geteuid().as_raw());
    let yes = serde_json::Value::Bool(true);
    let expected: Vec<(serde_json::Value, _)> =
        vec![("dev:alice".into(), Some(&yes)), ("anonymous".into(), Some(&yes)), (uid.into(), None)];
    assert_eq!(actors, expected);
}

#[tokio::test]
async fn without_dev_nobody_is_believed() {
    let running = Running::start_as(unconfigured(), |_| {});
    let mut request = tonic::Request::new(EvaluateRequest { tenant_id: "acme".into(), ..question("file.read") });
    request.metadata_mut().insert("x-lictor-principal", "alice".parse().unwrap());
    request.metadata_mut().insert("x-lictor-roles", "admin".parse().unwrap());
    let refused = running.client().await.evaluate(request).await.unwrap_err();
    assert_eq!(reason(refused.details()).0, "TENANT_NOT_ALLOWED");
}
