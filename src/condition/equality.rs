//! What an attribute must equal for a condition to be true, for an index over many conditions.

use crate::model::Value;

use super::list;
use super::path::AttributePath;
use super::predicate::{Scalar, Test};
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
    /// False, and so is the condition. So it is in the list.
    False,
    /// It cannot be missing: every request has the attribute, though it may be empty.
    Impossible,
}

pub(super) fn required(program: &Program) -> Vec<RequiredEquality> {
    program.terms.iter().filter_map(|term| of_predicate(program, term)).collect()
}

fn of_predicate(program: &Program, term: &super::program::Term) -> Option<RequiredEquality> {
    let predicate = program.term_predicate(term)?;
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
