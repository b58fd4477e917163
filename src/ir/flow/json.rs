//! Text that is JSON, as many tools answer.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::model::{Attributes, Text, Value};

/// What a text is to those who look for fields in it.
#[derive(Debug, PartialEq)]
pub(super) enum Parsed {
    /// Text.
    Text,
    /// A list or object.
    Json(Value),
    /// A list or object in which a key stands twice: one reader takes the first, another the last, so that nothing can be
    /// said of its fields.
    Ambiguous,
}

/// Reads `text` as JSON. Whole numbers that a double does not hold become the text that they are written as.
pub(super) fn parse(text: &str) -> Parsed {
    if !text.trim_start().starts_with(['{', '[']) {
        return Parsed::Text;
    }
    match serde_json::from_str::<Unique>(text) {
        Ok(Unique(value)) => Parsed::Json(value),
        Err(error) if error.is_data() => Parsed::Ambiguous,
        Err(_) => Parsed::Text,
    }
}

/// A value whose maps have each key once.
struct Unique(Value);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OfUnique).map(Self)
    }
}

struct OfUnique;

/// Greatest whole number that every reader of JSON holds exactly.
const MAX_INTEGER: u64 = (1 << 53) - 1;

impl<'de> Visitor<'de> for OfUnique {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        let exact = value.unsigned_abs() <= MAX_INTEGER;
        Ok(if exact { Value::Number(value as f64) } else { Value::String(value.to_string().into()) })
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        let exact = value <= MAX_INTEGER;
        Ok(if exact { Value::Number(value as f64) } else { Value::String(value.to_string().into()) })
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Number(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.into()))
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(Unique(item)) = seq.next_element()? {
            items.push(item);
        }
        Ok(Value::List(items.into()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut entries: Vec<(Text, Value)> = Vec::new();
        while let Some((key, Unique(value))) = map.next_entry::<String, Unique>()? {
            entries.push((key.into(), value));
        }
        Attributes::from_entries(entries).map(Value::Map).map_err(|_| A::Error::custom("a key stands twice"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_told_apart() {
        let of = |json: serde_json::Value| Parsed::Json(Value::try_from(&json).expect("a value"));
        for (text, parsed) in [
            ("hello", Parsed::Text),
            ("1", Parsed::Text),
            ("{'a': 1}", Parsed::Text),
            ("[1, 2", Parsed::Text),
            ("{\"a\": 1} and more", Parsed::Text),
            (" [1, {\"a\": [null, true, -2.5]}]", of(serde_json::json!([1, {"a": [null, true, -2.5]}]))),
            ("{\"id\": 1234567890123456789}", of(serde_json::json!({"id": "1234567890123456789"}))),
            ("{\"a\": 1, \"b\": 2, \"a\": 3}", Parsed::Ambiguous),
            ("[{\"a\": {\"b\": 1, \"\\u0062\": 1}}]", Parsed::Ambiguous),
        ] {
            assert_eq!(parse(text), parsed, "{text}");
        }
    }
}
