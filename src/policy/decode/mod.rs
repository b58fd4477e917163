//! What all kinds of document share: the envelope, names, patterns, conditions, and the canonical form.

mod canonical;
mod condition;
mod envelope;
mod names;
mod patterns;

pub(super) use canonical::value as json_of;
pub(super) use condition::{ClauseSpec, condition, plan_condition};
pub(super) use envelope::{DOCUMENT_FIELDS, Head, MetadataSpec, document};
pub(super) use names::{Name, OneLine, legal_name, level, name, short_text};
pub(crate) use patterns::{PatternText, patterns};

use crate::model::{Effect, Layer};

/// The file that a document stands in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Context<'t> {
    /// Its text.
    pub(super) text: &'t str,
    /// The layer of its source.
    pub(super) layer: Layer,
}

/// The effects with their names.
pub(super) const EFFECTS: [(&str, Effect); 5] = {
    let [a, b, c, d, e] = Effect::ALL;
    [(a.as_str(), a), (b.as_str(), b), (c.as_str(), c), (d.as_str(), d), (e.as_str(), e)]
};
