//! Params without what is bound to a step's output.

use crate::ir::canonical::{Unwatched, Watch, each_sorted, write_key, write_value};
use crate::ir::refusal::Place;
use crate::model::BoundPaths;
use crate::model::{Attributes, Value};

/// The canonical form of `params` without what `bound` leaves nothing of, to compare arguments by.
pub(crate) fn canonical_params(params: &Attributes, bound: &BoundPaths<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    if !bound.is_bound() {
        write_map(&mut out, params, bound, Place::Root, &mut Unwatched);
    }
    out
}

/// Appends the canonical form of `map` without what `bound` leaves nothing of.
pub(super) fn write_map(
    out: &mut Vec<u8>,
    map: &Attributes,
    bound: &BoundPaths<'_>,
    place: Place<'_>,
    watch: &mut impl Watch,
) {
    let mut separator = b'{';
    each_sorted(map, |key, value| {
        let below = bound.at_key(key);
        if below.leave_nothing_of(value) {
            return;
        }
        out.push(separator);
        separator = b',';
        let place = Place::Key(&place, key);
        write_key(out, key, place, watch);
        write_unbound(out, value, &below, place, watch);
    });
    out.extend_from_slice(if separator == b'{' { b"{}" } else { b"}" });
}

/// The items of a list keep their places: a bound one is null, and those at the end are left out.
fn write_list(out: &mut Vec<u8>, items: &[Value], bound: &BoundPaths<'_>, place: Place<'_>, watch: &mut impl Watch) {
    let nothing = |i: usize| items.get(i).is_none_or(|item| bound.at_index(i).leave_nothing_of(item));
    let kept = (0..items.len()).rev().find(|i| !nothing(*i)).map_or(0, |last| last + 1);
    out.push(b'[');
    for (i, item) in items.iter().take(kept).enumerate() {
        if i > 0 {
            out.push(b',');
        }
        if nothing(i) {
            out.extend_from_slice(b"null");
        } else {
            write_unbound(out, item, &bound.at_index(i), Place::Item(&place, i), watch);
        }
    }
    out.push(b']');
}

fn write_unbound(out: &mut Vec<u8>, value: &Value, bound: &BoundPaths<'_>, place: Place<'_>, watch: &mut impl Watch) {
    match value {
        Value::Map(_) | Value::List(_) if bound.is_empty() => write_value(out, value, place, watch),
        Value::Map(_) | Value::List(_) if !watch.enter(place) => out.extend_from_slice(b"null"),
        Value::Map(map) => write_map(out, map, bound, place, watch),
        Value::List(items) => write_list(out, items, bound, place, watch),
        _ => write_value(out, value, place, watch),
    }
}
