//! An index of rules by one of their patterns, so that looking for a rule that covers another does not compare all pairs.
//!
//! A rule is filed under the field whose patterns are rarest. A rule that covers another has a pattern that covers the
//! first pattern of the other in that field, and such a pattern is either equal to it or a glob whose literal prefix is
//! a prefix of it.

use std::collections::{BTreeSet, HashMap};

use crate::policy::Pattern;

use super::shadow::{Candidate, FIELDS};

/// Most rules of one bucket that are looked at: a lint may miss what hides among so many.
const MAX_LOOKED_AT: usize = 256;

/// Where a rule is filed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Key<'s> {
    /// An id in a field.
    Exact(usize, &'s str),
    /// The literal prefix of a glob in a field.
    Prefix(usize, &'s str),
    /// A rule without any pattern.
    Any,
}

/// Rules by one of their patterns.
pub(super) struct Index<'s> {
    /// How many rules would be filed under a key.
    counts: HashMap<Key<'s>, usize>,
    /// Lengths of the prefixes in each field.
    prefix_lengths: [BTreeSet<usize>; FIELDS],
    buckets: HashMap<Key<'s>, Vec<Candidate<'s>>>,
}

impl<'s> Index<'s> {
    /// An empty index, for rules among `all`.
    pub(super) fn new(all: impl Iterator<Item = Candidate<'s>>) -> Self {
        let mut index = Self { counts: HashMap::new(), prefix_lengths: Default::default(), buckets: HashMap::new() };
        for candidate in all {
            for field in 0..FIELDS {
                for key in keys(&candidate, field) {
                    *index.counts.entry(key).or_default() += 1;
                    if let (Key::Prefix(_, prefix), Some(lengths)) = (key, index.prefix_lengths.get_mut(field)) {
                        lengths.insert(prefix.len());
                    }
                }
            }
        }
        index
    }

    /// Files a rule.
    pub(super) fn insert(&mut self, candidate: Candidate<'s>) {
        let rarity = |field: &usize| keys(&candidate, *field).map(|key| self.counts.get(&key).copied()).max();
        let fields = (0..FIELDS).filter(|field| keys(&candidate, *field).next().is_some());
        match fields.min_by_key(rarity) {
            Some(field) => {
                for key in keys(&candidate, field) {
                    self.buckets.entry(key).or_default().push(candidate);
                }
            }
            None => self.buckets.entry(Key::Any).or_default().push(candidate),
        }
    }

    /// The filed rules that may cover `candidate`.
    pub(super) fn candidates<'i>(&'i self, candidate: &Candidate<'s>) -> impl Iterator<Item = &'i Candidate<'s>> {
        let mut keys = vec![Key::Any];
        for (field, lengths) in self.prefix_lengths.iter().enumerate() {
            let first = candidate.patterns.get(field).copied().flatten().and_then(<[Pattern]>::first);
            let prefix = match first {
                Some(pattern) if pattern.is_exact() => {
                    keys.push(Key::Exact(field, pattern.as_str()));
                    pattern.as_str()
                }
                Some(pattern) => pattern.literal_prefix(),
                None => "",
            };
            let prefixes = lengths.iter().filter_map(|length| prefix.get(..*length));
            keys.extend(prefixes.map(|prefix| Key::Prefix(field, prefix)));
        }
        keys.into_iter().flat_map(|key| self.buckets.get(&key).into_iter().flatten().take(MAX_LOOKED_AT))
    }
}

/// The keys of a rule's patterns in `field`.
fn keys<'s>(candidate: &Candidate<'s>, field: usize) -> impl Iterator<Item = Key<'s>> {
    let patterns = candidate.patterns.get(field).copied().flatten().unwrap_or_default();
    patterns.iter().map(move |pattern| {
        if pattern.is_exact() {
            Key::Exact(field, pattern.as_str())
        } else {
            Key::Prefix(field, pattern.literal_prefix())
        }
    })
}
