//! Snapshots: documents made immutable, indexed and content-addressed, and the holder of the live one.
//!
//! A [`Snapshot`] never changes after it is built. Every decision and record names its digest, so that the same question
//! can be asked of the same documents years later.

mod build;
mod digest;
mod dimension;
mod endpoints;
mod governance;
mod holder;
mod index;
mod rule;

use std::sync::Arc;

pub use endpoints::Endpoints;
pub use governance::{
    ApprovalRule, ApprovalTtl, Approvals, Ceiling, Governance, GovernedAction, GovernedBulk, GovernedPlanRule,
    GovernedScope, GovernedTier,
};
pub use holder::{Holder, MAX_RESIDENTS, Residents};
pub use index::Candidates;
pub use rule::CompiledRule;

use crate::condition::Bindings;
use crate::model::{Layer, SnapshotLabel};
use crate::policy::DocumentSet;
use index::Index;

/// One immutable, content-addressed set of policies, ready to decide.
#[derive(Debug)]
pub struct Snapshot {
    label: Arc<SnapshotLabel>,
    rules: Box<[CompiledRule]>,
    /// For each rule that is a decider (allow, deny, require_approval), its layer. Apart from the rules, so that passing
    /// over one touches a single byte.
    deciders: Box<[Option<Layer>]>,
    index: Index,
    has_policies: bool,
    evaluation_cost: Option<u64>,
    governance: Governance,
    endpoints: Endpoints,
}

impl Snapshot {
    /// Builds a snapshot of checked documents. `revision` counts the snapshots of a state directory; an embedder that
    /// keeps none counts its own.
    #[must_use]
    pub fn build(documents: &DocumentSet, revision: u64) -> Self {
        build::build(documents, revision)
    }

    /// The digest of documents: `sha256:` and 64 hexadecimal digits over the RFC 8785 array of all documents sorted by
    /// layer, kind and name, without tests, annotations and the policy set's version.
    #[must_use]
    pub fn digest_of(documents: &DocumentSet) -> String {
        digest::digest(&documents.canonical)
    }

    /// What [`digest_of`](Self::digest_of) hashes: the RFC 8785 array of all documents. Whoever keeps these bytes can
    /// prove what a digest stood for.
    #[must_use]
    pub fn canonical_form(documents: &DocumentSet) -> Vec<u8> {
        digest::canonical_form(&documents.canonical)
    }

    /// The same snapshot, every rule of which is a candidate for every request.
    #[cfg(test)]
    pub(crate) fn without_index(self) -> Self {
        Self { index: Index::of_all(self.rules.len()), ..self }
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

    /// Counts the snapshots of a state directory.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.label.revision
    }

    /// Whether a policy is enabled. Without any, every question is denied.
    #[must_use]
    pub fn has_policies(&self) -> bool {
        self.has_policies
    }

    /// Evaluation budget of a request, where the policy set lowers it.
    #[must_use]
    pub fn evaluation_cost(&self) -> Option<u64> {
        self.evaluation_cost
    }

    /// What catalogues and risk policies say of plans.
    #[must_use]
    pub fn governance(&self) -> &Governance {
        &self.governance
    }

    /// Where changes of approvals are sent.
    #[must_use]
    pub fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// The enabled rules of enabled policies, in order of precedence.
    #[must_use]
    pub fn rules(&self) -> &[CompiledRule] {
        &self.rules
    }

    /// The layer that the rule `number` may decide; `None` for an observer (warn, audit).
    #[inline]
    #[must_use]
    pub fn decided_layer(&self, number: u32) -> Option<Layer> {
        self.deciders.get(number as usize).copied().flatten()
    }

    /// Numbers of the rules that may concern the request of `bindings`, ascending. A rule that is left out cannot match and
    /// its condition cannot fail; one that is given need not match.
    #[inline]
    #[must_use]
    pub fn candidates<'a>(&'a self, bindings: &Bindings<'_>) -> Candidates<'a> {
        self.index.candidates(bindings)
    }
}
