//! The fields of the predecessor's objects, with its defaults and rules.

use std::ops::RangeInclusive;

use jiff::civil::DateTime;
use serde_json::{Map, Value};

use super::LegacyRefusal;

/// Fields of a plan.
pub(super) const PLAN: &[&str] = &["created_at", "intent_summary", "labels", "request_id", "steps", "tenant_id"];

/// Fields of a step.
pub(super) const STEP: &[&str] = &[
    "action",
    "budget_cents",
    "constraints",
    "description",
    "idempotency_key",
    "params",
    "provider",
    "requires_approval",
    "resource",
    "risk_tier",
    "step_id",
];

/// An object being read, and what is wrong with it.
pub(super) struct Object<'a, 'r> {
    map: &'a Map<String, Value>,
    path: String,
    refusals: &'r mut Vec<LegacyRefusal>,
}

impl<'a, 'r> Object<'a, 'r> {
    /// Reads `value` as an object of the fields `allowed`; `what` names it in messages.
    pub(super) fn read(
        value: &'a Value,
        path: String,
        what: &str,
        allowed: &[&str],
        refusals: &'r mut Vec<LegacyRefusal>,
    ) -> Option<Self> {
        let Value::Object(map) = value else {
            refusals.push(LegacyRefusal { path, message: format!("{what} is a map of fields") });
            return None;
        };
        let mut object = Self { map, path, refusals };
        for key in map.keys().filter(|key| !allowed.contains(&key.as_str())) {
            object.refuse(key, format!("{what} has no such field; its fields are {}", allowed.join(", ")));
        }
        Some(object)
    }

    fn refuse(&mut self, name: &str, message: impl Into<String>) {
        let separator = if self.path.is_empty() { "" } else { "." };
        let path = format!("{}{separator}{name}", self.path);
        self.refusals.push(LegacyRefusal { path, message: message.into() });
    }

    /// The field, if it is there and not null.
    fn get(&self, name: &str) -> Option<&'a Value> {
        self.map.get(name).filter(|value| !value.is_null())
    }

    /// A text that must be there. Some of them the predecessor trimmed.
    pub(super) fn string(&mut self, name: &str, trimmed: bool) -> Value {
        match self.get(name) {
            Some(Value::String(text)) if trimmed => Value::from(text.trim()),
            Some(Value::String(text)) => Value::from(text.as_str()),
            Some(_) => self.wrong(name, "a text is expected"),
            None => self.wrong(name, "required, and part of what the predecessor hashed"),
        }
    }

    /// A text or null.
    pub(super) fn optional_string(&mut self, name: &str) -> Value {
        match self.get(name) {
            None => Value::Null,
            Some(Value::String(text)) => Value::from(text.as_str()),
            Some(_) => self.wrong(name, "a text is expected"),
        }
    }

    /// A whole number or null.
    pub(super) fn integer(&mut self, name: &str, range: RangeInclusive<i64>) -> Value {
        match self.get(name) {
            None => Value::Null,
            Some(value) if value.as_i64().is_some_and(|number| range.contains(&number)) => value.clone(),
            Some(_) => {
                let (from, to) = (range.start(), range.end());
                self.wrong(name, &format!("a whole number from {from} to {to} is expected"))
            }
        }
    }

    /// A truth value, false by default.
    pub(super) fn boolean(&mut self, name: &str) -> Value {
        match self.map.get(name) {
            None => Value::Bool(false),
            Some(Value::Bool(value)) => Value::Bool(*value),
            Some(_) => self.wrong(name, "true or false is expected"),
        }
    }

    /// A map, empty by default.
    pub(super) fn map(&mut self, name: &str) -> Value {
        match self.map.get(name) {
            None => Value::Object(Map::new()),
            Some(value @ Value::Object(_)) => value.clone(),
            Some(_) => self.wrong(name, "a map is expected"),
        }
    }

    /// A map of texts, empty by default.
    pub(super) fn labels(&mut self, name: &str) -> Value {
        let labels = self.map(name);
        if labels.as_object().is_some_and(|map| map.values().any(|value| !value.is_string())) {
            return self.wrong(name, "a map of texts is expected");
        }
        labels
    }

    /// A list with at least one item.
    pub(super) fn list(&mut self, name: &str) -> &'a [Value] {
        if let Some(Value::Array(items)) = self.get(name)
            && !items.is_empty()
        {
            return items;
        }
        self.wrong(name, "a list of at least one step is expected");
        &[]
    }

    /// A time without zone as the predecessor printed it: microseconds only if there are any.
    pub(super) fn time(&mut self, name: &str) -> Value {
        let text = match self.string(name, false) {
            Value::String(text) => text,
            refused => return refused,
        };
        let local = text.strip_suffix('Z').or_else(|| text.strip_suffix("+00:00")).unwrap_or(&text);
        let zoned = local.chars().skip(10).any(|c| matches!(c, '+' | '-' | '[' | 'Z' | 'z'));
        let time = local.parse::<DateTime>().ok().filter(|time| !zoned && time.subsec_nanosecond() % 1000 == 0);
        match time {
            Some(time) if time.subsec_nanosecond() == 0 => time.strftime("%Y-%m-%dT%H:%M:%S").to_string().into(),
            Some(time) => time.strftime("%Y-%m-%dT%H:%M:%S.%6f").to_string().into(),
            None => self.wrong(
                name,
                &format!("`{text}` is no time without zone or in UTC, to the microsecond, like `2025-01-01T12:00:00`"),
            ),
        }
    }

    fn wrong(&mut self, name: &str, message: &str) -> Value {
        self.refuse(name, message);
        Value::Null
    }
}
