//! One field, read as a typed value.

use std::ops::RangeInclusive;

use crate::diag::{Finding, Findings, Span, did_you_mean};

use super::fields::listed;
use super::{Elsewhere, Entry, Fields, Kind, Node, Number};

/// A value with the name of its field, to read as what it must be. Everything else is reported.
#[derive(Debug, Clone, Copy)]
pub struct Field<'n> {
    /// The field's name; for an entry of a list, the list's.
    pub name: &'static str,
    /// The value.
    pub node: &'n Node,
    /// Where the name stands; for an entry of a list, the entry.
    pub key_span: Span,
    /// Whether it is an entry of a list.
    pub is_entry: bool,
}

impl<'n> Field<'n> {
    /// A string.
    pub fn string(&self, out: &mut Findings) -> Option<&'n str> {
        match &self.node.kind {
            Kind::String(text, _) => Some(text),
            Kind::Bool(_) | Kind::Number(_) => {
                out.push(self.wrong("a string").help("put it in quotes"));
                None
            }
            _ => self.refuse("a string", out),
        }
    }

    /// A truth value.
    pub fn boolean(&self, out: &mut Findings) -> Option<bool> {
        match &self.node.kind {
            Kind::Bool(value) => Some(*value),
            Kind::String(..) => {
                out.push(self.wrong("a truth value").help("write `true` or `false`, without quotes"));
                None
            }
            _ => self.refuse("a truth value", out),
        }
    }

    /// A whole number within `range`.
    pub fn integer(&self, range: RangeInclusive<i64>, out: &mut Findings) -> Option<i64> {
        let bounds = format!("a whole number from {} to {}", range.start(), range.end());
        match &self.node.kind {
            Kind::Number(Number::Integer(value)) if range.contains(value) => Some(*value),
            Kind::Number(_) => {
                out.push(
                    Finding::error("out-of-range", format!("`{}` must be {bounds}", self.name)).at(self.node.span),
                );
                None
            }
            _ => self.refuse(&bounds, out),
        }
    }

    /// A list; its entries as fields of the same name.
    pub fn list(&self, of: &str, out: &mut Findings) -> Option<Vec<Self>> {
        match &self.node.kind {
            Kind::List(items) => Some(
                items
                    .iter()
                    .map(|node| Field { name: self.name, node, key_span: node.head(), is_entry: true })
                    .collect(),
            ),
            Kind::String(text, _) if !text.contains('\n') => {
                out.push(self.wrong(&format!("a list of {of}")).help(format!(
                    "write `{}: [{}]`",
                    self.name,
                    flow_text(text)
                )));
                None
            }
            _ => self.refuse(&format!("a list of {of}"), out),
        }
    }

    /// One of `words`, each with what it stands for.
    pub fn one_of<T: Copy>(&self, what: &str, words: &[(&'static str, T)], out: &mut Findings) -> Option<T> {
        let names: Vec<_> = words.iter().map(|(name, _)| *name).collect();
        let Kind::String(text, _) = &self.node.kind else {
            if self.node.kind == Kind::Refused {
                return None;
            }
            out.push(self.wrong(what).help(format!("write one of {}", listed(&names))));
            return None;
        };
        let found = words.iter().find(|(name, _)| *name == text.as_str()).map(|(_, value)| *value);
        if found.is_none() {
            let finding = Finding::error("unknown-value", format!("`{text}` is not {what}"))
                .at(self.node.span)
                .help(format!("write one of {}", listed(&names)));
            out.push(match did_you_mean(text, names.iter().copied()) {
                Some(known) => finding.label(format!("did you mean `{known}`?")),
                None => finding,
            });
        }
        found
    }

    /// A map whose keys the author chooses.
    pub fn entries(&self, out: &mut Findings) -> Option<&'n [Entry]> {
        match &self.node.kind {
            Kind::Map(entries) => Some(entries),
            _ => self.refuse("a map", out),
        }
    }

    /// A map whose keys are known.
    pub fn fields(&self, what: &'static str, allowed: &[&str], out: &mut Findings) -> Option<Fields<'n>> {
        self.fields_hinting(what, allowed, &[], out)
    }

    /// A map whose keys are known; fields that belong elsewhere are said to.
    pub fn fields_hinting(
        &self,
        what: &'static str,
        allowed: &[&str],
        elsewhere: &[Elsewhere],
        out: &mut Findings,
    ) -> Option<Fields<'n>> {
        if self.node.kind == Kind::Null {
            return self.refuse("a map", out);
        }
        Fields::read_hinting(self.node, what, allowed, elsewhere, out)
    }

    /// That the value is not `wanted`.
    fn wrong(&self, wanted: &str) -> Finding {
        let entry = if self.is_entry { "an entry of " } else { "" };
        let message = format!("{entry}`{}` must be {wanted}, found {}", self.name, self.node.describe());
        Finding::error("wrong-type", message).at(if self.node.kind == Kind::Null {
            self.key_span
        } else {
            self.node.head()
        })
    }

    fn refuse<T>(&self, wanted: &str, out: &mut Findings) -> Option<T> {
        if self.node.kind == Kind::Refused {
            return None;
        }
        let finding = self.wrong(wanted);
        out.push(if self.node.kind == Kind::Null {
            finding.help("write a value after the colon, or leave the field out")
        } else {
            finding
        });
        None
    }
}

/// `text` as an entry of a list in flow style.
fn flow_text(text: &str) -> String {
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || "._-/".contains(c)) && !text.starts_with('-');
    if plain { text.to_owned() } else { format!("{text:?}") }
}
