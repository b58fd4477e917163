//! Reading the predecessor's JSON.

use serde_json::{Map, Value};

use crate::diag::{Finding, Findings, did_you_mean};

/// A policy of the predecessor.
#[derive(Debug)]
pub(super) struct OldPolicy {
    pub(super) name: String,
    pub(super) description: String,
    pub(super) enabled: bool,
    pub(super) default_effect: Option<String>,
    /// What only people read: id, version, author, times, metadata.
    pub(super) annotations: Map<String, Value>,
    pub(super) rules: Vec<OldRule>,
    /// How many entries of its rules are no rules at all.
    pub(super) unreadable: usize,
    /// Whether something about it could not be read, so that none of its rules must be imported.
    pub(super) broken: bool,
}

/// A rule of the predecessor.
#[derive(Debug)]
pub(super) struct OldRule {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) description: String,
    pub(super) effect: String,
    pub(super) priority: i64,
    pub(super) enabled: bool,
    pub(super) conditions: Vec<OldCondition>,
    pub(super) metadata: Map<String, Value>,
    /// Whether something about it could not be read, so that it must not be imported.
    pub(super) broken: bool,
}

/// A condition of the predecessor.
#[derive(Debug)]
pub(super) struct OldCondition {
    pub(super) field: String,
    pub(super) operator: String,
    pub(super) value: Value,
}

const POLICY_KEYS: [&str; 11] = [
    "policy_id",
    "name",
    "version",
    "description",
    "rules",
    "default_effect",
    "enabled",
    "created_at",
    "updated_at",
    "created_by",
    "metadata",
];

const RULE_KEYS: [&str; 8] =
    ["rule_id", "name", "description", "effect", "conditions", "priority", "enabled", "metadata"];

const CONDITION_KEYS: [&str; 3] = ["field", "operator", "value"];

/// The policies of a file: one, a list, `{"policies": [...]}`, or a list of rules as one policy.
pub(super) fn policies(json: &Value, out: &mut Findings) -> Vec<OldPolicy> {
    let list = match json {
        Value::Object(object) => match object.get("policies") {
            Some(Value::Array(list)) => {
                unknown_keys(object, &["policies"], "the file", out);
                list.as_slice()
            }
            _ => std::slice::from_ref(json),
        },
        Value::Array(list) => list.as_slice(),
        _ => {
            out.push(Finding::error("import-shape", "the file holds neither policies nor rules"));
            return Vec::new();
        }
    };
    let mut policies = Vec::new();
    let mut loose = Vec::new();
    for (number, item) in list.iter().enumerate() {
        match item {
            Value::Object(object) if object.contains_key("rules") => policies.push(policy(object, number, out)),
            Value::Object(object) if object.contains_key("effect") => loose.push(rule(object, number, out)),
            _ => {
                let message =
                    format!("entry {} is neither a policy (with `rules`) nor a rule (with `effect`)", number + 1);
                out.push(Finding::error("import-shape", message));
            }
        }
    }
    if !loose.is_empty() {
        policies.push(OldPolicy {
            name: "imported".to_owned(),
            description: String::new(),
            enabled: true,
            default_effect: None,
            annotations: Map::new(),
            rules: loose,
            unreadable: 0,
            broken: false,
        });
    }
    policies
}

fn policy(object: &Map<String, Value>, number: usize, out: &mut Findings) -> OldPolicy {
    let name = [text(object, "name"), text(object, "policy_id")].into_iter().find(|name| !name.is_empty());
    let name = name.unwrap_or_else(|| format!("policy-{}", number + 1));
    let what = format!("the policy `{name}`");
    let mut broken = unknown_keys(object, &POLICY_KEYS, &what, out);
    let listed = match object.get("rules") {
        Some(Value::Array(rules)) => rules.as_slice(),
        _ => {
            out.push(Finding::error("import-shape", format!("the rules of {what} are no list")));
            &[]
        }
    };
    let rules = listed.iter().enumerate().filter_map(|(number, item)| match item {
        Value::Object(object) => Some(rule(object, number, out)),
        _ => {
            out.push(Finding::error("import-shape", format!("rule {} of {what} is no object", number + 1)));
            None
        }
    });
    let mut rules: Vec<OldRule> = rules.collect();
    let enabled = boolean(object, "enabled", &what, out);
    broken |= enabled.is_none();
    if broken {
        rules.iter_mut().for_each(|rule| rule.broken = true);
    }
    OldPolicy {
        description: text(object, "description"),
        enabled: enabled.unwrap_or(true),
        default_effect: object.get("default_effect").and_then(Value::as_str).map(str::to_owned),
        annotations: annotations(object),
        unreadable: listed.len().saturating_sub(rules.len()),
        rules,
        broken,
        name,
    }
}

fn annotations(object: &Map<String, Value>) -> Map<String, Value> {
    let keys = ["policy_id", "version", "created_by", "created_at", "updated_at", "metadata"];
    let given = keys.into_iter().filter_map(|key| {
        let text = match object.get(key)? {
            Value::Null => return None,
            Value::Object(map) if map.is_empty() => return None,
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        Some((format!("imported.{key}"), Value::String(text)))
    });
    given.collect()
}

fn rule(object: &Map<String, Value>, number: usize, out: &mut Findings) -> OldRule {
    let (id, name) = (text(object, "rule_id"), text(object, "name"));
    let shown = [&id, &name].into_iter().find(|text| !text.is_empty()).cloned();
    let shown = shown.unwrap_or_else(|| format!("rule-{}", number + 1));
    let what = format!("the rule `{shown}`");
    let mut broken = unknown_keys(object, &RULE_KEYS, &what, out);
    let mut refuse = |message: String, out: &mut Findings| {
        broken = true;
        out.push(Finding::error("import-shape", message));
    };
    let priority = match object.get("priority") {
        None | Some(Value::Null) => 0,
        Some(value) => value.as_i64().unwrap_or_else(|| {
            refuse(format!("the priority of {what} is no whole number"), out);
            0
        }),
    };
    let conditions = match object.get("conditions") {
        None => Vec::new(),
        Some(Value::Array(list)) => {
            let read: Vec<_> = list.iter().filter_map(|item| condition(item, &what, out)).collect();
            if read.len() < list.len() {
                refuse(format!("{what} has a condition that is not just `field`, `operator` and `value`"), out);
            }
            read
        }
        // Null would be no condition at all, so that the rule would match everything.
        Some(_) => {
            refuse(format!("the conditions of {what} are no list"), out);
            Vec::new()
        }
    };
    let enabled = boolean(object, "enabled", &what, out);
    OldRule {
        id: shown,
        name,
        description: text(object, "description"),
        effect: text(object, "effect").to_lowercase(),
        priority,
        enabled: enabled.unwrap_or(true),
        conditions,
        metadata: object.get("metadata").and_then(Value::as_object).cloned().unwrap_or_default(),
        broken: broken || enabled.is_none(),
    }
}

fn condition(item: &Value, what: &str, out: &mut Findings) -> Option<OldCondition> {
    let object = item.as_object()?;
    if unknown_keys(object, &CONDITION_KEYS, &format!("a condition of {what}"), out) {
        return None;
    }
    Some(OldCondition {
        field: object.get("field")?.as_str()?.to_owned(),
        operator: object.get("operator")?.as_str()?.to_owned(),
        value: object.get("value")?.clone(),
    })
}

/// Whether `object` has keys that are not known, each reported. What they say would be lost, and a rule without, say, its
/// conditions matches everything.
fn unknown_keys(object: &Map<String, Value>, known: &[&str], what: &str, out: &mut Findings) -> bool {
    let mut found = false;
    for key in object.keys().filter(|key| !known.contains(&key.as_str())) {
        found = true;
        let help = match did_you_mean(key, known.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("the keys are {}; remove `{key}` if it may be lost", known.join(", ")),
        };
        out.push(Finding::error("import-unknown-key", format!("the key `{key}` of {what} is not known")).help(help));
    }
    found
}

fn text(object: &Map<String, Value>, key: &str) -> String {
    object.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// Whether `key` is true, which it is where it is not given. `None`, reported, where it is neither true nor false.
fn boolean(object: &Map<String, Value>, key: &str, what: &str, out: &mut Findings) -> Option<bool> {
    match object.get(key) {
        None | Some(Value::Null) => Some(true),
        Some(Value::Bool(value)) => Some(*value),
        Some(_) => {
            out.push(Finding::error("import-shape", format!("`{key}` of {what} is neither true nor false")));
            None
        }
    }
}
