//! The section `store`.

use std::path::Path;
use std::time::Duration;

use super::Store;
use super::fields::{bytes, duration, number, secret};
use crate::diag::{Finding, Findings};
use crate::yaml::{Field, Fields};

/// Least size that the embedded database may be limited to.
const LEAST_BYTES: u64 = 1 << 20;

/// Reads the section.
pub(super) fn store<'n>(fields: &Fields<'n>, base_of: &dyn Fn(&Field<'n>) -> &'n Path, out: &mut Findings) -> Store {
    let default = Store::default();
    Store {
        url: fields.get("url").and_then(|field| url(field, out)).unwrap_or(default.url),
        password: fields.get("password").and_then(|field| secret(field, base_of(&field), out)),
        connections: number(fields, "connections", 1..=1_000, out).unwrap_or(default.connections),
        wait: duration(fields, "timeoutMillis", Duration::from_millis(1), 100..=60_000, out).unwrap_or(default.wait),
        max_bytes: bytes(fields, "maxBytes", LEAST_BYTES..=u64::MAX, out),
    }
}

fn url(field: Field<'_>, out: &mut Findings) -> Option<String> {
    let text = field.string(out)?;
    if !["sqlite:", "postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme)) {
        // What was written may hold a password, so that it is not repeated.
        let finding = Finding::error("bad-value", "this is not the URL of a store");
        let help = "write `sqlite:PATH`, relative to the state directory, or `postgres://USER@HOST/DATABASE`";
        out.push(finding.at(field.node.span).help(help));
        return None;
    }
    Some(text.to_owned())
}
