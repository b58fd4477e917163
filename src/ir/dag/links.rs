//! Which step comes after which: by `depends_on`, and by inputs that are taken from the output of another step.

use hashbrown::HashSet;

use super::Steps;
use crate::model::{DagNode, Origin, Step, Text};

/// The ids that `step` must come after: those that it depends on, then those whose output it takes.
pub(super) fn comes_after(step: &Step) -> impl Iterator<Item = &Text> {
    step.depends_on.iter().chain(takes_from(step))
}

/// The ids of the steps whose output `step` takes.
pub(super) fn takes_from(step: &Step) -> impl Iterator<Item = &Text> {
    step.inputs.iter().filter_map(|input| match &input.origin {
        Origin::Step { step_id, .. } => Some(step_id),
        Origin::User { .. } | Origin::Constant => None,
    })
}

/// Whether a node that waits for `waits_for` waits for what its step does: for all that it depends on, and besides at most
/// for those whose output it takes.
pub(super) fn is_wired_as(step: &Step, waits_for: &[Text]) -> bool {
    if step.depends_on.is_empty() && waits_for.is_empty() {
        return true;
    }
    let waits_for: HashSet<&Text> = waits_for.iter().collect();
    let known: HashSet<&Text> = comes_after(step).collect();
    step.depends_on.iter().all(|id| waits_for.contains(id)) && waits_for.is_subset(&known)
}

/// Those of the edges `waits_for` that are content of `step`: not those that stand only for an input.
pub(super) fn content_of_edges(step: &Step, waits_for: &[Text]) -> Vec<Text> {
    let declared: HashSet<&Text> = step.depends_on.iter().collect();
    let taken: HashSet<&Text> = takes_from(step).collect();
    waits_for.iter().filter(|id| declared.contains(id) || !taken.contains(id)).cloned().collect()
}

/// What each node waits for, directly and through others.
pub(super) struct Ancestors {
    /// A set of steps for each step, as bits.
    sets: Vec<Box<[u64]>>,
}

impl Ancestors {
    /// By the edges of `nodes`. What leads into a cycle has no ancestors: nothing there has an order.
    pub(super) fn of(steps: &Steps<'_>, nodes: &[DagNode]) -> Self {
        let count = steps.ids.len();
        let mut before: Vec<Vec<usize>> = vec![Vec::new(); count];
        for node in nodes {
            let Some(step) = steps.by_id.get(&node.ir_step_id) else { continue };
            before[*step].extend(node.depends_on.iter().filter_map(|id| steps.by_id.get(id).copied()));
        }
        let mut after: Vec<Vec<usize>> = vec![Vec::new(); count];
        let mut waiting = vec![0_usize; count];
        for (step, before) in before.iter_mut().enumerate() {
            before.sort_unstable();
            before.dedup();
            waiting[step] = before.len();
            before.iter().for_each(|earlier| after[*earlier].push(step));
        }
        let mut sets = vec![vec![0_u64; count.div_ceil(64)].into_boxed_slice(); count];
        let mut ready: Vec<usize> = (0..count).filter(|step| waiting[*step] == 0).collect();
        while let Some(step) = ready.pop() {
            let mut own = sets[step].clone();
            own[step / 64] |= 1 << (step % 64);
            for later in &after[step] {
                sets[*later].iter_mut().zip(&own).for_each(|(bits, more)| *bits |= more);
                waiting[*later] -= 1;
                if waiting[*later] == 0 {
                    ready.push(*later);
                }
            }
        }
        for (set, waiting) in sets.iter_mut().zip(waiting) {
            if waiting > 0 {
                set.fill(0);
            }
        }
        Self { sets }
    }

    /// Whether the node of `step` waits for that of `earlier`.
    pub(super) fn has(&self, step: usize, earlier: usize) -> bool {
        self.sets[step][earlier / 64] & (1 << (earlier % 64)) != 0
    }
}
