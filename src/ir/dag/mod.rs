//! The audit: is the DAG that an executor compiled, and are the calls that it made, the plan that was validated?
//!
//! The content of a node counts, not what it says of itself; what a runtime may choose while a plan runs (arguments that
//! are bound to outputs, the order of independent steps) does not.

mod diff;
mod executions;
mod links;
mod matching;
mod nodes;
mod order;
mod redeemed;
mod schemas;
#[cfg(test)]
mod tests;

pub(super) use diff::changed_params;
use hashbrown::HashMap;

use self::redeemed::Authority;
pub use self::schemas::Schemas;
use super::hash::{dag_hash, plan_hashes};
use crate::model::{
    BoundTo, DagNode, DagVerification, Deviation, DeviationKind, Execution, Plan, Redemption, Step, Text,
    ValidationStatus,
};

/// What proves that the steps were validated. Whoever makes one has checked it: the receipt's signature, or the approval's
/// state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binding<'a> {
    /// Nothing does. The steps are compared as they were sent.
    None,
    /// The receipt of a validation.
    Receipt {
        /// The plan's hash.
        ir_hash: &'a str,
        /// What was answered.
        status: ValidationStatus,
    },
    /// An approval that was given.
    Approval {
        /// The plan's hash.
        ir_hash: &'a str,
        /// What was redeemed of it: calls are held to that, and none is authorised before.
        redemption: Option<&'a Redemption>,
    },
}

/// Compares `nodes` and `executions` with the steps of `plan`, of which only tenant, ordering and steps count.
///
/// Without nodes only executions are compared, and without executions only nodes; without both, every step is missing. A
/// plan without steps is accepted. Arguments that the plan leaves open are held against `schemas`.
#[must_use]
pub fn verify_dag(
    plan: &Plan,
    nodes: &[DagNode],
    executions: &[Execution],
    binding: Binding<'_>,
    schemas: &Schemas<'_>,
) -> DagVerification {
    let mut found = DagVerification { dag_hash: dag_hash(nodes), ..DagVerification::default() };
    let steps = Steps::of(plan, &mut found);
    bind(binding, executions, &mut found);
    let authority = Authority::of(binding);
    if !nodes.is_empty() || executions.is_empty() {
        nodes::compare(&steps, nodes, !executions.is_empty(), authority, &mut found);
    }
    if !executions.is_empty() {
        executions::compare(&steps, executions, schemas, authority, &mut found);
        found.params_snapshot = schemas.digest();
    }
    let mut listed = hashbrown::HashSet::new();
    found.reordered.retain(|id| listed.insert(id.clone()));
    found.success = is_clean(&found);
    found
}

fn is_clean(found: &DagVerification) -> bool {
    found.missing_steps.is_empty()
        && found.extra_nodes.is_empty()
        && found.duplicates.is_empty()
        && found.malformed.is_empty()
        && found.hash_mismatches.is_empty()
        && found.rewired.is_empty()
        && found.reordered.is_empty()
        && found.deviations.is_empty()
        && found.not_run.is_empty()
        && found.refused.is_empty()
}

/// Holds the plan's hash to what it is said to be bound to.
fn bind(binding: Binding<'_>, executions: &[Execution], found: &mut DagVerification) {
    let (bound_to, named, what) = match binding {
        Binding::None => return,
        Binding::Receipt { ir_hash, .. } => (BoundTo::Receipt, ir_hash, "receipt"),
        Binding::Approval { ir_hash, .. } => (BoundTo::Approval, ir_hash, "approval"),
    };
    found.bound_to = bound_to;
    if named.is_empty() || found.ir_hash != named {
        let message = format!("the {what} is for {named}, and these steps are {}", or_none(&found.ir_hash));
        found.deviations.push(Deviation {
            kind: DeviationKind::PlanChanged,
            step_id: Text::default(),
            execution_seq: None,
            message,
        });
    }
    if let Binding::Receipt { status, .. } = binding {
        authorise(status, executions, found);
    }
}

/// What a receipt that does not say PASS is for: nothing. The approval that an ESCALATE waits for is a binding of its own.
fn authorise(status: ValidationStatus, executions: &[Execution], found: &mut DagVerification) {
    let remedy = match status {
        ValidationStatus::Pass => return,
        ValidationStatus::Escalate => "it authorises nothing before it is approved; name the approval instead",
        ValidationStatus::Reject => "this plan must not run",
    };
    let says = status.as_str();
    let mut not_authorised = |step_id: Text, execution_seq: Option<u64>, message: String| {
        found.deviations.push(Deviation { kind: DeviationKind::NotAuthorised, step_id, execution_seq, message });
    };
    let mut called = false;
    let are_numbered = executions::are_numbered(executions.iter());
    for (place, call) in executions.iter().enumerate().filter(|(_, call)| executions::ran(call)) {
        called = true;
        let message = format!("{:?} was called, and the receipt says {says}: {remedy}", call.action);
        let number = executions::number(call, place, are_numbered);
        not_authorised(call.step_id.clone(), Some(number), message);
    }
    if !called {
        not_authorised(Text::default(), None, format!("the receipt says {says}: {remedy}"));
    }
}

fn or_none(hash: &str) -> &str {
    if hash.is_empty() { "without a hash" } else { hash }
}

/// The steps of the plan, by the ids that nodes and calls name them with.
struct Steps<'a> {
    plan: &'a Plan,
    /// The id of each step, or its position.
    ids: Vec<Text>,
    /// The hash of each step; empty if it has none.
    hashes: Vec<Text>,
    by_id: HashMap<Text, usize, foldhash::fast::RandomState>,
}

impl<'a> Steps<'a> {
    /// Reads the plan, and says what makes it no plan.
    fn of(plan: &'a Plan, found: &mut DagVerification) -> Self {
        let hashes = plan_hashes(plan);
        let mut invalid = |step_id: Text, message: String| {
            found.deviations.push(Deviation {
                kind: DeviationKind::PlanInvalid,
                step_id,
                execution_seq: None,
                message,
            });
        };
        let id =
            |i: usize, step: &Step| if step.step_id.is_empty() { i.to_string().into() } else { step.step_id.clone() };
        let ids: Vec<Text> = plan.steps.iter().enumerate().map(|(i, step)| id(i, step)).collect();
        for refusal in &hashes.refusals {
            let id = refusal.step.and_then(|i| ids.get(i)).cloned().unwrap_or_default();
            invalid(id, format!("{}: {}", refusal.path, refusal.reason));
        }
        let mut by_id = HashMap::with_capacity_and_hasher(ids.len(), foldhash::fast::RandomState::default());
        for (i, id) in ids.iter().enumerate() {
            if let Some(first) = by_id.insert(id.clone(), i) {
                by_id.insert(id.clone(), first);
                invalid(id.clone(), format!("steps[{first}] and steps[{i}] both go by the id {id:?}"));
            }
        }
        found.ir_hash = hashes.ir_hash;
        Self { plan, ids, hashes: hashes.step_hashes, by_id }
    }

    fn step(&self, index: usize) -> &'a Step {
        &self.plan.steps[index]
    }
}
