//! Kind `ActionCatalog`: the actions and providers that a plan may name.

use std::collections::HashMap;

use crate::diag::{Finding, Findings, Span};
use crate::policy::decode::{Context, Head, MetadataSpec, OneLine, short_text};
use crate::policy::{ActionCatalog, DocumentSet};
use crate::yaml::{Elsewhere, Field, spec};

use super::catalog_action::{self, CatalogActionSpec};

spec! {
    /// The actions and providers that a plan may name. An action that no catalogue lists is refused.
    pub(crate) struct ActionCatalogSpec {
        /// What it is for.
        description: Option<String>,
        /// Providers that steps may name. Without any, a step needs none.
        #[schemars(length(min = 1))]
        providers: Option<Vec<OneLine>>,
        /// The actions. Within a layer, an action is listed once.
        #[schemars(length(min = 1))]
        actions: Vec<CatalogActionSpec>,
    }
}

/// What authors put into `spec` instead of where it belongs.
const ELSEWHERE: &[Elsewhere] = &[("`metadata`", MetadataSpec::FIELDS), ("an action", CatalogActionSpec::FIELDS)];

pub(super) fn decode(spec: Field<'_>, head: &Head, context: Context<'_>, set: &mut DocumentSet, out: &mut Findings) {
    let Some(fields) = spec.fields_hinting("an action catalogue", ActionCatalogSpec::FIELDS, ELSEWHERE, out) else {
        return;
    };
    if let Some(description) = fields.get("description") {
        description.string(out);
    }
    let providers = fields.get("providers").map(|field| unique(field, "providers", out)).unwrap_or_default();
    let entries = fields.require("actions", out).and_then(|field| {
        let entries = field.list("actions", out)?;
        if entries.is_empty() {
            out.push(
                Finding::error("empty-list", "a catalogue needs at least one action")
                    .at(field.node.span)
                    .help("list an action, or remove the catalogue"),
            );
        }
        Some(entries)
    });
    let actions = entries.unwrap_or_default();
    let actions = actions.into_iter().filter_map(|entry| catalog_action::decode(entry, &providers, context, out));
    let actions = actions.collect();
    let providers = providers.into_iter().map(|(name, _)| name.into()).collect();
    set.catalogs.push(ActionCatalog {
        name: head.name.clone(),
        layer: context.layer,
        providers,
        actions,
        span: head.span,
    });
}

/// The entries of a list of short texts with their places; reports those that stand twice.
pub(super) fn unique<'n>(field: Field<'n>, of: &str, out: &mut Findings) -> Vec<(&'n str, Span)> {
    let mut known: HashMap<&str, Span> = HashMap::new();
    let mut texts = Vec::new();
    for entry in field.list(of, out).unwrap_or_default() {
        let Some(text) = short_text(entry, out) else { continue };
        match known.get(text) {
            Some(first) => out.push(
                Finding::error("duplicate-entry", format!("`{text}` is listed twice"))
                    .at(entry.node.span)
                    .label("again here")
                    .related(*first, "first here")
                    .help("remove one of them"),
            ),
            None => {
                known.insert(text, entry.node.span);
                texts.push((text, entry.node.span));
            }
        }
    }
    texts
}
