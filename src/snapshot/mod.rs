//! Snapshots: documents made immutable, indexed and content-addressed, and the holder of the live one.
//!
//! A [`Snapshot`] never changes after it is built. Every decision and record names its digest, so that the same question
//! can be asked of the same documents years later.

mod build;
mod digest;
mod governance;
mod holder;
mod index;

use std::sync::Arc;

pub use governance::{
    Ceiling, Governance, GovernedAction, GovernedBulk, GovernedPlanRule, GovernedScope, GovernedTier,
};
pub use holder::{Holder, MAX_RESIDENTS, Residents};
pub use index::Candidates;

use crate::condition::Condition;
use crate::model::{Effect, Layer, Request, SnapshotLabel};
use crate::policy::{DocumentSet, Pattern, Target};
use index::Index;

/// One immutable, content-addressed set of policies, ready to decide.
#[derive(Debug)]
pub struct Snapshot {
    label: Arc<SnapshotLabel>,
    rules: Box<[CompiledRule]>,
    index: Index,
    has_policies: bool,
    evaluation_cost: Option<u64>,
    governance: Governance,
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

    /// The enabled rules of enabled policies, in order of precedence.
    #[must_use]
    pub fn rules(&self) -> &[CompiledRule] {
        &self.rules
    }

    /// Numbers of the rules that may concern `request`, ascending. A rule that is left out cannot match and its condition
    /// cannot fail; one that is given need not match.
    #[must_use]
    pub fn candidates<'a>(&'a self, request: &'a Request) -> Candidates<'a> {
        self.index.candidates(request)
    }
}

/// One rule, ready to be matched.
#[derive(Debug)]
pub struct CompiledRule {
    /// What it does.
    pub effect: Effect,
    /// Its layer.
    pub layer: Layer,
    /// Tenants that it speaks about; `None` means all.
    tenants: Option<Box<[Pattern]>>,
    /// Its patterns.
    target: Target,
    /// What must hold besides.
    pub condition: Option<Arc<Condition>>,
}

impl CompiledRule {
    /// Whether every pattern matches `request`.
    #[must_use]
    pub fn concerns(&self, request: &Request) -> bool {
        let Request { subject, action, resource, .. } = request;
        any(&self.target.actions, &action.name)
            && any(&self.target.subject_types, &subject.kind)
            && any(&self.target.subject_ids, &subject.id)
            && any(&self.target.resource_types, &resource.kind)
            && any(&self.target.resource_ids, &resource.id)
            && any(&self.tenants, request.tenant())
            && self.target.roles.as_ref().is_none_or(|patterns| {
                subject.roles.iter().any(|role| patterns.iter().any(|pattern| pattern.matches(role)))
            })
    }

    /// The first pattern list that does not match `request`, as words for an explanation.
    #[must_use]
    pub fn first_mismatch(&self, request: &Request) -> Option<String> {
        let Request { subject, action, resource, .. } = request;
        let fields = [
            ("tenants", &self.tenants, request.tenant()),
            ("actions", &self.target.actions, action.name.as_str()),
            ("subjects.types", &self.target.subject_types, subject.kind.as_str()),
            ("subjects.ids", &self.target.subject_ids, subject.id.as_str()),
            ("resources.types", &self.target.resource_types, resource.kind.as_str()),
            ("resources.ids", &self.target.resource_ids, resource.id.as_str()),
        ];
        let mismatch = fields.iter().find(|(_, patterns, id)| !any(patterns, id));
        if let Some((field, patterns, id)) = mismatch {
            return Some(format!("{field} {} does not match `{id}`", list(patterns.as_deref())));
        }
        let roles = self.target.roles.as_deref()?;
        let held = subject.roles.iter().any(|role| roles.iter().any(|pattern| pattern.matches(role)));
        (!held).then(|| format!("subjects.roles {} matches none of {:?}", list(Some(roles)), subject.roles))
    }
}

fn any(patterns: &Option<Box<[Pattern]>>, id: &str) -> bool {
    patterns.as_ref().is_none_or(|patterns| patterns.iter().any(|pattern| pattern.matches(id)))
}

/// Most patterns that an explanation shows of a list.
const SHOWN_PATTERNS: usize = 5;

fn list(patterns: Option<&[Pattern]>) -> String {
    let patterns = patterns.unwrap_or_default();
    let shown: Vec<&str> = patterns.iter().take(SHOWN_PATTERNS).map(Pattern::as_str).collect();
    let more = if patterns.len() > SHOWN_PATTERNS { ", …" } else { "" };
    format!("[{}{more}]", shown.join(", "))
}
