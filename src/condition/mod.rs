//! Conditions: CEL text and the structured list, both compiled at load to one typed, bounded program.
//!
//! [`compile`] checks what an author wrote and reports every problem with its place; [`Condition::evaluate`] then runs
//! without looking anything up by name, without copying the request and without a way to panic.
//!
//! The way of a text: `lexer` → `parser` (with `macros`) → tree (`ast`) → `checker` (names from `scope`, types) →
//! `lower` (constants folded, tests of one attribute fused into a `predicate`) → `program`, which `vm` runs. The list
//! becomes predicates directly. `docs/cel.md` says which part of the CEL specification holds.

mod always_fails;
mod arithmetic;
mod ast;
mod builder;
mod checker;
mod compare;
mod compile;
mod convert;
mod equality;
mod error;
mod explain;
mod expression;
mod format;
mod functions;
mod fuse;
mod iterate;
mod lexer;
mod lint;
mod list;
mod list_types;
mod literal;
mod lower;
mod macros;
mod open;
mod operators;
mod parser;
mod path;
mod pattern;
mod plan;
mod predicate;
mod program;
mod scope;
mod source;
mod step_context;
mod strings;
mod time;
mod types;
mod unsupported;
mod value;
mod vm;

#[cfg(test)]
mod tests;

pub use equality::{RequiredEquality, WhenMissing};
pub use error::{BadArgument, Budget, ConditionError, MissingKey, Overload};
pub use explain::ConditionExplanation;
pub use expression::{ExpressionError, ExpressionValue, eval_expression};
pub use open::{NotKnown, OpenParams};
pub use path::{AttributePath, AttributeRef, Bindings};
pub use pattern::{PatternCost, pattern_cost};
pub use plan::PlanBindings;
pub use source::{ConditionSource, ListClause, MAX_TEXT_BYTES, Place, Problem};
pub use step_context::StepContext;
pub use value::TypeName;

use crate::model::{Effect, Text};

/// A compiled condition. Immutable and shared between threads.
#[derive(Debug, Clone)]
pub struct Condition {
    program: program::Program,
    constant: Option<bool>,
}

impl Condition {
    /// The value for `bindings`. What it costs is taken from `budget`.
    ///
    /// # Errors
    /// What CEL calls an error (no such key, no such overload, overflow …), or the limit. By the rules of CEL a term of
    /// `&&` that is false, or of `||` that is true, hides the errors of its neighbours; nothing hides the limit.
    #[inline]
    pub fn evaluate(&self, bindings: &Bindings<'_>, budget: &mut Budget) -> Result<bool, ConditionError> {
        self.program.evaluate(bindings, budget)
    }

    /// The paths of the attributes that the outermost `&&` compares with constants by `==` or `in`: without one of them
    /// the condition cannot be true.
    #[must_use]
    pub fn required_attributes(&self) -> Vec<Text> {
        self.required_equalities().iter().map(|required| required.path.as_str().into()).collect()
    }

    /// The value with its reasons. Slower than [`evaluate`](Self::evaluate), and always of the same result.
    #[must_use]
    pub fn explain(&self, bindings: &Bindings<'_>, budget: &mut Budget) -> ConditionExplanation {
        explain::explain(&self.program, bindings, budget)
    }

    /// The value, where it is the same for every request.
    #[must_use]
    pub fn constant(&self) -> Option<bool> {
        self.constant
    }

    /// Which values attributes must have for the condition to be true: the terms of its outermost `&&` that compare an
    /// attribute with constants. An index over many conditions buckets by them.
    #[must_use]
    pub fn required_equalities(&self) -> Vec<RequiredEquality> {
        equality::required(&self.program)
    }

    /// The author's text: `when`, then the entries of the list, joined by `&&`.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.program.source
    }
}

/// Checks and compiles a condition for a rule with `effect` (some lints depend on it). Gives the condition unless a
/// problem is an error, and every problem at once.
#[must_use]
pub fn compile(source: &ConditionSource<'_>, effect: Effect) -> (Option<Condition>, Vec<Problem>) {
    compile::compile_in(source, effect, &scope::DECISION)
}

/// What a condition of a risk policy may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlanScope {
    /// `step`, and `ir` around it: a tier rule.
    Step,
    /// `ir`: a plan rule.
    Plan,
}

/// Checks and compiles a condition of a risk policy, whose text is CEL. Gives the condition unless a problem is an error,
/// and every problem at once.
#[must_use]
pub fn compile_over_plan(when: &str, scope: PlanScope) -> (Option<Condition>, Vec<Problem>) {
    let scope = match scope {
        PlanScope::Step => &scope::STEP_OF_PLAN,
        PlanScope::Plan => &scope::WHOLE_PLAN,
    };
    compile::compile_in(&ConditionSource { when: Some(when), list: &[] }, Effect::Warn, scope)
}
