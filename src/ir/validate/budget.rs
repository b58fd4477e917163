//! What the steps may cost, and their sum.

use crate::model::{Step, ViolationCode};

use super::Subject;
use super::report::Report;

/// Most cents that every reader holds exactly, as conditions and JSON do.
const MOST: i64 = (1 << 53) - 1;

/// Checks the budgets and gives their sum, in cents. What is negative counts as nothing.
pub(super) fn check(subject: &Subject<'_>, report: &mut Report) -> i64 {
    let mut total: i64 = 0;
    for (index, step) in subject.plan.steps.iter().enumerate() {
        let Some(cents) = step.budget_cents else { continue };
        if cents < 0 {
            report.step(
                ViolationCode::NegativeBudget,
                subject.plan,
                index,
                "budget_cents",
                format!("the budget of {cents} cents is below zero"),
                "write what the step may cost, or leave the budget out",
            );
            continue;
        }
        total = total.saturating_add(cents);
    }
    let is_exact = |step: &Step| step.budget_cents.is_none_or(|cents| cents <= MOST);
    if total > MOST && subject.plan.steps.iter().all(is_exact) {
        report.plan(
            ViolationCode::BudgetExceeded,
            "steps",
            format!("the budgets of all steps add up to {total} cents, and beyond 2^53 - 1 ({MOST}) not every number of cents is exact"),
            "lower the budgets, or split the plan",
        );
    } else if let Some(ceiling) = subject.governance.max_budget_cents().filter(|ceiling| total > ceiling.most) {
        report.plan(
            ViolationCode::BudgetExceeded,
            "steps",
            format!(
                "the budgets of all steps add up to {total} cents, and the risk policy `{}` allows {}",
                ceiling.document, ceiling.most
            ),
            "lower the budgets, or split the plan",
        );
    }
    total
}
