//! Any bytes as an `EvaluateRequest`: refused with a status that says why, or read as prost reads them, decided, and both
//! question and answer written so that they read back the same.

use std::sync::LazyLock;

use lictor::Engine;
use lictor::api::proto::v1;
use lictor::api::{read_request, to_request, to_response};
use lictor::model::{Layer, Limits, Timestamp};
use lictor::policy::SourceText;
use prost::Message;
use prost_types::value::Kind;
use prost_types::{Struct, Value};

/// Rules that look at every part of a question, so that whatever it holds takes part in the decision.
const POLICIES: &str = r#"
apiVersion: lictor.dev/v1
kind: Policy
metadata: {name: all}
spec:
  rules:
    - {name: watched, effect: warn, subjects: {ids: ["a*", "*:**"]}, resources: {types: [order], ids: ["eu/**", "*.x"]}}
    - {name: odd, effect: audit, when: 'size(context) > 2 && context.exists(k, context[k] == k)'}
    - {name: big, effect: require_approval, when: 'context.amount > 50.0 || subject.properties.level >= 3.0', requiredLevel: 2}
    - {name: tenant, effect: deny, when: 'tenant.matches("^x") || resource.properties.open == false'}
    - {name: roles, effect: allow, subjects: {roles: [support, "s*t"]}, conditions: [{field: params.n, operator: in, value: [1, 2]}]}
    - {name: rest, effect: allow, actions: ["f**", "a.*"], priority: -1}
"#;

static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
    let text = SourceText { name: "fuzzed.yaml".into(), layer: Layer::Organisation, text: POLICIES.into() };
    Engine::from_documents(&[text]).unwrap_or_else(|refused| panic!("{refused}"))
});

/// The property.
pub fn check(input: &[u8]) {
    let theirs = v1::EvaluateRequest::decode(input);
    let request = match read_request(input, &Limits::default()) {
        Ok(request) => request,
        Err(status) => {
            let malformed = status.message().starts_with("the request is not valid protobuf");
            let lax = theirs.as_ref().is_ok_and(has_attributes);
            assert!(
                !malformed || lax || theirs.is_err(),
                "prost reads what is said to be malformed: {}\n{theirs:?}",
                status.message()
            );
            return;
        }
    };
    let ours = to_request(&request);
    assert_eq!(ours, plain(theirs.unwrap_or_else(|error| panic!("prost: {error}, but it was read: {ours:?}"))));
    let written = ours.encode_to_vec();
    // Keys of a map may come in another order.
    let again = read_request(&written, &Limits::default()).map(|again| to_request(&again));
    assert_eq!(again.as_ref().ok(), Some(&ours), "what was written reads differently");

    let now = Timestamp::from_micros(1_773_480_413_589_793);
    let decision = ENGINE.evaluate(&request, now);
    let response = to_response(&request, &decision, 1);
    assert_eq!(response, to_response(&request, &ENGINE.evaluate(&request, now), 1));
    assert_eq!(v1::EvaluateResponse::decode(&*response.encode_to_vec()).as_ref(), Ok(&response));
    assert_eq!(response.request_id, request.request_id.as_str());
}

/// Whether there are maps, in whose entries prost does not look at wire types: it may read what is malformed.
fn has_attributes(message: &v1::EvaluateRequest) -> bool {
    let subject = message.subject.as_ref().and_then(|subject| subject.properties.as_ref());
    let action = message.action.as_ref().and_then(|action| action.properties.as_ref());
    let resource = message.resource.as_ref().and_then(|resource| resource.properties.as_ref());
    [subject, action, resource, message.context.as_ref()].into_iter().flatten().any(|map| !map.fields.is_empty())
}

/// The same message without what says nothing: empty maps and entities that may be left out, and values of null's enum.
fn plain(mut message: v1::EvaluateRequest) -> v1::EvaluateRequest {
    let subject = message.subject.get_or_insert_default();
    let action = message.action.get_or_insert_default();
    for map in [&mut subject.properties, &mut action.properties, &mut message.context] {
        plain_map(map);
    }
    if let Some(resource) = &mut message.resource {
        plain_map(&mut resource.properties);
        if *resource == v1::Resource::default() {
            message.resource = None;
        }
    }
    message
}

fn plain_map(map: &mut Option<Struct>) {
    map.take_if(|map| map.fields.is_empty());
    map.iter_mut().flat_map(|map| map.fields.values_mut()).for_each(plain_value);
}

fn plain_value(value: &mut Value) {
    match &mut value.kind {
        Some(Kind::NullValue(number)) => *number = 0,
        Some(Kind::StructValue(map)) => map.fields.values_mut().for_each(plain_value),
        Some(Kind::ListValue(list)) => list.values.iter_mut().for_each(plain_value),
        _ => {}
    }
}
