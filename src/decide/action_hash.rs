//! The hash that binds an approval to what was asked.

#[cfg(test)]
mod tests;

use std::fmt::Write;

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::model::{Action, Attributes, Request, Resource, Subject, Text};

/// `sha256:` and 64 hexadecimal digits over the RFC 8785 form of `{tenant, subject, action, resource, context}`.
///
/// The order of keys does not matter. A field of the request that is absent, `""`, `[]` or `{}` is left out, so that all
/// four are the same; inside properties and context every value counts as it stands. The default tenant is filled in.
#[must_use]
pub fn action_hash(request: &Request) -> Text {
    let content = Content {
        tenant: request.tenant(),
        subject: SubjectContent::of(&request.subject),
        action: ActionContent::of(&request.action),
        resource: ResourceContent::of(&request.resource),
        context: &request.context,
    };
    let mut hasher = Sha256::new();
    // Attributes hold finite numbers and string keys only, all of which have a canonical form.
    if let Ok(canonical) = serde_json_canonicalizer::to_vec(&content) {
        hasher.update(&canonical);
    }
    let mut text = Text::with_capacity(71);
    text.push_str("sha256:");
    for byte in hasher.finalize() {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[derive(Serialize)]
struct Content<'a> {
    tenant: &'a str,
    subject: SubjectContent<'a>,
    action: ActionContent<'a>,
    #[serde(skip_serializing_if = "ResourceContent::is_empty")]
    resource: ResourceContent<'a>,
    #[serde(skip_serializing_if = "Attributes::is_empty")]
    context: &'a Attributes,
}

#[derive(Serialize)]
struct SubjectContent<'a> {
    #[serde(rename = "type", skip_serializing_if = "Text::is_empty")]
    kind: &'a Text,
    id: &'a Text,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    roles: &'a Vec<Text>,
    #[serde(skip_serializing_if = "Attributes::is_empty")]
    properties: &'a Attributes,
    #[serde(skip_serializing_if = "Text::is_empty")]
    on_behalf_of: &'a Text,
}

impl<'a> SubjectContent<'a> {
    fn of(subject: &'a Subject) -> Self {
        let Subject { kind, id, roles, properties, on_behalf_of } = subject;
        Self { kind, id, roles, properties, on_behalf_of }
    }
}

#[derive(Serialize)]
struct ActionContent<'a> {
    name: &'a Text,
    #[serde(skip_serializing_if = "Attributes::is_empty")]
    properties: &'a Attributes,
}

impl<'a> ActionContent<'a> {
    fn of(action: &'a Action) -> Self {
        let Action { name, properties } = action;
        Self { name, properties }
    }
}

#[derive(Serialize)]
struct ResourceContent<'a> {
    #[serde(rename = "type", skip_serializing_if = "Text::is_empty")]
    kind: &'a Text,
    #[serde(skip_serializing_if = "Text::is_empty")]
    id: &'a Text,
    #[serde(skip_serializing_if = "Attributes::is_empty")]
    properties: &'a Attributes,
}

impl<'a> ResourceContent<'a> {
    fn of(resource: &'a Resource) -> Self {
        let Resource { kind, id, properties } = resource;
        Self { kind, id, properties }
    }

    fn is_empty(&self) -> bool {
        self.kind.is_empty() && self.id.is_empty() && self.properties.is_empty()
    }
}
