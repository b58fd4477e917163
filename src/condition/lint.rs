//! What is allowed but probably not meant.

use crate::model::Effect;

use super::ast::{Ast, BinaryOp, Kind, NodeId};
use super::checker::{Checked, NodeMeaning};
use super::functions::Function;
use super::list::ListTest;
use super::lower::Lowering;
use super::path::{AttributePath, path_of};
use super::pattern;
use super::source::{ListClause, Place, Problem};
use super::strings::quote;
use super::value::Const;

/// Lints of one list entry.
pub(super) fn check_list_entry(
    index: usize,
    clause: &ListClause,
    path: &AttributePath,
    test: &ListTest,
    effect: Effect,
    problems: &mut Vec<Problem>,
) {
    if let (Effect::Allow, ListTest::Matches(_), Some(crate::model::Value::String(text))) =
        (effect, test, &clause.value)
    {
        unanchored(Place::Value(index), text, problems);
    }
    let narrows = matches!(effect, Effect::Deny | Effect::RequireApproval);
    let can_be_dodged =
        matches!(test, ListTest::Differs(_) | ListTest::NotIn(_) | ListTest::Number(..) | ListTest::Text(..));
    if narrows && can_be_dodged && !path.is_guaranteed() {
        let message = format!(
            "`{}` is false where `{}` is missing, so the rule can be dodged by leaving it out",
            clause.operator, clause.field
        );
        let problem = Problem::lint("fail-open-condition", Place::Operator(index), message)
            .label(format!("a missing field makes this {} rule not match", effect.as_str()))
            .help(format!("write it as CEL, where missing counts: `when: '{}'`", missing_or(clause, path)));
        problems.push(problem);
    }
}

/// `missing or …` for a list entry, as CEL.
fn missing_or(clause: &ListClause, path: &AttributePath) -> String {
    let value = clause.value.as_ref().map(|value| serde_json::to_string(value).unwrap_or_default()).unwrap_or_default();
    let keys: Vec<&str> = path.keys().collect();
    let missing: String = (1..=keys.len())
        .map(|count| {
            let (last, before) = keys.get(..count).and_then(|keys| keys.split_last()).unwrap_or((&"", &[]));
            let parent = AttributePath::new(path.slot(), before.iter().copied());
            let child = AttributePath::new(path.slot(), before.iter().copied().chain([*last]));
            // `has` takes names only; other keys are looked up.
            match child.as_str().ends_with(']') {
                true => format!("!({} in {}) || ", quote(last), parent.as_str()),
                false => format!("!has({}) || ", child.as_str()),
            }
        })
        .collect();
    match clause.operator.as_str() {
        "not_in" => format!("{missing}!({} in {value})", path.as_str()),
        operator => format!("{missing}{} {operator} {value}", path.as_str()),
    }
}

fn unanchored(place: Place, text: &str, problems: &mut Vec<Problem>) {
    if !pattern::is_anchored(text) {
        let problem =
            Problem::lint("unanchored-pattern", place, "the pattern of an allow rule matches any part of a text")
                .label("also matches inside longer texts")
                .help(format!("bind it to start and end: {}", quote(&pattern::anchored(text)).replace("\\\\", "\\")));
        problems.push(problem);
    }
}

/// The condition is the same for every request.
pub(super) fn constant(value: bool, text: &str, problems: &mut Vec<Problem>) {
    let message = if value { "the condition is always true" } else { "the condition is never true" };
    let help = if value { "leave `when` out" } else { "set `enabled: false` to switch a rule off" };
    problems.push(Problem::lint("constant-condition", Place::When(0..text.len()), message).help(help));
}

/// Lints of a whole tree. The condition is false, and no error, without an attribute of `settled`.
pub(super) fn check_tree(
    lowering: &Lowering<'_>,
    effect: Effect,
    settled: &[AttributePath],
    problems: &mut Vec<Problem>,
) {
    if effect == Effect::Allow {
        unanchored_calls(lowering, problems);
    }
    unguarded(lowering.ast, lowering.checked, settled, problems);
}

/// Reports patterns that let more through the wider they match. Behind a `!` a wide pattern is the careful one.
fn unanchored_calls(lowering: &Lowering<'_>, problems: &mut Vec<Problem>) {
    let mut work = vec![(lowering.ast.root(), false)];
    while let Some((id, negated)) = work.pop() {
        let kind = lowering.ast.kind(id);
        let is_match = lowering.checked.meaning(id) == NodeMeaning::Call(Function::Matches);
        if let Kind::Call { arguments, .. } = kind
            && let Some(last) = arguments.last().filter(|_| is_match && !negated)
            && let Some(Const::Str(text)) = lowering.constant(*last)
        {
            unanchored(Place::When(lowering.ast.range(*last)), text, problems);
        }
        let flips = matches!(kind, Kind::Not(_));
        Ast::operands(kind, |operand| work.push((operand, negated != flips)));
    }
}

/// What is known to be there at some node: a chain of facts, innermost first.
struct Facts {
    facts: Vec<(AttributePath, Option<usize>)>,
}

impl Facts {
    fn add(&mut self, paths: Vec<AttributePath>, mut known: Option<usize>) -> Option<usize> {
        for path in paths {
            self.facts.push((path, known));
            known = Some(self.facts.len() - 1);
        }
        known
    }

    /// Whether a fact settles the case that key number `count` of `path` is missing. A fact about a longer path does
    /// not: without that key its own `has` fails.
    fn know(&self, path: &AttributePath, count: usize, mut known: Option<usize>) -> bool {
        while let Some((fact, next)) = known.and_then(|index| self.facts.get(index)) {
            let covers = fact.slot() == path.slot()
                && fact.keys().count() == count
                && fact.keys().zip(path.keys().take(count)).all(|(a, b)| a == b);
            if covers {
                return true;
            }
            known = *next;
        }
        false
    }
}

/// Reports attributes that are read without a `has` that settles the condition where they are missing.
fn unguarded(ast: &Ast, checked: &Checked, settled: &[AttributePath], problems: &mut Vec<Problem>) {
    let mut facts = Facts { facts: Vec::new() };
    let prefixes = |path: &AttributePath| {
        let keys: Vec<String> = path.keys().map(str::to_owned).collect();
        let slot = path.slot();
        (1..=keys.len()).map(move |count| AttributePath::new(slot, keys.iter().take(count).map(String::as_str)))
    };
    let settled = facts.add(settled.iter().flat_map(|path| prefixes(path).collect::<Vec<_>>()).collect(), None);
    let mut reported: Vec<String> = Vec::new();
    let mut work: Vec<(NodeId, Option<usize>)> = vec![(ast.root(), settled)];
    while let Some((id, known)) = work.pop() {
        let kind = ast.kind(id);
        if let Some(path) = path_of(ast, checked, id) {
            // `has` needs what leads to its key, a read needs the key as well.
            let test = matches!(kind, Kind::Select { test: true, .. });
            let needed = path.keys().count().saturating_sub(usize::from(test));
            if let Some(missing) = (1..=needed).find(|count| !facts.know(&path, *count, known)) {
                let missing = AttributePath::new(path.slot(), path.keys().take(missing));
                if !reported.iter().any(|known| known == missing.as_str()) {
                    reported.push(missing.as_str().to_owned());
                    problems.push(unguarded_problem(ast, id, &missing));
                }
            }
            continue;
        }
        match kind {
            Kind::And(terms) | Kind::Or(terms) => {
                // A term that is settled where an attribute is missing hides the error of any other term.
                let is_and = matches!(kind, Kind::And(_));
                let paths = terms.iter().flat_map(|term| guards(ast, checked, *term, is_and)).collect();
                let known = facts.add(paths, known);
                work.extend(terms.iter().map(|term| (*term, known)));
            }
            Kind::Ternary { condition, yes, no } => {
                work.push((*condition, known));
                work.push((*yes, facts.add(guards(ast, checked, *condition, true), known)));
                work.push((*no, facts.add(guards(ast, checked, *condition, false), known)));
            }
            _ => Ast::operands(kind, |operand| work.push((operand, known))),
        }
    }
    // Work is taken from the end, so places come in any order.
    problems.sort_by_key(|problem| match (&problem.place, problem.code) {
        (Place::When(range), "unguarded-attribute") => range.start,
        _ => 0,
    });
}

fn unguarded_problem(ast: &Ast, id: NodeId, path: &AttributePath) -> Problem {
    let message = format!("`{}` may be missing, and then the condition is an error", path.as_str());
    Problem::lint("unguarded-attribute", Place::When(ast.range(id)), message)
        .label("read without a guard")
        .help(format!("say what holds without it: `has({path}) && …` or `!has({path}) || …`", path = path.as_str()))
}

/// The attributes that must be there where `id` is `value`.
fn guards(ast: &Ast, checked: &Checked, id: NodeId, value: bool) -> Vec<AttributePath> {
    let mut found = Vec::new();
    let mut work = vec![(id, value)];
    while let Some((id, value)) = work.pop() {
        match ast.kind(id) {
            Kind::Select { test: true, .. } if value => found.extend(path_of(ast, checked, id)),
            Kind::Not(operand) => work.push((*operand, !value)),
            Kind::And(terms) if value => work.extend(terms.iter().map(|term| (*term, value))),
            Kind::Or(terms) if !value => work.extend(terms.iter().map(|term| (*term, value))),
            // `"key" in map`
            Kind::Binary { operator: BinaryOp::In, left, right } if value => {
                if let (Kind::Literal(Const::Str(key)), Some(path)) = (ast.kind(*left), path_of(ast, checked, *right)) {
                    found.push(AttributePath::new(path.slot(), path.keys().chain([key.as_str()])));
                }
            }
            _ => {}
        }
    }
    found
}
