//! Rules filed under the values that their conditions demand of one attribute.

use super::postings::Postings;
use crate::condition::{AttributePath, AttributeRef, Bindings};
use crate::model::Value;

/// A constant as a key. Two are the same where conditions take the constants for equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ValueKey<'v> {
    /// A string.
    Text(&'v [u8]),
    /// Null, a truth value or a number.
    Other(OtherKey),
}

/// A value that is no string, in the bytes by which it is filed: its kind and, of a number, its bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OtherKey([u8; 9]);

impl<'v> ValueKey<'v> {
    /// The key of `value`; lists and maps have none.
    pub fn of(value: &'v Value) -> Option<Self> {
        let other = |kind: u8, bits: u64| {
            let mut bytes = [kind; 9];
            if let Some(chunk) = bytes.last_chunk_mut() {
                *chunk = bits.to_le_bytes();
            }
            Some(Self::Other(OtherKey(bytes)))
        };
        match value {
            Value::String(text) => Some(Self::Text(text.as_bytes())),
            Value::Null => other(0, 0),
            Value::Bool(truth) => other(1, u64::from(*truth)),
            // Adding zero makes negative zero positive, which it equals.
            Value::Number(number) => other(2, (number + 0.0).to_bits()),
            Value::List(_) | Value::Map(_) => None,
        }
    }

    fn text(&self) -> Option<&'v [u8]> {
        match self {
            Self::Text(text) => Some(text),
            Self::Other(_) => None,
        }
    }

    fn other(&self) -> Option<&[u8]> {
        match self {
            Self::Text(_) => None,
            Self::Other(key) => Some(&key.0),
        }
    }
}

/// What a rule's condition demands of an attribute, ready to be filed.
#[derive(Debug)]
pub struct Demand<'v> {
    /// The rule.
    pub rule: u32,
    /// The values of which the attribute must have one.
    pub values: Vec<ValueKey<'v>>,
    /// Whether an element of a list attribute will do.
    pub any_element: bool,
    /// Whether the condition must still be evaluated where the attribute is missing.
    pub when_missing: bool,
}

/// Longest list attribute whose elements are looked up one by one; for a longer one every rule is a candidate.
const MAX_ELEMENTS: usize = 64;

/// Rules filed under values of one attribute.
#[derive(Debug)]
pub struct ValueTable {
    path: AttributePath,
    texts: Postings,
    others: Postings,
    /// All rules, ascending: those that may concern a request whose attribute may be anything.
    all: Box<[u32]>,
    /// Rules that must be evaluated where the attribute is missing, because their conditions may fail.
    missing: Box<[u32]>,
    /// Rules that an element of a list attribute may satisfy, ascending.
    by_element: Box<[u32]>,
}

impl ValueTable {
    /// A table of `demands`, in ascending order of rules.
    pub fn build(path: AttributePath, demands: &[Demand<'_>]) -> Self {
        let keys = || demands.iter().flat_map(|demand| demand.values.iter().map(|key| (key, demand.rule)));
        let rules =
            |wanted: fn(&&Demand<'_>) -> bool| demands.iter().filter(wanted).map(|demand| demand.rule).collect();
        Self {
            path,
            texts: Postings::build(keys().filter_map(|(key, rule)| Some((key.text()?, rule))).collect()),
            others: Postings::build(keys().filter_map(|(key, rule)| Some((key.other()?, rule))).collect()),
            all: rules(|_| true),
            missing: rules(|demand| demand.when_missing),
            by_element: rules(|demand| demand.any_element),
        }
    }

    /// Calls `hit` with each list of rules whose demand the request may meet.
    #[inline]
    pub fn probe<'a>(&'a self, bindings: &Bindings<'_>, mut hit: impl FnMut(&'a [u32])) {
        match self.path.read(bindings) {
            None if self.path.is_not_known(bindings) => hit(&self.all),
            None => hit(&self.missing),
            Some(AttributeRef::Text(text)) => self.probe_text(text, &mut hit),
            Some(AttributeRef::Value(Value::List(items))) => {
                self.probe_elements(items.len(), &mut hit, |hit| {
                    items.iter().for_each(|item| self.probe_value(item, hit));
                });
            }
            Some(AttributeRef::Value(value)) => self.probe_value(value, &mut hit),
            Some(AttributeRef::Texts(texts)) => {
                self.probe_elements(texts.len(), &mut hit, |hit| {
                    texts.iter().for_each(|text| self.probe_text(text, hit));
                });
            }
            // Neither a map nor the time equals a constant, and nothing of a plan is part of a request.
            Some(
                AttributeRef::Map(_)
                | AttributeRef::Open(_)
                | AttributeRef::Now(_)
                | AttributeRef::Integer(_)
                | AttributeRef::Steps(_)
                | AttributeRef::Subject(_)
                | AttributeRef::Labels(_),
            ) => {}
        }
    }

    /// The elements of a list of `count`, where a rule asks for one.
    fn probe_elements<'a, H: FnMut(&'a [u32])>(&'a self, count: usize, hit: &mut H, each: impl FnOnce(&mut H)) {
        if self.by_element.is_empty() {
            return;
        }
        if count <= MAX_ELEMENTS { each(hit) } else { hit(&self.by_element) }
    }

    #[inline]
    fn probe_text<'a>(&'a self, text: &str, hit: &mut impl FnMut(&'a [u32])) {
        if let Some(rules) = self.texts.get(text.as_bytes()) {
            hit(rules);
        }
    }

    fn probe_value<'a>(&'a self, value: &Value, hit: &mut impl FnMut(&'a [u32])) {
        match ValueKey::of(value) {
            Some(ValueKey::Text(text)) => {
                if let Some(rules) = self.texts.get(text) {
                    hit(rules);
                }
            }
            Some(ValueKey::Other(key)) => {
                if let Some(rules) = self.others.get(&key.0) {
                    hit(rules);
                }
            }
            None => {}
        }
    }
}
