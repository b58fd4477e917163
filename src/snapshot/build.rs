//! From documents to a snapshot: rules in order of precedence, their labels, the index.

use std::collections::HashMap;
use std::sync::Arc;

use super::endpoints::Endpoints;
use super::governance::Governance;
use super::index::Index;
use super::{CompiledRule, Snapshot, digest};
use crate::model::{DefaultLabel, Effect, RuleLabel, SnapshotLabel, Text, sanitise_reason};
use crate::policy::{DocumentSet, Pattern, Policy, Rule};

pub fn build(documents: &DocumentSet, revision: u64) -> Snapshot {
    let enabled = || documents.policies.iter().filter(|policy| policy.enabled);
    let mut rules: Vec<(&Policy, &Rule)> = enabled()
        .flat_map(|policy| policy.rules.iter().filter(|rule| rule.enabled).map(move |rule| (policy, rule)))
        .collect();
    rules.sort_by(|(policy, rule), (other_policy, other)| {
        let key = |policy: &Policy, rule: &Rule| (policy.layer, std::cmp::Reverse(rule.priority), rank(rule.effect));
        key(policy, rule)
            .cmp(&key(other_policy, other))
            .then_with(|| policy.name.cmp(&other_policy.name))
            .then_with(|| rule.name.cmp(&other.name))
    });
    let labels = rules.iter().map(|(policy, rule)| label(policy, rule)).collect();
    let compiled = compile(&rules);
    let set = documents.policy_set.as_ref();
    Snapshot {
        label: Arc::new(SnapshotLabel {
            digest: digest::digest(&documents.canonical).into(),
            revision,
            version: set.map(|set| set.version.clone()).unwrap_or_default(),
            rules: labels,
            default: DefaultLabel {
                effect: set.map_or(Effect::Deny, |set| set.default_effect),
                policy_set: set.map(|set| set.name.clone()).unwrap_or_default(),
            },
        }),
        index: Index::build(&compiled),
        deciders: compiled.iter().map(|rule| rule.effect.is_decider().then_some(rule.layer)).collect(),
        rules: compiled,
        has_policies: enabled().next().is_some(),
        evaluation_cost: set.and_then(|set| set.evaluation_cost),
        governance: Governance::build(documents),
        endpoints: Endpoints::build(documents),
    }
}

/// At equal priority the more restrictive decider goes first; observers, which never compete, go last.
fn rank(effect: Effect) -> u8 {
    match effect {
        Effect::Deny => 0,
        Effect::RequireApproval => 1,
        Effect::Allow => 2,
        Effect::Audit => 3,
        Effect::Warn => 4,
    }
}

fn label(policy: &Policy, rule: &Rule) -> RuleLabel {
    let reason = if rule.reason.is_empty() {
        Text::from(match rule.effect {
            Effect::Allow => "a rule allows it",
            Effect::Deny => "a rule denies it",
            Effect::Warn => "a rule warns of it",
            Effect::Audit => "a rule obliges to audit it",
            Effect::RequireApproval => "a rule requires approval",
        })
    } else {
        sanitise_reason(&rule.reason)
    };
    RuleLabel {
        policy: policy.name.clone(),
        rule: rule.name.clone(),
        layer: policy.layer,
        effect: rule.effect,
        priority: rule.priority,
        reason,
        required_level: rule.required_level,
        obligations: rule.obligations.clone(),
    }
}

/// The rules in the given order. Tenants are shared by the rules of a policy.
fn compile(rules: &[(&Policy, &Rule)]) -> Box<[CompiledRule]> {
    let mut tenants: HashMap<&str, Option<Arc<[Pattern]>>> = HashMap::new();
    let compiled = rules.iter().map(|(policy, rule)| {
        let of_policy = tenants.entry(&policy.name).or_insert_with(|| policy.tenants.as_deref().map(Arc::from));
        CompiledRule::new(policy, of_policy.clone(), rule)
    });
    compiled.collect()
}
