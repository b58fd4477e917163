//! Under which dimension each rule is filed.

use hashbrown::HashMap;

use super::table::Key;
use super::{CompiledRule, Dimension};
use crate::policy::Pattern;

/// Rules sorted into dimensions.
#[derive(Debug, Default)]
pub struct Filed {
    /// Keys and rules of each dimension, in the order of [`Dimension::ALL`].
    pub by_dimension: [Vec<(Key, u32)>; Dimension::ALL.len()],
    /// Rules without a dimension whose patterns can all be keys, ascending.
    pub unfiled: Vec<u32>,
}

/// The keys of a rule in each dimension, in the order of [`Dimension::ALL`]; `None` where it has no usable patterns.
type RuleKeys = [Option<Vec<Key>>; Dimension::ALL.len()];

/// Files each rule under the dimension in which it shares its keys with the fewest other rules.
pub fn file(rules: &[CompiledRule]) -> Filed {
    let keys: Vec<RuleKeys> =
        rules.iter().map(|rule| Dimension::ALL.map(|dimension| keys_of(dimension.patterns(rule)?))).collect();
    let best = best_dimensions(&keys);
    let mut filed = Filed::default();
    for ((number, of_rule), best) in (0u32..).zip(keys).zip(best) {
        let chosen = best.and_then(|dimension| {
            let keys = of_rule.into_iter().nth(dimension).flatten()?;
            Some((filed.by_dimension.get_mut(dimension)?, keys))
        });
        match chosen {
            Some((entries, keys)) => entries.extend(keys.into_iter().map(|key| (key, number))),
            None => filed.unfiled.push(number),
        }
    }
    filed
}

/// For each rule, the dimension whose keys the fewest rules use.
fn best_dimensions(keys: &[RuleKeys]) -> Vec<Option<usize>> {
    let mut uses: HashMap<(usize, &Key), u64> = HashMap::new();
    for (dimension, keys) in keys.iter().flat_map(|of_rule| of_rule.iter().enumerate()) {
        for key in keys.iter().flatten() {
            *uses.entry((dimension, key)).or_default() += 1;
        }
    }
    let crowd = |dimension: usize, keys: &[Key]| -> u64 {
        keys.iter().map(|key| uses.get(&(dimension, key)).copied().unwrap_or(0)).sum()
    };
    keys.iter()
        .map(|of_rule| {
            let usable = of_rule.iter().enumerate().filter_map(|(dimension, keys)| Some((dimension, keys.as_ref()?)));
            usable.min_by_key(|(dimension, keys)| crowd(*dimension, keys)).map(|(dimension, _)| dimension)
        })
        .collect()
}

/// The keys of a list of patterns, if each of them has one.
fn keys_of(patterns: &[Pattern]) -> Option<Vec<Key>> {
    let mut keys = patterns.iter().map(key_of).collect::<Option<Vec<Key>>>()?;
    keys.sort_unstable();
    keys.dedup();
    Some(keys)
}

/// The longer of the literal ends of a pattern; none if it starts and ends with a wildcard.
fn key_of(pattern: &Pattern) -> Option<Key> {
    if pattern.is_exact() {
        return Some(Key::Exact(pattern.as_str().as_bytes().into()));
    }
    let (prefix, suffix) = (pattern.literal_prefix(), pattern.literal_suffix());
    if prefix.is_empty() && suffix.is_empty() {
        None
    } else if prefix.len() >= suffix.len() {
        Some(Key::Prefix(prefix.as_bytes().into()))
    } else {
        Some(Key::Suffix(suffix.as_bytes().into()))
    }
}
