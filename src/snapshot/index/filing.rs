//! Under which dimension each rule is filed.
//!
//! Patterns first: each rule goes where it shares its keys with the fewest other rules. Where that is still a crowd, the
//! values that the rule's condition demands of an attribute may tell it from the others better; a table of values is made
//! of the few attributes that help the most rules.

use hashbrown::HashMap;

use super::super::CompiledRule;
use super::super::dimension::Dimension;
use super::table::Key;
use super::values::{Demand, ValueKey};
use crate::condition::{AttributePath, RequiredEquality, WhenMissing};
use crate::policy::Pattern;

/// A rule that shares its patterns with fewer rules than this stays filed under them: looking an attribute up would cost
/// more than the rules that it spares.
const CROWD: u64 = 8;

/// How many times fewer rules an attribute's value must be shared with to be worth more than patterns.
const GAIN: u64 = 4;

/// Fewest rules for which an attribute gets a table.
const MIN_RULES: usize = 8;

/// Most attributes that get a table: each is read once for every request.
const MAX_ATTRIBUTES: usize = 8;

/// Rules sorted into dimensions.
#[derive(Debug, Default)]
pub struct Filed<'r> {
    /// Keys and rules of each dimension, in the order of [`Dimension::ALL`].
    pub by_dimension: [Vec<(Key<'r>, u32)>; Dimension::ALL.len()],
    /// Attributes, each with the demands of the rules that are filed there.
    pub by_attribute: Vec<(AttributePath, Vec<Demand<'r>>)>,
    /// Rules without a dimension whose patterns can all be keys, ascending.
    pub unfiled: Vec<u32>,
}

/// What the conditions of rules demand of attributes, rule by rule.
pub type Demands = Vec<Vec<RequiredEquality>>;

/// What the rules' conditions demand.
pub fn demands(rules: &[CompiledRule]) -> Demands {
    rules
        .iter()
        .map(|rule| rule.condition.as_ref().map_or_else(Vec::new, |condition| condition.required_equalities()))
        .collect()
}

/// Files each rule. `demands` are those of `rules`.
pub fn file<'r>(rules: &'r [CompiledRule], demands: &'r Demands) -> Filed<'r> {
    let by_pattern: Vec<Option<Choice<'r>>> = by_pattern(rules);
    let values = Values::of(demands);
    let crowd_of = |number: usize| -> u64 {
        by_pattern.get(number).and_then(Option::as_ref).map_or(rules.len() as u64, |choice| choice.crowd)
    };
    let kept = values.worth_a_table(crowd_of);
    let mut filed = Filed::default();
    let mut tables: HashMap<&str, usize> = HashMap::new();
    for (number, choice) in by_pattern.into_iter().enumerate() {
        let crowd = choice.as_ref().map_or(rules.len() as u64, |choice| choice.crowd);
        let rule = u32::try_from(number).unwrap_or(u32::MAX);
        let demand = values.best(number, crowd, |path| kept.contains(&path));
        match (demand, choice) {
            (Some(required), _) => {
                let table = *tables.entry(required.path.as_str()).or_insert_with(|| {
                    filed.by_attribute.push((required.path.clone(), Vec::new()));
                    filed.by_attribute.len() - 1
                });
                if let Some((_, entries)) = filed.by_attribute.get_mut(table) {
                    entries.push(demand_of(rule, required));
                }
            }
            (None, Some(Choice { dimension, keys, .. })) => {
                if let Some(entries) = filed.by_dimension.get_mut(dimension) {
                    entries.extend(keys.into_iter().map(|key| (key, rule)));
                }
            }
            (None, None) => filed.unfiled.push(rule),
        }
    }
    filed
}

fn demand_of(rule: u32, required: &RequiredEquality) -> Demand<'_> {
    Demand {
        rule,
        values: required.values.iter().filter_map(ValueKey::of).collect(),
        any_element: required.any_element,
        when_missing: required.when_missing == WhenMissing::Error,
    }
}

/// A dimension for a rule.
struct Choice<'r> {
    dimension: usize,
    keys: Vec<Key<'r>>,
    /// How many rules share the keys.
    crowd: u64,
}

/// For each rule, the dimension whose keys the fewest rules use; `None` where it has no usable patterns.
fn by_pattern(rules: &[CompiledRule]) -> Vec<Option<Choice<'_>>> {
    let keys_of = |rule, dimension: Dimension| keys(CompiledRule::patterns(rule, dimension));
    let mut uses: HashMap<(usize, Key<'_>), u64> = HashMap::new();
    for rule in rules {
        for (number, dimension) in Dimension::ALL.into_iter().enumerate() {
            for key in keys_of(rule, dimension).into_iter().flatten() {
                *uses.entry((number, key)).or_default() += 1;
            }
        }
    }
    let choice = |rule| {
        let choices = Dimension::ALL.into_iter().enumerate().filter_map(|(number, dimension)| {
            let keys = keys_of(rule, dimension)?;
            let crowd = keys.iter().map(|key| uses.get(&(number, *key)).copied().unwrap_or(0)).sum();
            Some(Choice { dimension: number, keys, crowd })
        });
        choices.min_by_key(|choice| choice.crowd)
    };
    rules.iter().map(choice).collect()
}

/// The keys of the patterns of one dimension, if there are any and each of them has one.
fn keys<'p>(patterns: impl Iterator<Item = &'p Pattern>) -> Option<Vec<Key<'p>>> {
    let mut keys = patterns.map(key_of).collect::<Option<Vec<Key<'p>>>>()?;
    keys.sort_unstable();
    keys.dedup();
    (!keys.is_empty()).then_some(keys)
}

/// The longer of the literal ends of a pattern; none if it starts and ends with a wildcard.
fn key_of(pattern: &Pattern) -> Option<Key<'_>> {
    if pattern.is_exact() {
        return Some(Key::Exact(pattern.as_str().as_bytes()));
    }
    let (prefix, suffix) = (pattern.literal_prefix(), pattern.literal_suffix());
    if prefix.is_empty() && suffix.is_empty() {
        None
    } else if prefix.len() >= suffix.len() {
        Some(Key::Prefix(prefix.as_bytes()))
    } else {
        Some(Key::Suffix(suffix.as_bytes()))
    }
}

/// How many rules demand which value of which attribute.
struct Values<'r> {
    demands: &'r Demands,
    uses: HashMap<(&'r str, ValueKey<'r>), u64>,
}

impl<'r> Values<'r> {
    fn of(demands: &'r Demands) -> Self {
        let mut uses = HashMap::new();
        for required in demands.iter().flatten() {
            for key in required.values.iter().filter_map(ValueKey::of) {
                *uses.entry((required.path.as_str(), key)).or_default() += 1;
            }
        }
        Self { demands, uses }
    }

    /// What the rule demands of the attribute whose value it shares with the fewest others, among the attributes that
    /// `may_use` lets through, where that is worth it for a rule that shares its patterns with `crowd` rules.
    fn best(&self, rule: usize, crowd: u64, may_use: impl Fn(&str) -> bool) -> Option<&'r RequiredEquality> {
        if crowd < CROWD {
            return None;
        }
        let required = self.demands.get(rule)?.iter().filter(|required| may_use(required.path.as_str()));
        let with_crowd = required.map(|required| {
            let keys = required.values.iter().filter_map(ValueKey::of);
            let crowd: u64 = keys.filter_map(|key| self.uses.get(&(required.path.as_str(), key))).sum();
            (crowd, required)
        });
        let (least, required) = with_crowd.min_by_key(|(crowd, _)| *crowd)?;
        (least.saturating_mul(GAIN) <= crowd).then_some(required)
    }

    /// The attributes that tell the most rules from others.
    fn worth_a_table(&self, crowd_of: impl Fn(usize) -> u64) -> Vec<&'r str> {
        let mut wanted: HashMap<&str, usize> = HashMap::new();
        for rule in 0..self.demands.len() {
            if let Some(required) = self.best(rule, crowd_of(rule), |_| true) {
                *wanted.entry(required.path.as_str()).or_default() += 1;
            }
        }
        let mut ranked: Vec<(usize, &str)> = wanted.into_iter().map(|(path, rules)| (rules, path)).collect();
        ranked.retain(|(rules, _)| *rules >= MIN_RULES);
        ranked.sort_unstable_by(|one, other| other.0.cmp(&one.0).then_with(|| one.1.cmp(other.1)));
        ranked.into_iter().take(MAX_ATTRIBUTES).map(|(_, path)| path).collect()
    }
}
