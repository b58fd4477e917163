//! Which step waits for which: by `depends_on`, and by inputs that come from the output of another step.

use std::borrow::Cow;
use std::cell::OnceCell;

use crate::diag::did_you_mean;
use crate::model::{Input, Ordering, Origin, Plan, ViolationCode};

use super::ids::{Firsts, by_text, shown};
use super::report::{Report, name_of};

/// Most unknown ids of a plan for which the id that was meant is looked for.
const MAX_SUGGESTIONS: usize = 8;

/// Most steps that the message about a cycle names.
const MAX_NAMED: usize = 32;

pub(super) fn check(plan: &Plan, report: &mut Report) {
    let linked = |step: &crate::model::Step| !step.depends_on.is_empty() || !step.inputs.is_empty();
    if !plan.steps.iter().any(linked) {
        return;
    }
    let mut links = Links { plan, ids: OnceCell::new(), suggestions: MAX_SUGGESTIONS, report };
    match plan.ordering {
        Ordering::Sequential => (0..plan.steps.len()).for_each(|index| drop(links.of(index))),
        Ordering::Dag => {
            let edges: Vec<Vec<usize>> = (0..plan.steps.len()).map(|index| links.of(index)).collect();
            cycles(plan, &edges, report);
        }
    }
}

struct Links<'a, 'r> {
    plan: &'a Plan,
    /// Found when first asked.
    ids: OnceCell<Firsts<'a>>,
    suggestions: usize,
    report: &'r mut Report,
}

impl Links<'_, '_> {
    /// The position of the step with this id.
    fn step(&self, id: &str) -> Option<usize> {
        self.ids.get_or_init(|| Firsts::of(&self.plan.steps, |step| &step.step_id)).get(id)
    }

    /// The steps that the step at `index` waits for.
    fn of(&mut self, index: usize) -> Vec<usize> {
        let plan = self.plan;
        let Some(step) = plan.steps.get(index) else { return Vec::new() };
        let mut waits_for = Vec::with_capacity(step.depends_on.len());
        if plan.ordering == Ordering::Sequential && !step.depends_on.is_empty() {
            self.report.step(
                ViolationCode::UnknownDependency,
                plan,
                index,
                "depends_on",
                "the steps run in the order of the list, so none depends on another",
                "leave `depends_on` out, or order the steps as DAG",
            );
        }
        if plan.ordering == Ordering::Dag {
            for (number, id) in step.depends_on.iter().enumerate() {
                match self.step(id) {
                    Some(other) => waits_for.push(other),
                    None => self.unknown(index, &format!("depends_on[{number}]"), "depends on", id),
                }
            }
        }
        for (number, input) in step.inputs.iter().enumerate() {
            if !is_pointer(&input.path) {
                self.bad_pointer(index, &format!("inputs[{number}].path"), &input.path);
            }
            let Origin::Step { step_id, output_path } = &input.origin else { continue };
            if !is_pointer(output_path) {
                self.bad_pointer(index, &format!("inputs[{number}].step.output_path"), output_path);
            }
            let field = || format!("inputs[{number}].step.step_id");
            match self.step(step_id) {
                None => self.unknown(index, &field(), "takes an input from", step_id),
                Some(other) if plan.ordering == Ordering::Dag => waits_for.push(other),
                Some(other) if other >= index => {
                    let message = format!("the step takes an input from `{}`, which has not run yet", shown(step_id));
                    let help = "name a step that stands before it in the list";
                    self.report.step(ViolationCode::UnknownDependency, plan, index, field(), message, help);
                }
                Some(_) => {}
            }
        }
        waits_for
    }

    fn unknown(&mut self, index: usize, field: &str, verb: &str, id: &str) {
        let message = match id.is_empty() {
            true => format!("the step {verb} a step without an id"),
            false => format!("the step {verb} `{}`, and no step has that id", shown(id)),
        };
        let ids = || by_text(&self.plan.steps, |step| &step.step_id).into_keys();
        let near = (self.suggestions > 0).then(|| did_you_mean(id, ids())).flatten();
        self.suggestions = self.suggestions.saturating_sub(1);
        let help = near.map_or_else(
            || "write the `step_id` of a step of this plan".to_owned(),
            |near| format!("did you mean `{near}`?"),
        );
        self.report.step(ViolationCode::UnknownDependency, self.plan, index, field, message, help);
    }

    fn bad_pointer(&mut self, index: usize, field: &str, text: &str) {
        let message = format!("`{}` is not a JSON Pointer", shown(text));
        let help =
            if text.starts_with('/') { "write `~` as `~0`".to_owned() } else { format!("write `/{}`", shown(text)) };
        self.report.step(ViolationCode::InvalidParams, self.plan, index, field, message, help);
    }
}

/// Whether the text is a JSON Pointer.
fn is_pointer(text: &str) -> bool {
    let escapes_are_good = || !text.contains('~') || text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
    text.is_empty() || (text.starts_with('/') && escapes_are_good())
}

/// Reports cycles, none twice: where several share a step, one of them.
fn cycles(plan: &Plan, edges: &[Vec<usize>], report: &mut Report) {
    #[derive(Clone, Copy, PartialEq)]
    enum Mark {
        New,
        Open,
        Done,
        Reported,
    }
    let mut marks = vec![Mark::New; edges.len()];
    let mut path: Vec<(usize, usize)> = Vec::new();
    for start in 0..edges.len() {
        if marks.get(start) != Some(&Mark::New) {
            continue;
        }
        path.push((start, 0));
        marks[start] = Mark::Open;
        while let Some((at, next)) = path.last_mut() {
            let Some(to) = edges.get(*at).and_then(|edges| edges.get(*next)).copied() else {
                if marks[*at] == Mark::Open {
                    marks[*at] = Mark::Done;
                }
                path.pop();
                continue;
            };
            *next += 1;
            match marks[to] {
                Mark::New => {
                    marks[to] = Mark::Open;
                    path.push((to, 0));
                }
                Mark::Open => {
                    let from = path.iter().position(|(step, _)| *step == to).unwrap_or(0);
                    let cycle: Vec<usize> = path.iter().skip(from).map(|(step, _)| *step).collect();
                    if cycle.iter().all(|step| marks[*step] == Mark::Open) {
                        cycle.iter().for_each(|step| marks[*step] = Mark::Reported);
                        report_cycle(plan, &cycle, report);
                    }
                }
                Mark::Done | Mark::Reported => {}
            }
        }
    }
}

fn report_cycle(plan: &Plan, cycle: &[usize], report: &mut Report) {
    // Told from its first step in the list, so that the text does not depend on where the search began.
    let first = cycle.iter().enumerate().min_by_key(|(_, step)| **step).map_or(0, |(at, _)| at);
    let told: Vec<usize> = cycle.iter().cycle().skip(first).take(cycle.len()).copied().collect();
    let Some(start) = told.first().copied() else { return };
    let names: Vec<String> =
        told.iter().skip(1).take(MAX_NAMED).chain([&start]).map(|step| name_of(plan, *step)).collect();
    let more = if told.len() > MAX_NAMED { ", … which waits for " } else { "" };
    let chain = names.join(", which waits for ");
    let message = match cycle.len() {
        1 => format!("{} waits for itself", name_of(plan, start)),
        _ => format!("steps wait for each other: {} waits for {chain}{more}", name_of(plan, start)),
    };
    let next = told.get(1).copied().unwrap_or(start);
    let help = "remove one of these dependencies";
    report.step(ViolationCode::DependencyCycle, plan, start, link(plan, start, next), message, help);
}

/// The field by which the step at `from` waits for the one at `to`.
fn link(plan: &Plan, from: usize, to: usize) -> Cow<'static, str> {
    let (Some(step), Some(other)) = (plan.steps.get(from), plan.steps.get(to)) else { return "depends_on".into() };
    let is_taken = |input: &Input| matches!(&input.origin, Origin::Step { step_id, .. } if *step_id == other.step_id);
    match step.inputs.iter().position(is_taken) {
        Some(number) if !step.depends_on.contains(&other.step_id) => format!("inputs[{number}].step.step_id").into(),
        _ => "depends_on".into(),
    }
}
