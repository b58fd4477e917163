//! The JSON Schema of the documents, generated from the types that the decoder takes its field lists from.

use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use crate::yaml;

use super::API_VERSION;
use super::decode::{DOCUMENT_FIELDS, MetadataSpec};
use super::kinds::{KINDS, Kind};

/// The names of the kinds of document, in the order of the documentation.
pub fn kind_names() -> impl Iterator<Item = &'static str> {
    KINDS.iter().map(|kind| kind.name)
}

/// The JSON Schema (2020-12) of documents of `kind`, or of every kind. `None` where there is no such kind.
#[must_use]
pub fn json_schema(kind: Option<&str>) -> Option<Value> {
    let kinds: Vec<&Kind> = KINDS.iter().filter(|known| kind.is_none_or(|kind| kind == known.name)).collect();
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let mut documents: Vec<_> = kinds.iter().map(|kind| document(kind, &mut generator)).collect();
    let mut root = match documents.len() {
        0 => return None,
        1 => documents.swap_remove(0),
        _ => json!({"oneOf": documents}),
    };
    yaml::complete_schema(&mut root, generator);
    Some(root)
}

/// The schema of a whole document of `kind`.
fn document(kind: &Kind, generator: &mut SchemaGenerator) -> Value {
    let metadata = generator.subschema_for::<MetadataSpec>();
    let spec = (kind.schema)(generator);
    json!({
        "title": kind.name,
        "type": "object",
        "properties": {
            "apiVersion": {"const": API_VERSION},
            "kind": {"const": kind.name},
            "metadata": metadata,
            "spec": spec,
        },
        "required": DOCUMENT_FIELDS,
        "additionalProperties": false,
    })
}
