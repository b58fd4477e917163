//! `apiVersion`, `kind`, `metadata`, `spec`: the same for every document.

use std::collections::BTreeMap;

use crate::diag::{Finding, Findings, Span, did_you_mean};
use crate::model::Text;
use crate::policy::kinds::{self, Kind};
use crate::policy::load::Names;
use crate::policy::{API_VERSION, CanonicalDocument, DocumentSet};
use crate::yaml::{Field, Fields, Node, spec};

use super::{Context, Name, canonical, name};

/// The fields of every document; all are required.
pub(crate) const DOCUMENT_FIELDS: &[&str] = &["apiVersion", "kind", "metadata", "spec"];

spec! {
    /// A document's name, and notes on it.
    pub(crate) struct MetadataSpec {
        /// Unique among the documents of its kind, across all files and layers.
        name: Name,
        /// Labels to find it by. Part of the digest.
        labels: Option<BTreeMap<String, String>>,
        /// Notes for people and tools. Not part of the digest.
        annotations: Option<BTreeMap<String, String>>,
    }
}

/// What all documents have.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    /// `metadata.name`; empty where it is missing or bad.
    pub(crate) name: Text,
    /// Where the name is written, else where the document starts.
    pub(crate) span: Span,
}

/// Reads one document into `set`.
pub(crate) fn document(
    node: &Node,
    context: Context<'_>,
    set: &mut DocumentSet,
    names: &mut Names,
    out: &mut Findings,
) {
    let elsewhere = &[("`metadata`", MetadataSpec::FIELDS), ("`spec`", kinds::SPEC_FIELDS)];
    let Some(fields) = Fields::read_hinting(node, "a document", DOCUMENT_FIELDS, elsewhere, out) else { return };
    if let Some(field) = fields.require("apiVersion", out) {
        api_version(field, out);
    }
    let kind = fields.require("kind", out).and_then(|field| kind(field, out));
    let head = head(&fields, kind, names, out);
    let Some(kind) = kind else { return };
    let Some(spec) = fields.require("spec", out) else { return };
    (kind.decode)(spec, &head, context, set, out);
    if kind.in_digest {
        let (text, layer_at) = canonical::document(node, kind.name);
        set.canonical.push(CanonicalDocument {
            layer: context.layer,
            kind: kind.name,
            name: head.name,
            text,
            layer_at,
        });
    }
}

fn api_version(field: Field<'_>, out: &mut Findings) {
    if let Some(version) = field.string(out).filter(|version| *version != API_VERSION) {
        out.push(
            Finding::error("unknown-api-version", format!("`{version}` is no version of the document format"))
                .at(field.node.span)
                .help(format!("write `apiVersion: {API_VERSION}`")),
        );
    }
}

fn kind(field: Field<'_>, out: &mut Findings) -> Option<&'static Kind> {
    let written = field.string(out)?;
    let found = kinds::KINDS.iter().find(|kind| kind.name == written);
    if found.is_none() {
        let supported: Vec<_> = kinds::KINDS.iter().map(|kind| format!("`{}`", kind.name)).collect();
        let help = format!("the kinds are {}", supported.join(", "));
        let finding = if kinds::LATER.contains(&written) {
            Finding::error("unsupported-kind", format!("the kind `{written}` is not supported by this version"))
        } else {
            Finding::error("unknown-kind", format!("there is no kind `{written}`"))
        };
        let finding = finding.at(field.node.span).help(help);
        let known = did_you_mean(written, kinds::KINDS.iter().map(|kind| kind.name));
        out.push(match known.filter(|_| !kinds::LATER.contains(&written)) {
            Some(known) => finding.label(format!("did you mean `{known}`?")),
            None => finding,
        });
    }
    found
}

fn head(fields: &Fields<'_>, kind: Option<&'static Kind>, names: &mut Names, out: &mut Findings) -> Head {
    let mut head = Head { name: Text::default(), span: fields.node().head() };
    let Some(metadata) = fields.require("metadata", out) else { return head };
    let Some(metadata) = metadata.fields("`metadata`", MetadataSpec::FIELDS, out) else { return head };
    for key in ["labels", "annotations"] {
        let entries = metadata.get(key).and_then(|field| field.entries(out)).unwrap_or_default();
        for entry in entries {
            Field { name: key, node: &entry.value, key_span: entry.key_span, is_entry: false }.string(out);
        }
    }
    if let Some(field) = metadata.require("name", out) {
        head.span = field.node.span;
        if let Some(name) = name(field, out) {
            // There is at most one policy set, which its own file sees to.
            if let Some(kind) = kind.filter(|kind| kind.name != kinds::POLICY_SET) {
                names.take(kind.name, name, head.span, out);
            }
            head.name = name.into();
        }
    }
    head
}
