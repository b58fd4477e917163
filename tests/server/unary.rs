//! `Evaluate` over both transports.

use lictor::api::proto::v1::{Decision, ReasonCode};

use crate::harness::{Running, question};

#[tokio::test]
async fn answers_over_both_transports() {
    let running = Running::start(|_| {});
    for mut client in [running.over_tcp().await, running.over_unix().await] {
        let answer = client.evaluate(question("support-7", "payment.refund")).await.unwrap().into_inner();
        assert_eq!(answer.decision(), Decision::Deny);
        assert_eq!(answer.reason_code(), ReasonCode::NoPolicy);
        assert!(!answer.allowed);
        assert_eq!(answer.correlation_id, answer.decision_id);
    }
    assert!(running.stop().await);
}
