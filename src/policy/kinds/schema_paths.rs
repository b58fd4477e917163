//! Paths of parameters that no call can fill, because the schema of the parameters leaves no room for them.

use serde_json::{Map, Value};

use crate::diag::{Finding, Findings, did_you_mean};
use crate::policy::PathPattern;
use crate::yaml::{Kind, Node};

/// Keywords besides those below which it is not said here what may stand where.
const UNSEEN: [&str; 11] = [
    "$ref",
    "$dynamicRef",
    "$recursiveRef",
    "allOf",
    "anyOf",
    "oneOf",
    "not",
    "if",
    "patternProperties",
    "dependentSchemas",
    "prefixItems",
];

/// Reports the entries of `list`, a map by path or a list of paths, that name nothing which parameters that fit `schema` may hold.
pub(super) fn unreachable(list: &Node, schema: &Value, action: &str, out: &mut Findings) {
    let entries: Vec<(&str, _)> = match &list.kind {
        Kind::Map(entries) => entries.iter().map(|entry| (entry.key.as_str(), entry.key_span)).collect(),
        Kind::List(items) => items
            .iter()
            .filter_map(|item| match &item.kind {
                Kind::String(text, _) => Some((text.as_str(), item.span)),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    };
    for (text, span) in entries {
        let Ok(path) = PathPattern::parse(text) else { continue };
        let Err(gap) = reach(schema, &path) else { continue };
        let message = format!(
            "no call of `{action}` has anything at `{text}`: its `paramsSchema` {}, so that what is said of it never counts",
            gap.what
        );
        let near = gap.name.and_then(|name| did_you_mean(&name, gap.known));
        let finding = Finding::warning("unreachable-path", message).at(span);
        out.push(match near {
            Some(near) => {
                finding.help(format!("did you mean `{near}`? Paths lead from the parameters on, as in `/to/0`"))
            }
            None => finding.help("write where it stands among the parameters, for example `/to/0`, or remove it"),
        });
    }
}

/// Where a path leaves what a schema allows.
struct Gap<'s> {
    what: String,
    /// The segment that leads nowhere.
    name: Option<String>,
    /// The names that would lead on.
    known: Vec<&'s str>,
}

/// Follows `path` through `schema` as far as it is plain what may stand there.
fn reach<'s>(schema: &'s Value, path: &PathPattern) -> Result<(), Gap<'s>> {
    let mut at = schema;
    for segment in &path.segments {
        let Some(members) = at.as_object() else { return Ok(()) };
        if UNSEEN.iter().any(|keyword| members.contains_key(*keyword)) {
            return Ok(());
        }
        let next = match (holds(members, "object"), holds(members, "array"), segment) {
            (false, false, _) => {
                let what = "allows neither a map nor a list above it".to_owned();
                return Err(Gap { what, name: None, known: Vec::new() });
            }
            (true, false, Some(name)) => member(members, name)?,
            // No list has an entry of such a name.
            (true, true, Some(name)) if name.parse::<usize>().is_err() => member(members, name)?,
            (false, true, _) => members.get("items"),
            _ => None,
        };
        match next {
            Some(next) => at = next,
            None => return Ok(()),
        }
    }
    Ok(())
}

/// Whether a value of this type fits; the type may be left out.
fn holds(schema: &Map<String, Value>, wanted: &str) -> bool {
    match schema.get("type") {
        Some(Value::String(one)) => one == wanted,
        Some(Value::Array(several)) => several.iter().any(|one| one == wanted),
        _ => true,
    }
}

/// The schema of the member `name` of a map; `None` where nothing is said of it.
fn member<'s>(schema: &'s Map<String, Value>, name: &str) -> Result<Option<&'s Value>, Gap<'s>> {
    let properties = schema.get("properties").and_then(Value::as_object);
    if let Some(known) = properties.and_then(|properties| properties.get(name)) {
        return Ok(Some(known));
    }
    match schema.get("additionalProperties") {
        Some(Value::Bool(false)) => Err(Gap {
            what: format!("has no property `{name}` there and `additionalProperties: false`"),
            name: Some(name.to_owned()),
            known: properties.into_iter().flat_map(|properties| properties.keys().map(String::as_str)).collect(),
        }),
        other => Ok(other),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_schema_leaves_no_room_for_is_found() {
        let closed = json!({"type": "object", "additionalProperties": false, "properties": {
            "to": {"type": "array", "items": {"type": "object", "additionalProperties": false, "properties": {"mail": {}}}},
            "body": {"type": "string"},
            "any": {},
            "map": {"type": "object", "additionalProperties": {"type": "string"}},
            "either": {"anyOf": [{"type": "object"}]},
        }});
        for (path, is_reachable) in [
            ("to", true),
            ("/to/0", true),
            ("/to/*/mail", true),
            ("/to/*/male", false),
            ("recipient", false),
            ("/params/to", false),
            ("/body/0", false),
            ("/any/thing/at/all", true),
            ("/map/x", true),
            ("/map/x/y", false),
            ("/either/x", true),
            ("/*/0", true),
        ] {
            let path = PathPattern::parse(path).expect("a path");
            assert_eq!(reach(&closed, &path).is_ok(), is_reachable, "{path:?}");
        }
        let open = json!({"properties": {"to": {"type": "string"}}});
        let path = |text: &str| PathPattern::parse(text).expect("a path");
        assert!(reach(&open, &path("other")).is_ok() && reach(&open, &path("/to/x")).is_err());
    }
}
