//! The content address of a set of documents.

use std::fmt::Write as _;

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::model::Layer;
use crate::policy::CanonicalDocument;

/// `sha256:` and the hash of the canonical form of `documents`.
pub fn digest(documents: &[CanonicalDocument]) -> String {
    let mut text = String::from("sha256:");
    for byte in Sha256::digest(canonical_form(documents)) {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// The RFC 8785 array of `documents`, sorted by layer, kind and name.
///
/// Documents of the organisation layer, where sources are unless configuration says otherwise, stand as written; those of
/// another layer get a member `layer`, because the same documents in another layer mean something else.
pub fn canonical_form(documents: &[CanonicalDocument]) -> Vec<u8> {
    let mut sorted: Vec<&CanonicalDocument> = documents.iter().collect();
    sorted.sort_by_key(|document| (document.layer, document.kind, &document.name));
    let array = Value::Array(sorted.into_iter().map(with_layer).collect());
    // Keys are strings and numbers finite (the loader refuses others), so that a canonical form always exists.
    serde_json_canonicalizer::to_vec(&array).unwrap_or_default()
}

fn with_layer(document: &CanonicalDocument) -> Value {
    let mut json = document.json.clone();
    if document.layer != Layer::Organisation
        && let Some(members) = json.as_object_mut()
    {
        members.insert("layer".to_owned(), Value::from(document.layer.as_str()));
    }
    json
}
