//! Where the schema of a tool has lists.

use serde_json::{Map, Value};

/// How deep lists are looked for among the parameters of a tool.
const MAX_DEPTH: usize = 8;
/// Most parts of a schema that are looked at for lists.
const MAX_PARTS: usize = 10_000;

/// JSON Pointers to the lists among the parameters of a tool: how many things it changes at once.
pub(super) fn lists(schema: &Map<String, Value>) -> Vec<String> {
    let root = Value::Object(schema.clone());
    let mut lists = Lists { root: &root, left: MAX_PARTS, found: Vec::new() };
    lists.look(&root, "", MAX_DEPTH);
    lists.found.sort();
    lists.found.dedup();
    lists.found
}

struct Lists<'s> {
    root: &'s Value,
    left: usize,
    found: Vec<String>,
}

impl Lists<'_> {
    /// Adds the lists that may stand at `path` and below, where `schema` holds.
    fn look(&mut self, schema: &Value, path: &str, depth: usize) {
        let (Some(left), Some(depth)) = (self.left.checked_sub(1), depth.checked_sub(1)) else { return };
        self.left = left;
        let says = |word: &str| schema.get(word).is_some();
        let is_list = match schema.get("type") {
            Some(Value::String(kind)) => kind == "array",
            Some(Value::Array(kinds)) => kinds.iter().any(|kind| kind == "array"),
            _ => says("items") || says("prefixItems") || says("maxItems") || says("minItems"),
        };
        if is_list && !path.is_empty() {
            self.found.push(path.to_owned());
        }
        let target = schema.get("$ref").and_then(Value::as_str).and_then(|target| target.strip_prefix('#'));
        if let Some(target) = target.and_then(|pointer| self.root.pointer(pointer)) {
            self.look(target, path, depth);
        }
        for word in ["anyOf", "oneOf", "allOf"] {
            schema
                .get(word)
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .for_each(|part| self.look(part, path, depth));
        }
        for word in ["if", "then", "else"] {
            schema.get(word).into_iter().for_each(|part| self.look(part, path, depth));
        }
        // A key that is a wildcard in the paths of a catalogue can't be named there.
        let properties = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
        for (key, part) in properties.filter(|(key, _)| *key != "*") {
            self.look(part, &format!("{path}/{}", key.replace('~', "~0").replace('/', "~1")), depth);
        }
    }
}
