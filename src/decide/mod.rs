//! Evaluate: a snapshot and a question give a decision. Pure: no input or output, no clock, no lock.
//!
//! Candidates are walked in order of precedence. In each layer the first decider (allow, deny, require_approval) that
//! matches decides; observers (warn, audit) all count. The answer is the most restrictive of the layers' outcomes. A rule
//! whose condition fails is treated as if it had matched wherever that makes the answer more restrictive, and never
//! otherwise.

mod action_hash;
mod explain;
mod tally;

#[cfg(test)]
mod tests;

pub use action_hash::action_hash;

use std::sync::{Arc, LazyLock};

use crate::condition::{Bindings, Budget, ConditionError};
use crate::model::{Decision, Limits, Request, SnapshotLabel, Timestamp};
use crate::snapshot::Snapshot;
use tally::Tally;

/// Patterns and places of ids compared for one cost unit.
const PLACES_PER_UNIT: usize = 2;

/// What answers say of a snapshot where there is none.
static NO_SNAPSHOT: LazyLock<Arc<SnapshotLabel>> = LazyLock::new(Arc::default);

/// Decides `request` with `snapshot` at `now`; `None` stands for a server that has not loaded any policies, which denies.
///
/// The cost of matching patterns and of all conditions together is bounded by the limits (and by the policy set, where it
/// lowers them); a request that exceeds it is denied with EVALUATION_LIMIT.
#[must_use]
pub fn evaluate(snapshot: Option<&Snapshot>, request: &Request, now: Timestamp, limits: &Limits) -> Decision {
    let Some(snapshot) = snapshot else {
        return tally::no_policy(&NO_SNAPSHOT);
    };
    let mut decision = decide(snapshot, request, now, limits);
    if request.explain {
        decision.explanation = Some(Box::new(explain::explain(snapshot, request, now, limits)));
    }
    decision
}

fn decide(snapshot: &Snapshot, request: &Request, now: Timestamp, limits: &Limits) -> Decision {
    if !snapshot.has_policies() {
        return tally::no_policy(snapshot.label());
    }
    let mut budget = Budget { remaining: evaluation_cost(snapshot, limits) };
    walk(snapshot, &Bindings::of_request(request, now), &mut budget, |tally| tally.answer(snapshot.label()))
}

/// What the rules say of the request of `bindings`, for those to whom the default says nothing: a rule that forbids or asks
/// and whose condition fails counts, even where the default is stricter. `None` where no rule speaks; see
/// [`unspoken`]. It is one of several questions that share a `budget`; once it is used up, they are denied with
/// EVALUATION_LIMIT.
#[must_use]
pub fn consult_rules(snapshot: &Snapshot, bindings: &Bindings<'_>, budget: &mut Budget) -> Option<Decision> {
    if !snapshot.has_policies() {
        return None;
    }
    walk(snapshot, bindings, budget, |tally| (!tally.is_empty()).then(|| tally.rules_alone(snapshot.label())))
}

/// The decision where no rule speaks: the default's with the reason DEFAULT, or NO_POLICY where there are no policies.
#[must_use]
pub fn unspoken(snapshot: &Snapshot) -> Decision {
    match snapshot.has_policies() {
        true => Tally::default().rules_alone(snapshot.label()),
        false => tally::no_policy(snapshot.label()),
    }
}

#[inline]
fn walk<R: From<Decision>>(
    snapshot: &Snapshot,
    bindings: &Bindings<'_>,
    budget: &mut Budget,
    conclude: impl FnOnce(Tally) -> R,
) -> R {
    let request = bindings.request;
    let mut tally = Tally::default();
    for number in snapshot.candidates(bindings) {
        // A decider whose layer has one of higher precedence can no longer change anything.
        if snapshot.decided_layer(number).is_some_and(|layer| tally.is_decided(layer)) {
            continue;
        }
        let Some(rule) = snapshot.rules().get(number as usize) else { continue };
        let mut work = 0;
        let concerns = if bindings.is_resource_type_unknown_to(rule.layer) {
            (!rule.allows_a_type() && rule.concerns(request, &mut work)) || rule.concerns_untyped(request, &mut work)
        } else {
            rule.concerns(request, &mut work)
        };
        if budget.charge(work.div_ceil(PLACES_PER_UNIT)).is_err() {
            return tally.out_of_budget(snapshot.label()).into();
        }
        if !concerns {
            continue;
        }
        match rule.condition.as_ref().map_or(Ok(true), |condition| condition.evaluate(bindings, budget)) {
            Ok(true) => tally.matched(number, rule),
            Ok(false) => {}
            Err(ConditionError::Limit) => return tally.out_of_budget(snapshot.label()).into(),
            Err(error) => tally.failed(number, rule, &error),
        }
    }
    conclude(tally)
}

/// The budget of one request: the limit, or the policy set's where it is lower.
fn evaluation_cost(snapshot: &Snapshot, limits: &Limits) -> u64 {
    snapshot.evaluation_cost().unwrap_or(u64::MAX).min(limits.evaluation_cost)
}
