//! Targets and views as the bytes that are kept: the messages of the wire.

use prost::Message;

use crate::api::decode;
use crate::api::proto::v1;
use crate::api::wire::{to_request, to_response};
use crate::api::wire_plan::{to_plan_request, to_plan_response};
use crate::approval::{Assessed, Codec, Target};
use crate::model::{Decision, Limits, Origin, Plan, Request, Step, TargetKind, Timestamp, Validation};

/// Keeps targets as `ValidateIRRequest` and `EvaluateRequest`, and views as `ApprovalView`.
#[derive(Debug, Clone, Copy, Default)]
pub struct WireCodec;

impl Codec for WireCodec {
    fn encode(&self, target: &Target) -> Vec<u8> {
        match target {
            Target::Plan(plan) => to_plan_request(plan).encode_to_vec(),
            Target::Action(request) => to_request(request).encode_to_vec(),
        }
    }

    fn decode(&self, kind: TargetKind, bytes: &[u8], limits: &Limits) -> Option<Target> {
        match kind {
            TargetKind::Plan => {
                let decoded = decode::validate_ir_request(bytes, limits).ok()?;
                decoded.violations.is_empty().then(|| Target::Plan(Box::new(decoded.plan)))
            }
            TargetKind::Action => {
                let decoded = decode::evaluate_request(bytes, None, limits).ok()?;
                decoded.violations.is_empty().then(|| Target::Action(Box::new(decoded.request)))
            }
        }
    }

    fn view(&self, assessed: &Assessed<'_>) -> Vec<u8> {
        let view = match assessed {
            Assessed::Plan(plan, validation) => plan_view(plan, validation),
            Assessed::Action(request, decision) => action_view(request, decision),
        };
        view.encode_to_vec()
    }
}

fn plan_view(plan: &Plan, validation: &Validation) -> v1::ApprovalView {
    let question = to_plan_request(plan);
    let answer = to_plan_response(plan, validation, Timestamp::default(), 0);
    let steps = plan.steps.iter().zip(question.steps).zip(answer.steps).map(|((planned, step), validation)| {
        v1::ApprovalStep { step: Some(step), validation: Some(validation), open_paths: open_paths(planned) }
    });
    v1::ApprovalView {
        what: Some(v1::approval_view::What::Plan(v1::PlanView {
            subject: question.subject,
            ordering: question.ordering,
            steps: steps.collect(),
            violations: answer.violations,
            total_budget_cents: answer.total_budget_cents,
        })),
        unverified: Some(v1::UnverifiedTexts {
            intent_summary: question.intent_summary,
            labels: question.labels,
            user_messages: question.user_messages,
        }),
    }
}

fn open_paths(step: &Step) -> Vec<v1::OpenPath> {
    let open = step.inputs.iter().filter_map(|input| match &input.origin {
        Origin::Step { step_id, output_path } => Some(v1::OpenPath {
            path: input.path.to_string(),
            step_id: step_id.to_string(),
            output_path: output_path.to_string(),
        }),
        _ => None,
    });
    open.collect()
}

fn action_view(request: &Request, decision: &Decision) -> v1::ApprovalView {
    let question = to_request(request);
    let action = v1::ActionView {
        subject: question.subject,
        action: question.action,
        resource: question.resource,
        context: question.context,
        decision: Some(to_response(request, decision, 0)),
    };
    v1::ApprovalView { what: Some(v1::approval_view::What::Action(action)), unverified: None }
}
