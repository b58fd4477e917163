//! One action, as all catalogues that list it say together.

use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::model::{Layer, Text};
use crate::policy::{ActionCatalog, CatalogAction, LabelledPath, ParamsSchema};

/// An action with what its catalogues say of it.
#[derive(Debug)]
pub struct GovernedAction {
    entry: CatalogAction,
    document: Text,
    checks: Vec<Arc<ParamsSchema>>,
    types: Vec<(Layer, Text)>,
}

impl GovernedAction {
    /// The action: its greatest tier, all labels, and the providers that every catalogue allows. `None` as its providers
    /// means that no catalogue that lists it has any.
    #[must_use]
    pub fn entry(&self) -> &CatalogAction {
        &self.entry
    }

    /// The catalogue that gives its tier.
    #[must_use]
    pub fn document(&self) -> &Text {
        &self.document
    }

    /// The types that catalogues give to what it is done to, each once, the highest layer's first.
    #[must_use]
    pub fn types(&self) -> &[(Layer, Text)] {
        &self.types
    }

    /// The schemas of its parameters; all must hold.
    #[must_use]
    pub fn checks(&self) -> &[Arc<ParamsSchema>] {
        &self.checks
    }
}

/// The actions of all catalogues by name.
pub(super) fn merge(catalogs: &[ActionCatalog]) -> HashMap<Text, GovernedAction, FixedState> {
    let mut sorted: Vec<&ActionCatalog> = catalogs.iter().collect();
    sorted.sort_by(|a, b| (a.layer, &a.name).cmp(&(b.layer, &b.name)));
    let mut actions: HashMap<Text, GovernedAction, FixedState> = HashMap::default();
    for catalog in sorted {
        for action in &catalog.actions {
            let mut entry = action.clone();
            if entry.providers.is_none() && !catalog.providers.is_empty() {
                entry.providers = Some(catalog.providers.clone());
            }
            match actions.get_mut(&entry.name) {
                Some(known) => known.narrow(entry, catalog),
                None => {
                    let checks = entry.params_check.iter().cloned().collect();
                    let document = catalog.name.clone();
                    let types = entry.resource_type.iter().map(|kind| (catalog.layer, kind.clone())).collect();
                    actions.insert(entry.name.clone(), GovernedAction { entry, document, checks, types });
                }
            }
        }
    }
    actions
}

impl GovernedAction {
    /// Adds what a catalogue of a lower layer says.
    fn narrow(&mut self, other: CatalogAction, catalog: &ActionCatalog) {
        let entry = &mut self.entry;
        if entry.each.is_empty() {
            entry.each.push(entry.clone());
        }
        entry.each.push(other.clone());
        if other.tier > entry.tier {
            (entry.tier, self.document) = (other.tier, catalog.name.clone());
        }
        entry.providers = match (entry.providers.take(), other.providers) {
            (Some(ours), Some(theirs)) => Some(ours.into_iter().filter(|name| theirs.contains(name)).collect()),
            (ours, theirs) => ours.or(theirs),
        };
        entry.outputs = narrow_outputs(entry, &other.outputs);
        unite(&mut entry.labels, &other.labels);
        for labelled in other.parameters {
            match entry.parameters.iter_mut().find(|known| known.path == labelled.path) {
                Some(known) => unite(&mut known.labels, &labelled.labels),
                None => entry.parameters.push(labelled),
            }
        }
        for path in other.count_paths {
            if !entry.count_paths.contains(&path) {
                entry.count_paths.push(path);
            }
        }
        entry.count_together |= other.count_together;
        if let Some(kind) = other.resource_type {
            if self.types.iter().all(|(_, known)| *known != kind) {
                self.types.push((catalog.layer, kind.clone()));
            }
            entry.resource_type.get_or_insert(kind);
        }
        if entry.params_schema.is_none() {
            entry.params_schema = other.params_schema;
            entry.params_check = other.params_check.clone();
        }
        self.checks.extend(other.params_check);
    }
}

/// A field of the output may be selected whole only if all catalogues say so. What only one of them says of a field still
/// holds, of the whole output then.
fn narrow_outputs(entry: &mut CatalogAction, theirs: &[LabelledPath]) -> Vec<LabelledPath> {
    let ours = std::mem::take(&mut entry.outputs);
    let mut kept = Vec::with_capacity(ours.len());
    for mut labelled in ours {
        match theirs.iter().find(|other| other.path == labelled.path) {
            Some(other) => {
                unite(&mut labelled.labels, &other.labels);
                kept.push(labelled);
            }
            None => unite(&mut entry.labels, &labelled.labels),
        }
    }
    for other in theirs {
        if !kept.iter().any(|labelled| labelled.path == other.path) {
            unite(&mut entry.labels, &other.labels);
        }
    }
    kept
}

fn unite(labels: &mut Vec<Text>, others: &[Text]) {
    for label in others {
        if !labels.contains(label) {
            labels.push(label.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{SourceText, load};

    /// An action of two layers, each with these outputs.
    fn merged(system: &str, organisation: &str) -> CatalogAction {
        let text = |layer, name: &str, rest: &str| {
            SourceText {
            name: name.into(),
            layer,
            text: format!(
                "apiVersion: lictor.dev/v1\nkind: ActionCatalog\nmetadata: {{name: {name}}}\nspec:\n  actions:\n    - {{name: read, tier: 0, {rest}}}\n"
            )
            .into(),
        }
        };
        let loaded = load(&[text(Layer::Organisation, "b", organisation), text(Layer::System, "a", system)]);
        assert!(loaded.findings.is_empty(), "{:?}", loaded.findings);
        merge(&loaded.documents.catalogs).get("read").unwrap().entry().clone()
    }

    #[test]
    fn a_field_is_selected_only_where_every_layer_says_so() {
        let both = merged("labels: [a], outputs: {/x: {labels: []}}", "labels: [b], outputs: {/x: {labels: [c]}}");
        assert_eq!(
            (both.labels, both.outputs[0].labels.clone()),
            (vec!["a".into(), "b".into()], vec![Text::from("c")])
        );
        let one = merged("labels: [a], outputs: {/x: {labels: [c]}}", "labels: [b]");
        assert!(one.outputs.is_empty());
        let mut labels = one.labels;
        labels.sort();
        assert_eq!(labels, ["a", "b", "c"].map(Text::from));
    }

    #[test]
    fn labels_of_parameters_and_counted_lists_add_up() {
        let of = |label: &str, path: &str| format!("parameters: {{to: {{labels: [{label}]}}}}, countPaths: [{path}]");
        let action = merged(&of("recipient", "/ids"), &of("outside", "/rows"));
        assert_eq!(action.parameters.len(), 1);
        assert_eq!(action.parameters[0].labels, ["recipient", "outside"].map(Text::from));
        assert_eq!(action.count_paths.len(), 2);
    }
}
