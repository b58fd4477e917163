//! The question: may this subject do this action to this resource, in this context?

use super::{Attributes, Text};

/// On whose behalf a question is asked.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Subject {
    /// Kind of subject, for example `agent`; may be empty.
    pub kind: Text,
    /// Identity. Not empty in a valid request.
    pub id: Text,
    /// Roles that it holds.
    pub roles: Vec<Text>,
    /// Further attributes.
    pub properties: Attributes,
    /// The person or service that it acts for, empty if none.
    pub on_behalf_of: Text,
}

/// What the subject is about to do.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Action {
    /// Name of the action. Not empty in a valid request.
    pub name: Text,
    /// Further attributes.
    pub properties: Attributes,
}

/// What the action is done to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Resource {
    /// Kind of resource; may be empty.
    pub kind: Text,
    /// Identity; may be empty.
    pub id: Text,
    /// Further attributes.
    pub properties: Attributes,
}

/// One question, in full. Ids compare byte for byte.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Request {
    /// Chosen by the caller and echoed.
    pub request_id: Text,
    /// Tenant; empty means [`default_tenant`].
    pub tenant_id: Text,
    /// On whose behalf.
    pub subject: Subject,
    /// The action.
    pub action: Action,
    /// The resource; all fields empty where the action has none.
    pub resource: Resource,
    /// Circumstances of the action.
    pub context: Attributes,
    /// Run that the action belongs to, empty if none.
    pub run_id: Text,
    /// Correlates records across systems.
    pub correlation_id: Text,
    /// Digest of the snapshot to decide with, empty for the live one.
    pub snapshot: Text,
    /// Whether an explanation is wanted.
    pub explain: bool,
    /// Whether the action's hash is wanted whatever the decision.
    pub want_action_hash: bool,
}

impl Request {
    /// The tenant that the question belongs to, with the default filled in.
    #[must_use]
    pub fn tenant(&self) -> &str {
        if self.tenant_id.is_empty() { default_tenant() } else { &self.tenant_id }
    }
}

/// The tenant of requests that name none.
#[must_use]
pub const fn default_tenant() -> &'static str {
    "default"
}
