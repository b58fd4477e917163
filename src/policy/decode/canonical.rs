//! The form of a document that its digest is made of.

use serde_json::{Map, Value};

use crate::policy::kinds;
use crate::yaml::{Kind, Node, Number};

/// The author's document without annotations and without the version of a policy set.
pub(super) fn document(node: &Node, kind: &str) -> Value {
    let mut json = value(node);
    remove(&mut json, "metadata", "annotations");
    if kind == kinds::POLICY_SET {
        remove(&mut json, "spec", "version");
    }
    json
}

fn remove(json: &mut Value, part: &str, key: &str) {
    if let Some(Value::Object(map)) = json.get_mut(part) {
        map.shift_remove(key);
    }
}

/// The JSON that `node` is, numbers as written.
pub(crate) fn value(node: &Node) -> Value {
    match &node.kind {
        // A huge number is an error wherever it stands, and a set with an error has no digest.
        Kind::Null | Kind::Number(Number::Huge | Number::NotFinite) => Value::Null,
        Kind::Bool(value) => Value::Bool(*value),
        Kind::Number(Number::Integer(value)) => Value::from(*value),
        Kind::Number(Number::Float(value)) => Value::from(*value),
        Kind::String(text, _) => Value::String(text.to_string()),
        Kind::List(items) => items.iter().map(value).collect(),
        Kind::Map(entries) => {
            entries.iter().map(|entry| (entry.key.to_string(), value(&entry.value))).collect::<Map<_, _>>().into()
        }
    }
}
