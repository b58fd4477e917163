//! Attribute values: the JSON-like data that subjects, actions, resources and contexts carry.

use super::Text;
use super::text::same_text;

/// One attribute value. Numbers are IEEE doubles from every source (wire, YAML, command line, replay).
///
/// INVARIANT: a `Number` is finite. Whoever builds a value from outside data refuses NaN and infinities.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// The null value. Present, unlike a missing attribute.
    Null,
    /// A truth value.
    Bool(bool),
    /// A finite number.
    Number(f64),
    /// A string.
    String(Text),
    /// A list.
    List(Box<[Value]>),
    /// A map with unique keys.
    Map(Attributes),
}

/// A map of attributes with unique keys, in the order in which they were given.
///
/// Maps in requests are small, so that look-up is a scan over entries that lie side by side.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Attributes {
    entries: Box<[(Text, Value)]>,
}

impl Attributes {
    /// Makes a map of `entries`; where a key occurs twice, gives the key back as an error.
    ///
    /// # Errors
    /// The first key that repeats an earlier one.
    pub fn from_entries(entries: Vec<(Text, Value)>) -> Result<Self, Text> {
        if let Some(key) = first_duplicate(&entries) {
            return Err(key.clone());
        }
        Ok(Self { entries: entries.into_boxed_slice() })
    }

    /// The value at `key`.
    #[inline]
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.entries.iter().find(|(name, _)| same_text(name, key)).map(|(_, value)| value)
    }

    /// The entries, in the order in which they were given.
    pub fn iter(&self) -> std::slice::Iter<'_, (Text, Value)> {
        self.entries.iter()
    }

    /// Number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The entries, to change values in place (masking); keys stay unique because they cannot be changed here.
    pub fn values_mut(&mut self) -> impl Iterator<Item = (&Text, &mut Value)> {
        self.entries.iter_mut().map(|(key, value)| (&*key, value))
    }

    /// The value at `key`, to change it in place.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Value> {
        self.entries.iter_mut().find(|(name, _)| name == key).map(|(_, value)| value)
    }
}

impl<'a> IntoIterator for &'a Attributes {
    type Item = &'a (Text, Value);
    type IntoIter = std::slice::Iter<'a, (Text, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Up to this many entries, comparing each pair is faster than sorting.
const PAIRWISE_LIMIT: usize = 12;

fn first_duplicate(entries: &[(Text, Value)]) -> Option<&Text> {
    if entries.len() <= PAIRWISE_LIMIT {
        return entries
            .iter()
            .enumerate()
            .find(|(i, (key, _))| entries[..*i].iter().any(|(earlier, _)| earlier == key))
            .map(|(_, (key, _))| key);
    }
    let mut keys: Vec<&Text> = entries.iter().map(|(key, _)| key).collect();
    keys.sort_unstable();
    keys.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[1])
}

impl serde::Serialize for Value {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Number(value) => serialize_number(*value, serializer),
            Self::String(value) => serializer.serialize_str(value),
            Self::List(items) => serializer.collect_seq(items.iter()),
            Self::Map(map) => map.serialize(serializer),
        }
    }
}

/// Whole numbers below 2^53 appear without a fraction, as in RFC 8785.
fn serialize_number<S: serde::Serializer>(value: f64, serializer: S) -> Result<S::Ok, S::Error> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if value.fract() == 0.0 && value.abs() < EXACT {
        serializer.serialize_i64(value as i64)
    } else {
        serializer.serialize_f64(value)
    }
}

impl serde::Serialize for Attributes {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.entries.iter().map(|(key, value)| (key, value)))
    }
}

/// Why a JSON value is not an attribute value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAnAttribute {
    /// An integer that a double cannot hold exactly.
    #[error("the integer {0} is beyond 2^53 - 1 and would be rounded; write it as a string")]
    Inexact(String),
}

impl TryFrom<&serde_json::Value> for Value {
    type Error = NotAnAttribute;

    fn try_from(json: &serde_json::Value) -> Result<Self, Self::Error> {
        Ok(match json {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(value) => Self::Bool(*value),
            serde_json::Value::Number(number) => Self::Number(exact_double(number)?),
            serde_json::Value::String(text) => Self::String(text.as_str().into()),
            serde_json::Value::Array(items) => Self::List(items.iter().map(Self::try_from).collect::<Result<_, _>>()?),
            serde_json::Value::Object(map) => Self::Map(Attributes::try_from(map)?),
        })
    }
}

impl TryFrom<&serde_json::Map<String, serde_json::Value>> for Attributes {
    type Error = NotAnAttribute;

    fn try_from(map: &serde_json::Map<String, serde_json::Value>) -> Result<Self, Self::Error> {
        let entries = map
            .iter()
            .map(|(key, value)| Ok((key.as_str().into(), Value::try_from(value)?)))
            .collect::<Result<_, NotAnAttribute>>()?;
        Ok(Self { entries })
    }
}

fn exact_double(number: &serde_json::Number) -> Result<f64, NotAnAttribute> {
    const LIMIT: u64 = (1 << 53) - 1;
    let inexact = match (number.as_u64(), number.as_i64()) {
        (Some(unsigned), _) => unsigned > LIMIT,
        (None, Some(signed)) => signed.unsigned_abs() > LIMIT,
        (None, None) => false,
    };
    match number.as_f64() {
        Some(value) if value.is_finite() && !inexact => Ok(value),
        _ => Err(NotAnAttribute::Inexact(number.to_string())),
    }
}
