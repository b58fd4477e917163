//! What the rules of the policies say of each step.
//!
//! A step is asked as the request: may the plan's subject do `action` to the resource whose id is `resource` (its type is
//! empty), in the context that the step is ([`StepContext`])? Only what a rule says counts: the default, and having no
//! policy at all, do not.

use crate::condition::{Bindings, Budget, StepContext};
use crate::decide;
use crate::model::{
    Decision, Outcome, ReasonCode, Request, StepValidation, Violation, ViolationCode, ViolationSeverity,
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
    let unspoken = decide::unspoken(snapshot);
    let mut request = Request::default();
    if has_rules {
        request.tenant_id = plan.tenant_id.clone();
        request.subject = plan.subject.clone();
        request.run_id = plan.run_id.clone();
        request.correlation_id = plan.correlation_id.clone();
    }
    for (index, (step, validation)) in plan.steps.iter().zip(steps).enumerate() {
        if has_rules {
            request.action.name.clone_from(&step.action);
            request.resource.id.clone_from(&step.resource);
        }
        let context = StepContext::of(step);
        let bindings = Bindings::of_request_for(&request, &context, subject.now);
        let spoken = decide::consult_rules(snapshot, &bindings, spent);
        let decision = spoken.as_ref().unwrap_or(&unspoken);
        validation.decision = decision.outcome;
        validation.reason_code = decision.reason_code;
        validation.requires_audit = decision.requires_audit();
        validation.matched = decision.matched;
        if is_explicit(decision.reason_code) {
            count(subject, index, decision, report);
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
