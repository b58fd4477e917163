//! Any bytes as a `ValidateIRRequest` and as a `VerifyDagRequest`: refused with a status that says why, or read as prost reads
//! them, validated twice alike, and written so that they read back the same.

use std::sync::LazyLock;

use lictor::Engine;
use lictor::api::proto::v1;
use lictor::api::{read_dag_request, read_plan_request, to_plan_request, to_plan_response};
use lictor::model::{Layer, Limits, Timestamp};
use lictor::policy::SourceText;
use prost::Message;
use prost_types::value::Kind;
use prost_types::{Struct, Value};
use tonic::Status;

/// Documents that look at every part of a plan, so that whatever it holds takes part in the answer.
const DOCUMENTS: &str = r#"
apiVersion: lictor.dev/v1
kind: ActionCatalog
metadata: {name: all}
spec:
  actions:
    - {name: read, tier: 0, labels: [strangers], outputs: {"/*/id": {labels: []}}}
    - name: send
      tier: 1
      parameters: {"/to": {labels: [recipient]}}
      countPaths: ["/to", "/rows/*"]
      paramsSchema: {properties: {to: {type: [array, string, object]}, n: {type: number, maximum: 100}}}
---
apiVersion: lictor.dev/v1
kind: RiskPolicy
metadata: {name: all}
spec:
  bulk: {above: 2, tier: 2}
  tiers:
    - {name: odd, when: 'step.params.exists(k, step.params[k] == k)', tier: 3}
  plan:
    - {name: named, when: 'ir.steps.exists(s, has(s.params.to) && s.params.to == "x")', effect: reject}
  flows:
    - {name: who, from: strangers, to: recipient, effect: escalate}
---
apiVersion: lictor.dev/v1
kind: Policy
metadata: {name: all}
spec:
  rules:
    - {name: big, effect: require_approval, when: 'context.params.n > 50.0 || context.constraints.size() > 1'}
    - {name: hidden, effect: deny, resources: {ids: ["hidden/**"]}}
"#;

static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
    let text = SourceText { name: "fuzzed.yaml".into(), layer: Layer::Organisation, text: DOCUMENTS.into() };
    Engine::from_documents(&[text]).unwrap_or_else(|refused| panic!("{refused}"))
});

/// The property.
pub fn check(input: &[u8]) {
    plan(input);
    dag(input);
}

fn plan(input: &[u8]) {
    let theirs = v1::ValidateIrRequest::decode(input);
    let plan = match read_plan_request(input, &Limits::default()) {
        Ok(plan) => plan,
        Err(status) => {
            let lax = theirs.as_ref().is_ok_and(|theirs| {
                let subject = theirs.subject.as_ref().and_then(|subject| subject.properties.as_ref());
                let holds = |observation: &v1::Observation| observation.output.is_some();
                !theirs.labels.is_empty()
                    || has_entries(subject)
                    || theirs.steps.iter().any(step_has_maps)
                    || theirs.observations.iter().any(holds)
            });
            return refused(&status, lax, theirs.err());
        }
    };
    let ours = to_plan_request(&plan);
    let mut theirs = theirs.unwrap_or_else(|error| panic!("prost: {error}, but it was read: {ours:?}"));
    plain_map(&mut theirs.subject.get_or_insert_default().properties);
    theirs.steps.iter_mut().for_each(plain_step);
    for observation in &mut theirs.observations {
        let value = match observation.output.take() {
            Some(v1::observation::Output::Value(mut value)) => {
                plain_value(&mut value);
                value
            }
            Some(v1::observation::Output::Text(text)) => Value { kind: Some(Kind::StringValue(text)) },
            None => panic!("an observation without an output was read"),
        };
        observation.output = Some(v1::observation::Output::Value(value));
    }
    theirs.ordering = theirs.ordering.max(1);
    theirs.hash_scheme = theirs.hash_scheme.max(1);
    assert_eq!(ours, theirs);
    let again = read_plan_request(&ours.encode_to_vec(), &Limits::default()).map(|again| to_plan_request(&again));
    assert_eq!(again.as_ref().ok(), Some(&ours), "what was written reads differently");

    let now = Timestamp::from_micros(1_773_480_413_589_793);
    let response = || to_plan_response(&plan, &ENGINE.validate_ir(&plan, now), now, 1);
    let answered = response();
    assert_eq!(answered, response());
    assert_eq!(v1::ValidateIrResponse::decode(&*answered.encode_to_vec()).as_ref(), Ok(&answered));
}

fn dag(input: &[u8]) {
    let theirs = v1::VerifyDagRequest::decode(input);
    let ours = match read_dag_request(input, &Limits::default()) {
        Ok(ours) => ours,
        Err(status) => {
            let lax = theirs.as_ref().is_ok_and(|theirs| {
                let mut contents = theirs.nodes.iter().filter_map(|node| node.content.as_ref());
                theirs.steps.iter().any(step_has_maps)
                    || contents.any(step_has_maps)
                    || theirs.executions.iter().any(|call| has_entries(call.params.as_ref()))
            });
            return refused(&status, lax, theirs.err());
        }
    };
    let mut theirs = theirs.unwrap_or_else(|error| panic!("prost: {error}, but it was read: {ours:?}"));
    let contents = theirs.nodes.iter_mut().filter_map(|node| node.content.as_mut());
    theirs.steps.iter_mut().chain(contents).for_each(plain_step);
    theirs.executions.iter_mut().for_each(|call| plain_map(&mut call.params));
    theirs.ordering = theirs.ordering.max(1);
    assert_eq!(ours, theirs);
    let again = read_dag_request(&ours.encode_to_vec(), &Limits::default());
    assert_eq!(again.as_ref().ok(), Some(&ours), "what was written reads differently");
}

/// What is said to be malformed must be so to prost too, which looks at no wire types in the entries of maps.
fn refused(status: &Status, lax: bool, theirs: Option<prost::DecodeError>) {
    let malformed = status.message().starts_with("the request is not valid protobuf");
    assert!(!malformed || lax || theirs.is_some(), "prost reads what is said to be malformed: {}", status.message());
}

fn has_entries(map: Option<&Struct>) -> bool {
    map.is_some_and(|map| !map.fields.is_empty())
}

fn step_has_maps(step: &v1::Step) -> bool {
    has_entries(step.params.as_ref()) || has_entries(step.constraints.as_ref())
}

/// The same without what says nothing: empty maps, and values of null's enum.
fn plain_step(step: &mut v1::Step) {
    plain_map(&mut step.params);
    plain_map(&mut step.constraints);
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
