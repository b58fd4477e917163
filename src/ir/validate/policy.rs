//! What the rules of the policies say of each step.
//!
//! A step is asked as the request: may the plan's subject do `action` to the resource whose id is `resource`, without the type
//! that it may begin with, and whose type the catalogue gives to the action, in the context that the step is
//! ([`StepContext`])? A rule that restricts by type and id counts where no catalogue of its layer or a higher one gives a type
//! and the id matches. Only what a rule says counts: the default, and having no policy at all, do not. A rule that forbids or asks and reads an argument that is bound to another step's output counts,
//! as one whose condition fails; one that allows does not.

use crate::condition::{Bindings, Budget, StepContext};
use crate::decide;
use crate::model::{
    Decision, Effect, Outcome, ReasonCode, Request, Resource, RuleLabel, StepValidation, Text, Violation,
    ViolationCode, ViolationSeverity, bound_paths,
};
use crate::snapshot::{GovernedAction, Snapshot};

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
        }
        let types = subject.actions.get(index).copied().flatten().map_or(&[][..], GovernedAction::types);
        let context = StepContext::of(step, types.first().map(|(layer, _)| *layer));
        let mut ask = |kind: Option<&Text>| {
            if has_rules {
                of_type(&mut request.resource, kind, &step.resource);
            }
            let bindings = Bindings::of_request_for(&request, &context, subject.now);
            decide::consult_rules(snapshot, &bindings, spent)
        };
        let mut spoken = ask(types.first().map(|(_, kind)| kind));
        let mut is_audited = spoken.as_ref().is_some_and(Decision::requires_audit);
        // Where catalogues do not agree on the type, the strictest answer counts.
        for (_, kind) in types.iter().skip(1) {
            let other = ask(Some(kind));
            is_audited |= other.as_ref().is_some_and(Decision::requires_audit);
            if strictness(other.as_ref()) > strictness(spoken.as_ref()) {
                spoken = other;
            }
        }
        let decision = spoken.as_ref().unwrap_or(&unspoken);
        validation.decision = decision.outcome;
        validation.reason_code = decision.reason_code;
        validation.requires_audit = is_audited || decision.requires_audit();
        validation.matched = decision.matched;
        if is_explicit(decision.reason_code) {
            count(subject, index, decision, report);
        }
    }
}

/// Makes it a resource of the type `kind`, which is no part of its id.
fn of_type(resource: &mut Resource, kind: Option<&Text>, named: &Text) {
    resource.kind = kind.cloned().unwrap_or_default();
    resource.id = match kind.and_then(|kind| named.strip_prefix(kind.as_str())?.strip_prefix(':')) {
        Some(bare) => bare.into(),
        None => named.clone(),
    };
}

/// What rules say, from what lets a step run to what stops it.
fn strictness(spoken: Option<&Decision>) -> (u8, u8) {
    match spoken {
        Some(decision) if is_explicit(decision.reason_code) => match decision.outcome {
            Outcome::Allow => (0, 0),
            Outcome::RequireApproval => (1, decision.required_level().unwrap_or(0)),
            Outcome::Deny => (2, 0),
        },
        _ => (0, 0),
    }
}

/// Whether a rule says so, or an error that narrows what the rules say.
fn is_explicit(reason: ReasonCode) -> bool {
    !matches!(reason, ReasonCode::Default | ReasonCode::NoPolicy)
}

fn count(subject: &Subject<'_>, index: usize, decision: &Decision, report: &mut Report) {
    match decision.outcome {
        Outcome::Allow => {}
        Outcome::RequireApproval => {
            report.escalate(decision.required_level());
            // What a rule says whose condition holds is no violation; that nobody knows whether it holds is one.
            if decision.reason_code == ReasonCode::ConditionError || undecided_allows(decision).next().is_some() {
                let (code, help) = (ViolationCode::PolicyUndecided, "have it approved, or write the argument itself");
                report.add(violation(subject, index, decision, (code, ViolationSeverity::Warning), help));
            }
        }
        Outcome::Deny => {
            let is_open = || subject.plan.steps.get(index).is_some_and(|step| !bound_paths(step).is_empty());
            let help = match decision.reason_code {
                ReasonCode::ConditionError if is_open() => "write the argument itself, or leave the step out",
                ReasonCode::ConditionError => "give what the condition reads, or leave the step out",
                _ => "leave the step out, or ask for another one",
            };
            let code = ViolationCode::PolicyDenied;
            report.add(violation(subject, index, decision, (code, ViolationSeverity::Error), help));
        }
    }
}

fn violation(
    subject: &Subject<'_>,
    index: usize,
    decision: &Decision,
    (code, severity): (ViolationCode, ViolationSeverity),
    help: &str,
) -> Violation {
    let rule = decision.matched_rule().map(|rule| format!("{}/{}", rule.policy, rule.rule));
    let does = match severity {
        ViolationSeverity::Warning => "wants an approval for",
        ViolationSeverity::Error => "denies",
    };
    let who = rule.as_ref().map_or_else(|| "what the policies say".to_owned(), |rule| format!("the rule `{rule}`"));
    let failure = decision.errors.iter().find(|(number, _)| Some(*number) == decision.matched);
    let mut message = match failure {
        Some((_, error)) if decision.reason_code == ReasonCode::ConditionError => {
            format!("{who} {does} the step, because its condition cannot be evaluated: {error}")
        }
        _ => format!("{who} {does} the step: {}", decision.reason()),
    };
    for (rule, error) in undecided_allows(decision) {
        message.push_str(&format!("; the rule `{}/{}` does not allow it, because {error}", rule.policy, rule.rule));
    }
    let step = subject.plan.steps.get(index);
    Violation {
        code,
        severity,
        step_index: u32::try_from(index).ok(),
        step_id: step.map(|step| step.step_id.clone()).unwrap_or_default(),
        path: format!("steps[{index}].action").into(),
        message,
        help: help.to_owned(),
        rule: rule.unwrap_or_default().into(),
        flow: Vec::new(),
    }
}

/// The rules that would allow the step and whose conditions cannot be evaluated, each with the failure.
fn undecided_allows(decision: &Decision) -> impl Iterator<Item = (&RuleLabel, &Text)> {
    let rule = |number: u32| decision.snapshot.rules.get(number as usize);
    let failed = decision.errors.iter().filter_map(move |(number, error)| Some((rule(*number)?, error)));
    failed.filter(|(rule, _)| rule.effect == Effect::Allow)
}
