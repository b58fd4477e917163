//! What has no canonical form, as violations.

use crate::ir::{Refusal, Refused, RefusedField};
use crate::model::{Plan, Text, Violation, ViolationCode, ViolationSeverity};

use super::report::Report;

pub(super) fn report(plan: &Plan, refusals: &[Refusal], report: &mut Report) {
    for refusal in refusals {
        let step = refusal.step.and_then(|index| plan.steps.get(index));
        report.add(Violation {
            code: code(refusal),
            severity: ViolationSeverity::Error,
            step_index: refusal.step.and_then(|index| u32::try_from(index).ok()),
            step_id: step.map(|step| step.step_id.clone()).unwrap_or_default(),
            path: refusal.path.as_str().into(),
            message: refusal.reason.to_string(),
            help: help(refusal).to_owned(),
            rule: Text::default(),
            flow: Vec::new(),
        });
    }
}

fn code(refusal: &Refusal) -> ViolationCode {
    match refusal.field {
        RefusedField::Action => ViolationCode::InvalidAction,
        RefusedField::Provider => ViolationCode::InvalidProvider,
        RefusedField::Budget => ViolationCode::InvalidBudget,
        RefusedField::Tenant
        | RefusedField::StepId
        | RefusedField::Resource
        | RefusedField::IdempotencyKey
        | RefusedField::DependsOn => ViolationCode::InvalidId,
        RefusedField::Inputs if matches!(refusal.reason, Refused::InId(_)) => ViolationCode::InvalidId,
        _ => ViolationCode::InvalidParams,
    }
}

fn help(refusal: &Refusal) -> &'static str {
    match refusal.reason {
        // A budget is a number of cents, and no text.
        Refused::Integer(_) if refusal.field == RefusedField::Budget => {
            "write a budget of at most 9007199254740991 (2^53 - 1) cents"
        }
        Refused::Integer(_) => "write it as a string",
        Refused::NotFinite(_) => "JSON has no such number; leave it out or write it as a string",
        Refused::Control(_) | Refused::InId(_) => "remove the character",
        Refused::TooDeep => "make the value flatter",
    }
}
