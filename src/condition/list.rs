//! The structured list: entries of field, operator and value. An entry never errors: a comparison with a field that is
//! missing or of another type is false, whatever the operator.

use crate::diag::did_you_mean;
use crate::model::{Text, Value};

use super::error::{Budget, ConditionError};
use super::path::{AttributePath, AttributeRef, Bindings, MAX_KEYS};
use super::pattern::{self, Pattern};
use super::predicate::{Relation, Scalar};
use super::scope::{Meaning, Scope, Slot};
use super::source::{ListClause, Place, Problem};

/// The operators, as authors write them.
pub(super) const OPERATORS: [&str; 11] =
    ["==", "!=", ">", ">=", "<", "<=", "contains", "matches", "in", "not_in", "exists"];

/// What an entry tests.
#[derive(Debug, Clone)]
pub(super) enum ListTest {
    /// The field, or one of its elements, equals the value.
    Equals(Value),
    /// The field has the value's type and differs, or is a list without the value.
    Differs(Value),
    Number(Relation, f64),
    Text(Relation, Text),
    /// A string has this part, or a list this element.
    Contains(Value),
    /// A string, or an element of a list, matches.
    Matches(Box<Pattern>),
    /// The field, or one of its elements, is one of the values.
    In(Box<[Value]>),
    /// The field has the type of one of the values and is none of them, or is a list without any of them.
    NotIn(Box<[Value]>),
    /// The field is there and neither null nor, for a field of the request itself, empty; or the contrary.
    Exists(bool),
}

impl ListTest {
    /// Whether the entry is false for a request without the field.
    pub(super) const fn is_false_when_missing(&self) -> bool {
        !matches!(self, Self::Exists(false))
    }

    /// Whether the entry holds. The only errors are a used-up budget, and a field of a plan's step that is not known before
    /// the plan runs.
    pub(super) fn holds(
        &self,
        path: &AttributePath,
        bindings: &Bindings<'_>,
        budget: &mut Budget,
    ) -> Result<bool, ConditionError> {
        let found = path.find_known(bindings)?;
        if let Self::Exists(wanted) = self {
            return Ok(exists(found) == *wanted);
        }
        let Some(found) = found else { return Ok(false) };
        budget.charge(cost(found))?;
        Ok(match self {
            Self::Equals(value) => equals(found, value) || any_element(found, |element| equals(element, value)),
            Self::Differs(value) => match (is_list(found), value) {
                (true, _) => !equals(found, value) && !any_element(found, |element| equals(element, value)),
                (false, Value::Null) => !is_null(found),
                (false, _) => same_type(found, value) && !equals(found, value),
            },
            Self::Number(relation, bound) => match found {
                AttributeRef::Value(Value::Number(number)) => relation.holds(number.partial_cmp(bound)),
                _ => false,
            },
            Self::Text(relation, bound) => {
                found.as_str().is_some_and(|text| relation.holds(Some(text.cmp(bound.as_str()))))
            }
            Self::Contains(value) => match (found.as_str(), value) {
                (Some(text), Value::String(part)) => text.contains(part.as_str()),
                _ => any_element(found, |element| equals(element, value)),
            },
            Self::Matches(pattern) => {
                charge_matches(pattern, found, budget)?;
                let matches = |text: &str| pattern.is_match(text);
                found.as_str().is_some_and(matches)
                    || any_element(found, |element| element.as_str().is_some_and(matches))
            }
            Self::In(values) => {
                budget.charge(values.len() / 4)?;
                let is_one = |found: AttributeRef<'_>| values.iter().any(|value| equals(found, value));
                is_one(found) || any_element(found, is_one)
            }
            Self::NotIn(values) => {
                budget.charge(values.len() / 4)?;
                let is_one = |found: AttributeRef<'_>| values.iter().any(|value| equals(found, value));
                if is_list(found) {
                    !is_one(found) && !any_element(found, is_one)
                } else {
                    values.iter().any(|value| same_type(found, value)) && !is_one(found)
                }
            }
            Self::Exists(_) => false,
        })
    }
}

fn exists(found: Option<AttributeRef<'_>>) -> bool {
    found.is_some_and(|found| !found.is_empty_field() && !is_null(found))
}

fn is_null(found: AttributeRef<'_>) -> bool {
    matches!(found, AttributeRef::Value(Value::Null))
}

fn is_list(found: AttributeRef<'_>) -> bool {
    matches!(found, AttributeRef::Texts(_) | AttributeRef::Value(Value::List(_)))
}

fn cost(found: AttributeRef<'_>) -> usize {
    match found {
        AttributeRef::Texts(texts) => texts.len(),
        AttributeRef::Map(map) | AttributeRef::Value(Value::Map(map)) => map.len(),
        AttributeRef::Value(Value::List(items)) => items.len(),
        other => other.as_str().map_or(0, |text| text.len() / 16),
    }
}

fn charge_matches(pattern: &Pattern, found: AttributeRef<'_>, budget: &mut Budget) -> Result<(), ConditionError> {
    let mut charge = |text: &str| budget.charge(pattern.cost(text));
    match found {
        AttributeRef::Texts(texts) => texts.iter().try_for_each(|text| charge(text)),
        AttributeRef::Value(Value::List(items)) => items.iter().try_for_each(|item| match item {
            Value::String(text) => charge(text),
            _ => Ok(()),
        }),
        other => other.as_str().map_or(Ok(()), charge),
    }
}

fn any_element(found: AttributeRef<'_>, test: impl Fn(AttributeRef<'_>) -> bool) -> bool {
    match found {
        AttributeRef::Texts(texts) => texts.iter().any(|text| test(AttributeRef::Text(text))),
        AttributeRef::Value(Value::List(items)) => items.iter().any(|item| test(AttributeRef::Value(item))),
        _ => false,
    }
}

fn equals(found: AttributeRef<'_>, value: &Value) -> bool {
    match (found, value) {
        (AttributeRef::Value(found), value) => found == value,
        (AttributeRef::Text(found), Value::String(text)) => found == text,
        (AttributeRef::Texts(found), Value::List(items)) => {
            found.len() == items.len() && found.iter().zip(items).all(|(a, b)| matches!(b, Value::String(b) if a == b))
        }
        (AttributeRef::Map(found), Value::Map(map)) => found == map,
        _ => false,
    }
}

fn same_type(found: AttributeRef<'_>, value: &Value) -> bool {
    match (found, value) {
        (AttributeRef::Text(_), Value::String(_))
        | (AttributeRef::Texts(_), Value::List(_))
        | (AttributeRef::Map(_), Value::Map(_)) => true,
        (AttributeRef::Value(found), value) => std::mem::discriminant(found) == std::mem::discriminant(value),
        _ => false,
    }
}

/// Checks one entry. Pushes what is wrong; gives the test unless an error was pushed.
pub(super) fn compile(
    index: usize,
    clause: &ListClause,
    scope: &Scope,
    problems: &mut Vec<Problem>,
) -> Option<(AttributePath, ListTest)> {
    let path = match resolve_field(index, &clause.field, scope) {
        Ok(path) => Some(path),
        Err(problem) => {
            problems.push(*problem);
            None
        }
    };
    let test = match compile_test(index, clause) {
        Ok(test) => Some(test),
        Err(problem) => {
            problems.push(*problem);
            None
        }
    };
    Some((path?, test?))
}

/// The attribute that a field names: the dotted paths of CEL, and the names that callers of older systems know.
fn resolve_field(index: usize, field: &str, scope: &Scope) -> Result<AttributePath, Box<Problem>> {
    let place = Place::Field(index);
    let mut segments: Vec<&str> = field.split('.').collect();
    if segments.iter().any(|segment| segment.is_empty()) {
        let problem = Problem::error("unknown-field", place, format!("`{field}` is not a path"));
        return Err(Box::new(problem.help("write names separated by dots, for example `context.amount`")));
    }
    if segments.len() > MAX_KEYS {
        let message = format!("the field has more than {MAX_KEYS} parts");
        return Err(Box::new(Problem::error("unknown-field", place, message)));
    }
    let replacement: Option<(usize, &[&str])> = match segments.as_slice() {
        ["agent_id"] => Some((1, &["subject", "id"])),
        ["agent_role"] => Some((1, &["subject", "roles"])),
        ["agent_type"] => Some((1, &["subject", "type"])),
        ["agent", "role" | "roles"] => Some((2, &["subject", "roles"])),
        ["agent", ..] => Some((1, &["subject"])),
        ["action"] => Some((1, &["action", "name"])),
        ["resource"] => Some((1, &["resource", "id"])),
        ["environment" | "params", ..] => Some((0, &["context"])),
        _ => None,
    };
    if let Some((drop, with)) = replacement {
        segments.splice(..drop, with.iter().copied());
    }
    let Some((first, rest)) = segments.split_first() else {
        return Err(Box::new(Problem::error("unknown-field", place, "the field is empty")));
    };
    let Some(variable) = scope.variable(first) else {
        let aliases = ["agent_id", "agent_role", "agent_type", "agent", "environment", "params"];
        let problem = Problem::error("unknown-variable", place, format!("unknown field `{field}`"));
        let help = match did_you_mean(first, scope.names().chain(aliases)) {
            Some(near) => {
                let whole: Vec<&str> = std::iter::once(near).chain(rest.iter().copied()).collect();
                format!("did you mean `{}`?", whole.join("."))
            }
            None => format!(
                "a field starts with one of {}, `environment`, `params`, `agent_id`, `agent_role`; \
                             attributes of the request are in `context`: `context.{field}`",
                names(scope)
            ),
        };
        return Err(Box::new(problem.help(help)));
    };
    match variable.meaning {
        Meaning::Slot(Slot::Now) => {
            let problem = Problem::error("unknown-field", place, "`now` cannot be compared in a list");
            Err(Box::new(problem.help("write it as CEL: `when: now < timestamp(\"2030-01-01T00:00:00Z\")`")))
        }
        Meaning::Slot(Slot::Tenant) if !rest.is_empty() => {
            Err(Box::new(Problem::error("unknown-field", place, "`tenant` has no fields")))
        }
        Meaning::Slot(slot) => Ok(AttributePath::new(slot, rest.iter().copied())),
        Meaning::Entity(fields) => {
            let list = || fields.iter().map(|known| format!("`{first}.{}`", known.name)).collect::<Vec<_>>().join(", ");
            let Some((name, keys)) = rest.split_first() else {
                let problem = Problem::error("unknown-field", place, format!("`{field}` is not a value by itself"));
                return Err(Box::new(problem.help(format!("choose one of its fields: {}", list()))));
            };
            let Some(known) = fields.iter().find(|known| known.name == *name) else {
                let problem = Problem::error("unknown-field", place, format!("unknown field `{name}` of `{first}`"));
                let help = match did_you_mean(name, fields.iter().map(|known| known.name)) {
                    Some(near) => format!("did you mean `{first}.{near}`?"),
                    None => format!("its fields are {}; other attributes are in `{first}.properties.{name}`", list()),
                };
                return Err(Box::new(problem.help(help)));
            };
            let has_keys = matches!(
                known.slot,
                Slot::SubjectProperties | Slot::ActionProperties | Slot::ResourceProperties | Slot::Context
            );
            if !keys.is_empty() && !has_keys {
                let message = format!("`{first}.{name}` has no fields");
                return Err(Box::new(Problem::error("unknown-field", place, message)));
            }
            Ok(AttributePath::new(known.slot, keys.iter().copied()))
        }
    }
}

fn names(scope: &Scope) -> String {
    scope.names().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn compile_test(index: usize, clause: &ListClause) -> Result<ListTest, Box<Problem>> {
    let operator = clause.operator.as_str();
    let value_problem = |message: String| Box::new(Problem::error("type-mismatch", Place::Value(index), message));
    if !OPERATORS.contains(&operator) {
        return Err(unknown_operator(index, operator));
    }
    if operator == "exists" {
        return match clause.value {
            None | Some(Value::Bool(true)) => Ok(ListTest::Exists(true)),
            Some(Value::Bool(false)) => Ok(ListTest::Exists(false)),
            Some(_) => Err(value_problem("`exists` takes `true`, `false` or no value".to_owned())),
        };
    }
    let Some(value) = clause.value.clone() else {
        return Err(Box::new(Problem::error(
            "type-mismatch",
            Place::Operator(index),
            format!("`{operator}` needs a value"),
        )));
    };
    let relation = match operator {
        "<" => Some(Relation::Less),
        "<=" => Some(Relation::LessEqual),
        ">" => Some(Relation::Greater),
        ">=" => Some(Relation::GreaterEqual),
        _ => None,
    };
    if let Some(relation) = relation {
        return match value {
            Value::Number(number) => Ok(ListTest::Number(relation, number)),
            Value::String(text) => Ok(ListTest::Text(relation, text)),
            _ => Err(value_problem(format!("`{operator}` takes a number or a string"))),
        };
    }
    match (operator, value) {
        ("==", value) => Ok(ListTest::Equals(value)),
        ("!=", value) => Ok(ListTest::Differs(value)),
        ("contains", value @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_))) => {
            Ok(ListTest::Contains(value))
        }
        ("contains", _) => Err(value_problem("`contains` takes one part or element".to_owned())),
        ("matches", Value::String(text)) => match pattern::compile(&text) {
            Ok(regex) => Ok(ListTest::Matches(Box::new(regex))),
            Err(message) => Err(Box::new(
                Problem::error("bad-regex", Place::Value(index), message)
                    .help("patterns follow RE2: no look-around, no back-references"),
            )),
        },
        ("matches", _) => Err(value_problem("`matches` takes a pattern, which is a string".to_owned())),
        ("in", Value::List(values)) => Ok(ListTest::In(values)),
        ("not_in", Value::List(values)) => Ok(ListTest::NotIn(values)),
        (_, value) => {
            let written = serde_json::to_string(&value).unwrap_or_default();
            Err(Box::new(
                value_problem(format!("`{operator}` takes a list")).help(format!("write `value: [{written}]`")),
            ))
        }
    }
}

fn unknown_operator(index: usize, operator: &str) -> Box<Problem> {
    let problem = Problem::error("unknown-operator", Place::Operator(index), format!("unknown operator `{operator}`"));
    let meant = match operator {
        "=" | "eq" | "equals" | "is" => Some("=="),
        "<>" | "ne" | "neq" | "not_equals" => Some("!="),
        "gt" => Some(">"),
        "gte" | "ge" | "=>" => Some(">="),
        "lt" => Some("<"),
        "lte" | "le" | "=<" => Some("<="),
        "not in" | "nin" | "notin" => Some("not_in"),
        "regex" | "match" | "=~" => Some("matches"),
        "has" | "present" => Some("exists"),
        _ => did_you_mean(operator, OPERATORS.into_iter().filter(|known| known.len() > 2)),
    };
    let all = OPERATORS.map(|known| format!("`{known}`")).join(", ");
    Box::new(problem.help(match meant {
        Some(near) => format!("did you mean `{near}`? The operators are {all}"),
        None => format!("the operators are {all}"),
    }))
}

/// The constants that the attribute must equal for the entry to hold, where the entry says so.
pub(super) fn required_values(test: &ListTest) -> Option<Vec<Scalar>> {
    match test {
        ListTest::Equals(value) => Some(vec![Scalar::of_value(value)?]),
        ListTest::In(values) => values.iter().map(Scalar::of_value).collect(),
        _ => None,
    }
}

/// The entry as text, for explanations.
pub(super) fn text_of(clause: &ListClause) -> String {
    match &clause.value {
        None => format!("{} {}", clause.field, clause.operator),
        Some(value) => {
            let value = serde_json::to_string(value).unwrap_or_default();
            format!("{} {} {value}", clause.field, clause.operator)
        }
    }
}
