//! `when` and `conditions`, compiled; what is wrong with them is placed in the file.

use std::sync::Arc;

use crate::condition::{self, Condition, ConditionSource, ListClause, Place, PlanScope, Problem};
use crate::diag::{Finding, Findings, Span};
use crate::model::Effect;
use crate::yaml::{self, Field, Fields, Node, spec};

use super::{Context, OneLine};

spec! {
    /// One comparison. False, never an error, where the field is missing or has another type.
    pub(crate) struct ClauseSpec {
        /// Dotted path, for example `params.amount` or `context.region`.
        field: OneLine,
        /// How to compare.
        #[schemars(extend("enum" = ["==", "!=", ">", ">=", "<", "<=", "contains", "matches", "in", "not_in", "exists"]))]
        operator: String,
        /// What to compare with; not for `exists`.
        value: Option<serde_json::Value>,
    }
}

/// A clause and where its parts stand.
struct PlacedClause<'n> {
    clause: ListClause,
    map: &'n Node,
}

/// Compiles the condition that the fields `when` and `conditions` make. `Err` where one of them cannot be used.
pub(crate) fn condition(
    fields: &Fields<'_>,
    effect: Option<Effect>,
    context: Context<'_>,
    out: &mut Findings,
) -> Result<Option<Arc<Condition>>, ()> {
    let (when_field, list_field) = (fields.get("when"), fields.get("conditions"));
    if when_field.is_none() && list_field.is_none() {
        return Ok(None);
    }
    let when = when_field.map(|field| (field.node, field.string(out)));
    let clauses = list_field.map(|field| clauses(field, out));
    let complete = when.is_none_or(|(_, text)| text.is_some()) && clauses.as_ref().is_none_or(|(_, all)| *all);
    let clauses = clauses.map(|(clauses, _)| clauses).unwrap_or_default();
    let list: Vec<_> = clauses.iter().map(|placed| placed.clause.clone()).collect();
    let source = ConditionSource { when: when.and_then(|(_, text)| text), list: &list };
    // Where the effect is wrong, the lints that depend on it stay silent: `warn` has none.
    let (condition, problems) = condition::compile(&source, effect.unwrap_or(Effect::Warn));
    for problem in problems {
        let span = place(&problem.place, when.map(|(node, _)| node), &clauses, context.text, fields.node());
        out.push(finding(problem, span));
    }
    match condition {
        Some(condition) if complete => Ok(Some(Arc::new(condition))),
        _ => Err(()),
    }
}

/// Compiles the field `when` of a rule of a risk policy. `None` where it is missing or cannot be used.
pub(crate) fn plan_condition(
    fields: &Fields<'_>,
    scope: PlanScope,
    context: Context<'_>,
    out: &mut Findings,
) -> Option<Arc<Condition>> {
    let when = fields.require("when", out)?;
    let (condition, problems) = condition::compile_over_plan(when.string(out)?, scope);
    for problem in problems {
        let span = place(&problem.place, Some(when.node), &[], context.text, fields.node());
        out.push(finding(problem, span));
    }
    condition.map(Arc::new)
}

/// The entries of a list that can be read, and whether that is all of them.
fn clauses<'n>(field: Field<'n>, out: &mut Findings) -> (Vec<PlacedClause<'n>>, bool) {
    let Some(entries) = field.list("comparisons", out) else { return (Vec::new(), false) };
    if entries.is_empty() {
        out.push(
            Finding::error("empty-list", "`conditions` is empty")
                .at(field.node.span)
                .help("leave the list out if nothing more must hold"),
        );
        return (Vec::new(), false);
    }
    let all = entries.len();
    let read: Vec<_> = entries.iter().filter_map(|entry| clause(*entry, out)).collect();
    let complete = read.len() == all;
    (read, complete)
}

fn clause<'n>(entry: Field<'n>, out: &mut Findings) -> Option<PlacedClause<'n>> {
    let fields = entry.fields("a condition", ClauseSpec::FIELDS, out)?;
    let field = fields.require("field", out).and_then(|field| field.string(out));
    let operator = fields.require("operator", out).and_then(|field| field.string(out));
    let value = match fields.get("value") {
        Some(field) => Some(yaml::value(field.node, out)?),
        None => None,
    };
    let clause = ListClause { field: field?.into(), operator: operator?.into(), value };
    Some(PlacedClause { clause, map: entry.node })
}

fn place(place: &Place, when: Option<&Node>, clauses: &[PlacedClause<'_>], text: &str, rule: &Node) -> Span {
    let part = |index: usize, key: &str| {
        let map = clauses.get(index).map(|placed| placed.map);
        map.and_then(|map| map.get(key).map(|node| node.span).or(Some(map.head())))
    };
    let span = match place {
        Place::When(range) => when.map(|node| yaml::place_in_scalar(text, node, range)),
        Place::Field(index) => part(*index, "field"),
        Place::Operator(index) => part(*index, "operator"),
        Place::Value(index) => part(*index, "value"),
    };
    span.unwrap_or_else(|| rule.head())
}

fn finding(problem: Problem, span: Span) -> Finding {
    let finding = if problem.is_error {
        Finding::error(problem.code, problem.message)
    } else {
        Finding::warning(problem.code, problem.message)
    };
    let finding = finding.at(span).label(problem.label);
    match problem.help {
        Some(help) => finding.help(help),
        None => finding,
    }
}
