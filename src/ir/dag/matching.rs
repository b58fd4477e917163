//! Which call without step id carried out which step.

use hashbrown::HashMap;

use super::Steps;
use crate::ir::hash::canonical_params;
use crate::model::{BoundPaths, bound_paths};
use crate::model::{Execution, Text};

/// For each of `calls`, the step of `open` that it carried out, so that as many calls as possible have one; no step twice.
/// Both are positions, and equal calls take equal steps in their order.
pub(super) fn assign(
    steps: &Steps<'_>,
    open: &[usize],
    executions: &[&Execution],
    calls: &[usize],
) -> Vec<Option<usize>> {
    let groups = Groups::of(steps, open);
    let candidates: Vec<Candidates> = calls.iter().map(|call| groups.candidates(executions[*call])).collect();
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
        let mut progress = false;
        for call in 0..calls.len() {
            if assigned[call].is_none() && augment(call, &edges, &mut visited, &mut holder, &mut assigned) {
                progress = true;
            }
        }
        if !progress {
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
) -> bool {
    // Each entry: a call, and which of its edges comes next.
    let mut path = vec![(call, 0)];
    while let Some((call, next)) = path.last_mut() {
        let Some(step) = edges[*call].get(*next).copied() else {
            path.pop();
            continue;
        };
        *next += 1;
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

    pub(super) fn candidates(&self, call: &Execution) -> Candidates {
        let mut candidates = Candidates::default();
        for group in self.0.get(&(&call.action, &call.resource)).map_or(&[][..], Vec::as_slice) {
            let Some(steps) = group.by_params.get(&canonical_params(&call.params, &group.open)) else { continue };
            let list = if group.open.is_empty() { &mut candidates.exact } else { &mut candidates.open };
            list.extend_from_slice(steps);
        }
        candidates.open.sort_unstable();
        candidates
    }
}
