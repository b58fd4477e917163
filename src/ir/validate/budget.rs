//! What the steps may cost, and their sum.

use crate::model::ViolationCode;

use super::Subject;
use super::report::Report;

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
    if let Some(ceiling) = subject.governance.max_budget_cents().filter(|ceiling| total > ceiling.most) {
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
