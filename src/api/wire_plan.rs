//! Plans between the domain's types and the generated ones, for clients.

use prost::Message;

use super::decode;
use super::encode::{PlanAnswer, Writer, validate_ir_response};
use super::proto::v1;
use super::refusal::Refusal;
use super::wire::{to_struct, to_value};
use crate::model::{Limits, Observation, Ordering, Origin, Plan, Step, Text, Timestamp, Validation};

/// A plan, ready to be sent.
#[must_use]
pub fn to_plan_request(plan: &Plan) -> v1::ValidateIrRequest {
    let subject = &plan.subject;
    v1::ValidateIrRequest {
        request_id: plan.request_id.to_string(),
        tenant_id: plan.tenant_id.to_string(),
        subject: Some(v1::Subject {
            r#type: subject.kind.to_string(),
            id: subject.id.to_string(),
            roles: texts(&subject.roles),
            properties: to_struct(&subject.properties),
            on_behalf_of: subject.on_behalf_of.to_string(),
        }),
        ordering: ordering(plan.ordering).into(),
        steps: plan.steps.iter().map(step).collect(),
        intent_summary: plan.intent_summary.to_string(),
        user_messages: texts(&plan.user_messages),
        observations: plan.observations.iter().map(observation).collect(),
        labels: plan.labels.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect(),
        run_id: plan.run_id.to_string(),
        correlation_id: plan.correlation_id.to_string(),
        snapshot: plan.snapshot.to_string(),
        hash_scheme: v1::HashScheme::Rfc8785V1.into(),
        audience: plan.audience.to_string(),
    }
}

fn ordering(ordering: Ordering) -> v1::Ordering {
    match ordering {
        Ordering::Sequential => v1::Ordering::Sequential,
        Ordering::Dag => v1::Ordering::Dag,
    }
}

fn texts(texts: &[Text]) -> Vec<String> {
    texts.iter().map(Text::to_string).collect()
}

fn step(step: &Step) -> v1::Step {
    let inputs = step.inputs.iter().map(|input| v1::StepInput {
        path: input.path.to_string(),
        origin: Some(match &input.origin {
            Origin::User { quote } => v1::step_input::Origin::User(v1::UserOrigin { quote: quote.to_string() }),
            Origin::Constant => v1::step_input::Origin::Constant(v1::ConstantOrigin {}),
            Origin::Step { step_id, output_path } => v1::step_input::Origin::Step(v1::StepOrigin {
                step_id: step_id.to_string(),
                output_path: output_path.to_string(),
            }),
        }),
    });
    v1::Step {
        step_id: step.step_id.to_string(),
        action: step.action.to_string(),
        provider: step.provider.to_string(),
        resource: step.resource.to_string(),
        params: to_struct(&step.params),
        constraints: to_struct(&step.constraints),
        idempotency_key: step.idempotency_key.to_string(),
        budget_cents: step.budget_cents,
        depends_on: texts(&step.depends_on),
        inputs: inputs.collect(),
        description: step.description.to_string(),
    }
}

fn observation(observation: &Observation) -> v1::Observation {
    let output = Some(v1::observation::Output::Value(to_value(&observation.output)));
    v1::Observation { step_id: observation.step_id.to_string(), output }
}

/// Judges a plan's message as a server does that is sent it. What is wrong with the plan itself is not said here.
///
/// # Errors
/// The status with which the server would refuse it, with the fields that are wrong.
pub fn check_plan(plan: &Plan, limits: &Limits) -> Result<(), Box<tonic::Status>> {
    read_plan_request(&to_plan_request(plan).encode_to_vec(), limits).map(drop)
}

/// Reads an encoded `ValidateIRRequest` as a server does that is sent it.
///
/// # Errors
/// The status with which the server would refuse it, with the fields that are wrong.
pub fn read_plan_request(message: &[u8], limits: &Limits) -> Result<Plan, Box<tonic::Status>> {
    let refusal = if message.len() > limits.plan_bytes {
        Refusal::message_too_large(message.len(), limits.plan_bytes)
    } else {
        match decode::validate_ir_request(message, limits) {
            Ok(decoded) if decoded.violations.is_empty() => return Ok(decoded.plan),
            Ok(decoded) => Refusal::invalid(decoded.violations),
            Err(why) => Refusal::malformed(why),
        }
    };
    Err(Box::new(refusal.to_status()))
}

/// The answer that a server would give, for a validation that was made in process and has no id, no record and no receipt.
#[must_use]
pub fn to_plan_response(
    plan: &Plan,
    validation: &Validation,
    validated_at: Timestamp,
    validation_nanos: u64,
) -> v1::ValidateIrResponse {
    let answer = PlanAnswer {
        plan,
        validation,
        validation_id: "",
        correlation_id: plan.correlation_or(""),
        validated_at,
        receipt: "",
        validation_nanos,
    };
    let mut bytes = Vec::new();
    validate_ir_response(&mut Writer::new(&mut bytes), &answer);
    // What the encoder writes can be read, which its tests hold it to.
    v1::ValidateIrResponse::decode(&*bytes).unwrap_or_default()
}
