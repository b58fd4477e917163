//! The kinds of document, one file each.

mod expectation;
mod policy;
mod policy_set;
mod request;
mod rule;
mod test_cases;

use crate::diag::Findings;
use crate::yaml::Field;

use super::DocumentSet;
use super::decode::{Context, Head};

/// Name of the kind that sets what holds for the whole set.
pub(super) const POLICY_SET: &str = "PolicySet";

/// One kind of document.
pub(super) struct Kind {
    /// As written after `kind:`.
    pub(super) name: &'static str,
    /// Whether documents of the kind are part of the digest.
    pub(super) in_digest: bool,
    /// Reads `spec` into the set.
    pub(super) decode: fn(Field<'_>, &Head, Context<'_>, &mut DocumentSet, &mut Findings),
}

/// The kinds that can be loaded.
pub(super) const KINDS: &[Kind] = &[
    Kind { name: POLICY_SET, in_digest: true, decode: policy_set::decode },
    Kind { name: "Policy", in_digest: true, decode: policy::decode },
    Kind { name: "Tests", in_digest: false, decode: test_cases::decode },
];

/// The kinds that the format has, but this version does not load.
pub(super) const LATER: &[&str] = &[
    "ActionCatalog",
    "RiskPolicy",
    "ApprovalPolicy",
    "WebhookEndpoint",
    "Classifier",
    "Budget",
    "RateLimit",
    "ThreatRule",
];
