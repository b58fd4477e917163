//! Settings read as addresses, paths, durations and sizes.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::diag::{Finding, Findings};
use crate::yaml::{Field, Fields, Kind};

use super::Secret;
use super::spec::SecretSpec;

/// What a listener is set to that shall not be there.
const OFF: &str = "off";

/// An address, or `off`.
pub(super) fn address(field: Field<'_>, out: &mut Findings) -> Option<Option<SocketAddr>> {
    let text = field.string(out)?;
    if text == OFF {
        return Some(None);
    }
    let address = text.parse().ok();
    if address.is_none() {
        out.push(
            Finding::error("bad-address", format!("`{text}` is not an address to listen on"))
                .at(field.node.span)
                .help("write an IP address and a port, for example `127.0.0.1:50151`, or `off`"),
        );
    }
    address.map(Some)
}

/// A path. Relative ones are below `base`.
pub(super) fn path(field: Field<'_>, base: &Path, out: &mut Findings) -> Option<PathBuf> {
    let text = field.string(out)?;
    if text.is_empty() {
        out.push(Finding::error("bad-value", format!("`{}` must not be empty", field.name)).at(field.node.span));
        return None;
    }
    Some(base.join(text))
}

/// A path, or `off`.
pub(super) fn path_or_off(field: Field<'_>, out: &mut Findings) -> Option<Option<PathBuf>> {
    let path = path(field, Path::new(""), out)?;
    Some((path.as_os_str() != OFF).then_some(path))
}

/// A number within `range`.
pub(super) fn number<T: TryFrom<i64>>(
    fields: &Fields<'_>,
    name: &'static str,
    range: RangeInclusive<i64>,
    out: &mut Findings,
) -> Option<T> {
    fields.get(name)?.integer(range, out).and_then(|value| T::try_from(value).ok())
}

/// A time in units of `unit`.
pub(super) fn duration(
    fields: &Fields<'_>,
    name: &'static str,
    unit: Duration,
    range: RangeInclusive<i64>,
    out: &mut Findings,
) -> Option<Duration> {
    number::<u32>(fields, name, range, out).and_then(|count| unit.checked_mul(count))
}

/// A number of bytes within `range`, with or without a unit.
pub(super) fn bytes(
    fields: &Fields<'_>,
    name: &'static str,
    range: RangeInclusive<u64>,
    out: &mut Findings,
) -> Option<u64> {
    let field = fields.get(name)?;
    let value = match &field.node.kind {
        Kind::String(text, _) => with_unit(text),
        _ => u64::try_from(field.integer(0..=i64::MAX, out)?).ok(),
    };
    if value.is_none_or(|value| !range.contains(&value)) {
        let (low, high) = (shown(*range.start()), shown(*range.end()));
        out.push(
            Finding::error("out-of-range", format!("`{name}` must be a number of bytes from {low} to {high}"))
                .at(field.node.span)
                .help("write bytes as a whole number, or with a unit: `16MiB`"),
        );
        return None;
    }
    value
}

fn with_unit(text: &str) -> Option<u64> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at_checked(digits)?;
    let shift = match unit.trim() {
        "" | "B" => 0,
        "KiB" => 10,
        "MiB" => 20,
        "GiB" => 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(1 << shift)
}

fn shown(bytes: u64) -> String {
    for (shift, unit) in [(30, "GiB"), (20, "MiB"), (10, "KiB")] {
        if bytes >= 1 << shift && bytes.is_multiple_of(1 << shift) {
            return format!("{}{unit}", bytes >> shift);
        }
    }
    bytes.to_string()
}

/// Where a secret is found.
pub(super) fn secret(field: Field<'_>, base: &Path, out: &mut Findings) -> Option<Secret> {
    let help = format!("write `{}: {{file: /path}}` or `{}: {{env: NAME}}`", field.name, field.name);
    if let Kind::String(..) = field.node.kind {
        out.push(
            Finding::error("secret-in-file", "a secret must not stand in the configuration")
                .at(field.key_span)
                .help(help),
        );
        return None;
    }
    let fields = field.fields("a secret", SecretSpec::FIELDS, out)?;
    match (fields.get("file"), fields.get("env")) {
        (Some(file), None) => path(file, base, out).map(Secret::File),
        (None, Some(env)) => env.string(out).map(|name| Secret::Env(name.to_owned())),
        _ => {
            out.push(
                Finding::error("bad-value", "a secret is found either in a file or in an environment variable")
                    .at(field.node.head())
                    .help(help),
            );
            None
        }
    }
}

/// Permissions in octal digits.
pub(super) fn mode(field: Field<'_>, out: &mut Findings) -> Option<u32> {
    let text = field.string(out)?;
    let mode = u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o777 && (3..=4).contains(&text.len()));
    if mode.is_none() {
        out.push(
            Finding::error("bad-value", format!("`{text}` are not permissions"))
                .at(field.node.span)
                .help("write three octal digits, for example `\"0660\"`"),
        );
    }
    mode
}
