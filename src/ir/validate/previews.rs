//! Previews: what stands in params where a step's output is bound.

use std::borrow::Cow;

use crate::model::{Attributes, Origin, Plan, bound_paths, without_previews};

/// The plan as its hash sees it: without previews, so that none can change what is said of it.
pub(super) fn without(plan: &Plan) -> Cow<'_, Plan> {
    let stripped = |plan: &Plan| -> Vec<(usize, Attributes)> {
        let takes = |input: &crate::model::Input| matches!(input.origin, Origin::Step { .. });
        let steps = plan.steps.iter().enumerate().filter(|(_, step)| step.inputs.iter().any(takes));
        steps.filter_map(|(i, step)| Some((i, without_previews(&step.params, &bound_paths(step))?))).collect()
    };
    let changed = stripped(plan);
    if changed.is_empty() {
        return Cow::Borrowed(plan);
    }
    let mut plan = plan.clone();
    for (index, params) in changed {
        if let Some(step) = plan.steps.get_mut(index) {
            step.params = params;
        }
    }
    Cow::Owned(plan)
}
