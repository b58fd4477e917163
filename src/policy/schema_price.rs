//! What checking parameters against a JSON Schema may cost, known before it is done.
//!
//! Who writes a schema and who sends parameters need not mean well: catalogues are imported from servers of others. Each
//! part of a schema is applied to the parameters as a whole or to one thing in them (once), to every entry of some list,
//! or to every member of some map, so that a sum of products bounds the work.

use hashbrown::HashMap;
use serde_json::Value as Json;

use super::params_schema::{BadSchema, BadSchemaKind, REFERENCES};
use crate::condition::{PatternCost, pattern_cost};
use crate::model::{Attributes, Value};

/// Most different patterns of a schema: each may keep an automaton in memory.
const MAX_PATTERNS: usize = 64;

/// Most memory of all of them once compiled, in bytes, about.
const MAX_PATTERNS_BYTES: usize = 32 * 1024 * 1024;

/// Keywords whose schemas apply to the same value as the schema that they stand in, in a list or alone.
const IN_PLACE: [&str; 7] = ["allOf", "anyOf", "oneOf", "not", "if", "then", "else"];

/// Keywords whose schemas apply to the entries of a list.
const OF_ENTRIES: [&str; 4] = ["items", "additionalItems", "contains", "unevaluatedItems"];

/// Keywords whose schemas apply to the members of a map, or to their keys.
const OF_MEMBERS: [&str; 3] = ["additionalProperties", "unevaluatedProperties", "propertyNames"];

/// Keywords that ask of the value what the parts below have evaluated, for which those are applied again.
const UNEVALUATED: [&str; 2] = ["unevaluatedItems", "unevaluatedProperties"];

/// What a schema costs, in units of about 20 ns: that of one comparison.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SchemaPrice {
    /// Parts that are applied once.
    once: u64,
    /// Parts that are applied to each entry of a list.
    entry: u64,
    /// Parts that are applied to each member of a map.
    member: u64,
    /// What four bytes of text cost: patterns, and lengths in characters.
    text: u64,
}

/// How much there is to check.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ParamsSize {
    entries: u64,
    members: u64,
    /// Bytes of all texts, keys too.
    bytes: u64,
}

impl ParamsSize {
    /// That of the parameters of most calls, or more, without their texts.
    pub(super) const USUAL: Self = Self { entries: 16, members: 16, bytes: 0 };

    /// The size of `params`.
    #[must_use]
    pub fn of(params: &Attributes) -> Self {
        let mut size = Self::default();
        size.add_map(params);
        size
    }

    /// How many values there are, with the map itself.
    #[must_use]
    pub fn values(self) -> u64 {
        self.entries.saturating_add(self.members).saturating_add(1)
    }

    fn add_map(&mut self, map: &Attributes) {
        self.members += map.len() as u64;
        for (key, value) in map {
            self.bytes += key.len() as u64;
            self.add(value);
        }
    }

    fn add(&mut self, value: &Value) {
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
            Value::String(text) => self.bytes += text.len() as u64,
            Value::List(items) => {
                self.entries += items.len() as u64;
                items.iter().for_each(|item| self.add(item));
            }
            Value::Map(map) => self.add_map(map),
        }
    }
}

impl SchemaPrice {
    /// The price of `schema`, whose references end ([`ParamsSchema::compile`](super::ParamsSchema::compile) has followed
    /// them).
    pub(super) fn of(schema: &Json) -> Result<Self, BadSchema> {
        let mut pricing = Pricing { root: schema, price: Self::default(), patterns: HashMap::new(), bytes: 0 };
        pricing.schema(schema, Place { reach: Reach::Once, times: 1, asked: false })?;
        Ok(pricing.price)
    }

    /// The most that checking parameters of `size` costs.
    #[must_use]
    pub fn cost(&self, size: ParamsSize) -> u64 {
        let product = |price: u64, count: u64| price.saturating_mul(count);
        self.once
            .saturating_add(product(self.entry, size.entries))
            .saturating_add(product(self.member, size.members))
            .saturating_add(product(self.text, size.bytes.div_ceil(4)))
    }

    /// How many parts there are, however often they apply.
    #[must_use]
    pub fn parts(&self) -> u64 {
        self.once.saturating_add(self.entry).saturating_add(self.member)
    }
}

/// What a part of a schema is applied to.
#[derive(Debug, Clone, Copy)]
enum Reach {
    Once,
    Entries,
    Members,
}

/// Where a part of a schema stands.
#[derive(Debug, Clone, Copy)]
struct Place {
    reach: Reach,
    /// How often it is applied there.
    times: u64,
    /// Whether a schema around it, for the same value, asks what was evaluated.
    asked: bool,
}

impl Place {
    /// Of a schema for the same value. Whoever asks what it evaluates applies it again, and so do those around.
    fn in_place(self) -> Self {
        Self { times: self.times.saturating_mul(if self.asked { 2 } else { 1 }), ..self }
    }

    fn of(self, reach: Reach) -> Self {
        Self { reach, asked: false, ..self }
    }
}

struct Pricing<'a> {
    root: &'a Json,
    price: SchemaPrice,
    /// The prices of the patterns that were met.
    patterns: HashMap<&'a str, u64>,
    /// The memory that they take.
    bytes: usize,
}

impl<'a> Pricing<'a> {
    fn add(&mut self, place: Place, parts: u64) {
        let price = match place.reach {
            Reach::Once => &mut self.price.once,
            Reach::Entries => &mut self.price.entry,
            Reach::Members => &mut self.price.member,
        };
        *price = price.saturating_add(parts.saturating_mul(place.times));
    }

    fn add_text(&mut self, place: Place, price: u64) {
        self.price.text = self.price.text.saturating_add(price.saturating_mul(place.times));
    }

    fn schema(&mut self, schema: &'a Json, mut place: Place) -> Result<(), BadSchema> {
        self.add(place, 1);
        let Json::Object(keywords) = schema else { return Ok(()) };
        if UNEVALUATED.iter().any(|keyword| keywords.contains_key(*keyword)) {
            place = Place { times: place.times.saturating_mul(3), asked: true, ..place };
        }
        keywords.iter().try_for_each(|(keyword, value)| self.keyword(keyword, value, place))
    }

    fn keyword(&mut self, keyword: &str, value: &'a Json, place: Place) -> Result<(), BadSchema> {
        self.add(place, 1);
        let (entries, members) = (place.of(Reach::Entries), place.of(Reach::Members));
        match (keyword, value) {
            (keyword, Json::String(target)) if REFERENCES.contains(&keyword) => {
                let found = target.strip_prefix('#').and_then(|path| self.root.pointer(path));
                found.map_or(Ok(()), |found| self.schema(found, place.in_place()))
            }
            ("properties", Json::Object(schemas)) => self.schemas(schemas.values(), place.of(place.reach)),
            ("dependentSchemas" | "dependencies", Json::Object(schemas)) => {
                self.add(place, parts(value));
                self.schemas(schemas.values(), place.in_place())
            }
            ("patternProperties", Json::Object(schemas)) => {
                // Keys are matched once more where `additionalProperties` stands beside.
                let keys = Place { times: members.times.saturating_mul(2), ..members };
                schemas.iter().try_for_each(|(pattern, schema)| {
                    self.pattern(pattern, keys)?;
                    self.schema(schema, members)
                })
            }
            ("prefixItems" | "items", Json::Array(schemas)) => self.schemas(schemas.iter(), place.of(place.reach)),
            (keyword, Json::Array(schemas)) if IN_PLACE.contains(&keyword) => {
                self.schemas(schemas.iter(), place.in_place())
            }
            (keyword, schema) if IN_PLACE.contains(&keyword) => self.schema(schema, place.in_place()),
            (keyword, schema) if OF_ENTRIES.contains(&keyword) => self.schema(schema, entries),
            (keyword, schema) if OF_MEMBERS.contains(&keyword) => {
                // Each key is looked for among the names and patterns beside.
                self.add(members, 2);
                self.schema(schema, members)
            }
            ("pattern", Json::String(pattern)) => self.pattern(pattern, place),
            ("minLength" | "maxLength", _) => {
                self.add_text(place, 1);
                Ok(())
            }
            // Entries are hashed or compared, with all that is in them.
            ("uniqueItems", Json::Bool(true)) => {
                self.add(entries, 8);
                self.add(members, 8);
                self.add_text(place, 1);
                Ok(())
            }
            ("$defs" | "definitions" | "default" | "examples" | "title" | "description" | "$comment", _) => Ok(()),
            // Values that are compared with, names that must be there; and what is not known, as if all of it counted.
            (_, value) => {
                self.add(place, parts(value));
                Ok(())
            }
        }
    }

    fn schemas(&mut self, mut schemas: impl Iterator<Item = &'a Json>, place: Place) -> Result<(), BadSchema> {
        schemas.try_for_each(|schema| self.schema(schema, place))
    }

    fn pattern(&mut self, pattern: &'a str, place: Place) -> Result<(), BadSchema> {
        let price = match self.patterns.get(pattern) {
            Some(price) => *price,
            None if self.patterns.len() == MAX_PATTERNS => {
                return Err(problem(format!("the schema has more than {MAX_PATTERNS} different patterns")));
            }
            None => {
                let PatternCost { price, bytes } = pattern_cost(pattern);
                self.bytes = self.bytes.saturating_add(bytes);
                if self.bytes > MAX_PATTERNS_BYTES {
                    return Err(problem(
                        "the patterns of the schema are too big; shorten their repetitions".to_owned(),
                    ));
                }
                let price = u64::try_from(price).unwrap_or(u64::MAX);
                self.patterns.insert(pattern, price);
                price
            }
        };
        self.add_text(place, price);
        Ok(())
    }
}

fn problem(message: String) -> BadSchema {
    BadSchema { pointer: String::new(), message, kind: BadSchemaKind::Other }
}

/// How many values a value is made of.
fn parts(value: &Json) -> u64 {
    match value {
        Json::Array(items) => items.iter().fold(1, |sum: u64, item| sum.saturating_add(parts(item))),
        Json::Object(members) => members.values().fold(1, |sum: u64, member| sum.saturating_add(parts(member))),
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::*;

    fn price(schema: &Json) -> SchemaPrice {
        SchemaPrice::of(schema).expect("few patterns")
    }

    #[test]
    fn the_price_is_what_a_part_is_applied_to() {
        let once = price(&json!({"type": "object", "properties": {"a": {"type": "string"}}}));
        assert!(once.once > 0 && once.entry == 0 && once.member == 0 && once.text == 0, "{once:?}");
        let list = price(&json!({"properties": {"a": {"items": {"properties": {"b": {"minLength": 1}}}}}}));
        assert!(list.entry > 0 && list.member == 0 && list.text == 1, "{list:?}");
        let map = price(&json!({"additionalProperties": {"enum": [1, 2, 3]}}));
        assert!(map.member >= 3 && map.entry == 0, "{map:?}");
    }

    #[test]
    fn a_reference_costs_what_it_leads_to() {
        let enumeration: Vec<u32> = (0..1_000).collect();
        let definitions = json!({"big": {"enum": enumeration}});
        assert!(price(&json!({"$defs": definitions})).once < 10);
        assert!(price(&json!({"properties": {"a": {"$ref": "#/$defs/big"}}, "$defs": definitions})).once > 1_000);
    }

    #[test]
    fn asking_what_was_evaluated_again_and_again_has_its_price() {
        let nested = |levels: usize| {
            (0..levels)
                .fold(json!({"type": "object"}), |below, _| json!({"anyOf": [below], "unevaluatedProperties": false}))
        };
        assert!(price(&nested(2)).once < 1_000);
        assert!(price(&nested(20)).once > 1_000_000_000);
    }

    #[test]
    fn patterns_are_few_and_those_that_explode_are_dear() {
        let of = |pattern: &str| price(&json!({"properties": {"a": {"pattern": pattern}}}));
        assert_eq!(of("^[a-z]{1,20}$").text, 1);
        assert_eq!(of(r"^[\w.-]{1,128}$").text, 1);
        assert!(of("(a|b)*a(a|b){2000}").text > 100);
        // Large, but a text of the length that it allows can be checked.
        assert!(of("^.{1,2000}$").cost(ParamsSize { bytes: 2_000, ..ParamsSize::USUAL }) < 10_000_000);
        let many: Map<String, Json> =
            (0..=MAX_PATTERNS).map(|n| (format!("p{n}"), json!({"pattern": n.to_string()}))).collect();
        let error = SchemaPrice::of(&json!({"properties": many})).expect_err("too many");
        assert!(error.message.contains("64 different patterns"), "{error:?}");
    }
}
