//! What approval policies say of a target, ready to be asked.
//!
//! In each layer the narrowest policy that matches an action holds. Layers, and the actions of a plan, add up towards the
//! stricter: more and higher stages, shorter times, smaller amounts, all webhooks.

use std::cmp::Reverse;

use crate::model::{Layer, Text};
use crate::policy::{ApprovalPolicy, ApprovalScope, EscalationRule, Pattern, StageRule, TtlRule};

/// Level of the one approver where no policy has stages.
const LEVEL: u8 = 3;
/// The same for targets of the highest tier.
const LEVEL_OF_TIER_3: u8 = 4;
/// How long approvals are valid where no policy says, in seconds: by default, at least, at most.
const TTL: ApprovalTtl = ApprovalTtl { default_seconds: 3_600, min_seconds: 60, max_seconds: 86_400 };
/// Most that wait of a tenant where no policy says.
const PENDING_PER_TENANT: u32 = 10_000;
/// Most that wait of one creator where no policy says.
const PENDING_PER_CREATOR: u32 = 1_000;

/// The approval policies of a snapshot.
#[derive(Debug, Default)]
pub struct Approvals {
    /// By layer, and in a layer the narrowest first.
    policies: Vec<ApprovalPolicy>,
}

/// What holds for one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalRule {
    /// The policies that say so, each once; none where the built-in rule holds.
    pub documents: Vec<Text>,
    /// The stages of approvers, in order; not empty.
    pub stages: Vec<StageRule>,
    /// Most that may cost what is approved without a human, in cents; 0 means never.
    pub auto_approve_max_cents: i64,
    /// How long it may be valid.
    pub ttl: ApprovalTtl,
    /// What happens where nobody decides.
    pub escalation: Option<EscalationRule>,
    /// Webhook endpoints that are told, each once.
    pub webhooks: Vec<Text>,
    /// Most approvals of the tenant that wait for approvers at once.
    pub pending_per_tenant: u32,
    /// Most approvals of one creator in the tenant that wait for approvers at once.
    pub pending_per_creator: u32,
}

/// How long approvals are valid, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApprovalTtl {
    /// Where the request does not say.
    pub default_seconds: u32,
    /// At least.
    pub min_seconds: u32,
    /// At most.
    pub max_seconds: u32,
}

impl Approvals {
    pub(super) fn build(policies: &[ApprovalPolicy]) -> Self {
        let mut policies = policies.to_vec();
        policies.sort_by_cached_key(|policy| (policy.layer, Reverse(narrowness(&policy.scope)), policy.name.clone()));
        Self { policies }
    }

    /// What holds where the subject `agent` of `tenant` wants approval for `actions`, the greatest tier of which is `tier`.
    #[must_use]
    pub fn rule<'a>(
        &self,
        tenant: &str,
        agent: &str,
        actions: impl IntoIterator<Item = &'a str>,
        tier: u8,
    ) -> ApprovalRule {
        let of_action = |action: &'a str| self.rule_of_action(tenant, agent, action, tier);
        let all = actions.into_iter().map(of_action).reduce(strictest);
        all.unwrap_or_else(|| self.rule_of_action(tenant, agent, "", tier))
    }

    fn rule_of_action(&self, tenant: &str, agent: &str, action: &str, tier: u8) -> ApprovalRule {
        let concerns = |policy: &&ApprovalPolicy| {
            let ApprovalScope { tenants, agents, actions } = &policy.scope;
            matches(tenants, tenant) && matches(agents, agent) && matches(actions, action)
        };
        let of_layer = |layer| self.policies.iter().filter(|policy| policy.layer == layer).find(concerns);
        let speaking: Vec<&ApprovalPolicy> = Layer::ALL.into_iter().filter_map(of_layer).collect();
        resolve(&speaking, tier)
    }
}

fn matches(patterns: &Option<Box<[Pattern]>>, id: &str) -> bool {
    patterns.as_ref().is_none_or(|patterns| patterns.iter().any(|pattern| pattern.matches(id)))
}

/// How narrow a scope is: how many of its fields leave something out, how many of these are exact, and how long their
/// shortest patterns are.
fn narrowness(scope: &ApprovalScope) -> (usize, usize, usize) {
    let fields = [&scope.tenants, &scope.agents, &scope.actions];
    let narrowing = fields
        .into_iter()
        .flatten()
        .filter(|patterns| !patterns.iter().any(|pattern| matches!(pattern.as_str(), "*" | "**")));
    narrowing.fold((0, 0, 0), |(fields, exact, length), patterns| {
        let is_exact = patterns.iter().all(Pattern::is_exact);
        let shortest = patterns.iter().map(|pattern| pattern.as_str().len()).min().unwrap_or_default();
        (fields + 1, exact + usize::from(is_exact), length + shortest)
    })
}

/// What the policies of several layers say together; what none says has its default.
fn resolve(speaking: &[&ApprovalPolicy], tier: u8) -> ApprovalRule {
    let stages = speaking.iter().filter_map(|policy| policy.stages.clone()).reduce(stricter_stages);
    let built_in = StageRule { level: if tier >= 3 { LEVEL_OF_TIER_3 } else { LEVEL }, quorum: 1, min_cents: 0 };
    let mut webhooks: Vec<Text> = Vec::new();
    for name in speaking.iter().flat_map(|policy| &policy.webhooks) {
        add(&mut webhooks, name.clone());
    }
    let least = |of: fn(&ApprovalPolicy) -> Option<u32>| speaking.iter().filter_map(|policy| of(policy)).min();
    ApprovalRule {
        documents: speaking.iter().map(|policy| policy.name.clone()).collect(),
        stages: stages.unwrap_or_else(|| vec![built_in]),
        auto_approve_max_cents: speaking.iter().filter_map(|policy| policy.auto_approve_max_cents).min().unwrap_or(0),
        ttl: ttl(speaking.iter().map(|policy| policy.ttl)),
        escalation: speaking.iter().filter_map(|policy| policy.escalation).reduce(stricter_escalation),
        webhooks,
        pending_per_tenant: least(|policy| policy.pending_per_tenant).unwrap_or(PENDING_PER_TENANT),
        pending_per_creator: least(|policy| policy.pending_per_creator).unwrap_or(PENDING_PER_CREATOR),
    }
}

fn ttl(rules: impl Iterator<Item = TtlRule> + Clone) -> ApprovalTtl {
    let least = |of: fn(&TtlRule) -> Option<u32>| rules.clone().filter_map(|rule| of(&rule)).min();
    let max_seconds = least(|rule| rule.max_seconds);
    let min_seconds = rules.clone().filter_map(|rule| rule.min_seconds).max();
    let default_seconds = least(|rule| rule.default_seconds);
    // One bound that is given moves the defaults of the others.
    let max_seconds =
        max_seconds.unwrap_or_else(|| TTL.max_seconds.max(min_seconds.unwrap_or(0)).max(default_seconds.unwrap_or(0)));
    bounded_ttl(ApprovalTtl {
        default_seconds: default_seconds.unwrap_or(TTL.default_seconds),
        min_seconds: min_seconds.unwrap_or(TTL.min_seconds.min(default_seconds.unwrap_or(TTL.min_seconds))),
        max_seconds,
    })
}

/// Bounds in order: the greatest time wins over the least.
fn bounded_ttl(ttl: ApprovalTtl) -> ApprovalTtl {
    let min_seconds = ttl.min_seconds.min(ttl.max_seconds);
    ApprovalTtl { min_seconds, default_seconds: ttl.default_seconds.clamp(min_seconds, ttl.max_seconds), ..ttl }
}

/// Two lists of stages as one that is at least as strict as each. They are laid one on the other from their ends, as the
/// last stage is the highest.
fn stricter_stages(a: Vec<StageRule>, b: Vec<StageRule>) -> Vec<StageRule> {
    let (mut longer, shorter) = if a.len() >= b.len() { (a, b) } else { (b, a) };
    for (stage, other) in longer.iter_mut().rev().zip(shorter.iter().rev()) {
        *stage = StageRule {
            level: stage.level.max(other.level),
            quorum: stage.quorum.max(other.quorum),
            min_cents: stage.min_cents.min(other.min_cents),
        };
    }
    longer
}

fn stricter_escalation(a: EscalationRule, b: EscalationRule) -> EscalationRule {
    EscalationRule { after_seconds: a.after_seconds.min(b.after_seconds), level: a.level.max(b.level) }
}

/// What holds for a target of which two rules speak.
fn strictest(mut a: ApprovalRule, b: ApprovalRule) -> ApprovalRule {
    if a == b {
        return a;
    }
    b.documents.into_iter().for_each(|name| add(&mut a.documents, name));
    b.webhooks.into_iter().for_each(|name| add(&mut a.webhooks, name));
    let escalation = match (a.escalation, b.escalation) {
        (Some(a), Some(b)) => Some(stricter_escalation(a, b)),
        (a, b) => a.or(b),
    };
    ApprovalRule {
        documents: a.documents,
        stages: stricter_stages(a.stages, b.stages),
        auto_approve_max_cents: a.auto_approve_max_cents.min(b.auto_approve_max_cents),
        ttl: bounded_ttl(ApprovalTtl {
            default_seconds: a.ttl.default_seconds.min(b.ttl.default_seconds),
            min_seconds: a.ttl.min_seconds.max(b.ttl.min_seconds),
            max_seconds: a.ttl.max_seconds.min(b.ttl.max_seconds),
        }),
        escalation,
        webhooks: a.webhooks,
        pending_per_tenant: a.pending_per_tenant.min(b.pending_per_tenant),
        pending_per_creator: a.pending_per_creator.min(b.pending_per_creator),
    }
}

fn add(names: &mut Vec<Text>, name: Text) {
    if !names.contains(&name) {
        names.push(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{SourceText, load};

    fn approvals(documents: &[&str]) -> Approvals {
        let texts: Vec<SourceText> = documents
            .iter()
            .enumerate()
            .map(|(number, spec)| {
                let (layer, spec) = spec.split_once('|').unwrap_or(("organisation", spec));
                let layer = Layer::ALL.into_iter().find(|known| known.as_str() == layer).expect("a layer");
                let (name, spec) = spec.split_once(' ').expect("a name");
                SourceText {
                    name: format!("{number}.yaml").into(),
                    layer,
                    text: format!(
                        "apiVersion: lictor.dev/v1\nkind: ApprovalPolicy\nmetadata: {{name: {name}}}\nspec: {{{spec}}}\n"
                    )
                    .into(),
                }
            })
            .collect();
        let loaded = load(&texts);
        assert!(!loaded.findings.has_errors(), "{:?}", loaded.findings);
        Approvals::build(&loaded.documents.approval_policies)
    }

    fn levels(rule: &ApprovalRule) -> Vec<(u8, u8)> {
        rule.stages.iter().map(|stage| (stage.level, stage.quorum)).collect()
    }

    #[test]
    fn without_documents_the_tier_decides() {
        let none = Approvals::default();
        for (tier, level) in [(0, 3), (2, 3), (3, 4)] {
            let rule = none.rule("default", "a", ["x.y"], tier);
            assert_eq!(levels(&rule), [(level, 1)]);
            assert_eq!((rule.auto_approve_max_cents, rule.ttl, rule.escalation), (0, TTL, None));
        }
    }

    #[test]
    fn the_narrowest_wins_in_any_order() {
        let global = "global stages: [{level: 1}]";
        let tenant = "tenant scope: {tenants: [acme]}, stages: [{level: 2}]";
        let glob = "glob scope: {tenants: ['acme*'], agents: ['*']}, stages: [{level: 3}]";
        let agent = "agent scope: {tenants: [acme], agents: [bot]}, stages: [{level: 4}]";
        let action = "action scope: {tenants: [acme], agents: [bot], actions: ['bank.**']}, stages: [{level: owner}]";
        let all = [global, tenant, glob, agent, action];
        for turn in 0..all.len() {
            let mut documents = all.to_vec();
            documents.rotate_left(turn);
            for documents in [documents.clone(), documents.into_iter().rev().collect()] {
                let approvals = approvals(&documents);
                let level = |tenant, agent, action| approvals.rule(tenant, agent, [action], 2).stages[0].level;
                assert_eq!(level("other", "bot", "bank.transfer"), 1);
                assert_eq!(level("acme", "other", "bank.transfer"), 2);
                assert_eq!(level("acme-2", "bot", "bank.transfer"), 3);
                assert_eq!(level("acme", "bot", "mail.send"), 4);
                assert_eq!(level("acme", "bot", "bank.transfer"), 5);
            }
        }
    }

    #[test]
    fn layers_and_actions_add_up_to_the_strictest() {
        let approvals = approvals(&[
            "system|floor stages: [{level: 3, quorum: 2}], autoApprove: {maxCents: 100}, ttl: {maxSeconds: 600}",
            "organisation|ours stages: [{level: 2}, {level: 4}], autoApprove: {maxCents: 500}, webhooks: [a]",
            "tenant|bank scope: {actions: ['bank.*']}, stages: [{level: 5}], autoApprove: {maxCents: 0}, webhooks: [b, a]",
        ]);
        let rule = approvals.rule("default", "x", ["mail.send"], 2);
        assert_eq!(levels(&rule), [(2, 1), (4, 2)]);
        assert_eq!(rule.auto_approve_max_cents, 100);
        assert_eq!(rule.ttl, ApprovalTtl { default_seconds: 600, min_seconds: 60, max_seconds: 600 });
        let both = approvals.rule("default", "x", ["mail.send", "bank.pay"], 2);
        assert_eq!(levels(&both), [(2, 1), (5, 2)]);
        assert_eq!(both.auto_approve_max_cents, 0);
        assert_eq!(both.webhooks, ["a", "b"]);
        assert_eq!(both.documents, ["floor", "ours", "bank"]);
    }

    #[test]
    fn bounds_of_time_stay_in_order() {
        for (ttl, expected) in [
            ("{minSeconds: 1}", (3600, 1, 86400)),
            ("{maxSeconds: 30}", (30, 30, 30)),
            ("{defaultSeconds: 10}", (10, 10, 86400)),
            ("{minSeconds: 100000}", (100_000, 100_000, 100_000)),
            ("{defaultSeconds: 300, minSeconds: 2, maxSeconds: 900}", (300, 2, 900)),
        ] {
            let rule = approvals(&[&format!("one ttl: {ttl}")]).rule("default", "x", ["a"], 2);
            let found = (rule.ttl.default_seconds, rule.ttl.min_seconds, rule.ttl.max_seconds);
            assert_eq!(found, expected, "{ttl}");
        }
    }
}
