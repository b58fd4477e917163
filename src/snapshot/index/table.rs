//! Rules filed under keys of one dimension: exact text, literal prefix, literal suffix.

use std::collections::BTreeMap;

use super::postings::Postings;

/// How a pattern is filed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key<'p> {
    /// The id is this text.
    Exact(&'p [u8]),
    /// The id starts with this text.
    Prefix(&'p [u8]),
    /// The id ends with this text.
    Suffix(&'p [u8]),
}

/// Most lengths of prefixes (and of suffixes) that a table probes. Longer patterns beyond that are filed under the
/// longest probed length that is not above their own.
const MAX_LENGTHS: usize = 12;

/// Rules filed under keys of one dimension.
#[derive(Debug, Default)]
pub struct Table {
    exact: Postings,
    /// By length of the prefix, ascending.
    prefixes: Box<[(usize, Postings)]>,
    /// By length of the suffix, ascending.
    suffixes: Box<[(usize, Postings)]>,
}

impl Table {
    /// A table of `entries`.
    pub fn build(entries: Vec<(Key<'_>, u32)>) -> Self {
        let (mut exact, mut prefixes, mut suffixes) = (Vec::new(), Vec::new(), Vec::new());
        for (key, rule) in entries {
            match key {
                Key::Exact(text) => exact.push((text, rule)),
                Key::Prefix(text) => prefixes.push((text, rule)),
                Key::Suffix(text) => suffixes.push((text, rule)),
            }
        }
        Self {
            exact: Postings::build(exact),
            prefixes: by_length(prefixes, |text, length| &text[..length]),
            suffixes: by_length(suffixes, |text, length| &text[text.len() - length..]),
        }
    }

    /// Calls `hit` with each list of rules under whose keys `id` falls.
    #[inline]
    pub fn probe<'a>(&'a self, id: &str, mut hit: impl FnMut(&'a [u32])) {
        let id = id.as_bytes();
        if !self.exact.is_empty()
            && let Some(rules) = self.exact.get(id)
        {
            hit(rules);
        }
        for (length, rules) in &self.prefixes {
            let Some(prefix) = id.get(..*length) else { break };
            if let Some(rules) = rules.get(prefix) {
                hit(rules);
            }
        }
        for (length, rules) in &self.suffixes {
            let Some(start) = id.len().checked_sub(*length) else { break };
            if let Some(rules) = id.get(start..).and_then(|suffix| rules.get(suffix)) {
                hit(rules);
            }
        }
    }
}

/// Files `entries` by length, cutting each text with `cut` to a length that is probed.
fn by_length<'p>(entries: Vec<(&'p [u8], u32)>, cut: impl Fn(&'p [u8], usize) -> &'p [u8]) -> Box<[(usize, Postings)]> {
    let lengths = probed_lengths(&entries);
    let mut by_length: BTreeMap<usize, Vec<(&[u8], u32)>> = BTreeMap::new();
    for (text, rule) in entries {
        let length = lengths.iter().rev().find(|length| **length <= text.len()).copied().unwrap_or(0);
        by_length.entry(length).or_default().push((cut(text, length), rule));
    }
    by_length.into_iter().map(|(length, entries)| (length, Postings::build(entries))).collect()
}

/// The shortest length and those that most texts have, ascending.
fn probed_lengths(entries: &[(&[u8], u32)]) -> Vec<usize> {
    let mut counts = BTreeMap::<usize, usize>::new();
    for (text, _) in entries {
        *counts.entry(text.len()).or_default() += 1;
    }
    let shortest = counts.keys().next().copied();
    let mut by_use: Vec<(usize, usize)> = counts.into_iter().map(|(length, count)| (count, length)).collect();
    by_use.sort_unstable_by(|one, other| other.cmp(one));
    let mut lengths: Vec<usize> = by_use.into_iter().take(MAX_LENGTHS - 1).map(|(_, length)| length).collect();
    lengths.extend(shortest);
    lengths.sort_unstable();
    lengths.dedup();
    lengths
}
