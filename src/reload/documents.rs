//! What a snapshot consists of, and what changed from one to the next.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::model::{Layer, Text};
use crate::policy::{DocumentSet, Policy};

/// Name of a document, unique in a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DocumentName {
    /// Layer of its source.
    pub layer: String,
    /// Its kind.
    pub kind: String,
    /// `metadata.name`.
    pub name: String,
}

impl fmt::Display for DocumentName {
    /// `Kind/name`, with the layer in front unless it is the usual one: `system:Policy/base`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.layer != Layer::Organisation.as_str() {
            write!(f, "{}:", self.layer)?;
        }
        write!(f, "{}/{}", self.kind, self.name)
    }
}

/// A document of a snapshot: enough to compare two snapshots without their documents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocumentEntry {
    /// Its name.
    #[serde(flatten)]
    pub name: DocumentName,
    /// SHA-256 of its canonical form, 64 hexadecimal digits.
    pub sha256: String,
    /// Number of its rules, disabled ones included; 0 for what is not a policy.
    pub rules: u64,
}

/// The documents of a set, in the order of the digest.
pub(super) fn entries(documents: &DocumentSet) -> Vec<DocumentEntry> {
    let rules: BTreeMap<(Layer, &Text), u64> = documents.policies.iter().map(rules_of).collect();
    let mut entries: Vec<(Layer, DocumentEntry)> = documents
        .canonical
        .iter()
        .map(|document| {
            let is_policy = document.kind == "Policy";
            let rules = rules.get(&(document.layer, &document.name)).copied().filter(|_| is_policy).unwrap_or(0);
            let name = DocumentName {
                layer: document.layer.as_str().to_owned(),
                kind: document.kind.to_owned(),
                name: document.name.to_string(),
            };
            (document.layer, DocumentEntry { name, sha256: hex_sha256(document.text.as_bytes()), rules })
        })
        .collect();
    entries.sort_by(|(layer, entry), (other_layer, other)| {
        layer.cmp(other_layer).then_with(|| entry.name.cmp(&other.name))
    });
    entries.into_iter().map(|(_, entry)| entry).collect()
}

fn rules_of(policy: &Policy) -> ((Layer, &Text), u64) {
    ((policy.layer, &policy.name), u64::try_from(policy.rules.len()).unwrap_or(u64::MAX))
}

/// SHA-256 as 64 hexadecimal digits.
pub(super) fn hex_sha256(bytes: &[u8]) -> String {
    use fmt::Write as _;
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut hex, byte| {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// What differs between two snapshots, in the order of the digest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Documents that are new.
    pub added: Vec<DocumentEntry>,
    /// Documents whose content changed, as they are now.
    pub changed: Vec<DocumentEntry>,
    /// Documents that are gone, as they were.
    pub removed: Vec<DocumentEntry>,
}

impl Changes {
    /// What changed from `before` to `after`.
    #[must_use]
    pub fn between(before: &[DocumentEntry], after: &[DocumentEntry]) -> Self {
        let known: BTreeMap<&DocumentName, &DocumentEntry> = before.iter().map(|entry| (&entry.name, entry)).collect();
        let mut changes = Self::default();
        for entry in after {
            match known.get(&entry.name) {
                None => changes.added.push(entry.clone()),
                Some(old) if old.sha256 != entry.sha256 => changes.changed.push(entry.clone()),
                Some(_) => {}
            }
        }
        let kept: BTreeMap<&DocumentName, ()> = after.iter().map(|entry| (&entry.name, ())).collect();
        changes.removed = before.iter().filter(|entry| !kept.contains_key(&entry.name)).cloned().collect();
        changes
    }

    /// Whether nothing differs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.changed.is_empty() && self.removed.is_empty()
    }
}
