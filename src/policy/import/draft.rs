//! One rule of the predecessor as a rule of ours.

use serde_json::{Map, Value, json};

use crate::condition::{self, ConditionSource, ListClause};
use crate::diag::{Finding, Findings};
use crate::model::{self, Effect};

use super::clause::{Clause, TargetField, translate};
use super::names::Names;
use super::read::OldRule;

/// Effects that the predecessor had.
const EFFECTS: [Effect; 4] = [Effect::Allow, Effect::Deny, Effect::Warn, Effect::Audit];

/// The rule as we write it; `None`, reported, where it cannot be said.
pub(super) fn rule(old: &OldRule, policy: &str, names: &mut Names, out: &mut Findings) -> Option<Value> {
    let name = names.take(&old.id, "rule", out);
    let full_name = format!("{policy}/{name}");
    let mut refuse = |why: String| {
        let message = format!("the rule `{full_name}` is left out: {why}");
        out.push(Finding::error("import-unsupported", message).help("write it by hand"));
    };
    if old.broken {
        refuse("it could not be read".to_owned());
        return None;
    }
    let Some(effect) = EFFECTS.into_iter().find(|effect| effect.as_str() == old.effect) else {
        refuse(format!("`{}` is not an effect", old.effect));
        return None;
    };
    let Ok(priority) = i32::try_from(old.priority) else {
        refuse(format!("its priority {} is outside 32 bits", old.priority));
        return None;
    };
    let mut draft = Draft::default();
    let mut notes = Vec::new();
    for condition in &old.conditions {
        match translate(condition, effect) {
            Ok(translated) => {
                draft.add(translated.clause);
                notes.extend(translated.notes);
            }
            Err(why) => {
                refuse(why);
                return None;
            }
        }
    }
    if let Err(why) = draft.check(effect) {
        refuse(why);
        return None;
    }
    for note in notes {
        out.push(Finding::warning("import-meaning", format!("the rule `{full_name}`: {note}")));
    }
    Some(draft.rule(old, &name, effect, priority))
}

/// What a rule matches.
#[derive(Debug, Default)]
struct Draft {
    ids: Vec<String>,
    roles: Vec<String>,
    actions: Vec<String>,
    resources: Vec<String>,
    entries: Vec<Value>,
    cel: Vec<String>,
}

impl Draft {
    fn add(&mut self, clause: Clause) {
        match clause {
            Clause::Always => {}
            Clause::Cel(text) => self.cel.push(text),
            Clause::Entry(entry) => self.entries.push(entry),
            Clause::Target(target, texts) => {
                let (list, field) = match target {
                    TargetField::Ids => (&mut self.ids, "agent_id"),
                    TargetField::Roles => (&mut self.roles, "agent_role"),
                    TargetField::Actions => (&mut self.actions, "action"),
                    TargetField::Resources => (&mut self.resources, "resource"),
                };
                // Conditions are ANDed, the entries of a list ORed: a second list goes to the conditions.
                if list.is_empty() {
                    *list = texts;
                } else {
                    self.entries.push(json!({"field": field, "operator": "in", "value": texts}));
                }
            }
        }
    }

    /// The conditions as CEL.
    fn when(&self) -> Option<String> {
        match self.cel.as_slice() {
            [] => None,
            [only] => Some(only.clone()),
            several => Some(several.iter().map(|term| format!("({term})")).collect::<Vec<_>>().join(" && ")),
        }
    }

    /// Whether the conditions compile.
    fn check(&self, effect: Effect) -> Result<(), String> {
        let mut list = Vec::with_capacity(self.entries.len());
        for entry in &self.entries {
            let text = |key: &str| entry.get(key).and_then(Value::as_str).unwrap_or_default().into();
            let value =
                entry.get("value").map(model::Value::try_from).transpose().map_err(|error| error.to_string())?;
            list.push(ListClause { field: text("field"), operator: text("operator"), value });
        }
        let when = self.when();
        let (_, problems) = condition::compile(&ConditionSource { when: when.as_deref(), list: &list }, effect);
        match problems.into_iter().find(|problem| problem.is_error) {
            Some(problem) => Err(problem.message),
            None => Ok(()),
        }
    }

    fn rule(self, old: &OldRule, name: &str, effect: Effect, priority: i32) -> Value {
        let when = self.when();
        let mut rule = Map::new();
        let mut put = |key: &str, value: Value| {
            rule.insert(key.to_owned(), value);
        };
        put("name", json!(name));
        put("effect", json!(effect.as_str()));
        let lists = [("ids", self.ids), ("roles", self.roles)];
        let subjects: Map<_, _> = lists
            .into_iter()
            .filter(|(_, list)| !list.is_empty())
            .map(|(key, list)| (key.to_owned(), json!(list)))
            .collect();
        if !subjects.is_empty() {
            put("subjects", Value::Object(subjects));
        }
        if !self.actions.is_empty() {
            put("actions", json!(self.actions));
        }
        if !self.resources.is_empty() {
            put("resources", json!({"ids": self.resources}));
        }
        if let Some(when) = when {
            put("when", json!(when));
        }
        if !self.entries.is_empty() {
            put("conditions", Value::Array(self.entries));
        }
        put("priority", json!(priority));
        if !old.enabled {
            put("enabled", json!(false));
        }
        if !old.name.is_empty() {
            put("reason", json!(old.name));
        }
        if !old.description.is_empty() {
            put("description", json!(old.description));
        }
        if !old.metadata.is_empty() {
            put("metadata", Value::Object(old.metadata.clone()));
        }
        Value::Object(rule)
    }
}
