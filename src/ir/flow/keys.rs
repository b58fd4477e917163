//! Keys of maps that say something: whom to pay, in `payees: {"DE89 …": 50}`, is said by the key.

use std::borrow::Cow;

use serde_json::Value as Json;
use smallvec::SmallVec;

use crate::policy::{CatalogAction, LabelledPath};

use super::pointer;

/// Most parts of a schema that are looked at for one key.
const MAX_SCHEMA_PARTS: usize = 256;

/// Whether the keys of the map at `path`, a JSON Pointer into the params, are judged like texts: it lies under a sink.
pub(super) fn are_judged(action: Option<&CatalogAction>, path: &str) -> bool {
    let sinks = || action.into_iter().flat_map(sinks);
    // Most maps are the params themselves, and no sink is all of them.
    let may_be = |depth: usize| sinks().any(|sink| sink.path.segments.len() <= depth);
    may_be(path.matches('/').count())
        && pointer::tokens(path).is_some_and(|path| sinks().any(|sink| pointer::covers(&sink.path, &path)))
}

fn sinks(action: &CatalogAction) -> impl Iterator<Item = &LabelledPath> {
    action.parameters.iter().filter(|sink| !sink.labels.is_empty())
}

/// Whether the schema of the action, or a path of its catalogue entry, names `key` of the map at `path`: it is then no more
/// than the name of a property. Where several catalogues list the action, each that has a sink there must name it: a lower
/// layer lifts nothing.
pub(super) fn is_named(action: Option<&CatalogAction>, path: &str, key: &str) -> bool {
    let (Some(action), Some(path)) = (action, pointer::tokens(path)) else { return false };
    let covers = |each: &&CatalogAction| sinks(each).any(|sink| pointer::covers(&sink.path, &path));
    match action.each.as_slice() {
        [] => names(action, path, key),
        each => each.iter().filter(covers).all(|each| names(each, path.clone(), key)),
    }
}

/// The same of one catalogue's entry.
fn names<'k>(action: &CatalogAction, mut path: SmallVec<[Cow<'k, str>; 4]>, key: &'k str) -> bool {
    let names = |pattern: &crate::policy::PathPattern| {
        pointer::touches(pattern, &path)
            && pattern.segments.get(path.len()).is_some_and(|segment| segment.as_deref() == Some(key))
    };
    if action.parameters.iter().any(|sink| names(&sink.path)) {
        return true;
    }
    path.push(Cow::Borrowed(key));
    action.params_schema.as_deref().is_some_and(|schema| says(schema, schema, &path, &mut { MAX_SCHEMA_PARTS }))
}

/// Whether a schema has a property at `path`.
fn says(root: &Json, schema: &Json, path: &[Cow<'_, str>], left: &mut usize) -> bool {
    let Some(rest) = left.checked_sub(1) else { return false };
    *left = rest;
    let target = schema.get("$ref").and_then(Json::as_str).and_then(|target| target.strip_prefix('#'));
    if target.and_then(|pointer| root.pointer(pointer)).is_some_and(|schema| says(root, schema, path, left)) {
        return true;
    }
    for word in ["allOf", "anyOf", "oneOf"] {
        let members = schema.get(word).and_then(Json::as_array);
        if members.is_some_and(|members| members.iter().any(|schema| says(root, schema, path, left))) {
            return true;
        }
    }
    let Some((token, below)) = path.split_first() else { return false };
    let property = schema.get("properties").and_then(|properties| properties.get(token.as_ref()));
    if below.is_empty() {
        return property.is_some();
    }
    let item = || {
        let index: usize = token.parse().ok()?;
        schema.get("prefixItems").and_then(|items| items.get(index)).or_else(|| schema.get("items"))
    };
    let next = property.or_else(item).or_else(|| schema.get("additionalProperties"));
    next.is_some_and(|schema| says(root, schema, below, left))
}
