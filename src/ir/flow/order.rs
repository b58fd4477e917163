//! Which steps may have run before which.

use hashbrown::HashMap;
use smallvec::SmallVec;

use crate::model::{Input, Ordering, Origin, Plan, Step};

/// The order of a plan's steps. A step is known by its rank: its position in a sequence, that of its id among all ids in a
/// DAG, so that nothing depends on how a DAG is listed.
#[derive(Debug)]
pub(super) struct Order<'a> {
    steps: &'a [Step],
    /// Positions in the plan, by rank; `None` for a sequence, where they are the same.
    positions: Option<Vec<usize>>,
    /// Empty where no step can be asked for by its id.
    ranks: Ranks<'a>,
    /// What runs after each step, by rank; `None` for a sequence.
    after: Option<Vec<StepSet>>,
}

/// Ranks by id.
type Ranks<'a> = HashMap<&'a str, SmallVec<[usize; 2]>, foldhash::fast::FixedState>;

impl<'a> Order<'a> {
    /// The order of `plan`.
    pub(super) fn of(plan: &'a Plan) -> Self {
        let mut order = Self { steps: &plan.steps, positions: None, ranks: Ranks::default(), after: None };
        if plan.ordering == Ordering::Dag {
            let mut positions: Vec<usize> = (0..plan.steps.len()).collect();
            positions.sort_by(|a, b| plan.steps[*a].step_id.cmp(&plan.steps[*b].step_id));
            order.positions = Some(positions);
        }
        if refers_to_steps(plan) {
            order.ranks = order.by_id();
        }
        if plan.ordering == Ordering::Dag {
            order.after = Some(order.descendants());
        }
        order
    }

    fn by_id(&self) -> Ranks<'a> {
        let mut ranks = Ranks::with_capacity_and_hasher(self.len(), foldhash::fast::FixedState::default());
        for rank in 0..self.len() {
            let id = &self.step(rank).step_id;
            if !id.is_empty() {
                ranks.entry(id).or_default().push(rank);
            }
        }
        ranks
    }

    /// Number of steps.
    pub(super) fn len(&self) -> usize {
        self.steps.len()
    }

    /// Position in the plan of the step with this rank.
    pub(super) fn position(&self, rank: usize) -> usize {
        self.positions.as_ref().map_or(rank, |positions| positions[rank])
    }

    /// The step with this rank.
    pub(super) fn step(&self, rank: usize) -> &'a Step {
        &self.steps[self.position(rank)]
    }

    /// Ranks of the steps with this id: more than one only in a plan that is refused for it.
    pub(super) fn ranks(&self, id: &str) -> &[usize] {
        self.ranks.get(id).map_or(&[], SmallVec::as_slice)
    }

    /// Whether `earlier` may have run when `step` starts: in a sequence a step before it, in a DAG any that is no
    /// descendant of it.
    pub(super) fn may_precede(&self, earlier: usize, step: usize) -> bool {
        match &self.after {
            None => earlier < step,
            Some(after) => earlier != step && !after[step].contains(earlier),
        }
    }

    /// The descendants of each step. For one that leads into a cycle there are none: whatever may be, may have run before
    /// it, and such a plan is refused anyway.
    fn descendants(&self) -> Vec<StepSet> {
        let count = self.len();
        let mut before: Vec<Vec<usize>> = Vec::with_capacity(count);
        let mut waiting = vec![0_usize; count];
        for rank in 0..count {
            let ids = &self.step(rank).depends_on;
            let mut ranks: Vec<usize> = ids.iter().flat_map(|id| self.ranks(id).iter().copied()).collect();
            ranks.sort_unstable();
            ranks.dedup();
            for rank in &ranks {
                waiting[*rank] += 1;
            }
            before.push(ranks);
        }
        let mut after = vec![StepSet::none(count); count];
        let mut ready: Vec<usize> = (0..count).filter(|rank| waiting[*rank] == 0).collect();
        while let Some(step) = ready.pop() {
            let own = after[step].clone();
            for parent in &before[step] {
                after[*parent].add_all(&own);
                after[*parent].add(step);
                waiting[*parent] -= 1;
                if waiting[*parent] == 0 {
                    ready.push(*parent);
                }
            }
        }
        for (rank, left) in waiting.iter().enumerate() {
            if *left > 0 {
                after[rank] = StepSet::none(count);
            }
        }
        after
    }
}

/// Whether anything in `plan` names one of its steps.
fn refers_to_steps(plan: &Plan) -> bool {
    let from_step = |input: &Input| matches!(input.origin, Origin::Step { .. });
    let refers = |step: &Step| !step.depends_on.is_empty() || step.inputs.iter().any(from_step);
    !plan.observations.is_empty() || plan.steps.iter().any(refers)
}

/// A set of ranks.
#[derive(Debug, Clone)]
struct StepSet(Box<[u64]>);

impl StepSet {
    fn none(count: usize) -> Self {
        Self(vec![0; count.div_ceil(64)].into_boxed_slice())
    }

    fn add(&mut self, rank: usize) {
        self.0[rank / 64] |= 1 << (rank % 64);
    }

    fn contains(&self, rank: usize) -> bool {
        self.0[rank / 64] & (1 << (rank % 64)) != 0
    }

    fn add_all(&mut self, other: &Self) {
        for (own, other) in self.0.iter_mut().zip(&other.0) {
            *own |= other;
        }
    }
}
