//! From what an author wrote to a condition, with everything that is wrong.

use crate::model::Effect;

use super::Condition;
use super::always_fails;
use super::builder::Builder;
use super::checker;
use super::lint;
use super::list;
use super::list_types;
use super::lower::Lowering;
use super::parser;
use super::predicate::{Predicate, Test};
use super::scope::Scope;
use super::source::{ConditionSource, Problem};
use super::value::Const;

/// Between the text of `when` and the entries of the list, where an explanation shows the whole.
const AND: &str = " && ";

/// Checks and compiles within `scope`.
pub(super) fn compile_in(
    source: &ConditionSource<'_>,
    effect: Effect,
    scope: &Scope,
) -> (Option<Condition>, Vec<Problem>) {
    let mut problems = Vec::new();
    let mut entries = Vec::with_capacity(source.list.len());
    for (index, clause) in source.list.iter().enumerate() {
        if let Some((path, test)) = list::compile(index, clause, scope, &mut problems) {
            lint::check_list_entry(index, clause, &path, &test, effect, &mut problems);
            list_types::check(index, clause, &path, &test, &mut problems);
            entries.push((clause, Predicate { path, test: Test::List(Box::new(test)), negated: false }));
        }
    }
    let tree = source.when.and_then(|text| match parser::parse(text) {
        Ok(ast) => {
            let mut checked = checker::check(&ast, scope);
            if checked.problems.is_empty() {
                checker::check_is_bool(&ast, scope, &mut checked);
            }
            problems.append(&mut checked.problems);
            Some((ast, checked))
        }
        Err(problem) => {
            problems.push(*problem);
            None
        }
    });
    if has_errors(&problems) {
        return (None, problems);
    }

    let mut builder = Builder::default();
    let mut text = source.when.unwrap_or("").to_owned();
    let mut constant = Some(true);
    let mut lowering = tree.as_ref().map(|(ast, checked)| Lowering::new(ast, checked));
    let terms = lowering.as_ref().map_or_else(Vec::new, Lowering::conjuncts);
    let alone = terms.len() + entries.len() <= 1;
    if terms.is_empty() && entries.is_empty() {
        builder.add_constant_term(true, 0..text.len());
    }
    if !alone {
        builder.begin_conjunction();
    }
    if let Some(lowering) = &mut lowering {
        for term in &terms {
            lowering.add_term(&mut builder, *term, alone);
        }
        problems.append(&mut lowering.problems);
        always_fails::report(lowering, source.when.unwrap_or(""), source.list.is_empty(), effect, &mut problems);
        let settled = match scope.missing_differs {
            true => terms.iter().filter_map(|term| lowering.required_attribute(*term)).collect(),
            false => Vec::new(),
        };
        lint::check_tree(lowering, effect, &settled, &mut problems);
        constant = match lowering.constant(lowering.ast.root()) {
            Some(Const::Bool(value)) => Some(*value),
            _ => None,
        };
        if let Some(value) = constant {
            lint::constant(value, source.when.unwrap_or(""), &mut problems);
        }
    }
    for (clause, predicate) in entries {
        constant = constant.filter(|value| !value);
        if !text.is_empty() {
            text.push_str(AND);
        }
        let start = text.len();
        text.push_str(&list::text_of(clause));
        builder.add_predicate_term(predicate, alone, start..text.len());
    }
    if !alone {
        builder.end_conjunction();
    }
    if has_errors(&problems) {
        return (None, problems);
    }
    (Some(Condition { program: builder.finish(text), constant }), problems)
}

fn has_errors(problems: &[Problem]) -> bool {
    problems.iter().any(|problem| problem.is_error)
}
