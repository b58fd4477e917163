//! Masking: values that must not leave the process are replaced by a keyed hash before the record is serialised.
//!
//! The same value of the same tenant gives the same hash, so that records can still be correlated; without the key
//! nothing can be tried out against it.

mod plan;

use std::fs;
use std::path::Path;

use super::chain::{self, ChainKey};
use super::clock::Surroundings;
use super::error::EventError;
use super::{files, json};
use crate::model::{Attributes, Text, Value};

use super::record::DecisionRecord;

/// The attribute maps that a path can start from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Root {
    Context,
    Subject,
    Resource,
    Action,
    /// The steps of a plan.
    Step,
}

const ROOTS: [(&str, Root); 5] = [
    ("step.", Root::Step),
    ("context.", Root::Context),
    ("subject.properties.", Root::Subject),
    ("resource.properties.", Root::Resource),
    ("action.properties.", Root::Action),
];

/// What stands in an error text that quotes a masked value.
const WITHHELD: &str = "the text is withheld because it quotes a masked value";

/// Replaces the values of named attributes.
#[derive(Debug)]
pub(super) struct Masker {
    /// Where it starts and the rest of the path, empty for all below the root.
    paths: Vec<(Root, String)>,
    key: Option<ChainKey>,
}

impl Masker {
    /// A masker for `paths`. Without a key nothing is masked, so that one is only left out where there are no paths.
    pub(super) fn new(paths: &[String], key: Option<ChainKey>) -> Result<Self, EventError> {
        let paths = paths.iter().map(|path| parse(path)).collect::<Result<_, _>>()?;
        Ok(Self { paths, key })
    }

    /// Whether anything is masked.
    pub(super) fn masks(&self) -> bool {
        self.key.is_some()
    }

    /// Masks the record in place, and texts of errors that quote what was masked.
    pub(super) fn mask(&self, record: &mut DecisionRecord) {
        let Some(key) = &self.key else { return };
        let tenant = Text::from(record.request.tenant());
        let mut clear = Vec::new();
        for (root, path) in &self.paths {
            let map = match root {
                Root::Context => &mut record.request.context,
                Root::Subject => &mut record.request.subject.properties,
                Root::Resource => &mut record.request.resource.properties,
                Root::Action => &mut record.request.action.properties,
                // A decision is about no step.
                Root::Step => continue,
            };
            if path.is_empty() {
                if map.iter().next().is_some() {
                    let whole = Value::Map(std::mem::take(map));
                    if let Value::Map(masked) = masked(key, &tenant, &whole) {
                        *map = masked;
                    }
                    clear.push(whole);
                }
                continue;
            }
            mask_in(map, path, &mut |value| {
                let masked = masked(key, &tenant, value);
                clear.push(std::mem::replace(value, masked));
            });
        }
        for (_, error) in &mut record.decision.errors {
            if clear.iter().any(|value| quotes(error, value)) {
                *error = Text::const_new(WITHHELD);
            }
        }
    }
}

fn parse(path: &str) -> Result<(Root, String), EventError> {
    // The attributes of one kind as a whole: the root without its dot.
    let whole = ROOTS.iter().find(|(prefix, _)| prefix.strip_suffix('.') == Some(path));
    if let Some((_, root)) = whole {
        return Ok((*root, String::new()));
    }
    let found = ROOTS.iter().find_map(|(prefix, root)| Some((*root, path.strip_prefix(prefix)?.to_owned())));
    let valid =
        |(_, rest): &(Root, String)| rest.split('.').all(|segment| !segment.is_empty() && !segment.contains('*'));
    found.filter(valid).ok_or_else(|| EventError::MaskPath { path: path.to_owned() })
}

/// Masks what `path` leads to. A key may hold dots itself, so that every way to divide the path is tried; lists are
/// passed through.
fn mask_in(map: &mut Attributes, path: &str, mask: &mut impl FnMut(&mut Value)) {
    if let Some(value) = map.get_mut(path) {
        mask(value);
    }
    for (dot, _) in path.match_indices('.') {
        if let (Some(key), Some(rest)) = (path.get(..dot), path.get(dot.saturating_add(1)..))
            && let Some(value) = map.get_mut(key)
        {
            mask_below(value, rest, mask);
        }
    }
}

fn mask_below(value: &mut Value, path: &str, mask: &mut impl FnMut(&mut Value)) {
    match value {
        Value::Map(map) => mask_in(map, path, mask),
        Value::List(items) => items.iter_mut().for_each(|item| mask_below(item, path, mask)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn masked(key: &ChainKey, tenant: &str, value: &Value) -> Value {
    let mut text = Vec::new();
    json::value(&mut text, value);
    let hash = key.mac(&[tenant.as_bytes(), &[0], &text]);
    let hash = Value::String(format!("hmac-sha256:{}", chain::hex(&hash)).into());
    // One entry cannot repeat a key.
    Attributes::from_entries(vec![(Text::const_new("masked"), hash)]).map_or(Value::Null, Value::Map)
}

/// Whether `text` holds a string or number of `value`.
fn quotes(text: &str, value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) => false,
        Value::Number(number) => text.contains(&number.to_string()),
        Value::String(string) => !string.is_empty() && text.contains(string.as_str()),
        Value::List(items) => items.iter().any(|item| quotes(text, item)),
        Value::Map(map) => map.iter().any(|(_, item)| quotes(text, item)),
    }
}

/// The masking key of a state directory, made at first use.
pub(super) fn key_of(state_dir: &Path, surroundings: &dyn Surroundings) -> Result<ChainKey, EventError> {
    let directory = state_dir.join("keys");
    let path = directory.join("mask.key");
    if let Some(text) = files::read(&path)? {
        return ChainKey::from_text(&text);
    }
    if !fs::exists(&directory).unwrap_or(false) {
        files::create_private_directory(&directory)?;
    }
    let mut secret = [0; 32];
    surroundings.random(&mut secret)?;
    files::replace(&path, format!("{}\n", chain::hex(&secret)).as_bytes())?;
    ChainKey::new(&secret)
}
