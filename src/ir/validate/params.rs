//! Whether parameters fit the schemas of their actions.

use crate::model::{Origin, Step, ViolationCode};
use crate::policy::{BadParam, ParamsSize, TooCostly};

use super::Subject;
use super::report::Report;

/// Checks the parameters as far as `work` goes. True where it did not go far enough: then some are reported as too costly.
pub(super) fn check(subject: &Subject<'_>, mut work: u64, report: &mut Report) -> bool {
    let mut cut_short = false;
    for (index, (step, action)) in subject.plan.steps.iter().zip(subject.actions).enumerate() {
        let Some(action) = action.filter(|action| !action.checks().is_empty()) else { continue };
        // A number that JSON does not have is refused with the canonical form.
        let Ok(params) = serde_json::to_value(&step.params) else { continue };
        let size = ParamsSize::of(&step.params);
        let bound = bound(step);
        let is_open = |pointer: &str, is_missing: bool| {
            bound.iter().any(|bound| is_below(pointer, bound) || (is_missing && is_below(bound, pointer)))
        };
        for check in action.checks() {
            match check.check(&params, size, &is_open, &mut work) {
                Ok(bad) => bad.into_iter().for_each(|bad| does_not_fit(subject, index, &bad, report)),
                Err(why) => {
                    cut_short = true;
                    too_costly(subject, index, why, report);
                }
            }
        }
    }
    cut_short
}

fn does_not_fit(subject: &Subject<'_>, index: usize, bad: &BadParam, report: &mut Report) {
    let action = subject.plan.steps.get(index).map_or("", |step| &step.action);
    report.step(
        ViolationCode::InvalidParams,
        subject.plan,
        index,
        format_args!("params{}", bad.pointer),
        format!("the parameters do not fit the schema of `{action}`: {}", bad.message),
        "write what the schema of the action asks for",
    );
}

fn too_costly(subject: &Subject<'_>, index: usize, TooCostly { is_wrong }: TooCostly, report: &mut Report) {
    let action = subject.plan.steps.get(index).map_or("", |step| &step.action);
    let message = if is_wrong {
        format!("the parameters do not fit the schema of `{action}`; they are too large for it to be said where")
    } else {
        format!(
            "checking the parameters against the schema of `{action}` costs more than the checks of a plan may cost"
        )
    };
    let help = "split the step or the plan, or make the schema of the action simpler";
    report.step(ViolationCode::InvalidParams, subject.plan, index, "params", message, help);
}

/// The paths that are bound to another step's output: what will be there is not known yet, and a preview says nothing.
pub(super) fn bound(step: &Step) -> Vec<&str> {
    let bound = step.inputs.iter().filter(|input| matches!(input.origin, Origin::Step { .. }));
    bound.map(|input| input.path.as_str()).collect()
}

/// Whether `pointer` is `above`, or below it.
pub(super) fn is_below(pointer: &str, above: &str) -> bool {
    pointer.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
