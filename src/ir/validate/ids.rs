//! The ids of steps: whether they are there, trimmed and short enough. Characters that no id may hold are refused with the
//! canonical form.

use hashbrown::HashMap;

use foldhash::fast::FixedState;
use smallvec::SmallVec;

use crate::model::{Limits, Ordering, Plan, Step, Text, ViolationCode, same_text};

use super::Subject;
use super::report::{Report, name_of};

/// Up to this many steps, comparing each pair is faster than hashing.
const FEW: usize = 16;

/// The first step with each of some texts.
pub(super) enum Firsts<'a> {
    Few(&'a [Step], fn(&Step) -> &Text),
    Many(HashMap<&'a str, usize, FixedState>),
}

impl<'a> Firsts<'a> {
    /// Those of `steps` by the texts that `of` gives, empty ones left out.
    pub(super) fn of(steps: &'a [Step], of: fn(&Step) -> &Text) -> Self {
        if steps.len() <= FEW { Self::Few(steps, of) } else { Self::Many(by_text(steps, of)) }
    }

    /// The position of the first step with this text.
    pub(super) fn get(&self, text: &str) -> Option<usize> {
        match self {
            Self::Few(steps, of) => steps.iter().position(|step| !text.is_empty() && same_text(of(step), text)),
            Self::Many(positions) => positions.get(text).copied(),
        }
    }
}

/// The positions of the first steps with the texts that `of` gives, empty ones left out.
pub(super) fn by_text(steps: &[Step], of: fn(&Step) -> &Text) -> HashMap<&str, usize, FixedState> {
    let mut positions = HashMap::with_capacity_and_hasher(steps.len(), FixedState::default());
    for (index, step) in steps.iter().enumerate().filter(|(_, step)| !of(step).is_empty()) {
        positions.entry(of(step).as_str()).or_insert(index);
    }
    positions
}

pub(super) fn check(subject: &Subject<'_>, report: &mut Report) {
    let plan = subject.plan;
    for (index, step) in plan.steps.iter().enumerate() {
        if !are_good(step, subject.limits) {
            written(subject, index, step, report);
        }
        missing(plan, index, step, report);
    }
    duplicates(plan, ViolationCode::DuplicateStepId, "step_id", |step| &step.step_id, report);
    duplicates(plan, ViolationCode::DuplicateIdempotencyKey, "idempotency_key", |step| &step.idempotency_key, report);
}

/// Whether it is seen at once, as of nearly all steps, that nothing is wrong with the ids that are there.
fn are_good(step: &Step, limits: &Limits) -> bool {
    let is_good = |text: &Text, most| text.is_empty() || (text.len() <= most && is_between_graphics(text));
    is_good(&step.step_id, limits.id_bytes)
        && is_good(&step.action, limits.name_bytes)
        && is_good(&step.provider, limits.id_bytes)
        && is_good(&step.resource, limits.resource_id_bytes)
        && is_good(&step.idempotency_key, limits.name_bytes)
}

/// Reports what is wrong with the ids of a step that are there.
fn written(subject: &Subject<'_>, index: usize, step: &Step, report: &mut Report) {
    let limits = subject.limits;
    let ids = [
        (ViolationCode::InvalidId, "step_id", &step.step_id, limits.id_bytes),
        (ViolationCode::InvalidAction, "action", &step.action, limits.name_bytes),
        (ViolationCode::InvalidProvider, "provider", &step.provider, limits.id_bytes),
        (ViolationCode::InvalidId, "resource", &step.resource, limits.resource_id_bytes),
        (ViolationCode::InvalidId, "idempotency_key", &step.idempotency_key, limits.name_bytes),
    ];
    for (code, field, text, most) in ids {
        // A blank key is a missing one.
        if text.is_empty() || (field == "idempotency_key" && is_blank(text)) {
            continue;
        }
        if let Some((problem, help)) = problem(text, most) {
            report.step(code, subject.plan, index, field, format!("`{field}` {problem}"), help);
        }
    }
}

/// Reports which ids a step lacks.
fn missing(plan: &Plan, index: usize, step: &Step, report: &mut Report) {
    if step.action.is_empty() {
        report.step(
            ViolationCode::InvalidAction,
            plan,
            index,
            "action",
            "the step names no action",
            "write the name of an action that a catalogue lists",
        );
    }
    if is_blank(&step.idempotency_key) {
        report.step(
            ViolationCode::MissingIdempotencyKey,
            plan,
            index,
            "idempotency_key",
            "the step has no idempotency key",
            "give each step a key of its own, so that the executor runs it at most once",
        );
    }
    if step.step_id.is_empty() && plan.ordering == Ordering::Dag {
        report.step(
            ViolationCode::InvalidId,
            plan,
            index,
            "step_id",
            "the step has no `step_id`, which every step of a plan with ordering DAG needs",
            "give it an id of its own, or order the steps as SEQUENTIAL",
        );
    }
}

/// What is wrong with an id that is there, and what to do about it.
fn problem(text: &Text, most: usize) -> Option<(String, &'static str)> {
    if is_blank(text) {
        return Some(("is blank".to_owned(), "write an id, or leave the field out"));
    }
    if !is_trimmed(text) {
        return Some((format!("`{}` starts or ends with a blank", shown(text)), "remove the blank"));
    }
    (text.len() > most).then(|| (format!("has {} bytes, more than {most}", text.len()), "choose a shorter one"))
}

/// Whether there is nothing but blanks.
fn is_blank(text: &str) -> bool {
    !text.as_bytes().first().is_some_and(u8::is_ascii_graphic) && text.trim().is_empty()
}

/// Whether there are no blanks around it.
pub(super) fn is_trimmed(text: &str) -> bool {
    is_between_graphics(text) || text.trim().len() == text.len()
}

/// Whether it is seen at once, as of nearly all ids, that there are no blanks around it.
fn is_between_graphics(text: &str) -> bool {
    let is_graphic = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_graphic);
    is_graphic(text.as_bytes().first()) && is_graphic(text.as_bytes().last())
}

/// An id as messages show it: without characters that would not be seen, and cut.
pub(super) fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(80).flat_map(char::escape_debug).collect();
    if text.chars().nth(80).is_some() {
        shown.push('…');
    }
    shown
}

fn duplicates(plan: &Plan, code: ViolationCode, field: &'static str, of: impl Fn(&Step) -> &Text, report: &mut Report) {
    let are_few = plan.steps.len() <= FEW;
    let mut earlier = SmallVec::<[&str; FEW]>::new();
    let mut known: HashMap<&str, usize, FixedState> = HashMap::default();
    known.reserve(if are_few { 0 } else { plan.steps.len() });
    for (index, step) in plan.steps.iter().enumerate() {
        let text = of(step).as_str();
        let first = if is_blank(text) {
            index
        } else if are_few {
            earlier.iter().position(|earlier| same_text(earlier, text)).unwrap_or(index)
        } else {
            *known.entry(text).or_insert(index)
        };
        if are_few {
            earlier.push(text);
        }
        if first == index {
            continue;
        }
        // A step's own id would not tell the two apart.
        let other = match code {
            ViolationCode::DuplicateStepId => format!("steps[{first}]"),
            _ => name_of(plan, first),
        };
        report.step(
            code,
            plan,
            index,
            field,
            format!("`{field}` `{}` is that of {other} too", shown(text)),
            "give each step its own",
        );
    }
}
