//! What things mean: `serde_yaml` reads the text once more, and every value that it sees is put at its place in the
//! skeleton. A value that does not fit its place is refused.

use std::cell::Cell;
use std::collections::HashMap;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::diag::{Finding, Findings, SourceId, Span};
use crate::model::Text;

use super::positions::{Shape, Skeleton};
use super::{Entry, Kind, Node, Number, ScalarStyle, ambiguous, ambiguous::Ambiguous, syntax};

/// Maps up to this size are searched for a repeated key by comparing each pair.
const PAIRWISE_LIMIT: usize = 12;

/// The documents of `text` whose skeletons are `skeletons`. With `is_strict` plain scalars must be the same to every reader.
pub(super) fn fill(
    source: SourceId,
    text: &str,
    skeletons: &[Skeleton<'_>],
    is_strict: bool,
    out: &mut Findings,
) -> Result<Vec<Node>, Box<Finding>> {
    let context = Context { source, text, is_strict, disagree: Cell::new(None), findings: Cell::default() };
    let mut nodes = Vec::new();
    let mut rest = skeletons.iter();
    // The parser of the meaning takes a byte order mark for a part of the first key.
    let start = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    for document in serde_yaml::Deserializer::from_str(text.get(start..).unwrap_or(text)) {
        let Some(skeleton) = rest.next() else {
            // The parser of the meaning gives an empty text one document without content, the other none.
            if skeletons.is_empty() {
                break;
            }
            return Err(Box::new(syntax::ambiguous(Span::new(source, text.len(), text.len()))));
        };
        let seed = Place { context: &context, skeleton, is_key: false };
        let node = seed.deserialize(document).map_err(|error| {
            Box::new(match context.disagree.get() {
                Some(span) => syntax::ambiguous(span),
                None => syntax::of_meaning(source, text, start, &error),
            })
        })?;
        if node.kind != Kind::Null {
            nodes.push(node);
        }
    }
    if let Some(left) = rest.next() {
        return Err(Box::new(syntax::ambiguous(context.span(left))));
    }
    out.extend(context.findings.take());
    Ok(nodes)
}

struct Context<'t> {
    source: SourceId,
    text: &'t str,
    is_strict: bool,
    /// Where the two parsers disagree.
    disagree: Cell<Option<Span>>,
    findings: Cell<Vec<Finding>>,
}

impl Context<'_> {
    fn span(&self, skeleton: &Skeleton<'_>) -> Span {
        let end = match skeleton.shape {
            // A block scalar's range includes its last line break.
            Shape::Scalar(_, ScalarStyle::Literal | ScalarStyle::Folded) => self
                .text
                .get(skeleton.range.clone())
                .map_or(skeleton.range.end, |raw| skeleton.range.start + raw.trim_end().len()),
            _ => skeleton.range.end,
        };
        Span::new(self.source, skeleton.range.start, end)
    }

    fn report(&self, finding: Finding) {
        let mut findings = self.findings.take();
        findings.push(finding);
        self.findings.set(findings);
    }
}

/// Reads the value that stands at `skeleton`.
#[derive(Clone, Copy)]
struct Place<'c, 't> {
    context: &'c Context<'t>,
    skeleton: &'c Skeleton<'t>,
    is_key: bool,
}

impl Place<'_, '_> {
    fn span(&self) -> Span {
        self.context.span(self.skeleton)
    }

    fn node(&self, kind: Kind) -> Node {
        Node { span: self.span(), kind }
    }

    fn disagree<E: serde::de::Error>(&self) -> E {
        self.context.disagree.set(Some(self.span()));
        E::custom("disagreement")
    }

    /// The text of an unquoted scalar; only these can be anything but strings.
    fn plain<E: serde::de::Error>(&self) -> Result<&str, E> {
        match &self.skeleton.shape {
            Shape::Scalar(text, ScalarStyle::Plain) => Ok(text),
            _ => Err(self.disagree()),
        }
    }

    fn number<E: serde::de::Error>(&self, number: Number) -> Result<Node, E> {
        let starts_like_a_number = |c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.');
        let text = self.plain()?;
        if !text.starts_with(starts_like_a_number) {
            return Err(self.disagree());
        }
        let ambiguous = match number {
            Number::Integer(value) if self.context.is_strict => ambiguous::number(text, i128::from(value)),
            _ => None,
        };
        Ok(ambiguous.map_or_else(|| self.node(Kind::Number(number)), |what| self.refuse(text, &what)))
    }

    /// A value that is another to other readers.
    fn refuse(&self, text: &str, what: &Ambiguous) -> Node {
        self.context.report(syntax::ambiguous_scalar(self.span(), text, what, self.is_key));
        self.node(Kind::Refused)
    }
}

impl<'de> DeserializeSeed<'de> for Place<'_, '_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Place<'_, '_> {
    type Value = Node;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a plain YAML value")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Node, E> {
        match self.plain()? {
            "" | "~" | "null" | "Null" | "NULL" => Ok(self.node(Kind::Null)),
            _ => Err(self.disagree()),
        }
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Node, E> {
        if !self.plain()?.eq_ignore_ascii_case(if value { "true" } else { "false" }) {
            return Err(self.disagree());
        }
        Ok(self.node(Kind::Bool(value)))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Node, E> {
        self.number(Number::Integer(value))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Node, E> {
        self.number(i64::try_from(value).map_or(Number::Huge, Number::Integer))
    }

    fn visit_i128<E: serde::de::Error>(self, _: i128) -> Result<Node, E> {
        self.number(Number::Huge)
    }

    fn visit_u128<E: serde::de::Error>(self, _: u128) -> Result<Node, E> {
        self.number(Number::Huge)
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Node, E> {
        if !value.is_finite() {
            return Ok(self.refuse(self.plain()?, &Ambiguous::TooLarge));
        }
        // Digits alone are a whole number that is too long for an integer.
        let whole = self.plain()?.trim_start_matches(['-', '+']).bytes().all(|byte| byte.is_ascii_digit());
        self.number(if whole { Number::Huge } else { Number::Float(value) })
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Node, E> {
        match &self.skeleton.shape {
            Shape::Scalar(text, style) if text == value => {
                let is_doubtful = self.context.is_strict && *style == ScalarStyle::Plain;
                let ambiguous = if is_doubtful { ambiguous::text(value) } else { None };
                Ok(match ambiguous {
                    Some(what) => self.refuse(value, &what),
                    None => self.node(Kind::String(Text::from(value), *style)),
                })
            }
            _ => Err(self.disagree()),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let Shape::List(skeletons) = &self.skeleton.shape else { return Err(self.disagree()) };
        let mut items = Vec::with_capacity(skeletons.len());
        for skeleton in skeletons {
            match access.next_element_seed(Place { skeleton, is_key: false, ..self })? {
                Some(item) => items.push(item),
                None => return Err(self.disagree()),
            }
        }
        if access.next_element::<serde::de::IgnoredAny>()?.is_some() {
            return Err(self.disagree());
        }
        Ok(self.node(Kind::List(items)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let Shape::Map(skeletons) = &self.skeleton.shape else { return Err(self.disagree()) };
        let mut entries: Vec<Entry> = Vec::with_capacity(skeletons.len());
        let mut seen: HashMap<Text, Span> = HashMap::new();
        for (key_skeleton, value_skeleton) in skeletons {
            let Some(key) = access.next_key_seed(Place { skeleton: key_skeleton, is_key: true, ..self })? else {
                return Err(self.disagree());
            };
            let value = access.next_value_seed(Place { skeleton: value_skeleton, is_key: false, ..self })?;
            let Some(name) = self.key(&key) else { continue };
            let first = if skeletons.len() <= PAIRWISE_LIMIT {
                entries.iter().find(|entry| entry.key == name).map(|entry| entry.key_span)
            } else {
                let first = seen.get(&name).copied();
                seen.entry(name.clone()).or_insert(key.span);
                first
            };
            match first {
                Some(first) => self.context.report(syntax::duplicate_key(key.span, first, &name)),
                None => entries.push(Entry { key: name, key_span: key.span, value }),
            }
        }
        if access.next_key::<serde::de::IgnoredAny>()?.is_some() {
            return Err(self.disagree());
        }
        Ok(self.node(Kind::Map(entries)))
    }
}

impl Place<'_, '_> {
    /// The name that a key gives, where it is a string.
    fn key(&self, key: &Node) -> Option<Text> {
        match &key.kind {
            Kind::String(name, ScalarStyle::Plain) if name == "<<" => {
                self.context.report(syntax::merge_key(key.span));
                None
            }
            Kind::String(name, _) => Some(name.clone()),
            Kind::Refused => None,
            _ => {
                self.context.report(syntax::key_is_no_string(key.head(), &key.describe()));
                None
            }
        }
    }
}
