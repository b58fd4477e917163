//! One condition of the predecessor, said in our words.

use serde_json::{Value, json};

use crate::condition::{self, ConditionSource, ListClause};
use crate::model::{self, Effect};

use super::cel;
use super::read::OldCondition;

/// What a field of the predecessor names.
#[derive(Debug, Clone, PartialEq, Eq)]
enum FieldRef<'f> {
    AgentId,
    Role,
    Action,
    Resource,
    /// Below `context`: `environment` or `params`, then keys.
    Attribute(Vec<&'f str>),
}

/// Where a list of ids can be written as patterns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TargetField {
    /// `subjects.ids`
    Ids,
    /// `subjects.roles`
    Roles,
    /// `actions`
    Actions,
    /// `resources.ids`
    Resources,
}

/// A condition in our words.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Clause {
    /// As patterns: one of these ids.
    Target(TargetField, Vec<String>),
    /// As an entry of `conditions`.
    Entry(Value),
    /// As CEL.
    Cel(String),
    /// It was always true.
    Always,
}

/// What became of a condition.
pub(super) struct Translated {
    pub(super) clause: Clause,
    /// What means something else than before.
    pub(super) notes: Vec<String>,
}

/// Says `condition` of a rule with `effect` in our words. What was true of a missing field by accident stays so where it
/// denies, warns or obliges to audit, and no longer allows. What failed on a missing field denies.
pub(super) fn translate(condition: &OldCondition, effect: Effect) -> Result<Translated, String> {
    let mut notes = Vec::new();
    let allows = effect == Effect::Allow;
    let permissive = effect != Effect::Deny;
    let field = field_of(&condition.field, &mut notes)?;
    let clause = match condition.operator.as_str() {
        "==" => equal(&field, condition)?,
        "!=" => different(&field, condition, allows, &mut notes)?,
        ">" | "<" => ordered(&field, condition, permissive, &mut notes)?,
        ">=" | "<=" => {
            notes.push(format!("`{}` was not an operator of the predecessor", condition.operator));
            ordered(&field, condition, permissive, &mut notes)?
        }
        "contains" => contains(&field, condition, permissive, &mut notes)?,
        "matches" => matches(&field, condition, permissive)?,
        "in" => one_of(&field, condition)?,
        "not_in" | "not in" => {
            notes.push(format!("`{}` was not an operator of the predecessor", condition.operator));
            none_of(&field, condition, allows, &mut notes)?
        }
        other => return Err(format!("the operator `{other}` is not known")),
    };
    Ok(Translated { clause, notes })
}

fn field_of<'f>(field: &'f str, notes: &mut Vec<String>) -> Result<FieldRef<'f>, String> {
    let segments: Vec<&str> = field.split('.').collect();
    match segments.as_slice() {
        ["agent_id"] | ["agent", "id"] => Ok(FieldRef::AgentId),
        ["agent_role"] | ["agent", "role"] => Ok(FieldRef::Role),
        ["action"] => Ok(FieldRef::Action),
        ["resource"] => Ok(FieldRef::Resource),
        ["environment" | "params", keys @ ..] if !keys.is_empty() && keys.iter().all(|key| !key.is_empty()) => {
            if keys.len() > 1 {
                notes.push(format!("`{field}` was always nothing in the predecessor; here it is looked up"));
            }
            Ok(FieldRef::Attribute(segments))
        }
        _ => Err(format!("the field `{field}` names nothing, which the predecessor read as null")),
    }
}

fn entry(condition: &OldCondition, operator: &str, value: &Value) -> Clause {
    Clause::Entry(json!({"field": condition.field, "operator": operator, "value": value}))
}

fn target_of(field: &FieldRef<'_>) -> Option<TargetField> {
    match field {
        FieldRef::AgentId => Some(TargetField::Ids),
        FieldRef::Role => Some(TargetField::Roles),
        FieldRef::Action => Some(TargetField::Actions),
        FieldRef::Resource => Some(TargetField::Resources),
        FieldRef::Attribute(_) => None,
    }
}

/// Ids as patterns, where every one of them is a pattern that matches only itself.
fn as_target(field: &FieldRef<'_>, values: &[Value]) -> Option<Clause> {
    let target = target_of(field)?;
    let exact = |value: &Value| {
        let text = value.as_str()?;
        crate::policy::Pattern::parse(text).ok().filter(crate::policy::Pattern::is_exact)?;
        Some(text.to_owned())
    };
    let texts = values.iter().map(exact).collect::<Option<Vec<_>>>().filter(|texts| !texts.is_empty())?;
    Some(Clause::Target(target, texts))
}

fn equal(field: &FieldRef<'_>, condition: &OldCondition) -> Result<Clause, String> {
    let value = &condition.value;
    if value.is_null() {
        return Ok(Clause::Cel(match field {
            FieldRef::Attribute(keys) => format!("{} || {} == null", cel::missing(keys), cel::attribute(keys)),
            FieldRef::Role => "size(subject.roles) == 0".to_owned(),
            FieldRef::Resource => "resource.id == \"\"".to_owned(),
            FieldRef::AgentId | FieldRef::Action => return Err(format!("`{}` is never null", condition.field)),
        }));
    }
    Ok(as_target(field, std::slice::from_ref(value)).unwrap_or_else(|| entry(condition, "==", value)))
}

fn different(
    field: &FieldRef<'_>,
    condition: &OldCondition,
    allows: bool,
    notes: &mut Vec<String>,
) -> Result<Clause, String> {
    let value = &condition.value;
    match field {
        FieldRef::Role if value.is_null() => Ok(Clause::Cel("size(subject.roles) > 0".to_owned())),
        _ if value.is_null() => Ok(Clause::Entry(json!({"field": condition.field, "operator": "exists"}))),
        FieldRef::Attribute(keys) if !allows => {
            let (missing, attribute) = (cel::missing(keys), cel::attribute(keys));
            Ok(Clause::Cel(format!("{missing} || {attribute} != {}", cel::literal(value))))
        }
        FieldRef::Attribute(_) => {
            notes.push(missing_no_longer_matches(condition));
            Ok(entry(condition, "!=", value))
        }
        _ if !value.is_string() => Ok(always(condition, notes)),
        _ => Ok(entry(condition, "!=", value)),
    }
}

/// A string differs from everything else.
fn always(condition: &OldCondition, notes: &mut Vec<String>) -> Clause {
    notes.push(format!(
        "`{} {} {}` was always true and is left out",
        condition.field, condition.operator, condition.value
    ));
    Clause::Always
}

fn missing_no_longer_matches(condition: &OldCondition) -> String {
    format!(
        "where `{}` is missing or of another type, `{}` was true in the predecessor; here it is false",
        condition.field, condition.operator
    )
}

fn ordered(
    field: &FieldRef<'_>,
    condition: &OldCondition,
    permissive: bool,
    notes: &mut Vec<String>,
) -> Result<Clause, String> {
    let (operator, value) = (condition.operator.as_str(), &condition.value);
    if !value.is_number() && !value.is_string() {
        return Err(format!("`{operator}` compares with `{value}`, which is neither a number nor a string"));
    }
    match field {
        FieldRef::Role => Err(format!("roles have no order, so that `{operator}` cannot be said of them")),
        FieldRef::Attribute(keys) if !permissive => {
            notes.push(format!(
                "where `{}` is missing, the predecessor failed; here the condition holds, so that the rule cannot be dodged",
                condition.field
            ));
            let (missing, attribute) = (cel::missing(keys), cel::attribute(keys));
            Ok(Clause::Cel(format!("{missing} || {attribute} {operator} {}", cel::literal(value))))
        }
        FieldRef::Attribute(_) => {
            notes.push(format!(
                "where `{}` is missing or of another type, the predecessor failed; here the condition is false",
                condition.field
            ));
            Ok(entry(condition, operator, value))
        }
        _ if value.is_number() => {
            Err(format!("`{}` is a string and cannot be compared with a number", condition.field))
        }
        _ => Ok(entry(condition, operator, value)),
    }
}

fn contains(
    field: &FieldRef<'_>,
    condition: &OldCondition,
    permissive: bool,
    notes: &mut Vec<String>,
) -> Result<Clause, String> {
    let part = match &condition.value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        other => return Err(format!("`contains` looks for `{other}`, which is no text")),
    };
    let literal = Value::from(part.as_str());
    match field {
        FieldRef::Attribute(keys) if !permissive => {
            let (present, attribute) = (cel::present(keys), cel::attribute(keys));
            return Ok(Clause::Cel(format!("{present} && string({attribute}).contains({literal})")));
        }
        FieldRef::Attribute(_) => notes.push(format!(
            "`contains` looks for a part of a string or an element of a list; in the predecessor for a part of the text \
             form of `{}`",
            condition.field
        )),
        _ => notes.push(format!(
            "`{}` may contain `{part}` anywhere, for example `x{part}y`; a pattern would say what is meant",
            condition.field
        )),
    }
    Ok(match field {
        // On the list of roles the entry would ask for a whole role.
        FieldRef::Role => Clause::Cel(format!("subject.roles.exists(role, role.contains({literal}))")),
        _ => entry(condition, "contains", &literal),
    })
}

/// The predecessor's patterns were bound to the start and open at the end.
fn matches(field: &FieldRef<'_>, condition: &OldCondition, permissive: bool) -> Result<Clause, String> {
    let Some(pattern) = condition.value.as_str() else { return Err("`matches` has no pattern".to_owned()) };
    check_pattern(pattern)?;
    let bound = match (pattern.starts_with('^'), pattern.contains('|')) {
        (true, false) => pattern.to_owned(),
        (false, false) => format!("^{pattern}"),
        (_, true) => format!("^(?:{pattern})"),
    };
    let bound = Value::from(bound);
    Ok(match field {
        FieldRef::Attribute(keys) if !permissive => {
            let (present, attribute) = (cel::present(keys), cel::attribute(keys));
            Clause::Cel(format!("{present} && string({attribute}).matches({bound})"))
        }
        _ => entry(condition, "matches", &bound),
    })
}

/// That `pattern` compiles as it is written: with something before it, `*` would, and match everything.
fn check_pattern(pattern: &str) -> Result<(), String> {
    if pattern.trim_start_matches('^').starts_with(['*', '+', '?', '{']) {
        return Err(format!("the pattern `{pattern}` begins with a repetition of nothing"));
    }
    let value = Some(model::Value::String(pattern.into()));
    let clause = ListClause { field: "action".into(), operator: "matches".into(), value };
    let (_, problems) = condition::compile(&ConditionSource { when: None, list: &[clause] }, Effect::Deny);
    match problems.into_iter().find(|problem| problem.is_error) {
        Some(problem) => Err(problem.message),
        None => Ok(()),
    }
}

fn one_of(field: &FieldRef<'_>, condition: &OldCondition) -> Result<Clause, String> {
    let Some(values) = condition.value.as_array() else { return Err("`in` has no list".to_owned()) };
    if values.iter().any(Value::is_null) {
        let FieldRef::Attribute(keys) = field else { return Err("`in` has `null` in its list".to_owned()) };
        let (missing, attribute) = (cel::missing(keys), cel::attribute(keys));
        return Ok(Clause::Cel(format!("{missing} || {attribute} in {}", cel::literal(&condition.value))));
    }
    Ok(as_target(field, values).unwrap_or_else(|| entry(condition, "in", &condition.value)))
}

fn none_of(
    field: &FieldRef<'_>,
    condition: &OldCondition,
    allows: bool,
    notes: &mut Vec<String>,
) -> Result<Clause, String> {
    let Some(values) = condition.value.as_array() else { return Err("`not_in` has no list".to_owned()) };
    match field {
        FieldRef::Attribute(keys) if !allows => {
            let (missing, attribute) = (cel::missing(keys), cel::attribute(keys));
            Ok(Clause::Cel(format!("{missing} || !({attribute} in {})", cel::literal(&condition.value))))
        }
        FieldRef::Attribute(_) => {
            notes.push(missing_no_longer_matches(condition));
            Ok(entry(condition, "not_in", &condition.value))
        }
        _ if !values.iter().any(Value::is_string) => Ok(always(condition, notes)),
        _ => Ok(entry(condition, "not_in", &condition.value)),
    }
}
