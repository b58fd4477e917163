//! What differs between two steps, and between the arguments of a step and of a call.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use crate::ir::canonical::{compare_utf16, sorted};
use crate::ir::hash::{InputKey, input_key};
use crate::ir::refusal::Place;
use crate::model::{Attributes, Step, Value};
use crate::model::{BoundPaths, bound_paths};

/// JSON Pointers, into the step, to the content in which `actual` differs from `expected`.
pub(super) fn changed_paths(expected: &Step, actual: &Step) -> Vec<String> {
    let mut changed = Vec::new();
    let mut note = |name: &str, same: bool| {
        if !same {
            changed.push(format!("/{name}"));
        }
    };
    note("step_id", expected.step_id == actual.step_id);
    note("action", expected.action == actual.action);
    note("provider", expected.provider == actual.provider);
    note("resource", expected.resource == actual.resource);
    note("idempotency_key", expected.idempotency_key == actual.idempotency_key);
    note("budget_cents", expected.budget_cents == actual.budget_cents);
    note("description", expected.description == actual.description);
    note("depends_on", is_same_set(&expected.depends_on, &actual.depends_on));
    note("inputs", is_same_set(&inputs(expected), &inputs(actual)));
    let mut differ = |root: &str, a: &Attributes, b: &Attributes, bound: &BoundPaths<'_>| {
        differing(a, b, bound, |place| {
            let mut path = root.to_owned();
            place.pointer(&mut path);
            changed.push(path);
        });
    };
    differ("/params", &expected.params, &actual.params, &bound_paths(expected));
    differ("/constraints", &expected.constraints, &actual.constraints, &BoundPaths::default());
    changed
}

/// JSON Pointers, into the arguments, to what `actual` has differently where `step` leaves nothing open.
pub(in crate::ir) fn changed_params(step: &Step, actual: &Attributes) -> Vec<String> {
    let mut changed = Vec::new();
    differing(&step.params, actual, &bound_paths(step), |place| {
        let mut path = String::new();
        place.pointer(&mut path);
        changed.push(path);
    });
    changed
}

/// Whether both hold the same, whatever the order and however often.
pub(super) fn is_same_set<T: Ord>(a: &[T], b: &[T]) -> bool {
    if a.is_empty() && b.is_empty() {
        return true;
    }
    BTreeSet::from_iter(a) == BTreeSet::from_iter(b)
}

fn inputs(step: &Step) -> Vec<InputKey<'_>> {
    step.inputs.iter().map(input_key).collect()
}

fn differing(a: &Attributes, b: &Attributes, bound: &BoundPaths<'_>, mut report: impl FnMut(Place<'_>)) {
    if !bound.is_bound() {
        maps(a, b, bound, Place::Root, &mut report);
    }
}

fn maps(a: &Attributes, b: &Attributes, bound: &BoundPaths<'_>, place: Place<'_>, report: &mut impl FnMut(Place<'_>)) {
    let (a, b) = (sorted(a), sorted(b));
    let (mut a, mut b) = (a.into_iter().peekable(), b.into_iter().peekable());
    loop {
        let order = match (a.peek(), b.peek()) {
            (None, None) => return,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((in_a, _)), Some((in_b, _))) => compare_utf16(in_a, in_b),
        };
        let from_a = if order.is_le() { a.next() } else { None };
        let from_b = if order.is_ge() { b.next() } else { None };
        let Some((key, _)) = from_a.or(from_b) else { return };
        let (a, b) = (from_a.map(|(_, value)| value), from_b.map(|(_, value)| value));
        values(a, b, &bound.at_key(key), Place::Key(&place, key), report);
    }
}

fn values(
    a: Option<&Value>,
    b: Option<&Value>,
    bound: &BoundPaths<'_>,
    place: Place<'_>,
    report: &mut impl FnMut(Place<'_>),
) {
    let gone = |value: Option<&Value>| value.is_none_or(|value| bound.leave_nothing_of(value));
    match (a, b) {
        _ if gone(a) && gone(b) => {}
        (Some(Value::Map(a)), Some(Value::Map(b))) => maps(a, b, bound, place, report),
        (Some(Value::List(a)), Some(Value::List(b))) => {
            for i in 0..a.len().max(b.len()) {
                values(a.get(i), b.get(i), &bound.at_index(i), Place::Item(&place, i), report);
            }
        }
        (Some(a), Some(b)) if a == b => {}
        _ => report(place),
    }
}
