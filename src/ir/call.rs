//! A call that is about to be made, against the step that plans it.

use super::bound::bound_paths;
use super::dag::changed_params;
use crate::model::{Attributes, Step};
use crate::policy::{MAX_CHECK_COST, ParamsSize, TooCostly};
use crate::snapshot::Governance;

/// Most paths that a message names.
const NAMED_PATHS: usize = 8;

/// Most that checking the arguments of one call may cost: it is done while others wait for their approvals.
const MAX_CALL_COST: u64 = MAX_CHECK_COST / 10;

/// What is wrong with `params` as the arguments of `step`, by the schemas of its action; `None` if nothing is. What checking
/// costs is taken from `work`, at most [`MAX_CHECK_COST`].
#[must_use]
pub fn wrong_params(governance: &Governance, step: &Step, params: &Attributes, work: &mut u64) -> Option<String> {
    let checks = governance.governed(&step.action)?.checks();
    let (params, size) = match checks {
        [] => return None,
        _ => (serde_json::to_value(params).ok()?, ParamsSize::of(params)),
    };
    checks.iter().find_map(|schema| match schema.check(&params, size, &|_, _| false, work) {
        Ok(bad) => bad.first().map(|bad| format!("`params{}`: {}", bad.pointer, bad.message)),
        Err(TooCostly { is_wrong: true }) => Some("they are too large for it to be said where".to_owned()),
        Err(TooCostly { is_wrong: false }) => Some("checking them costs more than it may".to_owned()),
    })
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
    if bound_paths(step).is_empty() { None } else { wrong_params(governance, step, params, &mut { MAX_CALL_COST }) }
}
