//! `Evaluate`: what the answer says.

use lictor::api::proto::v1::decision_service_client::DecisionServiceClient;
use lictor::api::proto::v1::{Decision, Effect, EvaluateRequest, ReasonCode};

use crate::harness::{POLICIES, Running, question, reason};

#[tokio::test]
async fn answers_alike_over_both_transports() {
    let running = Running::start(|_| {});
    for channel in [running.tcp().await, running.unix().await] {
        let mut client = DecisionServiceClient::new(channel);
        let answer = client.evaluate(question("file.read")).await.unwrap().into_inner();
        assert_eq!((answer.decision(), answer.effect()), (Decision::Allow, Effect::Allow));
        assert!(answer.allowed);
        assert_eq!(answer.reason_code(), ReasonCode::Policy);
        assert_eq!((answer.matched_policy.as_str(), answer.matched_rule.as_str()), ("files", "read"));
        assert_eq!(answer.reason, "reading is fine");
        assert_eq!(answer.warnings[0].message, "files are watched");
        assert_eq!(answer.snapshot.unwrap().digest, running.holder.load().live().unwrap().digest());
        assert_eq!(answer.semantics, lictor::model::SEMANTICS);
        assert_eq!(answer.action_hash, "");
        assert_eq!(answer.explanation, None);
        assert_eq!(uuid::Uuid::parse_str(&answer.decision_id).unwrap().get_version_num(), 7);
    }
    assert!(running.stop().await);
}

#[tokio::test]
async fn a_denial_is_an_answer() {
    let running = Running::start(|_| {});
    let mut client = running.client().await;
    let answer = client.evaluate(question("file.write")).await.unwrap().into_inner();
    assert_eq!((answer.decision(), answer.allowed), (Decision::Deny, false));
    assert_eq!(answer.matched_rule, "write");
    let answer = client.evaluate(question("mail.send")).await.unwrap().into_inner();
    assert_eq!((answer.decision(), answer.reason_code()), (Decision::Deny, ReasonCode::Default));
    assert_eq!(answer.matched_rule, "");
}

#[tokio::test]
async fn without_policies_everything_is_denied() {
    let running = Running::start_empty(|_| {});
    let answer = running.client().await.evaluate(question("file.read")).await.unwrap().into_inner();
    assert_eq!((answer.decision(), answer.reason_code()), (Decision::Deny, ReasonCode::NoPolicy));
    assert_eq!(answer.snapshot, None);
}

#[tokio::test]
async fn an_approval_is_bound_by_the_action_hash() {
    let running = Running::start(|_| {});
    let mut client = running.client().await;
    let answer = client.evaluate(question("file.publish")).await.unwrap().into_inner();
    assert_eq!(answer.decision(), Decision::RequireApproval);
    assert!(!answer.allowed);
    assert_eq!(answer.required_level, Some(3));
    assert_eq!(answer.obligations[0].id, "notify");
    assert_eq!(answer.action_hash.len(), 71);
    let wanted = EvaluateRequest { want_action_hash: true, ..question("file.read") };
    let other = client.evaluate(wanted).await.unwrap().into_inner();
    assert_eq!(other.action_hash.len(), 71);
    assert_ne!(other.action_hash, answer.action_hash);
}

#[tokio::test]
async fn echoes_and_correlates() {
    let running = Running::start(|_| {});
    let mut client = running.client().await;
    let cases = [("", "", None), ("r-1", "", Some("r-1")), ("r-1", "c-1", Some("c-1")), ("", "c-1", Some("c-1"))];
    for (request_id, correlation_id, expected) in cases {
        let request = EvaluateRequest {
            request_id: request_id.into(),
            correlation_id: correlation_id.into(),
            ..question("file.read")
        };
        let answer = client.evaluate(request).await.unwrap().into_inner();
        assert_eq!(answer.request_id, request_id);
        assert_eq!(answer.correlation_id, expected.unwrap_or(&answer.decision_id));
    }
}

#[tokio::test]
async fn explains_when_asked() {
    let running = Running::start(|_| {});
    let request = EvaluateRequest { explain: true, ..question("file.read") };
    let answer = running.client().await.evaluate(request).await.unwrap().into_inner();
    let rules = answer.explanation.unwrap().rules;
    assert!(rules.iter().any(|rule| rule.rule == "read" && rule.layer == "organisation"), "{rules:?}");
}

#[tokio::test]
async fn a_resident_snapshot_can_be_pinned() {
    let running = Running::start_empty(|_| {});
    let old = running.publish(POLICIES, 1);
    let new = running.publish(&POLICIES.replace("effect: allow", "effect: deny"), 2);
    let mut client = DecisionServiceClient::new(running.unix().await);
    for (pin, decision) in [("", Decision::Deny), (&*new, Decision::Deny), (&*old, Decision::Allow)] {
        let request = EvaluateRequest { snapshot: pin.into(), ..question("file.read") };
        let answer = client.evaluate(request).await.unwrap().into_inner();
        assert_eq!(answer.decision(), decision, "{pin}");
        assert!(pin.is_empty() || answer.snapshot.unwrap().digest == pin);
    }
    let request = EvaluateRequest { snapshot: format!("sha256:{}", "0".repeat(64)), ..question("file.read") };
    let refused = client.evaluate(request).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::NotFound);
    assert_eq!(reason(refused.details()).0, "SNAPSHOT_NOT_RESIDENT");
}
