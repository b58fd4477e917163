//! List entries whose value has a type that the field never has.

use crate::model::Value;

use super::list::ListTest;
use super::path::AttributePath;
use super::source::{ListClause, Place, Problem};
use super::types::Ty;

/// What a field of every request holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Held {
    Text,
    Texts,
    Map,
}

impl Held {
    /// `None` where only the request tells.
    fn of(path: &AttributePath) -> Option<Self> {
        match path.slot().ty() {
            _ if !path.is_guaranteed() => None,
            Ty::String => Some(Self::Text),
            Ty::List(_) => Some(Self::Texts),
            Ty::Map(..) => Some(Self::Map),
            _ => None,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Text => "a string",
            Self::Texts => "a list of strings",
            Self::Map => "a map",
        }
    }

    /// Whether the field, or an element of it, can equal `value`.
    fn may_equal(self, value: &Value) -> bool {
        match (self, value) {
            (Self::Text | Self::Texts, Value::String(_)) | (Self::Map, Value::Map(_)) => true,
            (Self::Texts, Value::List(items)) => items.iter().all(|item| matches!(item, Value::String(_))),
            _ => false,
        }
    }

    /// The outcome of `test`, if it is the same whatever the request holds.
    fn outcome(self, test: &ListTest) -> Option<bool> {
        let same = |possible: bool, outcome: bool| if possible { None } else { Some(outcome) };
        let is_text = |value: &Value| matches!(value, Value::String(_));
        match test {
            ListTest::Equals(value) => same(self.may_equal(value), false),
            ListTest::In(values) => same(values.iter().any(|value| self.may_equal(value)), false),
            // A string or a map must have the type of the value to differ from it; null is the exception.
            ListTest::Differs(value) => {
                same(self.may_equal(value), self == Self::Texts || matches!(value, Value::Null))
            }
            ListTest::NotIn(values) => same(values.iter().any(|value| self.may_equal(value)), self == Self::Texts),
            ListTest::Number(..) => Some(false),
            ListTest::Text(..) => same(self == Self::Text, false),
            ListTest::Contains(value) => same(self != Self::Map && is_text(value), false),
            ListTest::Matches(_) => same(self != Self::Map, false),
            ListTest::Exists(_) => None,
        }
    }
}

/// Reports an entry that is the same for every request.
pub(super) fn check(
    index: usize,
    clause: &ListClause,
    path: &AttributePath,
    test: &ListTest,
    problems: &mut Vec<Problem>,
) {
    if let ListTest::In(values) = test
        && values.is_empty()
    {
        let problem = Problem::lint("never-matches", Place::Value(index), "the entry is never true: the list is empty");
        problems.push(problem.help("list the values that the field may have"));
        return;
    }
    let Some(held) = Held::of(path) else { return };
    let Some(outcome) = held.outcome(test) else { return };
    let (code, always) = if outcome { ("constant-condition", "always") } else { ("never-matches", "never") };
    let value = clause.value.as_ref().map(|value| serde_json::to_string(value).unwrap_or_default()).unwrap_or_default();
    let (field, operator) = (&clause.field, &clause.operator);
    let message = format!("`{field} {operator} {value}` is {always} true: `{field}` is {}", held.as_str());
    let mut problem = Problem::lint(code, Place::Value(index), message);
    problem = match (held, &clause.value) {
        (Held::Text | Held::Texts, Some(value)) if !matches!(test, ListTest::Number(..) | ListTest::Text(..)) => {
            match as_texts(value) {
                Some(texts) => problem.help(format!("write text in quotation marks: `value: {texts}`")),
                None if *value == Value::Null => problem.help("`operator: exists` tells whether it is empty"),
                None => problem.help("compare it with text"),
            }
        }
        (Held::Texts, _) => problem.help("look into the list with `==`, `in`, `contains` or `matches`"),
        (Held::Map, _) => problem.help(format!("name one of its keys: `{field}.…`")),
        (Held::Text, _) => problem.help(format!("`{operator}` compares a string with text in quotation marks only")),
    };
    problems.push(problem);
}

/// A scalar, or a list of scalars, as the text that was probably meant.
fn as_texts(value: &Value) -> Option<String> {
    let text = |value: &Value| match value {
        Value::Bool(_) | Value::Number(_) => serde_json::to_string(value).ok().map(|text| format!("\"{text}\"")),
        Value::String(_) => serde_json::to_string(value).ok(),
        _ => None,
    };
    match value {
        Value::List(items) if !items.is_empty() => {
            let texts: Option<Vec<String>> = items.iter().map(text).collect();
            Some(format!("[{}]", texts?.join(", ")))
        }
        value => text(value),
    }
}
