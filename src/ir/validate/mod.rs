//! ValidateIR: a snapshot and a plan give everything that is wrong with the plan, and how risky it is. Pure: no input or
//! output, no clock, no lock.
//!
//! Each file here looks at one thing and adds what it finds to a [`Report`]; nothing stops at the first finding. A plan
//! with an error is rejected; one with a warning, with a step whose tier needs approval, or with a step that a policy wants
//! approved, escalates; any other passes.

mod budget;
mod bulk;
mod catalog;
mod graph;
mod ids;
mod names;
mod params;
mod plan_rules;
mod policy;
mod previews;
mod refused;
mod report;
mod tier;

#[cfg(test)]
mod tests;

use std::sync::{Arc, LazyLock};

use crate::condition::{Budget, OpenParams, PlanBindings};
use crate::model::{
    Limits, Plan, SnapshotLabel, StepValidation, Text, Timestamp, Validation, ValidationStatus, ViolationCode,
    ViolationSeverity,
};
use crate::policy::{DocumentSet, MAX_CHECK_COST};
use crate::snapshot::{Ceiling, Governance, GovernedAction, Snapshot};

use super::flow;
use super::hash::{PlanHashes, plan_hashes};
use report::Report;

/// What validates where there is no snapshot: no catalogue lists anything.
static NO_SNAPSHOT: LazyLock<Snapshot> = LazyLock::new(|| Snapshot::build(&DocumentSet::default(), 0));

/// What answers say of a snapshot where there is none.
static NO_LABEL: LazyLock<Arc<SnapshotLabel>> = LazyLock::new(Arc::default);

/// The tier of what may be anything.
const HIGHEST_TIER: u8 = 3;

/// What all looks at a plan share.
struct Subject<'a> {
    plan: &'a Plan,
    governance: &'a Governance,
    /// For each step, what the catalogues say of its action.
    actions: &'a [Option<&'a GovernedAction>],
    limits: &'a Limits,
    now: Timestamp,
}

/// Validates `plan` with `snapshot` at `now`; `None` stands for a server that has not loaded any documents, which knows no
/// action.
///
/// All violations are listed, by step and then those of the whole plan. The conditions of tier rules, plan rules and
/// policies share one evaluation budget: that of one request, and a hundredth of it more for each step. A plan that
/// exceeds it is rejected with PLAN_RULE. Checking parameters against schemas has a budget of its own
/// ([`MAX_CHECK_COST`]); what it does not suffice for is INVALID_PARAMS. Of a plan with more steps than the limits allow nothing else is looked at.
#[must_use]
pub fn validate(snapshot: Option<&Snapshot>, plan: &Plan, now: Timestamp, limits: &Limits) -> Validation {
    weigh(snapshot, plan, now, limits, Effort::FULL).0
}

/// The same, given up where it takes longer than a thread may that others wait for: `None` then.
#[must_use]
pub fn validate_briefly(
    snapshot: Option<&Snapshot>,
    plan: &Plan,
    now: Timestamp,
    limits: &Limits,
) -> Option<Validation> {
    let (validation, was_cut_short) = weigh(snapshot, plan, now, limits, Effort::BRIEF);
    (!was_cut_short).then_some(validation)
}

/// How much work the costly parts of a validation may be.
#[derive(Debug, Clone, Copy)]
struct Effort {
    /// Most cost units of conditions, where a plan's own budget is not less.
    conditions: u64,
    /// Work of comparing texts.
    comparing: u64,
    /// Cost units of checking parameters against schemas.
    schemas: u64,
}

impl Effort {
    const FULL: Self = Self { conditions: u64::MAX, comparing: flow::FULL_WORK, schemas: MAX_CHECK_COST };
    /// Less than half a millisecond each. Ordinary plans take a tenth of it.
    const BRIEF: Self = Self { conditions: 20_000, comparing: 50_000, schemas: 20_000 };
}

/// The validation, and whether it would be another one with more effort.
fn weigh(
    snapshot: Option<&Snapshot>,
    plan: &Plan,
    now: Timestamp,
    limits: &Limits,
    effort: Effort,
) -> (Validation, bool) {
    let sent = plan;
    let plan = &*previews::without(plan);
    let label = snapshot.map_or_else(|| NO_LABEL.clone(), |snapshot| snapshot.label().clone());
    let snapshot = snapshot.unwrap_or(&NO_SNAPSHOT);
    let governance = snapshot.governance();
    let mut report = Report::default();
    if plan.steps.len() > limits.plan_steps {
        too_many_steps(&mut report, limits.too_many_steps(plan.steps.len()));
        let mut answer = answer(report, label, Vec::new(), Text::default(), 0, governance);
        // Nobody looked at the steps: they may be of any tier.
        answer.risk_tier = HIGHEST_TIER;
        return (answer, false);
    }
    if let Some(ceiling) = governance.max_steps().filter(|ceiling| exceeds(plan.steps.len(), ceiling.most)) {
        let (steps, Ceiling { most, document }) = (plan.steps.len(), ceiling);
        too_many_steps(
            &mut report,
            format!("the plan has {steps} steps, and the risk policy `{document}` allows {most}"),
        );
    }

    let actions: Vec<_> = plan.steps.iter().map(|step| governance.governed(&step.action)).collect();
    let subject = Subject { plan, governance, actions: &actions, limits, now };
    ids::check(&subject, &mut report);
    names::check(plan, &mut report);
    catalog::check(&subject, &mut report);
    let schemas_cut_short = params::check(&subject, effort.schemas, &mut report);
    let total_budget_cents = budget::check(&subject, &mut report);
    graph::check(plan, &mut report);
    let flow_cut_short = data_flow(sent, &subject, effort.comparing, &mut report);

    let labels: Vec<&[Text]> = actions.iter().map(|action| action.map_or(&[][..], |a| &a.entry().labels)).collect();
    let open = open_params(plan);
    let bindings = PlanBindings { plan, labels: &labels, open: &open, total_budget_cents };
    let cost = evaluation_cost(snapshot, plan, limits);
    let mut spent = Budget { remaining: cost.min(effort.conditions) };
    let mut steps = tier::steps(&subject, &bindings, &mut spent);
    policy::decide(snapshot, &subject, &mut spent, &mut steps, &mut report);
    plan_rules::check(&subject, &bindings, &mut spent, &mut report);
    let out_of_budget = spent.remaining == 0;
    if out_of_budget {
        plan_rules::out_of_budget(&mut report);
    }

    let PlanHashes { ir_hash, step_hashes, refusals } = plan_hashes(plan);
    refused::report(plan, &refusals, &mut report);
    for (step, hash) in steps.iter_mut().zip(step_hashes) {
        step.step_hash = hash;
    }
    let cut_short = (out_of_budget && effort.conditions < cost)
        || (flow_cut_short && effort.comparing < flow::FULL_WORK)
        || (schemas_cut_short && effort.schemas < MAX_CHECK_COST);
    (answer(report, label, steps, ir_hash, total_budget_cents, governance), cut_short)
}

/// What was read and must not decide what is done. True where comparing took more than `work`.
///
/// Previews are looked at only in a plan `sent` with observations, which no hash covers either: there a claim that an
/// argument is the copy of a field is checked against what was observed.
fn data_flow(sent: &Plan, subject: &Subject<'_>, work: u64, report: &mut Report) -> bool {
    let rules = subject.governance.flows();
    if rules.is_empty() {
        return false;
    }
    let actions: Vec<_> = subject.actions.iter().map(|action| action.map(GovernedAction::entry)).collect();
    let plan = if sent.observations.is_empty() { subject.plan } else { sent };
    let found = flow::check(plan, &actions, rules, work);
    if found.violations.iter().any(|violation| violation.severity == ViolationSeverity::Warning) {
        report.escalate(found.required_level);
    }
    found.violations.into_iter().for_each(|violation| report.add(violation));
    found.cut_short
}

/// For each step its params, where some are not known before the plan runs; nothing where all of all steps are.
fn open_params(plan: &Plan) -> Vec<Option<OpenParams<'_>>> {
    if plan.steps.iter().all(|step| step.inputs.is_empty()) {
        return Vec::new();
    }
    plan.steps.iter().map(OpenParams::of).collect()
}

/// The budget of all conditions over one plan, in cost units.
fn evaluation_cost(snapshot: &Snapshot, plan: &Plan, limits: &Limits) -> u64 {
    let one = snapshot.evaluation_cost().unwrap_or(u64::MAX).min(limits.evaluation_cost);
    one.saturating_add((one / 100).saturating_mul(plan.steps.len() as u64))
}

fn exceeds(steps: usize, most: i64) -> bool {
    i64::try_from(steps).unwrap_or(i64::MAX) > most
}

fn too_many_steps(report: &mut Report, message: String) {
    report.plan(ViolationCode::TooManySteps, "steps", message, "split it into several plans");
}

fn answer(
    report: Report,
    snapshot: Arc<SnapshotLabel>,
    steps: Vec<StepValidation>,
    ir_hash: Text,
    total_budget_cents: i64,
    governance: &Governance,
) -> Validation {
    let (violations, wants_approval, level) = report.finish();
    let is_error = violations.iter().any(|violation| violation.severity == ViolationSeverity::Error);
    let needs_approval =
        wants_approval || !violations.is_empty() || steps.iter().any(|step| step.tier >= governance.approval_tier());
    let status = match (is_error, needs_approval) {
        (true, _) => ValidationStatus::Reject,
        (false, true) => ValidationStatus::Escalate,
        (false, false) => ValidationStatus::Pass,
    };
    let mut validation = Validation::new(snapshot, status);
    validation.risk_tier = steps.iter().map(|step| step.tier).max().unwrap_or(0);
    validation.required_level = level.filter(|_| status == ValidationStatus::Escalate);
    validation.ir_hash = ir_hash;
    validation.violations = violations;
    validation.steps = steps;
    validation.total_budget_cents = total_budget_cents;
    validation
}
