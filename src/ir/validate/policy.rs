//! What the rules of the policies say of each step.
//!
//! A step is asked as the request: may the plan's subject do `action` to the resource whose id is `resource` (its type is
//! empty), where the context is `{params, constraints, provider, budget_cents, step_id, idempotency_key}`, fields that say
//! nothing left out. Only what a rule says counts: the default, and having no policy at all, do not.

use crate::condition::Budget;
use crate::decide;
use crate::model::{
    Action, Attributes, Decision, Outcome, ReasonCode, Request, Resource, Step, StepValidation, Text, Value, Violation,
    ViolationCode, ViolationSeverity,
};
use crate::snapshot::Snapshot;

use super::Subject;
use super::report::Report;

pub(super) fn decide(
    snapshot: &Snapshot,
    subject: &Subject<'_>,
    spent: &mut Budget,
    steps: &mut [StepValidation],
    report: &mut Report,
) {
    let plan = subject.plan;
    let has_rules = !snapshot.rules().is_empty();
    let mut request = Request::default();
    if has_rules {
        request.tenant_id = plan.tenant_id.clone();
        request.subject = plan.subject.clone();
        request.run_id = plan.run_id.clone();
        request.correlation_id = plan.correlation_id.clone();
    }
    for (index, (step, validation)) in plan.steps.iter().zip(steps).enumerate() {
        if has_rules {
            request.action = Action { name: step.action.clone(), properties: Attributes::default() };
            request.resource =
                Resource { kind: Text::default(), id: step.resource.clone(), properties: Attributes::default() };
            request.context = context(step);
        }
        let decision = decide::consult_rules(snapshot, &request, subject.now, spent);
        validation.decision = decision.outcome;
        validation.reason_code = decision.reason_code;
        validation.requires_audit = decision.requires_audit();
        validation.matched = decision.matched;
        if is_explicit(decision.reason_code) {
            count(subject, index, &decision, report);
        }
    }
}

/// Whether a rule says so, or an error that narrows what the rules say.
fn is_explicit(reason: ReasonCode) -> bool {
    !matches!(reason, ReasonCode::Default | ReasonCode::NoPolicy)
}

fn count(subject: &Subject<'_>, index: usize, decision: &Decision, report: &mut Report) {
    match decision.outcome {
        Outcome::Allow => {}
        Outcome::RequireApproval => report.escalate(decision.required_level()),
        Outcome::Deny => {
            let rule = decision.matched_rule().map(|rule| format!("{}/{}", rule.policy, rule.rule));
            let who = rule
                .as_ref()
                .map_or_else(|| "the policies deny".to_owned(), |rule| format!("the rule `{rule}` denies"));
            let step = subject.plan.steps.get(index);
            report.add(Violation {
                code: ViolationCode::PolicyDenied,
                severity: ViolationSeverity::Error,
                step_index: u32::try_from(index).ok(),
                step_id: step.map(|step| step.step_id.clone()).unwrap_or_default(),
                path: format!("steps[{index}].action").into(),
                message: format!("{who} the step: {}", decision.reason()),
                help: "leave the step out, or ask for another one".to_owned(),
                rule: rule.unwrap_or_default().into(),
                flow: Vec::new(),
            });
        }
    }
}

/// The circumstances of a step, as the rules of a policy read them.
fn context(step: &Step) -> Attributes {
    let text = |name: &'static str, text: &Text| {
        (!text.is_empty()).then(|| (Text::const_new(name), Value::String(text.clone())))
    };
    let entries = [
        Some((Text::const_new("params"), Value::Map(step.params.clone()))),
        Some((Text::const_new("constraints"), Value::Map(step.constraints.clone()))),
        text("provider", &step.provider),
        step.budget_cents.map(|cents| (Text::const_new("budget_cents"), Value::Number(cents as f64))),
        text("step_id", &step.step_id),
        text("idempotency_key", &step.idempotency_key),
    ];
    // The names differ, so that this cannot fail.
    Attributes::from_entries(entries.into_iter().flatten().collect()).unwrap_or_default()
}
