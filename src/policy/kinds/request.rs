//! Requests as authors write them: in test cases, and for `lictor eval`.

use std::collections::BTreeMap;

use crate::diag::{Finding, Findings, SourceId, Span};
use crate::model::{Action, Attributes, Request, Resource, Subject, Text};
use crate::policy::decode::{OneLine, short_text};
use crate::yaml::{self, Entry, Field, Fields, Kind, Node, spec};

spec! {
    /// A question, or a part of one.
    pub(crate) struct RequestSpec {
        /// On whose behalf.
        subject: Option<SubjectSpec>,
        /// The tenant; `default` if not given.
        tenant: Option<OneLine>,
        /// The action: its name, or a map.
        action: Option<ActionField>,
        /// What the action is done to.
        resource: Option<ResourceSpec>,
        /// Circumstances.
        context: Option<BTreeMap<String, serde_json::Value>>,
        /// Run that the action belongs to.
        runId: Option<OneLine>,
        /// Correlates records across systems.
        correlationId: Option<OneLine>,
    }
}

spec! {
    /// On whose behalf a question is asked.
    pub(crate) struct SubjectSpec {
        /// Kind of subject, for example `agent`.
        r#type: Option<OneLine>,
        /// Identity.
        id: Option<OneLine>,
        /// Roles that it holds.
        roles: Option<Vec<OneLine>>,
        /// Further attributes.
        properties: Option<BTreeMap<String, serde_json::Value>>,
        /// The person or service that it acts for.
        onBehalfOf: Option<OneLine>,
    }
}

spec! {
    /// What the subject is about to do.
    pub(crate) struct ActionSpec {
        /// Name of the action.
        name: Option<OneLine>,
        /// Further attributes.
        properties: Option<BTreeMap<String, serde_json::Value>>,
    }
}

spec! {
    /// What the action is done to.
    pub(crate) struct ResourceSpec {
        /// Kind of resource.
        r#type: Option<OneLine>,
        /// Identity.
        id: Option<OneLine>,
        /// Further attributes.
        properties: Option<BTreeMap<String, serde_json::Value>>,
    }
}

/// An action: its name, or a map.
#[derive(schemars::JsonSchema)]
#[schemars(untagged)]
#[allow(dead_code, reason = "read by the schema generator only")]
pub(crate) enum ActionField {
    /// Its name.
    Name(OneLine),
    /// Name and attributes.
    Map(ActionSpec),
}

/// Reads a text that holds one request, or a part of one, in YAML or JSON. `None` where it cannot be read at all.
pub fn read(source: SourceId, text: &str, out: &mut Findings) -> Option<Request> {
    let documents = yaml::parse(source, text, out);
    if out.has_errors() {
        return None;
    }
    match documents.as_slice() {
        [] => {
            out.push(Finding::error("no-request", "the file holds no request").at(Span::new(source, 0, 0)));
            None
        }
        [only] => Some(partial(only, out)),
        [_, second, ..] => {
            let finding = Finding::error("several-requests", "the file holds several requests").at(second.head());
            out.push(finding.help("keep one; the others need a file of their own"));
            None
        }
    }
}

/// Reads a request, or the part of one that `node` gives.
pub(crate) fn partial(node: &Node, out: &mut Findings) -> Request {
    let mut request = Request::default();
    let Some(fields) = Fields::read(node, "a request", RequestSpec::FIELDS, out) else { return request };
    if let Some(subject) = fields.get("subject") {
        request.subject = subject_of(subject, out);
    }
    if let Some(action) = fields.get("action") {
        request.action = action_of(action, out);
    }
    if let Some(resource) = fields.get("resource") {
        request.resource = resource_of(resource, out);
    }
    request.tenant_id = text(&fields, "tenant", out);
    request.context = properties(fields.get("context"), out);
    request.run_id = text(&fields, "runId", out);
    request.correlation_id = text(&fields, "correlationId", out);
    request
}

/// Reports what a whole request must have and this one lacks. `at` stands for the request.
pub(crate) fn check_complete(request: &Request, at: Span, out: &mut Findings) {
    for (value, path, example) in [
        (&request.subject.id, "subject.id", "subject: {id: support-7}"),
        (&request.action.name, "action", "action: payment.refund"),
    ] {
        if value.is_empty() {
            out.push(
                Finding::error("missing-field", format!("the request has no `{path}`"))
                    .at(at)
                    .help(format!("write it into the request or into a fixture, for example `{example}`")),
            );
        }
    }
}

/// `over` laid over `base`: maps are merged key by key, anything else is replaced.
pub(crate) fn merge(base: &Node, over: &Node) -> Node {
    let (Kind::Map(base_entries), Kind::Map(over_entries)) = (&base.kind, &over.kind) else { return over.clone() };
    let mut entries: Vec<Entry> = base_entries.clone();
    for entry in over_entries {
        match entries.iter_mut().find(|existing| existing.key == entry.key) {
            Some(existing) if entry.key == "action" => {
                let value = merge(&action_map(&existing.value), &action_map(&entry.value));
                *existing = Entry { value, ..entry.clone() };
            }
            Some(existing) => {
                let value = merge(&existing.value, &entry.value);
                *existing = Entry { value, ..entry.clone() };
            }
            None => entries.push(entry.clone()),
        }
    }
    Node { span: over.span, kind: Kind::Map(entries) }
}

/// An action that is written as its name, as the map that it stands for.
fn action_map(node: &Node) -> Node {
    match &node.kind {
        Kind::String(..) => Node {
            span: node.span,
            kind: Kind::Map(vec![Entry { key: "name".into(), key_span: node.span, value: node.clone() }]),
        },
        _ => node.clone(),
    }
}

pub(super) fn subject_of(field: Field<'_>, out: &mut Findings) -> Subject {
    let Some(fields) = field.fields("a subject", SubjectSpec::FIELDS, out) else { return Subject::default() };
    let roles = fields.get("roles").and_then(|field| field.list("strings", out)).unwrap_or_default();
    Subject {
        kind: text(&fields, "type", out),
        id: text(&fields, "id", out),
        roles: roles.into_iter().filter_map(|role| short_text(role, out)).map(Text::from).collect(),
        properties: properties(fields.get("properties"), out),
        on_behalf_of: text(&fields, "onBehalfOf", out),
    }
}

fn action_of(field: Field<'_>, out: &mut Findings) -> Action {
    if let Kind::String(..) = field.node.kind {
        let name = short_text(field, out).unwrap_or_default().into();
        return Action { name, ..Action::default() };
    }
    let Some(fields) = field.fields("an action", ActionSpec::FIELDS, out) else { return Action::default() };
    Action { name: text(&fields, "name", out), properties: properties(fields.get("properties"), out) }
}

fn resource_of(field: Field<'_>, out: &mut Findings) -> Resource {
    let Some(fields) = field.fields("a resource", ResourceSpec::FIELDS, out) else { return Resource::default() };
    Resource {
        kind: text(&fields, "type", out),
        id: text(&fields, "id", out),
        properties: properties(fields.get("properties"), out),
    }
}

fn text(fields: &Fields<'_>, name: &'static str, out: &mut Findings) -> Text {
    fields.get(name).and_then(|field| short_text(field, out)).unwrap_or_default().into()
}

fn properties(field: Option<Field<'_>>, out: &mut Findings) -> Attributes {
    let Some(field) = field.filter(|field| field.entries(out).is_some()) else { return Attributes::default() };
    yaml::attributes(field.node, out).unwrap_or_default()
}
