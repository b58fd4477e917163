//! The ids of steps: whether they are there, trimmed and short enough. Characters that no id may hold are refused with the
//! canonical form.

use hashbrown::HashMap;

use foldhash::fast::FixedState;

use crate::model::{Ordering, Plan, Text, ViolationCode};

use super::Subject;
use super::report::{Report, name_of};

pub(super) fn check(subject: &Subject<'_>, report: &mut Report) {
    let (plan, limits) = (subject.plan, subject.limits);
    let mut check = |code, index, field: &str, text: &Text, most| {
        if let Some((problem, help)) = problem(text, most) {
            report.step(code, plan, index, field, format!("`{field}` {problem}"), help);
        }
    };
    for (index, step) in plan.steps.iter().enumerate() {
        check(ViolationCode::InvalidId, index, "step_id", &step.step_id, limits.id_bytes);
        check(ViolationCode::InvalidAction, index, "action", &step.action, limits.name_bytes);
        check(ViolationCode::InvalidProvider, index, "provider", &step.provider, limits.id_bytes);
        check(ViolationCode::InvalidId, index, "resource", &step.resource, limits.resource_id_bytes);
        if !step.idempotency_key.trim().is_empty() {
            check(ViolationCode::InvalidId, index, "idempotency_key", &step.idempotency_key, limits.name_bytes);
        }
    }
    for (index, step) in plan.steps.iter().enumerate() {
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
        if step.idempotency_key.trim().is_empty() {
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
    duplicates(plan, ViolationCode::DuplicateStepId, "step_id", |step| &step.step_id, report);
    duplicates(plan, ViolationCode::DuplicateIdempotencyKey, "idempotency_key", |step| &step.idempotency_key, report);
}

/// What is wrong with an id that is there, and what to do about it.
fn problem(text: &Text, most: usize) -> Option<(String, &'static str)> {
    if text.is_empty() {
        return None;
    }
    if text.trim().is_empty() {
        return Some(("is blank".to_owned(), "write an id, or leave the field out"));
    }
    if text.trim().len() != text.len() {
        return Some((format!("`{}` starts or ends with a blank", shown(text)), "remove the blank"));
    }
    (text.len() > most).then(|| (format!("has {} bytes, more than {most}", text.len()), "choose a shorter one"))
}

/// An id as messages show it: without characters that would not be seen, and cut.
pub(super) fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(80).flat_map(char::escape_debug).collect();
    if text.chars().nth(80).is_some() {
        shown.push('…');
    }
    shown
}

fn duplicates(
    plan: &Plan,
    code: ViolationCode,
    field: &'static str,
    of: fn(&crate::model::Step) -> &Text,
    report: &mut Report,
) {
    let mut known: HashMap<&str, usize, FixedState> =
        HashMap::with_capacity_and_hasher(plan.steps.len(), FixedState::default());
    for (index, step) in plan.steps.iter().enumerate() {
        let text = of(step);
        if text.trim().is_empty() {
            continue;
        }
        let first = *known.entry(text).or_insert(index);
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
