//! Keywords of a JSON Schema that no draft knows. The standard lets them pass, so that a schema with `requred` asks for
//! nothing; here they are reported.

use crate::diag::{Finding, Findings, Span, did_you_mean};
use crate::yaml::{Kind, Node};

/// What stands below a keyword.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Below {
    /// No schema.
    Plain,
    /// A schema, or a list of schemas.
    Schemas,
    /// Schemas by name.
    Named,
}

/// The keywords of draft 4 to draft 2020-12.
const KEYWORDS: &[(&str, Below)] = &[
    ("$schema", Below::Plain),
    ("$id", Below::Plain),
    ("id", Below::Plain),
    ("$anchor", Below::Plain),
    ("$dynamicAnchor", Below::Plain),
    ("$recursiveAnchor", Below::Plain),
    ("$ref", Below::Plain),
    ("$dynamicRef", Below::Plain),
    ("$recursiveRef", Below::Plain),
    ("$vocabulary", Below::Plain),
    ("$comment", Below::Plain),
    ("$defs", Below::Named),
    ("definitions", Below::Named),
    ("type", Below::Plain),
    ("enum", Below::Plain),
    ("const", Below::Plain),
    ("multipleOf", Below::Plain),
    ("maximum", Below::Plain),
    ("exclusiveMaximum", Below::Plain),
    ("minimum", Below::Plain),
    ("exclusiveMinimum", Below::Plain),
    ("maxLength", Below::Plain),
    ("minLength", Below::Plain),
    ("pattern", Below::Plain),
    ("maxItems", Below::Plain),
    ("minItems", Below::Plain),
    ("uniqueItems", Below::Plain),
    ("maxContains", Below::Plain),
    ("minContains", Below::Plain),
    ("maxProperties", Below::Plain),
    ("minProperties", Below::Plain),
    ("required", Below::Plain),
    ("dependentRequired", Below::Plain),
    ("dependentSchemas", Below::Named),
    ("dependencies", Below::Named),
    ("properties", Below::Named),
    ("patternProperties", Below::Named),
    ("additionalProperties", Below::Schemas),
    ("unevaluatedProperties", Below::Schemas),
    ("propertyNames", Below::Schemas),
    ("items", Below::Schemas),
    ("prefixItems", Below::Schemas),
    ("additionalItems", Below::Schemas),
    ("unevaluatedItems", Below::Schemas),
    ("contains", Below::Schemas),
    ("allOf", Below::Schemas),
    ("anyOf", Below::Schemas),
    ("oneOf", Below::Schemas),
    ("not", Below::Schemas),
    ("if", Below::Schemas),
    ("then", Below::Schemas),
    ("else", Below::Schemas),
    ("format", Below::Plain),
    ("contentEncoding", Below::Plain),
    ("contentMediaType", Below::Plain),
    ("contentSchema", Below::Schemas),
    ("title", Below::Plain),
    ("description", Below::Plain),
    ("default", Below::Plain),
    ("deprecated", Below::Plain),
    ("readOnly", Below::Plain),
    ("writeOnly", Below::Plain),
    ("examples", Below::Plain),
];

/// Reports unknown keywords of the schema of `action` and of all schemas in it, but for those that begin with `x-`. It is
/// nested no deeper than a schema that compiles.
pub(super) fn unknown(schema: &Node, action: &str, out: &mut Findings) {
    match &schema.kind {
        Kind::List(items) => items.iter().for_each(|item| unknown(item, action, out)),
        Kind::Map(members) => {
            for member in members {
                let known = KEYWORDS.iter().find(|(keyword, _)| *keyword == member.key.as_str());
                match (known, &member.value.kind) {
                    (Some((_, Below::Schemas)), _) => unknown(&member.value, action, out),
                    (Some((_, Below::Named)), Kind::Map(named)) => {
                        named.iter().for_each(|named| unknown(&named.value, action, out));
                    }
                    (Some(_), _) => {}
                    (None, _) if member.key.starts_with("x-") => {}
                    (None, _) => report(&member.key, action, member.key_span, out),
                }
            }
        }
        _ => {}
    }
}

fn report(keyword: &str, action: &str, at: Span, out: &mut Findings) {
    let message =
        format!("`{keyword}` in the schema of `{action}` is no keyword of JSON Schema, so that it asks for nothing");
    let finding = Finding::warning("unknown-keyword", message).at(at);
    out.push(match did_you_mean(keyword, KEYWORDS.iter().map(|(known, _)| *known)) {
        Some(near) => finding.label(format!("did you mean `{near}`?")),
        None => finding.help("remove it, or begin it with `x-` if it is a note for other readers"),
    });
}
