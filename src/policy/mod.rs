//! The YAML documents that an author writes. The only room that knows the file format.
//!
//! [`load`] reads texts through [`yaml`](crate::yaml), gives every document to the file of its kind in `kinds/`, checks
//! what only shows between documents, and lints. It reports everything that is wrong at once. A new kind is one file in
//! `kinds/` and one line in its table.

mod approvals;
mod decode;
mod document;
mod endpoint;
mod endpoint_url;
mod governance;
mod import;
mod kinds;
mod lint;
mod load;
mod params_schema;
mod pattern;
mod schema;
mod schema_price;

#[cfg(test)]
mod tests;

pub use approvals::{ApprovalPolicy, ApprovalScope, EscalationRule, StageRule, TtlRule};
#[cfg(feature = "server")]
pub(crate) use decode::{PatternText, patterns};
pub use document::{
    CanonicalDocument, DocumentSet, Expectation, PlanExpectation, Policy, PolicySet, Question, Rule, Target, TestCase,
    Tests,
};
pub use endpoint::{SecretPlace, SecretReference, WebhookEndpoint};
pub use endpoint_url::{BadUrl, EndpointUrl, MAX_URL_BYTES, UrlHost};
pub use governance::{
    ActionCatalog, BulkRule, CatalogAction, FlowRule, LabelledPath, PathPattern, PlanRule, RiskPolicy, ScopeWord,
    TierRule,
};
pub use import::{Imported, import, import_mcp};
pub use kinds::{read_executions, read_nodes, read_params, read_plan, read_request};
pub use load::{Loaded, SourceText, load};
pub use params_schema::{
    BAD_PATTERN, BadParam, BadSchema, BadSchemaKind, IsOpen, MAX_CHECK_COST, ParamsSchema, TooCostly,
};
pub use pattern::{BadPattern, MAX_PATTERN_BYTES, MAX_WILDCARDS, Pattern};
pub use schema::{json_schema, kind_names};
pub use schema_price::{ParamsSize, SchemaPrice};

/// The version of the document format.
pub const API_VERSION: &str = "lictor.dev/v1";
