//! The names by which others refer to steps: observations of the plan itself, and audits later.

use foldhash::fast::FixedState;
use hashbrown::HashSet;

use crate::diag::did_you_mean;
use crate::model::{Plan, ViolationCode};

use super::ids::shown;
use super::report::Report;

/// Most unknown ids of a plan for which the id that was meant is looked for.
const MAX_SUGGESTIONS: usize = 8;

pub(super) fn check(plan: &Plan, report: &mut Report) {
    positions(plan, report);
    observations(plan, report);
}

/// Audits call a step without id by its position: that must not be the id of another step.
fn positions(plan: &Plan, report: &mut Report) {
    for (index, step) in plan.steps.iter().enumerate() {
        let Some(position) = position(&step.step_id).filter(|position| *position != index) else { continue };
        if plan.steps.get(position).is_some_and(|other| other.step_id.is_empty()) {
            let message = format!("`step_id` `{position}` is also the position of a step without id, which goes by it");
            let help = format!("give steps[{position}] an id too, or choose another one here");
            report.step(ViolationCode::InvalidId, plan, index, "step_id", message, help);
        }
    }
}

/// The number that an id is, as positions are written.
fn position(id: &str) -> Option<usize> {
    let is_plain = id.bytes().all(|byte| byte.is_ascii_digit()) && (id == "0" || !id.starts_with('0'));
    if is_plain { id.parse().ok() } else { None }
}

/// What was read must be some step's: of what nobody read, nothing could be kept from anything.
fn observations(plan: &Plan, report: &mut Report) {
    if plan.observations.is_empty() {
        return;
    }
    let ids: HashSet<&str, FixedState> =
        plan.steps.iter().map(|step| step.step_id.as_str()).filter(|id| !id.is_empty()).collect();
    let unknown = plan.observations.iter().enumerate().filter(|(_, seen)| !ids.contains(seen.step_id.as_str()));
    for (number, (index, observation)) in unknown.enumerate() {
        let id = &observation.step_id;
        let message = match id.is_empty() {
            true => "the observation names no step".to_owned(),
            false => format!("the observation is of the step `{}`, and no step has that id", shown(id)),
        };
        let near = (number < MAX_SUGGESTIONS).then(|| did_you_mean(id, ids.iter().copied())).flatten();
        let help = near.map_or_else(
            || {
                "send the plan with all its steps, also those that ran already, and write the `step_id` of one"
                    .to_owned()
            },
            |near| format!("did you mean `{near}`?"),
        );
        report.plan(ViolationCode::UnknownDependency, &format!("observations[{index}].step_id"), message, help);
    }
}
