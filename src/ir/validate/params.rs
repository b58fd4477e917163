//! Whether parameters fit the schemas of their actions.

use crate::model::{Origin, Step, ViolationCode};

use super::Subject;
use super::report::Report;

pub(super) fn check(subject: &Subject<'_>, report: &mut Report) {
    for (index, (step, action)) in subject.plan.steps.iter().zip(subject.actions).enumerate() {
        let Some(action) = action.filter(|action| !action.checks().is_empty()) else { continue };
        // A number that JSON does not have is refused with the canonical form.
        let Ok(params) = serde_json::to_value(&step.params) else { continue };
        let bound = bound(step);
        let is_open = |pointer: &str, is_missing: bool| {
            bound.iter().any(|bound| is_below(pointer, bound) || (is_missing && is_below(bound, pointer)))
        };
        for bad in action.checks().iter().flat_map(|check| check.check(&params, &is_open)) {
            report.step(
                ViolationCode::InvalidParams,
                subject.plan,
                index,
                format_args!("params{}", bad.pointer),
                format!("the parameters do not fit the schema of `{}`: {}", step.action, bad.message),
                "write what the schema of the action asks for",
            );
        }
    }
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
