//! `google.protobuf.Struct` straight into the domain's attributes.

use super::Malformed;
use super::reader::{Merged, Raw, Reader};
use super::violation::{Fault, Path, Violations};
use crate::model::{Attributes, Limits, Text, Value};

/// Most entries for which space is set aside before they are read.
const MAX_RESERVED: usize = 1_024;

/// Reads a `Struct` that stands `depth` levels deep (the outermost is 1).
pub fn attributes(
    message: &[u8],
    depth: usize,
    at: &Path<'_>,
    limits: &Limits,
    violations: &mut Violations,
) -> Result<Attributes, Malformed> {
    if is_too_deep(depth, at, limits, violations) {
        return Ok(Attributes::default());
    }
    let mut reader = Reader::new(message);
    let mut entries: Vec<(Text, Value)> = Vec::with_capacity(reader.count(1, MAX_RESERVED));
    while let Some((number, raw)) = reader.next()? {
        if number == 1 {
            entries.push(entry(raw.message()?, depth, at, limits, violations)?);
        }
    }
    Attributes::from_entries(entries).or_else(|key| {
        violations.add(&at.key(&key), Fault::DuplicateKey, "the key occurs twice in its map");
        Ok(Attributes::default())
    })
}

fn entry(
    message: &[u8],
    depth: usize,
    at: &Path<'_>,
    limits: &Limits,
    violations: &mut Violations,
) -> Result<(Text, Value), Malformed> {
    let mut reader = Reader::new(message);
    let mut key = "";
    let mut content = Merged::default();
    while let Some((number, raw)) = reader.next()? {
        match number {
            1 => key = raw.string()?,
            2 => content.add(raw.message()?)?,
            _ => {}
        }
    }
    let value = value(content.get().unwrap_or_default(), depth, &at.key(key), limits, violations)?;
    Ok((Text::from(key), value))
}

/// What a `Value` holds, before lists and maps are read: a later kind replaces an earlier one, and occurrences of the
/// same message kind in a row are merged.
enum Kind<'a> {
    Unset,
    Null,
    Number(f64),
    String(&'a str),
    Bool(bool),
    Map(Merged<'a>),
    List(Merged<'a>),
}

/// Reads a `Value` that stands in a list or map `depth` levels deep, or in none (0).
pub fn value(
    message: &[u8],
    depth: usize,
    at: &Path<'_>,
    limits: &Limits,
    violations: &mut Violations,
) -> Result<Value, Malformed> {
    let mut reader = Reader::new(message);
    let mut kind = Kind::Unset;
    while let Some((number, raw)) = reader.next()? {
        let next = match (number, &mut kind) {
            (1, _) => {
                raw.varint()?;
                Kind::Null
            }
            (2, _) => Kind::Number(raw.double()?),
            (3, _) => Kind::String(raw.string()?),
            (4, _) => Kind::Bool(raw.boolean()?),
            (5, Kind::Map(parts)) | (6, Kind::List(parts)) => {
                parts.add(raw.message()?)?;
                continue;
            }
            (5, _) => Kind::Map(once(raw)?),
            (6, _) => Kind::List(once(raw)?),
            _ => continue,
        };
        check_replaced(&kind, depth, at, limits)?;
        kind = next;
    }
    Ok(match kind {
        Kind::Unset => {
            violations.add(at, Fault::UnsetValue, "the value has no kind; send null_value for null");
            Value::Null
        }
        Kind::Null => Value::Null,
        Kind::Number(number) if number.is_finite() => Value::Number(number),
        Kind::Number(number) => {
            violations.add(
                at,
                Fault::NotFinite,
                format_args!(
                    "{number} is no finite number and has no canonical form; leave it out, or send it as a string"
                ),
            );
            Value::Null
        }
        Kind::String(text) => Value::String(Text::from(text)),
        Kind::Bool(truth) => Value::Bool(truth),
        Kind::Map(parts) => Value::Map(attributes(parts.get().unwrap_or_default(), depth + 1, at, limits, violations)?),
        Kind::List(parts) => list(parts.get().unwrap_or_default(), depth + 1, at, limits, violations)?,
    })
}

fn once(raw: Raw<'_>) -> Result<Merged<'_>, Malformed> {
    Ok(Merged::Once(raw.message()?))
}

/// A list or map that a later kind replaces counts for nothing, but must be well-formed like everything else.
fn check_replaced(kind: &Kind<'_>, depth: usize, at: &Path<'_>, limits: &Limits) -> Result<(), Malformed> {
    match kind {
        Kind::Map(parts) => {
            attributes(parts.get().unwrap_or_default(), depth + 1, at, limits, &mut Violations::default()).map(drop)
        }
        Kind::List(parts) => {
            list(parts.get().unwrap_or_default(), depth + 1, at, limits, &mut Violations::default()).map(drop)
        }
        _ => Ok(()),
    }
}

fn list(
    message: &[u8],
    depth: usize,
    at: &Path<'_>,
    limits: &Limits,
    violations: &mut Violations,
) -> Result<Value, Malformed> {
    if is_too_deep(depth, at, limits, violations) {
        return Ok(Value::Null);
    }
    let mut reader = Reader::new(message);
    let mut items: Vec<Value> = Vec::with_capacity(reader.count(1, MAX_RESERVED));
    while let Some((number, raw)) = reader.next()? {
        if number == 1 {
            let index = items.len();
            items.push(value(raw.message()?, depth, &at.index(index), limits, violations)?);
        }
    }
    Ok(Value::List(items.into_boxed_slice()))
}

fn is_too_deep(depth: usize, at: &Path<'_>, limits: &Limits, violations: &mut Violations) -> bool {
    let too_deep = depth > limits.attribute_depth;
    if too_deep {
        let limit = limits.attribute_depth;
        violations.add(at, Fault::TooDeep, format_args!("attributes may be nested at most {limit} levels deep"));
    }
    too_deep
}
