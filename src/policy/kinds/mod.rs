//! The kinds of document, one file each.

mod action_catalog;
mod approval_policy;
mod catalog_action;
mod dag;
mod expectation;
mod plan;
mod plan_expectation;
mod policy;
mod policy_set;
mod request;
mod risk_policy;
mod risk_rules;
mod rule;
mod schema_keywords;
mod schema_paths;
mod test_cases;
mod webhook_endpoint;

pub use dag::{read_executions, read_nodes, read_params};
pub use plan::read as read_plan;
pub use request::read as read_request;

use schemars::{JsonSchema, Schema, SchemaGenerator};

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
    /// The schema of `spec`.
    pub(super) schema: fn(&mut SchemaGenerator) -> Schema,
    /// Reads `spec` into the set.
    pub(super) decode: fn(Field<'_>, &Head, Context<'_>, &mut DocumentSet, &mut Findings),
}

/// The kinds that can be loaded.
pub(super) const KINDS: &[Kind] = &[
    Kind {
        name: POLICY_SET,
        in_digest: true,
        schema: schema_of::<policy_set::PolicySetSpec>,
        decode: policy_set::decode,
    },
    Kind { name: "Policy", in_digest: true, schema: schema_of::<policy::PolicySpec>, decode: policy::decode },
    Kind {
        name: "ActionCatalog",
        in_digest: true,
        schema: schema_of::<action_catalog::ActionCatalogSpec>,
        decode: action_catalog::decode,
    },
    Kind {
        name: "RiskPolicy",
        in_digest: true,
        schema: schema_of::<risk_policy::RiskPolicySpec>,
        decode: risk_policy::decode,
    },
    Kind {
        name: "ApprovalPolicy",
        in_digest: true,
        schema: schema_of::<approval_policy::ApprovalPolicySpec>,
        decode: approval_policy::decode,
    },
    Kind {
        name: "WebhookEndpoint",
        in_digest: true,
        schema: schema_of::<webhook_endpoint::WebhookEndpointSpec>,
        decode: webhook_endpoint::decode,
    },
    Kind { name: "Tests", in_digest: false, schema: schema_of::<test_cases::TestsSpec>, decode: test_cases::decode },
];

/// Fields that authors put beside `spec` instead of into it.
pub(super) const SPEC_FIELDS: &[&str] = &[
    "rules",
    "tenants",
    "enabled",
    "priority",
    "cases",
    "fixtures",
    "version",
    "defaultEffect",
    "limits",
    "providers",
    "actions",
    "approvalTier",
    "maxSteps",
    "maxBudgetCents",
    "scopes",
    "bulk",
    "tiers",
    "plan",
    "flows",
    "scope",
    "stages",
    "autoApprove",
    "ttl",
    "escalation",
    "webhooks",
    "pending",
    "url",
    "secrets",
    "events",
    "allowPrivate",
    "caFile",
    "timeoutSeconds",
];

/// The kinds that the format has, but this version does not load.
pub(super) const LATER: &[&str] = &["Classifier", "Budget", "RateLimit", "ThreatRule"];

fn schema_of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}
