//! Webhook endpoints, checked and typed.

use crate::diag::Span;
use crate::model::{Layer, Text, WebhookEvent};

use super::{EndpointUrl, Pattern};

/// Where changes of approvals are sent.
#[derive(Debug, Clone)]
pub struct WebhookEndpoint {
    /// `metadata.name`, unique among endpoints.
    pub name: Text,
    /// Layer of its source.
    pub layer: Layer,
    /// Where to.
    pub url: EndpointUrl,
    /// The key that signs. Its value is never part of a document.
    pub secret: SecretReference,
    /// Keys that sign besides while receivers change over.
    pub grace: Vec<SecretReference>,
    /// Types of events that it is told of; `None` means all.
    pub events: Option<Box<[Pattern]>>,
    /// Tenants whose approvals it is told of; `None` means all.
    pub tenants: Option<Box<[Pattern]>>,
    /// Whether it may be in a private network or on this machine.
    pub allow_private: bool,
    /// A file of certificates (PEM) whose holders may vouch for the receiver besides the public ones.
    pub ca_file: Option<Text>,
    /// How long an attempt may take, in seconds, 1–30.
    pub timeout_seconds: u32,
    /// Where its name is written.
    pub span: Span,
}

/// Where a key is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretReference {
    /// What receivers know it by, for example `v2`.
    pub version: Text,
    /// Where it is.
    pub place: SecretPlace,
    /// Where the reference is written.
    pub span: Span,
}

/// The place of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretPlace {
    /// A file, by its absolute path.
    File(Text),
    /// An environment variable.
    Env(Text),
}

impl WebhookEndpoint {
    /// Whether it is told of `event` in an approval of `tenant`.
    #[must_use]
    pub fn takes(&self, event: WebhookEvent, tenant: &str) -> bool {
        any_matches(self.events.as_deref(), event.event_type()) && self.serves(tenant)
    }

    /// Whether it is told of approvals of `tenant`.
    #[must_use]
    pub fn serves(&self, tenant: &str) -> bool {
        any_matches(self.tenants.as_deref(), tenant)
    }
}

fn any_matches(patterns: Option<&[Pattern]>, text: &str) -> bool {
    patterns.is_none_or(|patterns| patterns.iter().any(|pattern| pattern.matches(text)))
}
