//! Every limit on a question, one below, at and one above its edge, with the limits as they are and lowered.

use lictor::api::proto::v1::evaluate_batch_result::Result as BatchItem;
use lictor::api::proto::v1::evaluate_stream_response::Result as StreamItem;
use lictor::api::proto::v1::{
    Decision, EvaluateBatchRequest, EvaluateRequest, EvaluateStreamRequest, ReasonCode, Resource, Subject,
};
use lictor::model::Limits;
use prost::Message;
use prost_types::value::Kind;
use tokio_stream::StreamExt;
use tonic::Code;

use crate::harness::{Running, question, reason};

/// A limit on a part of a question.
struct Edge {
    limit: fn(&mut Limits) -> &mut usize,
    /// The part, as a refusal names it, and what its path ends with for each level but the first ones.
    field: &'static str,
    level: (&'static str, usize),
    reason: &'static str,
    /// A question whose part is so large.
    of: fn(usize) -> EvaluateRequest,
}

fn subject(change: impl FnOnce(&mut Subject)) -> EvaluateRequest {
    let mut request = question("file.read");
    change(request.subject.get_or_insert_default());
    request
}

fn resource(resource: Resource) -> EvaluateRequest {
    EvaluateRequest { resource: Some(resource), ..question("file.read") }
}

fn text(bytes: usize) -> String {
    // Bytes count, not characters.
    let mut text = "é".repeat(bytes / 2);
    text.extend(std::iter::repeat_n('x', bytes % 2));
    text
}

/// Maps in maps, or lists in a map.
fn nested(depth: usize, lists: bool) -> prost_types::Struct {
    let value = (1..depth).fold(prost_types::Value { kind: Some(Kind::BoolValue(true)) }, |inner, level| {
        let kind = if lists && level < depth {
            Kind::ListValue(prost_types::ListValue { values: vec![inner] })
        } else {
            Kind::StructValue(prost_types::Struct { fields: [("a".to_owned(), inner)].into() })
        };
        prost_types::Value { kind: Some(kind) }
    });
    prost_types::Struct { fields: [("a".to_owned(), value)].into() }
}

const EDGES: &[Edge] = &[
    id("request_id", |n| EvaluateRequest { request_id: text(n), ..question("file.read") }),
    id("tenant_id", |n| EvaluateRequest { tenant_id: text(n), ..question("file.read") }),
    id("run_id", |n| EvaluateRequest { run_id: text(n), ..question("file.read") }),
    id("correlation_id", |n| EvaluateRequest { correlation_id: text(n), ..question("file.read") }),
    id("subject.type", |n| subject(|subject| subject.r#type = text(n))),
    id("subject.roles[0]", |n| subject(|subject| subject.roles = vec![text(n)])),
    id("resource.type", |n| resource(Resource { r#type: text(n), ..Resource::default() })),
    name("subject.id", |n| subject(|subject| subject.id = text(n))),
    name("subject.on_behalf_of", |n| subject(|subject| subject.on_behalf_of = text(n))),
    name("action.name", |n| question(&text(n))),
    Edge {
        limit: |limits| &mut limits.resource_id_bytes,
        field: "resource.id",
        level: ("", 0),
        reason: "FIELD_TOO_LONG",
        of: |n| resource(Resource { id: text(n), ..Resource::default() }),
    },
    Edge {
        limit: |limits| &mut limits.roles,
        field: "subject.roles",
        level: ("", 0),
        reason: "FIELD_TOO_LONG",
        of: |n| subject(|subject| subject.roles = vec!["r".to_owned(); n]),
    },
    Edge {
        limit: |limits| &mut limits.attribute_depth,
        field: "context",
        level: (".a", 1),
        reason: "TOO_DEEP",
        of: |n| EvaluateRequest { context: Some(nested(n, false)), ..question("file.read") },
    },
    Edge {
        limit: |limits| &mut limits.attribute_depth,
        field: "context.a",
        level: ("[0]", 2),
        reason: "TOO_DEEP",
        of: |n| EvaluateRequest { context: Some(nested(n, true)), ..question("file.read") },
    },
];

const fn id(field: &'static str, of: fn(usize) -> EvaluateRequest) -> Edge {
    Edge { limit: |limits| &mut limits.id_bytes, field, level: ("", 0), reason: "FIELD_TOO_LONG", of }
}

const fn name(field: &'static str, of: fn(usize) -> EvaluateRequest) -> Edge {
    Edge { limit: |limits| &mut limits.name_bytes, ..id(field, of) }
}

impl Edge {
    fn path(&self, size: usize) -> String {
        let (level, first) = self.level;
        format!("{}{}", self.field, level.repeat(size - first))
    }
}

/// Lower limits, all different.
fn lowered() -> Limits {
    let mut limits = Limits::default();
    limits.attribute_depth = 5;
    limits.id_bytes = 21;
    limits.name_bytes = 33;
    limits.resource_id_bytes = 44;
    limits.roles = 3;
    limits
}

#[tokio::test]
async fn parts_of_a_question_may_be_as_large_as_their_limit() {
    for mut limits in [Limits::default(), lowered()] {
        let running = Running::start(|options| options.limits = limits.clone());
        let mut client = running.client().await;
        for edge in EDGES {
            let limit = *(edge.limit)(&mut limits);
            for size in [limit - 1, limit] {
                let answer = client.evaluate((edge.of)(size)).await;
                assert!(answer.is_ok(), "{} of {size}, limit {limit}: {answer:?}", edge.field);
            }
            let (above, path) = ((edge.of)(limit + 1), edge.path(limit + 1));
            let refused = client.evaluate(above.clone()).await.unwrap_err();
            let expected = (edge.reason.to_owned(), vec![path.clone()]);
            assert_eq!(
                (refused.code(), reason(refused.details())),
                (Code::InvalidArgument, expected),
                "{}",
                edge.field
            );

            // In a batch and on a stream it is the item that is refused, and its neighbours are answered.
            let requests = vec![question("file.read"), above.clone()];
            let batch = EvaluateBatchRequest { requests, ..EvaluateBatchRequest::default() };
            let results = client.evaluate_batch(batch).await.unwrap().into_inner().results;
            let [Some(BatchItem::Response(_)), Some(BatchItem::Error(status))] =
                [0, 1].map(|n| results[n].result.clone())
            else {
                panic!("{results:?}")
            };
            let expected = (edge.reason.to_owned(), vec![format!("requests[1].{path}")]);
            assert_eq!(reason(&status.encode_to_vec()), expected, "{}", edge.field);

            let requests =
                [above, question("file.read")].map(|request| EvaluateStreamRequest { request: Some(request) });
            let answers = client.evaluate_stream(tokio_stream::iter(requests)).await.unwrap().into_inner();
            let results: Vec<_> = answers.map(|answer| answer.unwrap().result).collect().await;
            let [Some(StreamItem::Error(status)), Some(StreamItem::Response(_))] = &results[..] else {
                panic!("{results:?}")
            };
            let expected = (edge.reason.to_owned(), vec![format!("request.{path}")]);
            assert_eq!(reason(&status.encode_to_vec()), expected, "{}", edge.field);
        }
    }
}

#[tokio::test]
async fn a_batch_may_hold_as_many_questions_as_its_limit() {
    for limit in [Limits::default().batch_items, 3] {
        let running = Running::start(|options| options.limits.batch_items = limit);
        let mut client = running.client().await;
        for (count, accepted) in [(1, true), (limit - 1, true), (limit, true), (limit + 1, false), (0, false)] {
            let requests = vec![question("file.read"); count];
            match client.evaluate_batch(EvaluateBatchRequest { requests, ..EvaluateBatchRequest::default() }).await {
                Ok(answer) => assert!(accepted && answer.get_ref().results.len() == count, "{count} of {limit}"),
                Err(refused) => {
                    assert!(!accepted, "{count} of {limit}: {refused:?}");
                    let expected = ("INVALID_BATCH".to_owned(), vec!["requests".to_owned()]);
                    assert_eq!((refused.code(), reason(refused.details())), (Code::InvalidArgument, expected));
                }
            }
        }
    }
}

#[tokio::test]
async fn a_message_of_any_call_may_be_as_long_as_the_limit() {
    let limit = 1_000;
    let running = Running::start(|options| {
        options.limits.message_bytes = limit;
        options.limits.resource_id_bytes = 2 * limit;
    });
    let mut client = running.client().await;
    let of = |id: usize| resource(Resource { id: "x".repeat(id), ..Resource::default() });
    let batch_of = |id: usize| EvaluateBatchRequest { requests: vec![of(id)], ..EvaluateBatchRequest::default() };
    let stream_of = |id: usize| EvaluateStreamRequest { request: Some(of(id)) };
    let longest = |bytes: &dyn Fn(usize) -> usize| (0..limit).take_while(|id| bytes(*id) <= limit).last().unwrap();

    let edge = longest(&|id| batch_of(id).encoded_len());
    assert_eq!(batch_of(edge).encoded_len(), limit);
    assert!(client.evaluate_batch(batch_of(edge)).await.is_ok());
    let refused = client.evaluate_batch(batch_of(edge + 1)).await.unwrap_err();
    assert_eq!((refused.code(), reason(refused.details()).0.as_str()), (Code::ResourceExhausted, "MESSAGE_TOO_LARGE"));

    // A stream goes on behind what is skipped.
    let edge = longest(&|id| stream_of(id).encoded_len());
    assert_eq!(stream_of(edge).encoded_len(), limit);
    let requests = [edge, edge + 1, 100 * limit, edge - 1].map(stream_of);
    let answers = client.evaluate_stream(tokio_stream::iter(requests)).await.unwrap().into_inner();
    let results: Vec<_> = answers.map(|answer| answer.unwrap().result.unwrap()).collect().await;
    let codes: Vec<Option<i32>> = results
        .iter()
        .map(|result| match result {
            StreamItem::Response(_) => None,
            StreamItem::Error(status) => {
                assert_eq!(reason(&status.encode_to_vec()).0, "MESSAGE_TOO_LARGE");
                Some(status.code)
            }
        })
        .collect();
    let exhausted = Some(Code::ResourceExhausted as i32);
    assert_eq!(codes, [None, exhausted, exhausted, None]);
}

/// Rules of which each costs the same and none matches.
fn rules(count: usize) -> String {
    let rule = |n| format!("    - {{name: r{n}, effect: allow, when: 'context.l.exists(x, x == {n}.0)'}}\n");
    let rules: String = (0..count).map(rule).collect();
    format!("apiVersion: lictor.dev/v1\nkind: Policy\nmetadata: {{name: p}}\nspec:\n  rules:\n{rules}")
}

fn long_list() -> EvaluateRequest {
    let values = vec![prost_types::Value { kind: Some(Kind::NumberValue(-1.0)) }; 1_000];
    let list = prost_types::Value { kind: Some(Kind::ListValue(prost_types::ListValue { values })) };
    let context = Some(prost_types::Struct { fields: [("l".to_owned(), list)].into() });
    EvaluateRequest { context, ..question("file.read") }
}

#[tokio::test]
async fn deciding_may_cost_as_much_as_the_limit() {
    /// The decision about the same question where it may cost so much.
    async fn decided(cost: u64) -> (Decision, ReasonCode) {
        let running = Running::start_empty(|options| options.limits.evaluation_cost = cost);
        running.publish(&rules(2), 1);
        let answer = running.client().await.evaluate(long_list()).await.unwrap().into_inner();
        (answer.decision(), answer.reason_code())
    }
    // What it costs is not a promise: look for the edge, then see that there is just one.
    let (mut too_little, mut enough) = (1, 1_000_000);
    assert_eq!(decided(too_little).await, (Decision::Deny, ReasonCode::EvaluationLimit));
    assert_eq!(decided(enough).await, (Decision::Deny, ReasonCode::Default));
    while enough - too_little > 1 {
        let middle = (too_little + enough) / 2;
        match decided(middle).await {
            (Decision::Deny, ReasonCode::Default) => enough = middle,
            (Decision::Deny, ReasonCode::EvaluationLimit) => too_little = middle,
            other => panic!("{other:?} with {middle}"),
        }
    }
    assert!(enough > 2_000, "two rules that look at 1000 elements each cost {enough}");
}

#[tokio::test]
async fn an_explanation_holds_as_many_rules_as_its_limit() {
    for limit in [Limits::default().explained_rules, 3] {
        for count in [limit - 1, limit, limit + 1] {
            let running = Running::start_empty(|options| options.limits.explained_rules = limit);
            running.publish(&rules(count), 1);
            let request = EvaluateRequest { explain: true, ..question("file.read") };
            let answer = running.client().await.evaluate(request).await.unwrap().into_inner();
            let explanation = answer.explanation.unwrap();
            assert_eq!((explanation.rules.len(), explanation.truncated), (count.min(limit), count > limit));
        }
    }
}

#[tokio::test]
async fn an_explanation_is_not_many_times_as_large_as_the_question() {
    let rule = |n| format!("    - {{name: r{n}, effect: allow, when: 'context.large == \"{n}\"'}}\n");
    let rules: String = (0..64).map(rule).collect();
    let running = Running::start_empty(|_| {});
    running.publish(
        &format!("apiVersion: lictor.dev/v1\nkind: Policy\nmetadata: {{name: p}}\nspec:\n  rules:\n{rules}"),
        1,
    );
    let mut client = running.client().await;
    for (bytes, shown) in [(900, 64), (20_000, 3), (200_000, 0)] {
        let large = prost_types::Value { kind: Some(Kind::StringValue("x".repeat(bytes))) };
        let context = Some(prost_types::Struct { fields: [("large".to_owned(), large)].into() });
        let request = EvaluateRequest { explain: true, context, ..question("file.read") };
        let explanation = client.evaluate(request).await.unwrap().into_inner().explanation.unwrap();
        let with_values = explanation.rules.iter().filter(|rule| !rule.values.is_empty()).count();
        assert_eq!((with_values, explanation.truncated), (shown, shown < 64), "values of {bytes} bytes");
    }
}
