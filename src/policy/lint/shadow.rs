//! Rules that can never decide, because another rule without a condition goes first and matches all that they match.

use std::cmp::Reverse;

use crate::diag::{Finding, Findings};
use crate::model::{Effect, Layer};
use crate::policy::{DocumentSet, Pattern, Policy, Rule};

use super::index::Index;

/// Number of fields that a rule has patterns for.
pub(super) const FIELDS: usize = 7;

/// A rule that takes part in deciding, and its patterns: tenants, actions, roles, subject ids, subject types, resource
/// ids, resource types.
#[derive(Clone, Copy)]
pub(super) struct Candidate<'s> {
    policy: &'s Policy,
    rule: &'s Rule,
    pub(super) patterns: [Option<&'s [Pattern]>; FIELDS],
}

/// The fields whose value is never empty, so that `*` matches all of them.
const NEVER_EMPTY: [bool; FIELDS] = [true, true, false, true, false, false, false];

/// The field of roles: a subject without any role matches no pattern.
const ROLES: usize = 2;

/// Longest lists, multiplied, that are compared pattern by pattern.
const MAX_PAIRS: usize = 4_096;

/// Reports every rule that another one shadows.
pub(super) fn shadowed_rules(set: &DocumentSet, out: &mut Findings) {
    for layer in Layer::ALL {
        let mut candidates: Vec<_> = candidates(set, layer).collect();
        candidates.sort_by_key(|candidate| candidate.precedence());
        let unconditional = candidates.iter().filter(|candidate| candidate.is_unconditional());
        let mut index = Index::new(unconditional.copied());
        for candidate in candidates {
            let shadow = index.candidates(&candidate).find(|other| other.covers(&candidate));
            match shadow {
                Some(other) => out.push(finding(&candidate, other)),
                // A shadowed rule covers nothing that the rule before it does not cover.
                None if candidate.is_unconditional() => index.insert(candidate),
                None => {}
            }
        }
    }
}

fn candidates(set: &DocumentSet, layer: Layer) -> impl Iterator<Item = Candidate<'_>> {
    let policies = set.policies.iter().filter(move |policy| policy.enabled && policy.layer == layer);
    policies.flat_map(|policy| {
        let rules = policy.rules.iter().filter(|rule| rule.enabled && rule.effect.is_decider());
        rules.map(move |rule| {
            let target = &rule.target;
            let patterns = [
                &policy.tenants,
                &target.actions,
                &target.roles,
                &target.subject_ids,
                &target.subject_types,
                &target.resource_ids,
                &target.resource_types,
            ];
            Candidate { policy, rule, patterns: patterns.map(Option::as_deref) }
        })
    })
}

impl<'s> Candidate<'s> {
    /// The order in which rules are asked within their layer.
    fn precedence(&self) -> (Reverse<i32>, u8, &'s str, &'s str) {
        let rank = match self.rule.effect {
            Effect::Deny => 0,
            Effect::RequireApproval => 1,
            _ => 2,
        };
        (Reverse(self.rule.priority), rank, &self.policy.name, &self.rule.name)
    }

    fn is_unconditional(&self) -> bool {
        self.rule.condition.as_ref().is_none_or(|condition| condition.constant() == Some(true))
    }

    /// Whether this rule's patterns match all that those of `other` match.
    fn covers(&self, other: &Self) -> bool {
        (0..FIELDS).all(|field| {
            let pair = (self.patterns.get(field).copied().flatten(), other.patterns.get(field).copied().flatten());
            match pair {
                (None, _) => true,
                (Some(outer), None) => {
                    let never_empty = NEVER_EMPTY.get(field).copied().unwrap_or(false);
                    let is_any =
                        |pattern: &Pattern| pattern.as_str() == "**" || (pattern.as_str() == "*" && never_empty);
                    field != ROLES && outer.iter().any(is_any)
                }
                (Some(outer), Some(inner)) => {
                    outer.len().saturating_mul(inner.len()) <= MAX_PAIRS
                        && inner.iter().all(|inner| outer.iter().any(|outer| outer.covers(inner)))
                }
            }
        })
    }

    fn full_name(&self) -> String {
        format!("{}/{}", self.policy.name, self.rule.name)
    }
}

fn finding(shadowed: &Candidate<'_>, by: &Candidate<'_>) -> Finding {
    let (name, other) = (shadowed.full_name(), by.full_name());
    let help = if shadowed.rule.effect == by.rule.effect {
        "remove it, or give the other one a condition or narrower patterns".to_owned()
    } else if shadowed.rule.priority < by.rule.priority {
        format!("give it a priority above {}, or narrow the other one", by.rule.priority)
    } else {
        format!(
            "at equal priority `{}` goes before `{}`; give it a higher priority, or narrow the other one",
            by.rule.effect.as_str(),
            shadowed.rule.effect.as_str()
        )
    };
    Finding::warning("shadowed-rule", format!("the rule `{name}` can never decide"))
        .at(shadowed.rule.span)
        .label("shadowed")
        .related(by.rule.span, format!("`{other}` goes first, has no condition, and matches all that it matches"))
        .help(help)
}
