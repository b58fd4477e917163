//! Why content has no canonical form, and where.

use crate::model::{control_character, forbidden_character};

/// Greatest magnitude of a whole number that every reader of JSON holds exactly.
pub(crate) const MAX_INTEGER: f64 = 9_007_199_254_740_991.0;

/// Deepest nesting of params and constraints, the map itself being 1: that of every decoder. It bounds the recursion
/// for plans that were built in process.
pub(crate) const MAX_DEPTH: usize = 32;

/// A field of a step that has no canonical form.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    /// Position of the step in the plan, from 0; `None` for the plan itself.
    pub step: Option<usize>,
    /// The field that holds it.
    pub field: RefusedField,
    /// Its place, for example `steps[2].params/recipient`: a JSON Pointer follows the name of a map.
    pub path: String,
    /// What is wrong.
    pub reason: Refused,
}

/// The field of a plan that a [`Refusal`] is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RefusedField {
    /// The plan's tenant.
    Tenant,
    /// The step's id.
    StepId,
    /// The action.
    Action,
    /// The provider.
    Provider,
    /// The resource.
    Resource,
    /// The idempotency key.
    IdempotencyKey,
    /// The budget.
    Budget,
    /// A dependency.
    DependsOn,
    /// An input: its path, quote, step or output path.
    Inputs,
    /// The description.
    Description,
    /// The arguments.
    Params,
    /// The constraints.
    Constraints,
}

/// What is wrong with a value that has no canonical form.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// A whole number that a double cannot hold exactly.
    #[error("the whole number {0} is beyond 2^53 - 1 and may have been rounded; send it as a string")]
    Integer(f64),
    /// NaN or an infinity.
    #[error("{0} is not a finite number and has no canonical form")]
    NotFinite(f64),
    /// A control character in a value.
    #[error("the control character U+{:04X} may not be part of a value; of these, only CR, LF and TAB may", u32::from(*.0))]
    Control(char),
    /// A character that no id may hold.
    #[error("an id may not hold U+{:04X}, a control, bidirectional or invisible character", u32::from(*.0))]
    InId(char),
    /// Nested too deep.
    #[error("nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
}

/// What refuses `number`, if anything.
pub(crate) fn refused_number(number: f64) -> Option<Refused> {
    if !number.is_finite() {
        return Some(Refused::NotFinite(number));
    }
    // Beyond 2^53 every double is whole.
    (number.abs() > MAX_INTEGER).then_some(Refused::Integer(number))
}

/// What refuses `text` as a value or a key, if anything.
pub(crate) fn refused_text(text: &str) -> Option<Refused> {
    control_character(text).map(Refused::Control)
}

/// What refuses `text` as an id, if anything.
pub(crate) fn refused_id(text: &str) -> Option<Refused> {
    forbidden_character(text).map(Refused::InId)
}

/// Where a value is, kept on the stack while it is walked, so that a path costs nothing until one is needed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Place<'a> {
    /// The map itself.
    Root,
    /// The value at a key.
    Key(&'a Place<'a>, &'a str),
    /// The item of a list.
    Item(&'a Place<'a>, usize),
}

impl Place<'_> {
    /// Levels above this value.
    pub(crate) fn depth(&self) -> usize {
        match self {
            Self::Root => 0,
            Self::Key(parent, _) | Self::Item(parent, _) => parent.depth() + 1,
        }
    }

    /// The JSON Pointer, appended to `out`. Characters that could not be shown are replaced.
    pub(crate) fn pointer(&self, out: &mut String) {
        match self {
            Self::Root => {}
            Self::Key(parent, key) => {
                parent.pointer(out);
                out.push('/');
                for c in key.chars() {
                    match c {
                        '~' => out.push_str("~0"),
                        '/' => out.push_str("~1"),
                        c if c.is_control() => out.push('\u{fffd}'),
                        c => out.push(c),
                    }
                }
            }
            Self::Item(parent, index) => {
                parent.pointer(out);
                out.push('/');
                out.push_str(itoa::Buffer::new().format(*index));
            }
        }
    }
}
