//! What an author wrote, and what is wrong with it.

use std::ops::Range;

use crate::model::{Text, Value};

/// Longest text of `when`, in bytes.
pub const MAX_TEXT_BYTES: usize = 8 * 1024;

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

impl Problem {
    /// An error, which refuses the condition.
    pub(super) fn error(code: &'static str, place: Place, message: impl Into<String>) -> Self {
        Self { code, is_error: true, message: message.into(), place, label: String::new(), help: None }
    }

    /// A lint, which does not.
    pub(super) fn lint(code: &'static str, place: Place, message: impl Into<String>) -> Self {
        Self { is_error: false, ..Self::error(code, place, message) }
    }

    /// With words beside the caret.
    pub(super) fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// With a remedy.
    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}
