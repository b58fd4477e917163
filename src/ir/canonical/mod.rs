//! RFC 8785 (JSON Canonicalization Scheme), written straight from the domain's values.
//!
//! Objects are sorted by the UTF-16 code units of their keys, numbers are written as ECMAScript does, strings escape
//! only what they must, and nothing is normalised.

mod number;
mod order;
mod string;
#[cfg(test)]
pub(in crate::ir) mod tests;

use smallvec::SmallVec;

use super::refusal::Place;
use crate::model::{Attributes, Text, Value};

pub(crate) use number::{write_integer, write_number};
pub(crate) use order::compare_utf16;
pub(crate) use string::{write_checked, write_string};

/// Entries of a map, in the order of canonical form.
pub(crate) type Sorted<'a> = SmallVec<[&'a (Text, Value); 16]>;

/// The entries of `map` sorted by the UTF-16 code units of their keys.
pub(crate) fn sorted(map: &Attributes) -> Sorted<'_> {
    let mut entries: Sorted<'_> = map.iter().collect();
    entries.sort_unstable_by(|(a, _), (b, _)| compare_utf16(a, b));
    entries
}

/// Calls `each` with the [`sorted`] entries of `map`, which are sorted already in most maps.
pub(crate) fn each_sorted<'a>(map: &'a Attributes, mut each: impl FnMut(&'a str, &'a Value)) {
    if map.iter().is_sorted_by(|(a, _), (b, _)| compare_utf16(a, b).is_le()) {
        return map.iter().for_each(|(key, value)| each(key, value));
    }
    sorted(map).into_iter().for_each(|(key, value)| each(key, value));
}

/// What a writer shows keys, strings and numbers to, with their places, while it writes them.
pub(crate) trait Watch {
    /// A key of a map, or a string. Those of printable ASCII characters without quote and backslash are not shown: nothing
    /// can be wrong with them.
    fn text(&mut self, place: Place<'_>, text: &str);
    /// A number.
    fn number(&mut self, place: Place<'_>, number: f64);
    /// A container, before it is walked; if not to be entered, it is written as null.
    fn enter(&mut self, place: Place<'_>) -> bool;
}

/// Lets everything pass.
pub(crate) struct Unwatched;

impl Watch for Unwatched {
    fn text(&mut self, _: Place<'_>, _: &str) {}

    fn number(&mut self, _: Place<'_>, _: f64) {}

    fn enter(&mut self, _: Place<'_>) -> bool {
        true
    }
}

/// Appends the canonical form of `value`, which stands at `place`.
pub(crate) fn write_value(out: &mut Vec<u8>, value: &Value, place: Place<'_>, watch: &mut impl Watch) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Number(number) => {
            watch.number(place, *number);
            write_number(out, *number);
        }
        Value::String(text) => {
            write_checked(out, text, || watch.text(place, text));
        }
        Value::List(_) | Value::Map(_) if !watch.enter(place) => out.extend_from_slice(b"null"),
        Value::List(items) => {
            out.push(b'[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                write_value(out, item, Place::Item(&place, i), watch);
            }
            out.push(b']');
        }
        Value::Map(map) => {
            let mut separator = b'{';
            each_sorted(map, |key, value| {
                out.push(separator);
                separator = b',';
                let place = Place::Key(&place, key);
                write_key(out, key, place, watch);
                write_value(out, value, place, watch);
            });
            out.extend_from_slice(if separator == b'{' { b"{}" } else { b"}" });
        }
    }
}

/// Appends a key and its colon.
pub(crate) fn write_key(out: &mut Vec<u8>, key: &str, place: Place<'_>, watch: &mut impl Watch) {
    write_checked(out, key, || watch.text(place, key));
    out.push(b':');
}
