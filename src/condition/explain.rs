//! Why a condition is as it is.

use crate::model::{ExplainedValue, Text};

use super::error::{Budget, ConditionError};
use super::path::{AttributePath, Bindings};
use super::program::Program;

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

/// Evaluates term by term. The first false term settles, else the first that fails.
pub(super) fn explain(program: &Program, bindings: &Bindings<'_>, budget: &mut Budget) -> ConditionExplanation {
    let mut failed = None;
    for term in &program.terms {
        let settled = match program.evaluate_term(term, bindings, budget) {
            Ok(true) => continue,
            Ok(false) => Ok(false),
            Err(ConditionError::Limit) => Err(ConditionError::Limit),
            Err(error) => {
                failed = failed.or(Some((term, error)));
                continue;
            }
        };
        return explanation(settled, program.clause(term), &program.paths_in(term.code.clone()), bindings);
    }
    match failed {
        Some((term, error)) => {
            explanation(Err(error), program.clause(term), &program.paths_in(term.code.clone()), bindings)
        }
        None => {
            let all = 0..u32::try_from(program.code.len()).unwrap_or(u32::MAX);
            explanation(Ok(true), &program.source, &program.paths_in(all), bindings)
        }
    }
}

fn explanation(
    result: Result<bool, ConditionError>,
    clause: &str,
    paths: &[&AttributePath],
    bindings: &Bindings<'_>,
) -> ConditionExplanation {
    let values = paths.iter().map(|path| path.explained(bindings)).collect();
    ConditionExplanation { result, clause: clause.into(), values }
}
