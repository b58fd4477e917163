//! The section `receipts`.

use std::path::Path;
use std::time::Duration;

use super::Receipts;
use super::fields::{duration, secret};
use crate::diag::{Finding, Findings};
use crate::model::has_forbidden_character;
use crate::yaml::{Field, Fields};

/// Longest issuer and audience, in bytes.
const MAX_NAME: usize = 256;

/// Reads the section.
pub(super) fn receipts<'n>(
    fields: &Fields<'n>,
    base_of: &dyn Fn(&Field<'n>) -> &'n Path,
    out: &mut Findings,
) -> Receipts {
    let default = Receipts::default();
    let second = Duration::from_secs(1);
    let previous = fields.get("previousKeys");
    if let Some(field) = &previous
        && fields.get("key").is_none()
    {
        out.push(
            Finding::error("bad-value", "`previousKeys` are those before a configured `key`, and there is none")
                .at(field.key_span)
                .help("write `key: {file: PATH}` beside it; keys that lictor makes itself succeed each other by themselves"),
        );
    }
    let previous = previous.and_then(|field| field.list("keys", out)).unwrap_or_default();
    Receipts {
        issuer: fields.get("issuer").and_then(|field| name(field, out)),
        audience: fields.get("audience").and_then(|field| name(field, out)).unwrap_or(default.audience),
        ttl: duration(fields, "ttlSeconds", second, 10..=86_400, out).unwrap_or(default.ttl),
        grace: duration(fields, "graceSeconds", second, 60..=31_536_000, out).unwrap_or(default.grace),
        key: fields.get("key").and_then(|field| secret(field, base_of(&field), out)),
        previous_keys: previous.into_iter().filter_map(|field| secret(field, base_of(&field), out)).collect(),
    }
}

fn name(field: Field<'_>, out: &mut Findings) -> Option<String> {
    let text = field.string(out)?;
    if text.is_empty() || text.len() > MAX_NAME || has_forbidden_character(text) {
        let finding = Finding::error("bad-value", format!("`{}` is empty, too long or not printable", field.name));
        out.push(
            finding.at(field.node.span).help(format!("write a name of at most {MAX_NAME} bytes, for example a URL")),
        );
        return None;
    }
    Some(text.to_owned())
}
