//! A call that is about to be made, against the step that plans it.

use super::bound::bound_paths;
use super::dag::changed_params;
use crate::model::{Attributes, Step};
use crate::snapshot::Governance;

/// Most paths that a message names.
const NAMED_PATHS: usize = 8;

/// What is wrong with `params` as the arguments of `step`, by the schemas of its action; `None` if nothing is.
#[must_use]
pub fn wrong_params(governance: &Governance, step: &Step, params: &Attributes) -> Option<String> {
    let checks = governance.governed(&step.action)?.checks();
    let params = if checks.is_empty() { return None } else { serde_json::to_value(params).ok()? };
    let bad = checks.iter().flat_map(|schema| schema.check(&params, &|_, _| false)).next()?;
    Some(format!("`params{}`: {}", bad.pointer, bad.message))
}

/// How a call with the resolved arguments `params` is not the one that `step` plans: what the step fixes must be the same,
/// and what it leaves open must fit the schemas of its action. `None` if it is.
#[must_use]
pub fn differing_call(governance: &Governance, step: &Step, params: &Attributes) -> Option<String> {
    let changed = changed_params(step, params);
    if !changed.is_empty() {
        let named: Vec<_> = changed.iter().take(NAMED_PATHS).map(|path| format!("`params{path}`")).collect();
        let more = match changed.len() - named.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        return Some(format!("{}{more} differ from the plan", named.join(", ")));
    }
    // What the plan says literally was validated with it; what it leaves open was not.
    if bound_paths(step).is_empty() { None } else { wrong_params(governance, step, params) }
}
