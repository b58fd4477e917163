//! Between the domain's types and the generated ones, for clients.

use prost::Message;

use super::decode;
use super::encode::{Answer, Writer, evaluate_response};
use super::proto::v1;
use super::refusal::Refusal;
use crate::decide;
use crate::model::{Attributes, Decision, Limits, Outcome, Request, Text, Value};

/// A question, ready to be sent.
#[must_use]
pub fn to_request(request: &Request) -> v1::EvaluateRequest {
    let Request { subject, action, resource, .. } = request;
    let has_resource = !(resource.kind.is_empty() && resource.id.is_empty() && resource.properties.is_empty());
    v1::EvaluateRequest {
        request_id: request.request_id.to_string(),
        tenant_id: request.tenant_id.to_string(),
        subject: Some(v1::Subject {
            r#type: subject.kind.to_string(),
            id: subject.id.to_string(),
            roles: subject.roles.iter().map(Text::to_string).collect(),
            properties: to_struct(&subject.properties),
            on_behalf_of: subject.on_behalf_of.to_string(),
        }),
        action: Some(v1::Action { name: action.name.to_string(), properties: to_struct(&action.properties) }),
        resource: has_resource.then(|| v1::Resource {
            r#type: resource.kind.to_string(),
            id: resource.id.to_string(),
            properties: to_struct(&resource.properties),
        }),
        context: to_struct(&request.context),
        run_id: request.run_id.to_string(),
        correlation_id: request.correlation_id.to_string(),
        snapshot: request.snapshot.to_string(),
        explain: request.explain,
        want_action_hash: request.want_action_hash,
    }
}

/// The map as protobuf's own type has it, absent where it is empty.
pub(super) fn to_struct(map: &Attributes) -> Option<prost_types::Struct> {
    (!map.is_empty()).then(|| to_filled_struct(map))
}

/// The map as protobuf's own type has it.
pub fn to_filled_struct(map: &Attributes) -> prost_types::Struct {
    prost_types::Struct { fields: map.iter().map(|(key, value)| (key.to_string(), to_value(value))).collect() }
}

/// The value as protobuf's own type has it.
pub(super) fn to_value(value: &Value) -> prost_types::Value {
    use prost_types::value::Kind;
    let kind = match value {
        Value::Null => Kind::NullValue(0),
        Value::Bool(truth) => Kind::BoolValue(*truth),
        Value::Number(number) => Kind::NumberValue(*number),
        Value::String(text) => Kind::StringValue(text.to_string()),
        Value::List(items) => Kind::ListValue(prost_types::ListValue { values: items.iter().map(to_value).collect() }),
        Value::Map(map) => Kind::StructValue(to_filled_struct(map)),
    };
    prost_types::Value { kind: Some(kind) }
}

/// Judges a question as a server does that is sent it.
///
/// # Errors
/// The status with which the server would refuse it, with the fields that are wrong.
pub fn check_request(request: &Request, limits: &Limits) -> Result<(), Box<tonic::Status>> {
    read_request(&to_request(request).encode_to_vec(), limits).map(drop)
}

/// Reads an encoded `EvaluateRequest` as a server does that is sent it.
///
/// # Errors
/// The status with which the server would refuse it, with the fields that are wrong.
pub fn read_request(message: &[u8], limits: &Limits) -> Result<Request, Box<tonic::Status>> {
    let refusal = if message.len() > limits.message_bytes {
        Refusal::message_too_large(message.len(), limits.message_bytes)
    } else {
        match decode::evaluate_request(message, None, limits) {
            Ok(decoded) if decoded.violations.is_empty() => return Ok(decoded.request),
            Ok(decoded) => Refusal::invalid(decoded.violations),
            Err(why) => Refusal::malformed(why),
        }
    };
    Err(Box::new(refusal.to_status()))
}

/// The answer that a server would give, for a decision that was made in process and has no id and no record.
#[must_use]
pub fn to_response(request: &Request, decision: &Decision, evaluation_nanos: u64) -> v1::EvaluateResponse {
    let hash_needed = request.want_action_hash || decision.outcome == Outcome::RequireApproval;
    let action_hash = if hash_needed { decide::action_hash(request) } else { Text::default() };
    let correlation_id = if request.correlation_id.is_empty() { &request.request_id } else { &request.correlation_id };
    let answer = Answer {
        request,
        decision,
        decision_id: uuid::Uuid::nil(),
        correlation_id,
        action_hash: &action_hash,
        evaluation_nanos,
    };
    let mut bytes = Vec::new();
    evaluate_response(&mut Writer::new(&mut bytes), &answer);
    // What the encoder writes can be read, which its tests hold it to.
    let mut response = v1::EvaluateResponse::decode(&*bytes).unwrap_or_default();
    response.decision_id.clear();
    response
}
