//! JSON Schemas of file formats.

use schemars::SchemaGenerator;
use serde_json::{Map, Value, json};

/// Makes `root`, whose parts `generator` has made, a schema that stands by itself.
pub(crate) fn complete_schema(root: &mut Value, mut generator: SchemaGenerator) {
    let definitions: Map<String, Value> = generator.take_definitions(true).into_iter().collect();
    if let Some(root) = root.as_object_mut() {
        root.shift_insert(0, "$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
        root.insert("$defs".to_owned(), Value::Object(definitions));
    }
    without_null(root);
}

/// Takes out what lets an optional field be `null`: here a field is given or left out.
fn without_null(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(without_null),
        Value::Object(object) => {
            if let Some(Value::Array(types)) = object.get_mut("type") {
                types.retain(|name| name != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    object.insert("type".to_owned(), only);
                }
            }
            if let Some(Value::Array(choices)) = object.get_mut("anyOf") {
                choices.retain(|choice| choice != &json!({"type": "null"}));
                if let [Value::Object(only)] = choices.as_slice() {
                    let only = only.clone();
                    object.remove("anyOf");
                    object.extend(only);
                }
            }
            object.values_mut().for_each(without_null);
        }
        _ => {}
    }
}
