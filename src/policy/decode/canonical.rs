//! The form of a document that its digest is made of: RFC 8785, written straight from the tree.

use std::cmp::Ordering;

use serde_json::{Map, Value};

use crate::policy::kinds;
use crate::yaml::{Entry, Kind, Node, Number};

/// The author's document without annotations and without the version of a policy set; and where in it a member `layer`
/// would stand.
pub(super) fn document(node: &Node, kind: &str) -> (String, usize) {
    let mut out = Vec::new();
    let mut layer = 0;
    let Kind::Map(entries) = &node.kind else { return (String::new(), 0) };
    members(&mut out, entries, |out, entry| {
        let left_out = match entry.key.as_str() {
            "metadata" => Some("annotations"),
            "spec" if kind == kinds::POLICY_SET => Some("version"),
            _ => None,
        };
        match (&entry.value.kind, left_out) {
            (Kind::Map(inner), Some(left_out)) => {
                let kept: Vec<&Entry> = inner.iter().filter(|entry| entry.key != left_out).collect();
                members(out, kept, |out, entry| write(out, &entry.value));
            }
            _ => write(out, &entry.value),
        }
        if *entry.key < *"layer" {
            layer = out.len();
        }
    });
    (String::from_utf8(out).unwrap_or_default(), layer)
}

fn members<'n>(
    out: &mut Vec<u8>,
    entries: impl IntoIterator<Item = &'n Entry>,
    mut write_value: impl FnMut(&mut Vec<u8>, &'n Entry),
) {
    let mut sorted: Vec<&Entry> = entries.into_iter().collect();
    sorted.sort_unstable_by(|one, other| by_utf16(&one.key, &other.key));
    out.push(b'{');
    for (number, entry) in sorted.into_iter().enumerate() {
        if number > 0 {
            out.push(b',');
        }
        text(out, &entry.key);
        out.push(b':');
        write_value(out, entry);
    }
    out.push(b'}');
}

fn by_utf16(one: &str, other: &str) -> Ordering {
    if one.is_ascii() && other.is_ascii() { one.cmp(other) } else { one.encode_utf16().cmp(other.encode_utf16()) }
}

fn write(out: &mut Vec<u8>, node: &Node) {
    match &node.kind {
        // A huge number is an error wherever it stands, and a set with an error has no digest.
        Kind::Null | Kind::Refused | Kind::Number(Number::Huge) => out.extend_from_slice(b"null"),
        Kind::Bool(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
        Kind::Number(Number::Integer(value)) => scalar(out, value),
        Kind::Number(Number::Float(value)) => scalar(out, value),
        Kind::String(value, _) => text(out, value),
        Kind::List(items) => {
            out.push(b'[');
            for (number, item) in items.iter().enumerate() {
                if number > 0 {
                    out.push(b',');
                }
                write(out, item);
            }
            out.push(b']');
        }
        Kind::Map(entries) => members(out, entries, |out, entry| write(out, &entry.value)),
    }
}

fn text(out: &mut Vec<u8>, text: &str) {
    if text.bytes().any(|byte| byte < 0x20 || byte == b'"' || byte == b'\\') {
        return scalar(out, &text);
    }
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
}

/// What is written seldom enough to leave to the library.
fn scalar(out: &mut Vec<u8>, value: &impl serde::Serialize) {
    // Finite numbers and texts have a canonical form.
    out.extend_from_slice(&serde_json_canonicalizer::to_vec(value).unwrap_or_default());
}

/// The JSON that `node` is, numbers as written.
pub(crate) fn value(node: &Node) -> Value {
    match &node.kind {
        Kind::Null | Kind::Refused | Kind::Number(Number::Huge) => Value::Null,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::{Findings, Sources};
    use crate::model::Layer;
    use crate::policy::CanonicalDocument;

    /// What the library makes of the same document.
    fn by_library(node: &Node, kind: &str) -> String {
        let mut json = value(node);
        if let Some(Value::Object(metadata)) = json.get_mut("metadata") {
            metadata.shift_remove("annotations");
        }
        if let Some(Value::Object(spec)) = json.get_mut("spec").filter(|_| kind == kinds::POLICY_SET) {
            spec.shift_remove("version");
        }
        String::from_utf8(serde_json_canonicalizer::to_vec(&json).unwrap()).unwrap()
    }

    #[test]
    fn documents_are_written_as_the_library_writes_them() {
        let text = r#"
kind: PolicySet
apiVersion: lictor.dev/v1
metadata: {name: a, annotations: {note: x}, labels: {"\uFFFD": b, "𐀀": c, é: "quote \" and \\ and \t", "": ~}}
spec:
  version: v1.0.0
  list: [1, -0, -0.0, 1.5, 1e21, 1e-7, 9007199254740993, 0.1, true, null, [], {}, "\u0001\u007f\u2028"]
  nested: {b: {annotations: kept}, a: {version: kept}, B: 1}
"#;
        let mut sources = Sources::default();
        let source = sources.add("a.yaml", text);
        let mut findings = Findings::default();
        let nodes = crate::yaml::parse(source, text, &mut findings);
        assert_eq!((nodes.len(), findings.is_empty()), (1, true), "{findings:?}");
        for kind in [kinds::POLICY_SET, "Policy"] {
            let (written, at) = document(&nodes[0], kind);
            assert_eq!(written, by_library(&nodes[0], kind));
            let mut layered: Value = serde_json::from_str(&written).unwrap();
            layered["layer"] = "tenant".into();
            let layered = String::from_utf8(serde_json_canonicalizer::to_vec(&layered).unwrap()).unwrap();
            let document = CanonicalDocument {
                layer: Layer::Tenant,
                kind: "Policy",
                name: "a".into(),
                text: written,
                layer_at: at,
            };
            assert_eq!(document.covered().concat(), layered);
        }
    }
}
