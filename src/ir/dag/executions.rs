//! The calls that an executor made against the steps of a plan.

use hashbrown::{HashMap, HashSet};

use super::diff::changed_params;
use super::links::comes_after;
use super::matching::{Groups, Work, assign};
use super::order::moved;
use super::redeemed::Authority;
use super::{Schemas, Steps};
use crate::ir::call::{ParamsFit, unfilled};
use crate::model::bound_paths;
use crate::model::{DagVerification, Deviation, DeviationKind, Execution, ExecutionOutcome, Ordering, Text};

/// Whether the call was made: it may have had effects.
pub(super) fn ran(call: &Execution) -> bool {
    matches!(call.outcome, ExecutionOutcome::Done | ExecutionOutcome::Failed)
}

/// Whether the calls say in which order they were made.
pub(super) fn are_numbered<'a>(mut calls: impl Iterator<Item = &'a Execution>) -> bool {
    calls.any(|call| call.seq != 0)
}

/// The number of the call at `place`; where none has one, its place from 1.
pub(super) fn number(call: &Execution, place: usize, are_numbered: bool) -> u64 {
    if are_numbered { call.seq } else { place as u64 + 1 }
}

/// Compares the calls that ran with the steps, as a multiset where they name none, and lists the steps that did not run.
///
/// A call that failed may be made again; one that was refused or never ran is no deviation, whatever it would have done.
pub(super) fn compare(
    steps: &Steps<'_>,
    executions: &[Execution],
    schemas: &Schemas<'_>,
    authority: Authority<'_>,
    found: &mut DagVerification,
) {
    let mut calls: Vec<&Execution> = executions.iter().collect();
    // Where no call is numbered, the order of the list is that of execution.
    calls.sort_by_key(|call| call.seq);
    let mut audit =
        Audit { steps, calls: &calls, fates: vec![Fate::default(); steps.ids.len()], schemas, authority, found };
    let (named, unnamed): (Vec<usize>, Vec<usize>) =
        (0..calls.len()).partition(|turn| !calls[*turn].step_id.is_empty());
    for turn in named {
        match steps.by_id.get(&calls[turn].step_id) {
            Some(step) => audit.call_of(*step, turn),
            None if ran(calls[turn]) => audit.unplanned(turn, "no step of the plan has this id"),
            None => {}
        }
    }
    audit.unnamed(&unnamed);
    audit.order();
    audit.not_run();
}

/// What became of a step. Calls are named by their turn, their position in the order of execution.
#[derive(Debug, Clone, Default)]
struct Fate {
    /// Its first call that ran.
    first: Option<usize>,
    /// The call that did it.
    done: Option<usize>,
    /// Whether a call was refused.
    refused: bool,
    /// Whether open arguments were held against no schema.
    unchecked: bool,
}

struct Audit<'a, 'f> {
    steps: &'a Steps<'a>,
    calls: &'a [&'a Execution],
    fates: Vec<Fate>,
    schemas: &'a Schemas<'a>,
    authority: Authority<'a>,
    found: &'f mut DagVerification,
}

impl Audit<'_, '_> {
    fn deviate(&mut self, kind: DeviationKind, step_id: &Text, turn: usize, message: String) {
        let execution_seq = Some(self.number(turn));
        self.found.deviations.push(Deviation { kind, step_id: step_id.clone(), execution_seq, message });
    }

    fn unplanned(&mut self, turn: usize, why: &str) {
        let call = self.calls[turn];
        let message = format!("{:?} on {:?} was called; {why}", call.action, call.resource);
        self.deviate(DeviationKind::UnplannedCall, &call.step_id, turn, message);
    }

    /// A call that names the step at `index`, or was found to be its.
    fn call_of(&mut self, index: usize, turn: usize) {
        let call = self.calls[turn];
        if !ran(call) {
            self.fates[index].refused |= call.outcome == ExecutionOutcome::Refused;
            return;
        }
        let step = self.steps.step(index);
        let id = &self.steps.ids[index];
        if let Some(done) = self.fates[index].done {
            let message = format!("it was done already, by call {}", self.number(done));
            self.deviate(DeviationKind::RepeatedCall, id, turn, message);
        }
        if step.action != call.action {
            let message = format!("planned is the action {:?}, called was {:?}", step.action, call.action);
            self.deviate(DeviationKind::ChangedAction, id, turn, message);
        }
        if step.resource != call.resource {
            let message = format!("planned is the resource {:?}, called was {:?}", step.resource, call.resource);
            self.deviate(DeviationKind::ChangedResource, id, turn, message);
        }
        let changed = changed_params(step, &call.params);
        let difference = match unfilled(step, &call.params) {
            _ if !changed.is_empty() => Some(format!("params differ at {}", shortened(&changed))),
            Some(gap) => Some(format!("{gap} is filled from another step's output, and was not given")),
            None => None,
        };
        let as_planned = difference.is_none();
        if let Some(message) = difference {
            self.deviate(DeviationKind::ChangedParams, id, turn, message);
        }
        if let Some((kind, message)) = self.authority.objection_to_call(id, step, &call.params)
            && (kind != DeviationKind::ChangedParams || as_planned)
        {
            self.deviate(kind, id, turn, message);
        }
        // What the plan says literally was validated with it; what it leaves open was not.
        if !bound_paths(step).is_empty() {
            match self.schemas.fit(step, &call.params) {
                ParamsFit::Wrong(message) => self.deviate(DeviationKind::InvalidParams, id, turn, message),
                ParamsFit::NoSchema => self.fates[index].unchecked = true,
                ParamsFit::Fits => {}
            }
        }
        let fate = &mut self.fates[index];
        fate.first.get_or_insert(turn);
        if call.outcome == ExecutionOutcome::Done {
            fate.done.get_or_insert(turn);
        }
    }

    /// The calls that name no step, against the steps that no call named: first those that were done, then those that
    /// failed, then those that were refused.
    fn unnamed(&mut self, turns: &[usize]) {
        let mut free: Vec<bool> = self.fates.iter().map(|fate| fate.first.is_none()).collect();
        let mut accounted: Vec<(usize, usize)> = Vec::new();
        let mut over: Vec<usize> = Vec::new();
        let work = Work::of_audit();
        for outcome in [ExecutionOutcome::Done, ExecutionOutcome::Failed, ExecutionOutcome::Refused] {
            let of: Vec<usize> = turns.iter().copied().filter(|turn| self.calls[*turn].outcome == outcome).collect();
            let steps: Vec<usize> = (0..free.len()).filter(|step| free[*step]).collect();
            for (turn, step) in of.iter().zip(assign(self.steps, &steps, self.calls, &of, &work)) {
                match step {
                    Some(step) => {
                        free[step] = false;
                        accounted.push((*turn, step));
                    }
                    None if outcome == ExecutionOutcome::Refused => {}
                    None => over.push(*turn),
                }
            }
        }
        over.sort_unstable();
        let why = |work: &Work| match work.ran_out() {
            true => "looking for its step costs more than an audit may: give it a `step_id`",
            false => "no step of the plan that has not run yet accounts for it",
        };
        for turn in self.not_retried(over, &accounted, &work) {
            self.unplanned(turn, why(&work));
        }
        accounted.sort_unstable();
        for (turn, step) in accounted {
            self.call_of(step, turn);
        }
    }

    /// Those of the calls `over` that are not failed attempts at a step which was not done before them.
    fn not_retried(&self, over: Vec<usize>, accounted: &[(usize, usize)], work: &Work) -> Vec<usize> {
        let steps: Vec<usize> = accounted.iter().map(|(_, step)| *step).collect();
        let groups = Groups::of(self.steps, &steps);
        let call_of: HashMap<usize, usize> = accounted.iter().map(|(turn, step)| (*step, *turn)).collect();
        let is_attempt = |turn: usize| {
            let not_done_before = |step: &usize| {
                call_of
                    .get(step)
                    .is_some_and(|other| *other > turn || self.calls[*other].outcome == ExecutionOutcome::Failed)
            };
            let candidates = groups.candidates(self.calls[turn], work);
            candidates.exact.iter().chain(&candidates.open).any(not_done_before)
        };
        let failed = |turn: usize| self.calls[turn].outcome == ExecutionOutcome::Failed;
        over.into_iter().filter(|turn| !(failed(*turn) && is_attempt(*turn))).collect()
    }

    fn order(&mut self) {
        let mut started: Vec<(usize, usize)> =
            self.fates.iter().enumerate().filter_map(|(step, fate)| Some((fate.first?, step))).collect();
        started.sort_unstable();
        if self.steps.plan.ordering == Ordering::Sequential {
            self.sequence(&started);
        }
        for (turn, step) in started {
            self.dependencies(step, turn);
        }
    }

    /// In a sequence a step begins once all before it are done with.
    fn sequence(&mut self, started: &[(usize, usize)]) {
        let places: Vec<usize> = started.iter().map(|(_, step)| *step).collect();
        let moved = moved(&places);
        for i in &moved {
            let (turn, step) = started[*i];
            self.out_of_order(step, turn, "it ran out of the order of the plan".to_owned());
        }
        let mut latest: Option<(usize, usize)> = None;
        for step in 0..self.fates.len() {
            let Some(first) = self.fates[step].first else { continue };
            if let Some((done, earlier)) = latest
                && !self.is_before(done, first)
                && !moved.iter().any(|i| started[*i].1 == step || started[*i].1 == earlier)
            {
                let message = format!("it ran before {:?}, which comes before it, was done", self.steps.ids[earlier]);
                self.out_of_order(step, first, message);
            }
            let last = self.fates[step].done.unwrap_or(first);
            if latest.is_none_or(|(known, _)| known < last) {
                latest = Some((last, step));
            }
        }
    }

    /// Whether the call of one turn was made before that of another. Equal numbers say that both were made at once.
    fn is_before(&self, turn: usize, other: usize) -> bool {
        turn < other && !(self.are_numbered() && self.calls[turn].seq == self.calls[other].seq)
    }

    fn are_numbered(&self) -> bool {
        are_numbered(self.calls.iter().copied())
    }

    fn number(&self, turn: usize) -> u64 {
        number(self.calls[turn], turn, self.are_numbered())
    }

    fn dependencies(&mut self, step: usize, turn: usize) {
        let steps = self.steps;
        let mut seen = HashSet::new();
        let declared = steps.step(step).depends_on.len();
        for (number, id) in comes_after(steps.step(step)).enumerate().filter(|(_, id)| seen.insert(*id)) {
            let Some(dependency) = steps.by_id.get(id) else { continue };
            let verb = if number < declared { "depends on" } else { "takes an input from" };
            match self.fates[*dependency] {
                Fate { done: None, first, .. } => {
                    let fate = if first.is_some() { "failed" } else { "was not done" };
                    let message = format!("it {verb} {id:?}, which {fate}");
                    self.deviate(DeviationKind::DependencyNotRun, &steps.ids[step], turn, message);
                }
                // A sequence has an order of its own.
                Fate { done: Some(done), .. }
                    if steps.plan.ordering == Ordering::Dag && !self.is_before(done, turn) =>
                {
                    self.out_of_order(step, turn, format!("it ran before {id:?}, which it {verb}, was done"));
                }
                Fate { .. } => {}
            }
        }
    }

    fn out_of_order(&mut self, step: usize, turn: usize, message: String) {
        let id = &self.steps.ids[step];
        self.found.reordered.push(id.clone());
        self.deviate(DeviationKind::OutOfOrder, id, turn, message);
    }

    fn not_run(&mut self) {
        for (id, fate) in self.steps.ids.iter().zip(&self.fates) {
            if fate.unchecked {
                self.found.unchecked_params.push(id.clone());
            }
            match fate {
                Fate { first: Some(_), .. } => {}
                Fate { refused: true, .. } => self.found.refused.push(id.clone()),
                Fate { .. } => self.found.not_run.push(id.clone()),
            }
        }
    }
}

/// The first few of many paths.
fn shortened(paths: &[String]) -> String {
    const SHOWN: usize = 8;
    let names = |path: &String| if path.is_empty() { "the whole".to_owned() } else { path.clone() };
    let mut text = paths.iter().take(SHOWN).map(names).collect::<Vec<_>>().join(", ");
    if paths.len() > SHOWN {
        text.push_str(&format!(" and {} more", paths.len() - SHOWN));
    }
    text
}
