//! How many things a step changes at once.

use serde_json::Value as Json;

use crate::model::{Attributes, Step, Text, TierKind, TierReason, Value};
use crate::policy::{CatalogAction, PathPattern};
use crate::snapshot::{GovernedAction, GovernedBulk};

use super::Subject;
use super::params::bound;

/// Most parts of a schema that are looked at for one list.
const MAX_SCHEMA_PARTS: usize = 256;

/// The tier by the lists of the step, and its reason.
pub(super) fn tier(
    subject: &Subject<'_>,
    step: &Step,
    action: Option<&GovernedAction>,
    reasons: &mut Vec<TierReason>,
) -> u8 {
    let Some(size) = action.and_then(|action| Size::of(step, action.entry())) else { return 0 };
    let judged = subject.governance.bulk().iter().filter_map(|rule| size.judge(rule));
    let Some(reason) = judged.reduce(|a, b| if b.tier > a.tier { b } else { a }).filter(|reason| reason.tier > 0)
    else {
        return 0;
    };
    let tier = reason.tier;
    reasons.push(reason);
    tier
}

/// How many entries the counted lists of a step have.
struct Size<'a> {
    /// That are there.
    known: u64,
    /// That there may be once the plan runs; `None` for any number.
    most: Option<u64>,
    /// Where the list is that has so many, or the lists.
    at: Vec<&'a str>,
    /// A path that is bound to another step's output and leads to such a list.
    open: Option<&'a str>,
}

impl<'a> Size<'a> {
    /// `None` for an action of which nothing is counted.
    fn of(step: &'a Step, action: &'a CatalogAction) -> Option<Self> {
        let bound: Vec<Bound<'_>> =
            if step.inputs.is_empty() { Vec::new() } else { bound(step).into_iter().map(Bound::of).collect() };
        let sizes = action.count_paths.iter().map(|path| Self::at(step, path, &bound, action.params_schema.as_deref()));
        if action.count_together { sizes.reduce(Self::together) } else { sizes.reduce(Self::longest) }
    }

    /// The longest list at one path.
    fn at(step: &Step, path: &'a PathPattern, bound: &[Bound<'a>], schema: Option<&Json>) -> Self {
        let mut known = count(&step.params, &path.segments) as u64;
        let (mut most, mut open) = (Some(0), None);
        for bound in bound.iter().filter(|bound| bound.touches(path)) {
            if let Some(below) = bound.tokens.get(path.segments.len()) {
                // One entry, which need not be there yet.
                known = known.max(below.parse::<u64>().map_or(0, |index| index.saturating_add(1)));
                continue;
            }
            let bounded =
                schema.and_then(|schema| most_entries(schema, schema, &bound.to(path), &mut { MAX_SCHEMA_PARTS }));
            if bounded != Some(0) {
                open = Some(bound.pointer);
            }
            most = most.zip(bounded).map(|(a, b)| a.max(b));
        }
        Self { known, most: most.map(|most| most.max(known)), at: vec![&path.text], open }
    }

    fn longest(self, other: Self) -> Self {
        let at = if other.known > self.known { other.at } else { self.at };
        let most = self.most.zip(other.most).map(|(a, b)| a.max(b));
        Self { known: self.known.max(other.known), most, at, open: self.open.or(other.open) }
    }

    fn together(mut self, other: Self) -> Self {
        self.at.extend(other.at);
        let most = self.most.zip(other.most).map(|(a, b)| a.saturating_add(b));
        Self { known: self.known.saturating_add(other.known), most, open: self.open.or(other.open), ..self }
    }

    fn judge(&self, rule: &GovernedBulk) -> Option<TierReason> {
        let (known, above) = (self.known, rule.above);
        let (tier, message) = if known > above {
            let lists = self.at.join("`, `");
            let which = if self.at.len() > 1 { "lists at" } else { "list at" };
            let have = if self.at.len() > 1 { "have together" } else { "has" };
            (rule.tier, format!("the {which} `{lists}` {have} {known} entries, more than {above}"))
        } else if let Some(open) = self.open.filter(|_| self.most.is_none_or(|most| most > above)) {
            let open = super::ids::shown(open);
            let message =
                format!("`{open}` is bound to another step's output, which may hold more than {above} entries");
            (rule.unknown_tier, message)
        } else {
            return None;
        };
        let (document, rule) = (rule.document.clone(), Text::const_new("bulk"));
        Some(TierReason { kind: TierKind::Impact, tier, document, rule, message: message.into() })
    }
}

/// A path that is bound to another step's output.
struct Bound<'a> {
    pointer: &'a str,
    tokens: Vec<String>,
}

impl<'a> Bound<'a> {
    fn of(pointer: &'a str) -> Self {
        let tokens = pointer.split('/').skip(1).map(|token| token.replace("~1", "/").replace("~0", "~")).collect();
        Self { pointer, tokens }
    }

    /// Whether it is at, above or below what the pattern matches.
    fn touches(&self, pattern: &PathPattern) -> bool {
        let mut pairs = pattern.segments.iter().zip(&self.tokens);
        pairs.all(|(segment, token)| segment.as_ref().is_none_or(|name| name.as_str() == token))
    }

    /// The way to the list: by its own tokens as far as they go, then by those of the pattern.
    fn to<'p>(&'p self, pattern: &'p PathPattern) -> Vec<Option<&'p str>> {
        let rest = pattern.segments.iter().skip(self.tokens.len()).map(Option::as_deref);
        self.tokens.iter().map(|token| Some(token.as_str())).chain(rest).collect()
    }
}

/// The most entries that a schema allows the list at `path`; 0 where no list may be there, `None` where it sets no limit.
fn most_entries(root: &Json, schema: &Json, path: &[Option<&str>], left: &mut usize) -> Option<u64> {
    *left = left.checked_sub(1)?;
    if schema.as_bool() == Some(false) || !leads_on(schema, path) {
        return Some(0);
    }
    let target = schema.get("$ref").and_then(Json::as_str).and_then(|target| target.strip_prefix('#'));
    let target = target.and_then(|pointer| root.pointer(pointer));
    let all = schema.get("allOf").and_then(Json::as_array).into_iter().flatten();
    let mut limits: Vec<u64> = all.chain(target).filter_map(|schema| most_entries(root, schema, path, left)).collect();
    for word in ["anyOf", "oneOf"] {
        let members = schema.get(word).and_then(Json::as_array).into_iter().flatten();
        let each: Option<Vec<u64>> = members.map(|schema| most_entries(root, schema, path, left)).collect();
        limits.extend(each.and_then(|each| each.into_iter().max()));
    }
    match path.split_first() {
        None => limits.extend(schema.get("maxItems").and_then(Json::as_u64)),
        Some((Some(token), below)) => {
            limits.extend(member(schema, token).and_then(|schema| most_entries(root, schema, below, left)));
        }
        // Any member: what is said of each would have to be looked at.
        Some((None, _)) => {}
    }
    limits.into_iter().min()
}

/// Whether the type that a schema gives can be a list at `path`, or lead to it.
fn leads_on(schema: &Json, path: &[Option<&str>]) -> bool {
    let named = |name: &str| match schema.get("type") {
        Some(Json::String(only)) => only == name,
        Some(Json::Array(any)) => any.iter().any(|one| one.as_str() == Some(name)),
        _ => true,
    };
    named("array") || (!path.is_empty() && named("object"))
}

/// What a schema says of the member or entry called `token`.
fn member<'s>(schema: &'s Json, token: &str) -> Option<&'s Json> {
    let entry = || {
        let index: usize = token.parse().ok()?;
        schema.get("prefixItems").and_then(|items| items.get(index)).or_else(|| schema.get("items"))
    };
    let other = || schema.get("additionalProperties").filter(|_| schema.get("patternProperties").is_none());
    schema.get("properties").and_then(|properties| properties.get(token)).or_else(entry).or_else(other)
}

/// The length of the longest list that the segments lead to from a map.
fn count(params: &Attributes, segments: &[Option<Text>]) -> usize {
    let Some((first, rest)) = segments.split_first() else { return 0 };
    match first {
        Some(key) => params.get(key).map_or(0, |value| count_value(value, rest)),
        None => params.iter().map(|(_, value)| count_value(value, rest)).max().unwrap_or(0),
    }
}

fn count_value(value: &Value, segments: &[Option<Text>]) -> usize {
    let Some((first, rest)) = segments.split_first() else {
        return if let Value::List(items) = value { items.len() } else { 0 };
    };
    match (value, first) {
        (Value::Map(map), _) => count(map, segments),
        (Value::List(items), None) => items.iter().map(|item| count_value(item, rest)).max().unwrap_or(0),
        (Value::List(items), Some(key)) => {
            let item = key.parse::<usize>().ok().and_then(|index| items.get(index));
            item.map_or(0, |item| count_value(item, rest))
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemas_say_how_many_there_may_be() {
        let schema = serde_json::json!({
            "type": "object",
            "additionalProperties": false,
            "$defs": {"few": {"maxItems": 5}, "loop": {"$ref": "#/$defs/loop"}},
            "properties": {
                "name": {"type": "string"},
                "to": {"type": "array", "maxItems": 20},
                "any": {"type": "array"},
                "few": {"$ref": "#/$defs/few"},
                "least": {"maxItems": 9, "allOf": [{"$ref": "#/$defs/few"}]},
                "either": {"anyOf": [{"type": "null"}, {"maxItems": 7}]},
                "open": {"anyOf": [{"maxItems": 7}, {"type": "array"}]},
                "loop": {"$ref": "#/$defs/loop"},
                "rows": {"type": "array", "items": {"type": "array", "maxItems": 3}},
            },
        });
        for (path, most) in [
            ("/name", Some(0)),
            ("/to", Some(20)),
            ("/any", None),
            ("/few", Some(5)),
            ("/least", Some(5)),
            ("/either", Some(7)),
            ("/open", None),
            ("/loop", None),
            ("/rows/4", Some(3)),
            ("/rows", None),
            ("/name/x", Some(0)),
            ("/nothing", Some(0)),
        ] {
            let path: Vec<Option<&str>> = path.split('/').skip(1).map(Some).collect();
            assert_eq!(most_entries(&schema, &schema, &path, &mut { MAX_SCHEMA_PARTS }), most, "{path:?}");
        }
        assert_eq!(most_entries(&schema, &schema, &[None], &mut { MAX_SCHEMA_PARTS }), None);
    }
}
