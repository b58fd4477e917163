//! Which call without step id carried out which step.

use std::cell::Cell;

use hashbrown::HashMap;

use super::Steps;
use crate::ir::hash::canonical_params;
use crate::model::{Attributes, BoundPaths, bound_paths};
use crate::model::{Execution, Text};

/// What comparing calls that name no step with the steps of a plan may still cost: a unit is about one comparison of short
/// arguments. Beyond it a call accounts for no step.
#[derive(Debug)]
pub(super) struct Work(Cell<u64>);

impl Work {
    /// As much as one audit may cost, some tenths of a second at most. A thousand calls of a thousand steps that leave the same
    /// open take half of it.
    pub(super) const fn of_audit() -> Self {
        Self(Cell::new(200_000))
    }

    /// Whether there was too little of it.
    pub(super) fn ran_out(&self) -> bool {
        self.0.get() == 0
    }

    fn take(&self, units: usize) -> bool {
        let left = self.0.get().checked_sub(units as u64);
        self.0.set(left.unwrap_or(0));
        left.is_some()
    }
}

/// Edges that are followed for one unit of work.
const EDGES_A_UNIT: usize = 16;

/// For each of `calls`, the step of `open` that it carried out, so that as many calls as possible have one; no step twice.
/// Both are positions, and equal calls take equal steps in their order.
pub(super) fn assign(
    steps: &Steps<'_>,
    open: &[usize],
    executions: &[&Execution],
    calls: &[usize],
    work: &Work,
) -> Vec<Option<usize>> {
    let groups = Groups::of(steps, open);
    let candidates: Vec<Candidates> = calls.iter().map(|call| groups.candidates(executions[*call], work)).collect();
    // A call that equals a step without open arguments takes it: every other call that fits that step is the same call.
    let mut taken = vec![false; steps.ids.len()];
    let mut assigned: Vec<Option<usize>> = Vec::with_capacity(calls.len());
    for candidates in &candidates {
        let step = candidates.exact.iter().copied().find(|step| !taken[*step]);
        assigned.push(step);
        if let Some(step) = step {
            taken[step] = true;
        }
    }
    // The others: a maximum matching by augmenting paths.
    let edges: Vec<Vec<usize>> = candidates.into_iter().map(|candidates| candidates.open).collect();
    let mut holder: HashMap<usize, usize> = HashMap::new();
    loop {
        let mut visited = vec![false; steps.ids.len()];
        let (mut progress, mut followed) = (false, 0);
        for call in 0..calls.len() {
            if assigned[call].is_none()
                && augment(call, &edges, &mut visited, &mut holder, &mut assigned, &mut followed)
            {
                progress = true;
            }
        }
        if !progress || !work.take(followed / EDGES_A_UNIT) {
            return assigned;
        }
    }
}

/// Finds a step for `call`, moving other calls to other steps where that is needed. Without recursion: paths may be as
/// long as the plan.
fn augment(
    call: usize,
    edges: &[Vec<usize>],
    visited: &mut [bool],
    holder: &mut HashMap<usize, usize>,
    assigned: &mut [Option<usize>],
    followed: &mut usize,
) -> bool {
    // Each entry: a call, and which of its edges comes next.
    let mut path = vec![(call, 0)];
    while let Some((call, next)) = path.last_mut() {
        let Some(step) = edges[*call].get(*next).copied() else {
            path.pop();
            continue;
        };
        *next += 1;
        *followed += 1;
        if std::mem::replace(&mut visited[step], true) {
            continue;
        }
        match holder.get(&step) {
            Some(other) => path.push((*other, 0)),
            None => {
                for (call, next) in path {
                    let step = edges[call][next - 1];
                    holder.insert(step, call);
                    assigned[call] = Some(step);
                }
                return true;
            }
        }
    }
    false
}

/// Bytes of arguments that are compared for one unit of work.
const PARAMS_A_UNIT: usize = 256;

/// About how many bytes the canonical form of `params` has.
fn size(params: &Attributes) -> usize {
    canonical_params(params, &BoundPaths::default()).len()
}

/// Steps by what a call must say to carry them out.
pub(super) struct Groups<'a>(HashMap<(&'a Text, &'a Text), Vec<Group<'a>>>);

/// Steps of one action on one resource that leave the same arguments open.
struct Group<'a> {
    open: BoundPaths<'a>,
    /// By the canonical form of the arguments that are not open, in the order of the plan.
    by_params: HashMap<Vec<u8>, Vec<usize>>,
}

/// The steps that a call may have carried out, each list in the order of the plan.
#[derive(Default)]
pub(super) struct Candidates {
    /// Those that leave nothing open.
    pub(super) exact: Vec<usize>,
    /// Those that leave something open.
    pub(super) open: Vec<usize>,
}

impl<'a> Groups<'a> {
    pub(super) fn of(steps: &Steps<'a>, of: &[usize]) -> Self {
        let mut groups: HashMap<(&Text, &Text), Vec<Group<'a>>> = HashMap::new();
        for index in of {
            let step = steps.step(*index);
            let open = bound_paths(step);
            let params = canonical_params(&step.params, &open);
            let alike = groups.entry((&step.action, &step.resource)).or_default();
            let place = alike.iter().position(|group| group.open == open).unwrap_or(alike.len());
            if place == alike.len() {
                alike.push(Group { open, by_params: HashMap::new() });
            }
            alike[place].by_params.entry(params).or_default().push(*index);
        }
        Self(groups)
    }

    /// What `call` may have carried out; nothing once `work` has run out.
    pub(super) fn candidates(&self, call: &Execution, work: &Work) -> Candidates {
        let mut candidates = Candidates::default();
        let alike = self.0.get(&(&call.action, &call.resource)).map_or(&[][..], Vec::as_slice);
        let price = if alike.len() > 1 { 1 + size(&call.params) / PARAMS_A_UNIT } else { 1 };
        for group in alike {
            if !work.take(price) {
                return Candidates::default();
            }
            let Some(steps) = group.by_params.get(&canonical_params(&call.params, &group.open)) else { continue };
            if !work.take(steps.len() / EDGES_A_UNIT) {
                return Candidates::default();
            }
            let list = if group.open.is_empty() { &mut candidates.exact } else { &mut candidates.open };
            list.extend_from_slice(steps);
        }
        candidates.open.sort_unstable();
        candidates
    }
}
