//! The tree.

use crate::diag::Span;
use crate::model::Text;

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// All of it, from its first to its last byte.
    pub span: Span,
    /// What it is.
    pub kind: Kind,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// Nothing was written, or `null`.
    Null,
    /// A truth value.
    Bool(bool),
    /// A finite number.
    Number(Number),
    /// A string.
    String(Text, ScalarStyle),
    /// A list.
    List(Vec<Node>),
    /// A map with unique keys, in the order in which they were written.
    Map(Vec<Entry>),
    /// Something that cannot be taken for a value, and was reported.
    Refused,
}

/// A number as written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Number {
    /// A whole number without a fraction.
    Integer(i64),
    /// A whole number that does not fit into 64 bits.
    Huge,
    /// A number with a fraction or exponent. Finite.
    Float(f64),
}

/// How a string was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScalarStyle {
    /// Without quotes.
    Plain,
    /// In `'`.
    SingleQuoted,
    /// In `"`.
    DoubleQuoted,
    /// After `|`.
    Literal,
    /// After `>`.
    Folded,
}

/// A key with its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: Text,
    /// Where it stands.
    pub key_span: Span,
    /// The value.
    pub value: Node,
}

impl Node {
    /// The value at `key`, where this is a map that has it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// The entry of `key`, where this is a map that has it.
    #[must_use]
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        match &self.kind {
            Kind::Map(entries) => entries.iter().find(|entry| entry.key == key),
            _ => None,
        }
    }

    /// Whether it is the string `text`.
    #[must_use]
    pub fn is_string(&self, text: &str) -> bool {
        matches!(&self.kind, Kind::String(value, _) if value == text)
    }

    /// Where to point at when the whole is meant: the first key of a map, the first entry of a list, else all of it. Keeps
    /// excerpts short.
    #[must_use]
    pub fn head(&self) -> Span {
        match &self.kind {
            Kind::Map(entries) => entries.first().map_or(self.span, |entry| entry.key_span),
            Kind::List(items) => items.first().map_or(self.span, Self::head),
            _ => self.span,
        }
    }

    /// What it is, in words that follow "found".
    #[must_use]
    pub fn describe(&self) -> String {
        match &self.kind {
            Kind::Null => "nothing".to_owned(),
            Kind::Bool(value) => format!("the truth value `{value}`"),
            Kind::Number(Number::Integer(value)) => format!("the number `{value}`"),
            Kind::Number(Number::Float(value)) => format!("the number `{value}`"),
            Kind::Number(Number::Huge) => "a huge number".to_owned(),
            Kind::String(text, _) if text.chars().count() <= 40 && !text.contains('\n') => {
                format!("the string `{text}`")
            }
            Kind::String(..) => "a string".to_owned(),
            Kind::List(_) => "a list".to_owned(),
            Kind::Map(_) => "a map".to_owned(),
            Kind::Refused => "nothing that can be read".to_owned(),
        }
    }
}
