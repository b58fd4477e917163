//! What an attribute must equal for a condition to be true, for an index over many conditions.

use crate::model::Value;

use super::list;
use super::path::AttributePath;
use super::predicate::{Predicate, Scalar, Test};
use super::program::Program;

/// A term of the outermost `&&` that says which values an attribute must have: `attribute == constant` or
/// `attribute in [constants]`, in CEL or as a list entry.
///
/// Read the attribute with [`AttributePath::read`]. Where the attribute is there and none of `values` matches it, the
/// condition is **false** whatever its other terms say, errors included. Where it is missing, `when_missing` says what
/// the term is; a value of another type than the constants simply does not match.
#[derive(Debug, Clone, PartialEq)]
pub struct RequiredEquality {
    /// The attribute.
    pub path: AttributePath,
    /// The constants: null, bool, number or string.
    pub values: Vec<Value>,
    /// Whether a list attribute also matches by one of its elements.
    pub any_element: bool,
    /// What the term is for a request without the attribute.
    pub when_missing: WhenMissing,
}

/// What a term is for a request without its attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenMissing {
    /// An error, so that the condition is an error unless another of its terms is false: the condition must still be
    /// evaluated. So it is in CEL, below the context and the properties.
    Error,
    /// False, and so is the condition. So it is in the list, and in CEL where other terms ask with `has` first.
    False,
    /// It cannot be missing: every request has the attribute, though it may be empty.
    Impossible,
}

pub(super) fn required(program: &Program) -> Vec<RequiredEquality> {
    let predicates = || program.terms.iter().filter_map(|term| program.term_predicate(term));
    let mut required: Vec<_> = predicates().filter_map(of_predicate).collect();
    for equality in &mut required {
        if equality.when_missing == WhenMissing::Error && is_false_when_missing(&equality.path, predicates()) {
            equality.when_missing = WhenMissing::False;
        }
    }
    required
}

/// Whether another term makes the condition false where the attribute at `path` is missing: `has`, or an entry of the list.
/// Below a key, `has` fails where the key's value is no map, so that it guards only what is directly below a slot.
fn is_false_when_missing<'p>(path: &AttributePath, mut predicates: impl Iterator<Item = &'p Predicate>) -> bool {
    let is_top_level = path.keys().count() == 1;
    predicates.any(|predicate| {
        let is_false = match &predicate.test {
            Test::Present => is_top_level,
            Test::List(test) => test.is_false_when_missing(),
            _ => false,
        };
        is_false && !predicate.negated && predicate.path == *path
    })
}

fn of_predicate(predicate: &Predicate) -> Option<RequiredEquality> {
    if predicate.negated {
        return None;
    }
    let (scalars, any_element, when_missing) = match &predicate.test {
        Test::Equals(scalar) => (vec![scalar.clone()], false, WhenMissing::Error),
        Test::OneOf(set) => (set.scalars(), false, WhenMissing::Error),
        // A string held by the roles; in a map it would be a key, so only a slot that is always a list will do.
        Test::Holds(scalar @ Scalar::Text(_)) if predicate.path.is_guaranteed_list() => {
            (vec![scalar.clone()], true, WhenMissing::Impossible)
        }
        Test::List(test) => (list::required_values(test)?, true, WhenMissing::False),
        _ => return None,
    };
    let when_missing = if predicate.path.is_guaranteed() { WhenMissing::Impossible } else { when_missing };
    let values = scalars.iter().map(Scalar::to_value).collect();
    Some(RequiredEquality { path: predicate.path.clone(), values, any_element, when_missing })
}
