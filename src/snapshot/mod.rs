//! Snapshots: documents made immutable, indexed and content-addressed, and the holder of the live one.

mod holder;

pub use holder::{Holder, Residents};

use std::sync::Arc;

use crate::model::SnapshotLabel;
use crate::policy::DocumentSet;

/// One immutable, content-addressed set of policies, ready to decide.
#[derive(Debug)]
pub struct Snapshot {
    label: Arc<SnapshotLabel>,
}

impl Snapshot {
    /// Builds a snapshot of checked documents. `revision` is the state directory's.
    #[must_use]
    pub fn build(documents: &DocumentSet, revision: u64) -> Self {
        let _ = (documents, revision);
        unreachable!()
    }

    /// What answers and records say of it.
    #[must_use]
    pub fn label(&self) -> &Arc<SnapshotLabel> {
        &self.label
    }

    /// `sha256:` and 64 hexadecimal digits over the canonical form of the documents.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.label.digest
    }

    /// The digest that documents would have, without building them.
    #[must_use]
    pub fn digest_of(documents: &DocumentSet) -> String {
        let _ = documents;
        String::new()
    }
}
