//! What catalogues and risk policies say together, ready to validate plans.
//!
//! Several documents add up towards the stricter: of numbers the least, of tiers the greatest, of labels the union, of
//! providers what all allow. A field that no risk policy above the tenants' layer sets has its default, which a tenant's may
//! narrow and not replace.

mod action;
mod approvals;

use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashSet};

pub use action::GovernedAction;
pub use approvals::{ApprovalRule, ApprovalTtl, Approvals};

use crate::condition::Condition;
use crate::model::{Text, ValidationStatus};
use crate::policy::{BulkRule, CatalogAction, DocumentSet, FlowRule, Pattern, RiskPolicy};

/// The catalogues and risk policies of a snapshot, merged.
#[derive(Debug)]
pub struct Governance {
    actions: HashMap<Text, GovernedAction, FixedState>,
    providers: HashSet<Text, FixedState>,
    approval_tier: u8,
    max_steps: Option<Ceiling>,
    max_budget_cents: Option<Ceiling>,
    scopes: Vec<GovernedScope>,
    bulk: Vec<GovernedBulk>,
    tiers: Vec<GovernedTier>,
    plan: Vec<GovernedPlanRule>,
    flows: Vec<FlowRule>,
    approvals: Approvals,
}

/// A number that a plan must not exceed, and the risk policy that sets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ceiling {
    /// The number.
    pub most: i64,
    /// The risk policy.
    pub document: Text,
}

/// A word that gives a tier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GovernedScope {
    /// The word, in lower case as far as ASCII goes.
    pub word: Text,
    /// The tier, 0–3.
    pub tier: u8,
    /// The risk policy; empty for a default.
    pub document: Text,
}

/// When a list makes a step a bulk operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GovernedBulk {
    /// Lists longer than this.
    pub above: u64,
    /// The tier, 0–3.
    pub tier: u8,
    /// The tier where the length is not known before the plan runs, 0–3.
    pub unknown_tier: u8,
    /// The risk policy; empty for the default.
    pub document: Text,
}

/// A tier by condition.
#[derive(Debug, Clone)]
pub struct GovernedTier {
    /// The risk policy.
    pub document: Text,
    /// The rule's name.
    pub name: Text,
    /// Actions that it is about; `None` means all.
    pub actions: Option<Box<[Pattern]>>,
    /// Over `step` and `ir`.
    pub when: Arc<Condition>,
    /// Paths of attributes without which the condition does not hold.
    pub required: Box<[Text]>,
    /// The tier, 0–3.
    pub tier: u8,
    /// Why; may be empty.
    pub reason: Text,
}

/// A rule over the whole plan.
#[derive(Debug, Clone)]
pub struct GovernedPlanRule {
    /// The risk policy.
    pub document: Text,
    /// The rule's name.
    pub name: Text,
    /// Over `ir`.
    pub when: Arc<Condition>,
    /// Escalate or reject.
    pub effect: ValidationStatus,
    /// Level of approver needed, where it escalates.
    pub required_level: Option<u8>,
    /// Why; may be empty.
    pub reason: Text,
}

impl Governance {
    /// Merges the documents.
    pub(super) fn build(documents: &DocumentSet) -> Self {
        let mut policies: Vec<&RiskPolicy> = documents.risk_policies.iter().collect();
        policies.sort_by(|a, b| (a.layer, &a.name).cmp(&(b.layer, &b.name)));
        let ceiling = |of: fn(&RiskPolicy) -> Option<i64>| {
            let set = policies.iter().filter_map(|policy| Some((of(policy)?, policy)));
            set.min_by_key(|(most, _)| *most).map(|(most, policy)| Ceiling { most, document: policy.name.clone() })
        };
        let is_tier_set = policies.iter().any(|policy| policy.approval_tier.is_some() && policy.may_replace_defaults());
        let default_tier = (!is_tier_set).then_some(RiskPolicy::APPROVAL_TIER);
        let approval_tiers = policies.iter().filter_map(|policy| policy.approval_tier).chain(default_tier);
        Self {
            actions: action::merge(&documents.catalogs),
            providers: documents.catalogs.iter().flat_map(|catalog| catalog.providers.iter().cloned()).collect(),
            approval_tier: approval_tiers.min().unwrap_or(RiskPolicy::APPROVAL_TIER),
            max_steps: ceiling(|policy| policy.max_steps.map(i64::from)),
            max_budget_cents: ceiling(|policy| policy.max_budget_cents),
            scopes: scopes(&policies),
            bulk: bulk(&policies),
            tiers: policies.iter().flat_map(|policy| policy.tiers.iter().map(|rule| tier(policy, rule))).collect(),
            plan: policies.iter().flat_map(|policy| plan_rules(policy)).collect(),
            flows: policies.iter().flat_map(|policy| policy.flows.iter().cloned()).collect(),
            approvals: Approvals::build(&documents.approval_policies),
        }
    }

    /// What the catalogues say of an action; `None` where none lists it.
    #[must_use]
    pub fn action(&self, name: &str) -> Option<&CatalogAction> {
        self.governed(name).map(GovernedAction::entry)
    }

    /// What the catalogues say of an action, with what validation needs besides.
    #[must_use]
    pub fn governed(&self, name: &str) -> Option<&GovernedAction> {
        self.actions.get(name)
    }

    /// The names of all actions, in no order.
    pub fn action_names(&self) -> impl Iterator<Item = &str> {
        self.actions.keys().map(Text::as_str)
    }

    /// Whether a catalogue lists the provider.
    #[must_use]
    pub fn knows_provider(&self, name: &str) -> bool {
        self.providers.contains(name)
    }

    /// The providers of all catalogues, in no order.
    pub fn providers(&self) -> impl Iterator<Item = &str> {
        self.providers.iter().map(Text::as_str)
    }

    /// Least tier that needs approval.
    #[must_use]
    pub fn approval_tier(&self) -> u8 {
        self.approval_tier
    }

    /// Most steps of a plan, where a risk policy lowers the limit.
    #[must_use]
    pub fn max_steps(&self) -> Option<&Ceiling> {
        self.max_steps.as_ref()
    }

    /// Most that the budgets of all steps may add up to, in cents.
    #[must_use]
    pub fn max_budget_cents(&self) -> Option<&Ceiling> {
        self.max_budget_cents.as_ref()
    }

    /// Words that give a tier, each once.
    #[must_use]
    pub fn scopes(&self) -> &[GovernedScope] {
        &self.scopes
    }

    /// What makes a bulk operation.
    #[must_use]
    pub fn bulk(&self) -> &[GovernedBulk] {
        &self.bulk
    }

    /// The tier rules.
    #[must_use]
    pub fn tiers(&self) -> &[GovernedTier] {
        &self.tiers
    }

    /// The plan rules.
    #[must_use]
    pub fn plan_rules(&self) -> &[GovernedPlanRule] {
        &self.plan
    }

    /// What may not flow where.
    #[must_use]
    pub fn flows(&self) -> &[FlowRule] {
        &self.flows
    }

    /// Who must approve what.
    #[must_use]
    pub fn approvals(&self) -> &Approvals {
        &self.approvals
    }
}

fn scopes(policies: &[&RiskPolicy]) -> Vec<GovernedScope> {
    let mut scopes: Vec<GovernedScope> = Vec::new();
    if !policies.iter().any(|policy| policy.scopes.is_some() && policy.may_replace_defaults()) {
        let default = |(word, tier)| GovernedScope { word: Text::const_new(word), tier, document: Text::default() };
        scopes.extend(RiskPolicy::SCOPES.map(default));
    }
    for policy in policies {
        for scope in policy.scopes.iter().flatten() {
            let word: Text = scope.word.to_ascii_lowercase();
            let document = policy.name.clone();
            match scopes.iter_mut().find(|known| known.word == word) {
                Some(known) if known.tier < scope.tier => (known.tier, known.document) = (scope.tier, document),
                Some(_) => {}
                None => scopes.push(GovernedScope { word, tier: scope.tier, document }),
            }
        }
    }
    scopes
}

fn bulk(policies: &[&RiskPolicy]) -> Vec<GovernedBulk> {
    let rule = |BulkRule { above, tier, unknown_tier }, document| GovernedBulk { above, tier, unknown_tier, document };
    let is_set = policies.iter().any(|policy| policy.bulk.is_some() && policy.may_replace_defaults());
    let default = (!is_set).then(|| rule(RiskPolicy::BULK, Text::default()));
    let given = policies.iter().filter_map(|policy| Some(rule(policy.bulk?, policy.name.clone())));
    default.into_iter().chain(given).collect()
}

fn tier(policy: &RiskPolicy, rule: &crate::policy::TierRule) -> GovernedTier {
    GovernedTier {
        document: policy.name.clone(),
        name: rule.name.clone(),
        actions: rule.actions.clone(),
        when: rule.when.clone(),
        required: rule.when.required_attributes().into(),
        tier: rule.tier,
        reason: rule.reason.clone(),
    }
}

fn plan_rules(policy: &RiskPolicy) -> impl Iterator<Item = GovernedPlanRule> {
    policy.plan.iter().map(|rule| GovernedPlanRule {
        document: policy.name.clone(),
        name: rule.name.clone(),
        when: rule.when.clone(),
        effect: rule.effect,
        required_level: rule.required_level,
        reason: rule.reason.clone(),
    })
}
