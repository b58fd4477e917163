//! The fields of a map.

use crate::diag::{Finding, Findings, did_you_mean};

use super::{Entry, Field, Kind, Node};

/// A place and the fields that belong there.
pub type Elsewhere = (&'static str, &'static [&'static str]);

/// The fields of a map whose keys are known.
#[derive(Debug, Clone, Copy)]
pub struct Fields<'n> {
    what: &'static str,
    node: &'n Node,
    entries: &'n [Entry],
}

impl<'n> Fields<'n> {
    /// The fields of `node`, which is `what` ("a rule", "`metadata`"). Reports a node that is no map, and every field
    /// that is not in `allowed`.
    pub fn read(node: &'n Node, what: &'static str, allowed: &[&str], out: &mut Findings) -> Option<Self> {
        Self::read_hinting(node, what, allowed, &[], out)
    }

    /// Like [`read`](Self::read); a field that is not allowed here, but in one of `elsewhere`, is said to belong there.
    pub fn read_hinting(
        node: &'n Node,
        what: &'static str,
        allowed: &[&str],
        elsewhere: &[Elsewhere],
        out: &mut Findings,
    ) -> Option<Self> {
        let Kind::Map(entries) = &node.kind else {
            if node.kind == Kind::Refused {
                return None;
            }
            out.push(
                Finding::error("wrong-type", format!("{what} must be a map, found {}", node.describe()))
                    .at(node.head())
                    .help(format!("its fields are {}", listed(allowed))),
            );
            return None;
        };
        for entry in entries {
            if !allowed.contains(&entry.key.as_str()) {
                out.push(unknown_field(entry, what, allowed, elsewhere));
            }
        }
        Some(Self { what, node, entries })
    }

    /// The field `name`, where it is there.
    #[must_use]
    pub fn get(&self, name: &'static str) -> Option<Field<'n>> {
        let entry = self.entries.iter().find(|entry| entry.key == name)?;
        Some(Field { name, node: &entry.value, key_span: entry.key_span, is_entry: false })
    }

    /// The field `name`; reports that it is missing, unless it is there misspelt, which is reported already.
    pub fn require(&self, name: &'static str, out: &mut Findings) -> Option<Field<'n>> {
        let field = self.get(name);
        if field.is_none() && !self.entries.iter().any(|entry| did_you_mean(&entry.key, [name]).is_some()) {
            out.push(
                Finding::error("missing-field", format!("{} has no `{name}`", self.what))
                    .at(self.node.head())
                    .label(format!("`{name}` is required here")),
            );
        }
        field
    }

    /// What these are fields of.
    #[must_use]
    pub const fn what(&self) -> &'static str {
        self.what
    }

    /// The map.
    #[must_use]
    pub const fn node(&self) -> &'n Node {
        self.node
    }
}

fn unknown_field(entry: &Entry, what: &str, allowed: &[&str], elsewhere: &[Elsewhere]) -> Finding {
    let key = entry.key.as_str();
    let finding = Finding::error("unknown-field", format!("{what} has no field `{key}`")).at(entry.key_span);
    if let Some((place, _)) = elsewhere.iter().find(|(_, fields)| fields.contains(&key)) {
        return finding.label(format!("belongs in {place}"));
    }
    let finding = finding.help(format!("its fields are {}", listed(allowed)));
    match did_you_mean(key, allowed.iter().copied()) {
        Some(known) => finding.label(format!("did you mean `{known}`?")),
        None => finding.label("not a field"),
    }
}

/// Words as a list for a message.
pub(super) fn listed(words: &[&str]) -> String {
    let quoted: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
    quoted.join(", ")
}
