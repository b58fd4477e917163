//! Kind `WebhookEndpoint`: where changes of approvals are sent.

use std::borrow::Cow;
use std::collections::HashMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::diag::{Finding, Findings, Span, did_you_mean};
use crate::model::{Layer, Limits, Reach, Text, WebhookEvent};
use crate::policy::decode::{Context, Head, MetadataSpec, Name, OneLine, PatternText, name, patterns, short_text};
use crate::policy::{
    DocumentSet, EndpointUrl, MAX_URL_BYTES, Pattern, SecretPlace, SecretReference, UrlHost, WebhookEndpoint,
};
use crate::yaml::{Elsewhere, Field, Kind, spec};

spec! {
    /// Where changes of approvals are sent. Approval policies and requests for approval name it.
    pub(crate) struct WebhookEndpointSpec {
        /// What it is for.
        description: Option<String>,
        /// Where to: `https`, or `http` where eavesdroppers do not matter. Without credentials and fragment.
        url: UrlText,
        /// The keys that sign, by where they are found: exactly one without `grace`, which signs; those with `grace` sign
        /// besides, so that receivers can change over.
        #[schemars(length(min = 1, max = 8))]
        secrets: Vec<SecretSpec>,
        /// Types of events that it is told of, for example `ir.approval_*`; all if not given.
        #[schemars(length(min = 1))]
        events: Option<Vec<PatternText>>,
        /// Tenants whose approvals it is told of; all if not given.
        #[schemars(length(min = 1))]
        tenants: Option<Vec<PatternText>>,
        /// Whether it may be in a private network or on this machine; `false` if not given.
        allowPrivate: Option<bool>,
        /// Absolute path of a file of certificates (PEM) that may vouch for the receiver besides the public authorities.
        caFile: Option<OneLine>,
        /// How long an attempt may take, from looking up the name to the end of the answer; 10 if not given.
        #[schemars(range(min = 1, max = 30))]
        timeoutSeconds: Option<u32>,
    }
}

spec! {
    /// Where a key is found: in a file or in an environment variable.
    pub(crate) struct SecretSpec {
        /// What receivers know it by, for example `v2`.
        version: Name,
        /// Absolute path of a file that holds it.
        file: Option<OneLine>,
        /// Name of an environment variable that holds it.
        env: Option<OneLine>,
        /// Whether it only signs besides, until every receiver knows the other one; `false` if not given.
        grace: Option<bool>,
    }
}

pub(crate) struct UrlText;

impl JsonSchema for UrlText {
    fn schema_name() -> Cow<'static, str> {
        "WebhookUrl".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": "^https?://[^@#\\s]+$", "maxLength": MAX_URL_BYTES})
    }
}

/// What authors put into `spec` instead of where it belongs.
const ELSEWHERE: &[Elsewhere] = &[
    ("`metadata`", MetadataSpec::FIELDS),
    ("an entry of `secrets`", SecretSpec::FIELDS),
    ("an ApprovalPolicy", &["stages", "escalation", "ttl", "webhooks"]),
];

/// How long an attempt may take unless the document says, in seconds.
const TIMEOUT_SECONDS: u32 = 10;

/// Most keys of an endpoint: each signs every message.
const MAX_SECRETS: usize = 8;

pub(super) fn decode(spec: Field<'_>, head: &Head, context: Context<'_>, set: &mut DocumentSet, out: &mut Findings) {
    let Some(fields) = spec.fields_hinting("a webhook endpoint", WebhookEndpointSpec::FIELDS, ELSEWHERE, out) else {
        return;
    };
    if let Some(description) = fields.get("description") {
        description.string(out);
    }
    let limits = Limits::default();
    let private_field = fields.get("allowPrivate");
    let allow_private = private_field.and_then(|field| field.boolean(out)).unwrap_or_default();
    if let Some(field) = private_field.filter(|_| allow_private && context.layer == Layer::Tenant) {
        out.push(
            Finding::error("not-yours-to-allow", "a document of the layer `tenant` cannot open the private network")
                .at(field.node.span)
                .help("let the operator put the endpoint into a source of the layer `organisation`"),
        );
    }
    let url = fields.require("url", out).and_then(|field| url(field, allow_private, out));
    let secrets = fields.require("secrets", out).and_then(|field| secrets(field, out));
    let events = patterns(fields.get("events"), limits.name_bytes, out);
    if let (Some(field), Some(events)) = (fields.get("events"), &events) {
        events.iter().for_each(|pattern| unknown_event(pattern, field, out));
    }
    let tenants = patterns(fields.get("tenants"), limits.id_bytes, out);
    let ca_file = fields.get("caFile").and_then(|field| absolute_path(field, out));
    let timeout = fields.get("timeoutSeconds").and_then(|field| field.integer(1..=30, out));
    let (Some(url), Some((secret, grace))) = (url, secrets) else { return };
    if let (Some(field), false) = (fields.get("caFile"), url.is_https) {
        out.push(
            Finding::warning("never-used", "`caFile` is for `https`, and the URL is not")
                .at(field.key_span)
                .help("write `https://` in the URL, or remove `caFile`"),
        );
    }
    set.webhook_endpoints.push(WebhookEndpoint {
        name: head.name.clone(),
        layer: context.layer,
        url,
        secret,
        grace,
        events,
        tenants,
        allow_private,
        ca_file,
        timeout_seconds: timeout.and_then(|seconds| u32::try_from(seconds).ok()).unwrap_or(TIMEOUT_SECONDS),
        span: head.span,
    });
}

fn url(field: Field<'_>, allow_private: bool, out: &mut Findings) -> Option<EndpointUrl> {
    let url = match EndpointUrl::parse(field.string(out)?) {
        Ok(url) => url,
        Err(error) => {
            out.push(Finding::error("bad-url", error.to_string()).at(field.node.span).help(error.help()));
            return None;
        }
    };
    let is_here = is_this_machine(&url.host);
    let reach = match &url.host {
        UrlHost::Address(address) => Reach::of(*address),
        UrlHost::Name(_) if is_here => Reach::Private("this machine"),
        UrlHost::Name(_) => Reach::Public,
    };
    match reach {
        Reach::Never(what) => out.push(
            Finding::error("unreachable-address", format!("the host of the URL is {what}, which is never sent to"))
                .at(field.node.span)
                .help("write the receiver's name or address"),
        ),
        Reach::Private(what) if !allow_private => out.push(
            Finding::error("private-address", format!("the host of the URL is {what}, and `allowPrivate` is not set"))
                .at(field.node.span)
                .help("add `allowPrivate: true`, if the receiver is meant to be there"),
        ),
        _ => {}
    }
    if !url.is_https && !is_here {
        out.push(
            Finding::warning("not-encrypted", "whoever is on the way can read what is sent")
                .at(field.node.span)
                .help("write `https://`, if the receiver speaks it"),
        );
    }
    Some(url)
}

/// Whether a request never leaves this machine; `localhost` is defined so (RFC 6761).
fn is_this_machine(host: &UrlHost) -> bool {
    match host {
        UrlHost::Address(address) => address.is_loopback(),
        UrlHost::Name(name) => name == "localhost" || name.ends_with(".localhost"),
    }
}

/// The key that signs, and those that sign besides.
fn secrets(field: Field<'_>, out: &mut Findings) -> Option<(SecretReference, Vec<SecretReference>)> {
    let entries = field.list("references to secrets", out)?;
    let (mut current, mut grace) = (None, Vec::new());
    let mut versions: HashMap<&str, Span> = HashMap::new();
    let mut complete = true;
    if entries.len() > MAX_SECRETS {
        out.push(
            Finding::error("too-many-secrets", format!("there are more than {MAX_SECRETS} secrets"))
                .at(field.key_span)
                .help("remove those that no receiver uses any more"),
        );
        complete = false;
    }
    for entry in entries {
        let Some((reference, in_grace)) = secret(entry, &mut versions, out) else {
            complete = false;
            continue;
        };
        match &current {
            _ if in_grace => grace.push(reference),
            None => current = Some(reference),
            Some(SecretReference { span, .. }) => {
                out.push(
                    Finding::error("two-current-secrets", "two secrets would be the current one")
                        .at(reference.span)
                        .label("second one")
                        .related(*span, "first one")
                        .help("add `grace: true` to the one that is going out of use"),
                );
                complete = false;
            }
        }
    }
    if current.is_none() && complete {
        out.push(
            Finding::error("no-current-secret", "no secret is the current one")
                .at(field.key_span)
                .help("write `secrets: [{version: v1, env: NAME}]`, or `file:` and a path; leave `grace` out of one"),
        );
    }
    current.filter(|_| complete).map(|current| (current, grace))
}

fn secret<'n>(
    entry: Field<'n>,
    versions: &mut HashMap<&'n str, Span>,
    out: &mut Findings,
) -> Option<(SecretReference, bool)> {
    let fields = entry.fields("a reference to a secret", SecretSpec::FIELDS, out)?;
    let grace = fields.get("grace").and_then(|field| field.boolean(out)).unwrap_or_default();
    let version_field = fields.require("version", out);
    let version = version_field.and_then(|field| Some((name(field, out)?, field.node.span)));
    if let Some((version, span)) = version
        && let Some(first) = versions.insert(version, span)
    {
        out.push(
            Finding::error("duplicate-version", format!("two secrets have the version `{version}`"))
                .at(span)
                .label("again here")
                .related(first, "first here")
                .help("give each its own: receivers choose the key by it"),
        );
        return None;
    }
    let place = match (fields.get("file"), fields.get("env")) {
        (Some(field), None) => SecretPlace::File(absolute_path(field, out)?),
        (None, Some(field)) => SecretPlace::Env(variable(field, out)?),
        (file, _) => {
            let problem = if file.is_some() { "a secret is in one place" } else { "the secret is nowhere" };
            out.push(
                Finding::error("bad-secret", problem)
                    .at(fields.node().head())
                    .help("write either `file:` and an absolute path, or `env:` and the name of a variable"),
            );
            return None;
        }
    };
    let (version, span) = version?;
    Some((SecretReference { version: version.into(), place, span }, grace))
}

fn absolute_path(field: Field<'_>, out: &mut Findings) -> Option<Text> {
    let path = short_text(field, out)?;
    if path.starts_with('/') {
        return Some(path.into());
    }
    out.push(
        Finding::error("relative-path", format!("`{path}` is not an absolute path"))
            .at(field.node.span)
            .help("documents are read from elsewhere than where the server runs: start with `/`"),
    );
    None
}

fn variable(field: Field<'_>, out: &mut Findings) -> Option<Text> {
    let text = field.string(out)?;
    let is_name =
        |(at, byte): (usize, u8)| byte.is_ascii_alphabetic() || byte == b'_' || (at > 0 && byte.is_ascii_digit());
    if !text.is_empty() && text.len() <= 256 && text.bytes().enumerate().all(is_name) {
        return Some(text.into());
    }
    // Not quoted: where a name is expected, a secret itself is the likeliest mistake.
    out.push(
        Finding::error("bad-variable", "this is not the name of an environment variable")
            .at(field.node.span)
            .help("write the name of the variable that holds the secret, never the secret itself"),
    );
    None
}

/// Reports a pattern that no type of event matches.
fn unknown_event(pattern: &Pattern, field: Field<'_>, out: &mut Findings) {
    let text = pattern.as_str();
    if WebhookEvent::ALL.iter().any(|event| pattern.matches(event.event_type())) {
        return;
    }
    let entry = match &field.node.kind {
        Kind::List(entries) => entries.iter().find(|entry| entry.is_string(text)),
        _ => None,
    };
    let finding = Finding::warning("unknown-event", format!("no event of approvals has a type like `{text}`"))
        .at(entry.map_or(field.node.span, |entry| entry.span));
    let by_body = WebhookEvent::ALL.iter().find(|event| event.body_name() == text);
    let types = || WebhookEvent::ALL.iter().map(|event| event.event_type());
    out.push(match (by_body, did_you_mean(text, types())) {
        (Some(event), _) => finding.help(format!("its type is `{}`", event.event_type())),
        (None, Some(known)) => finding.help(format!("did you mean `{known}`?")),
        (None, None) => finding.help("for example `ir.approval_*`"),
    });
}
