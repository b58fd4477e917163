//! The plan rules of risk policies.

use crate::condition::{Bindings, Budget, ConditionError, PlanBindings};
use crate::model::{Text, ValidationStatus, Violation, ViolationCode, ViolationSeverity};
use crate::snapshot::GovernedPlanRule;

use super::Subject;
use super::report::Report;

pub(super) fn check(subject: &Subject<'_>, plan: &PlanBindings<'_>, spent: &mut Budget, report: &mut Report) {
    let bindings = Bindings::of_plan(plan, subject.now);
    for rule in subject.governance.plan_rules() {
        match rule.when.evaluate(&bindings, spent) {
            Ok(false) => {}
            Ok(true) => apply(rule, reason_of(rule), report),
            Err(ConditionError::Limit) => return,
            Err(ConditionError::NotKnown(what)) => apply(rule, format!("its condition {what}, so it applies"), report),
            Err(error) => apply(rule, format!("its condition cannot be evaluated ({error}), so it applies"), report),
        }
    }
}

/// Reports that the conditions over the plan cost more than they may.
pub(super) fn out_of_budget(report: &mut Report) {
    report.plan(
        ViolationCode::PlanRule,
        "",
        "evaluating the rules over this plan costs more than a plan of its size may cost",
        "split the plan, or make the conditions of the risk policies and policies cheaper",
    );
}

fn reason_of(rule: &GovernedPlanRule) -> String {
    if rule.reason.is_empty() { "its condition holds".to_owned() } else { rule.reason.to_string() }
}

fn apply(rule: &GovernedPlanRule, why: String, report: &mut Report) {
    let severity = match rule.effect {
        ValidationStatus::Reject => ViolationSeverity::Error,
        _ => {
            report.escalate(rule.required_level);
            ViolationSeverity::Warning
        }
    };
    report.add(Violation {
        code: ViolationCode::PlanRule,
        severity,
        step_index: None,
        step_id: Text::default(),
        path: Text::default(),
        message: format!("the plan rule `{}/{}`: {why}", rule.document, rule.name),
        help: String::new(),
        rule: format!("{}/{}", rule.document, rule.name).into(),
        flow: Vec::new(),
    });
}
