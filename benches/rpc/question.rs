//! What is asked, and the documents that decide it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use lictor::api::proto::v1::{
    Action, EvaluateBatchRequest, EvaluateRequest, EvaluateResponse, EvaluateStreamRequest, Resource, Subject,
};
use prost::Message;
use prost_types::value::Kind;
use prost_types::{Struct, Value};

use super::http2::Question;

/// Decisions in one batch.
pub const BATCH: usize = 100;
/// The rule that decides, of those that [`documents`] writes.
const ASKED_RULE: usize = 7;

/// `rules` rules that differ in their action and in the bound of their four-term condition.
pub fn documents(rules: usize) -> String {
    let mut text =
        String::from("apiVersion: lictor.dev/v1\nkind: Policy\nmetadata: {name: refunds}\nspec:\n  rules:\n");
    for n in 0..rules {
        let bound = 50 + n;
        let _ = writeln!(
            text,
            "    - {{name: r{n}, effect: allow, actions: [payment.refund.n{n}], subjects: {{roles: [support]}}, when: \
             \"has(context.amount) && context.amount <= {bound}.0 && subject.type == 'agent' && 'support' in subject.roles\"}}"
        );
    }
    text
}

/// One question that [`documents`] answer with ALLOW.
pub fn request() -> EvaluateRequest {
    let text = |value: &str| Value { kind: Some(Kind::StringValue(value.to_owned())) };
    let number = |value: f64| Value { kind: Some(Kind::NumberValue(value)) };
    let context = [("amount", number(20.0)), ("region", text("eu")), ("currency", text("EUR"))];
    EvaluateRequest {
        request_id: "req-0001".to_owned(),
        tenant_id: "default".to_owned(),
        subject: Some(Subject {
            r#type: "agent".to_owned(),
            id: "support-7".to_owned(),
            roles: vec!["support".to_owned(), "night".to_owned()],
            ..Subject::default()
        }),
        action: Some(Action { name: format!("payment.refund.n{ASKED_RULE}"), ..Action::default() }),
        resource: Some(Resource { r#type: "order".to_owned(), id: "eu/4711".to_owned(), ..Resource::default() }),
        context: Some(Struct {
            fields: context.map(|(name, value)| (name.to_owned(), value)).into_iter().collect::<BTreeMap<_, _>>(),
        }),
        ..EvaluateRequest::default()
    }
}

/// Bytes that an answer has at least.
const LEAST_ANSWER: usize = 64;

/// One decision a call.
pub fn unary() -> Question {
    Question {
        path: "/lictor.v1.DecisionService/Evaluate",
        message: request().encode_to_vec(),
        streaming: false,
        least_answer: LEAST_ANSWER,
        bearer: None,
    }
}

/// A hundred decisions a call.
pub fn batch() -> Question {
    let requests = vec![request(); BATCH];
    Question {
        path: "/lictor.v1.DecisionService/EvaluateBatch",
        message: EvaluateBatchRequest { requests, ..EvaluateBatchRequest::default() }.encode_to_vec(),
        streaming: false,
        least_answer: LEAST_ANSWER * BATCH,
        bearer: None,
    }
}

/// One decision a message of a stream that stays open.
pub fn stream() -> Question {
    Question {
        path: "/lictor.v1.DecisionService/EvaluateStream",
        message: EvaluateStreamRequest { request: Some(request()) }.encode_to_vec(),
        streaming: true,
        least_answer: LEAST_ANSWER,
        bearer: None,
    }
}

/// Panics unless `answer` is an ALLOW: what is to be measured is the way of an ordinary answer.
pub fn assert_allowed(answer: &[u8]) {
    let answer = EvaluateResponse::decode(answer).expect("an answer");
    assert!(answer.allowed, "the load program's question is not allowed: {answer:?}");
}
