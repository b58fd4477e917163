//! Rules filed under keys of one dimension: exact text, literal prefix, literal suffix.

use std::collections::BTreeMap;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

/// How a pattern is filed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    /// The id is this text.
    Exact(Box<[u8]>),
    /// The id starts with this text.
    Prefix(Box<[u8]>),
    /// The id ends with this text.
    Suffix(Box<[u8]>),
}

/// Most lengths of prefixes (and of suffixes) that a table probes. Longer patterns beyond that are filed under the
/// longest probed length that is not above their own.
const MAX_LENGTHS: usize = 12;

type Map = HashMap<Box<[u8]>, Box<[u32]>, RandomState>;

/// Rules filed under keys of one dimension.
#[derive(Debug, Default)]
pub struct Table {
    exact: Map,
    /// By length of the prefix, ascending.
    prefixes: Vec<(usize, Map)>,
    /// By length of the suffix, ascending.
    suffixes: Vec<(usize, Map)>,
}

impl Table {
    /// A table of `entries`.
    pub fn build(entries: Vec<(Key, u32)>) -> Self {
        let mut exact = BTreeMap::<Box<[u8]>, Vec<u32>>::new();
        let (mut prefixes, mut suffixes) = (Vec::new(), Vec::new());
        for (key, rule) in entries {
            match key {
                Key::Exact(text) => exact.entry(text).or_default().push(rule),
                Key::Prefix(text) => prefixes.push((text, rule)),
                Key::Suffix(text) => suffixes.push((text, rule)),
            }
        }
        Self {
            exact: freeze(exact),
            prefixes: by_length(prefixes, |text, length| &text[..length]),
            suffixes: by_length(suffixes, |text, length| &text[text.len() - length..]),
        }
    }

    /// Calls `hit` with each list of rules under whose keys `id` falls.
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
fn by_length(entries: Vec<(Box<[u8]>, u32)>, cut: impl Fn(&[u8], usize) -> &[u8]) -> Vec<(usize, Map)> {
    let lengths = probed_lengths(&entries);
    let mut maps: BTreeMap<usize, BTreeMap<Box<[u8]>, Vec<u32>>> = BTreeMap::new();
    for (text, rule) in &entries {
        let length = lengths.iter().rev().find(|length| **length <= text.len()).copied().unwrap_or(0);
        maps.entry(length).or_default().entry(cut(text, length).into()).or_default().push(*rule);
    }
    maps.into_iter().map(|(length, map)| (length, freeze(map))).collect()
}

/// The shortest length and those that most texts have, ascending.
fn probed_lengths(entries: &[(Box<[u8]>, u32)]) -> Vec<usize> {
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

fn freeze(map: BTreeMap<Box<[u8]>, Vec<u32>>) -> Map {
    map.into_iter()
        .map(|(key, mut rules)| {
            rules.sort_unstable();
            rules.dedup();
            (key, rules.into_boxed_slice())
        })
        .collect()
}
