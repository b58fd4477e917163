//! Kind `RiskPolicy`: what makes a plan risky.

use std::collections::{BTreeMap, HashMap};

use crate::diag::{Finding, Findings, Span};
use crate::model::{Limits, Text};
use crate::policy::decode::{Context, Head, MetadataSpec};
use crate::policy::{BulkRule, DocumentSet, RiskPolicy, ScopeWord};
use crate::yaml::{Elsewhere, Field, spec};

use super::catalog_action::tier;
use super::risk_rules::{self, FlowRuleSpec, PlanRuleSpec, TierRuleSpec};

spec! {
    /// What makes a plan risky. Several risk policies add up: the strictest of each number, and all rules.
    pub(crate) struct RiskPolicySpec {
        /// What it is for.
        description: Option<String>,
        /// Least tier that needs approval; 2 if no risk policy gives one.
        #[schemars(range(min = 0, max = 3))]
        approvalTier: Option<u8>,
        /// Most steps of a plan; 1000 if no risk policy gives a number.
        #[schemars(range(min = 1, max = 1_000))]
        maxSteps: Option<u32>,
        /// Most that the budgets of all steps may add up to, in cents.
        #[schemars(range(min = 0, max = 9_007_199_254_740_991_i64))]
        maxBudgetCents: Option<i64>,
        /// Words that give a tier where they are a whole segment of the resource or of `constraints.environment`, whatever
        /// their case; `production`, `prod` and `live` give 2 if no risk policy has this field.
        scopes: Option<BTreeMap<String, u8>>,
        /// When a list makes a step a bulk operation; above 100, tier 3, if no risk policy says.
        bulk: Option<BulkSpec>,
        /// Tiers by condition, over one step.
        tiers: Option<Vec<TierRuleSpec>>,
        /// Rules over the whole plan.
        plan: Option<Vec<PlanRuleSpec>>,
        /// What may not flow where.
        flows: Option<Vec<FlowRuleSpec>>,
    }
}

spec! {
    /// When a list makes a step a bulk operation.
    pub(crate) struct BulkSpec {
        /// Lists longer than this at one of the action's `countPaths`.
        above: u64,
        /// The tier that they give.
        #[schemars(range(min = 0, max = 3))]
        tier: u8,
        /// The tier of a list that is bound to another step's output, unless `maxItems` of the action's `paramsSchema` keeps
        /// it short; that of `tier` if not given.
        #[schemars(range(min = 0, max = 3))]
        unknownTier: Option<u8>,
    }
}

/// What authors put into `spec` instead of where it belongs.
const ELSEWHERE: &[Elsewhere] =
    &[("`metadata`", MetadataSpec::FIELDS), ("an ActionCatalog", &["actions", "providers", "countPaths", "labels"])];

/// Greatest number of cents that every reader of JSON holds exactly.
const MAX_CENTS: i64 = (1 << 53) - 1;

/// Names of rules so far, over all lists of a risk policy.
#[derive(Default)]
pub(super) struct RuleNames(HashMap<Text, Span>);

impl RuleNames {
    /// Takes `name`; reports that another rule has it.
    pub(super) fn take(&mut self, name: &str, span: Span, out: &mut Findings) {
        match self.0.get(name) {
            Some(first) => out.push(
                Finding::error("duplicate-rule", format!("this risk policy has another rule named `{name}`"))
                    .at(span)
                    .label("again here")
                    .related(*first, "first here")
                    .help("give each rule its own name: answers and records name rules by it"),
            ),
            None => {
                self.0.insert(name.into(), span);
            }
        }
    }
}

pub(super) fn decode(spec: Field<'_>, head: &Head, context: Context<'_>, set: &mut DocumentSet, out: &mut Findings) {
    let Some(fields) = spec.fields_hinting("a risk policy", RiskPolicySpec::FIELDS, ELSEWHERE, out) else { return };
    if let Some(description) = fields.get("description") {
        description.string(out);
    }
    let most_steps = i64::try_from(Limits::default().plan_steps).unwrap_or(i64::MAX);
    let max_steps = fields.get("maxSteps").and_then(|field| field.integer(1..=most_steps, out));
    let mut names = RuleNames::default();
    set.risk_policies.push(RiskPolicy {
        name: head.name.clone(),
        layer: context.layer,
        approval_tier: fields.get("approvalTier").and_then(|field| tier(field, out)),
        max_steps: max_steps.and_then(|steps| u32::try_from(steps).ok()),
        max_budget_cents: fields.get("maxBudgetCents").and_then(|field| field.integer(0..=MAX_CENTS, out)),
        scopes: fields.get("scopes").map(|field| scopes(field, out)),
        bulk: fields.get("bulk").and_then(|field| bulk(field, out)),
        tiers: risk_rules::tiers(fields.get("tiers"), context, &mut names, out),
        plan: risk_rules::plan(fields.get("plan"), context, &mut names, out),
        flows: risk_rules::flows(fields.get("flows"), &head.name, &mut names, out),
        span: head.span,
    });
}

fn scopes(field: Field<'_>, out: &mut Findings) -> Vec<ScopeWord> {
    let mut words: Vec<(ScopeWord, Span)> = Vec::new();
    for entry in field.entries(out).unwrap_or_default() {
        let value = Field { name: "scopes", node: &entry.value, key_span: entry.key_span, is_entry: true };
        let Some(tier) = tier(value, out) else { continue };
        if entry.key.is_empty() || !entry.key.chars().all(char::is_alphanumeric) {
            out.push(
                Finding::error("bad-scope", format!("`{}` is not one word, so no segment equals it", entry.key))
                    .at(entry.key_span)
                    .help("segments are what stands between characters that are neither letters nor digits"),
            );
            continue;
        }
        match words.iter().find(|(known, _)| known.word.eq_ignore_ascii_case(&entry.key)) {
            Some((_, first)) => out.push(
                Finding::error("duplicate-entry", format!("`{}` is given twice; case does not count", entry.key))
                    .at(entry.key_span)
                    .label("again here")
                    .related(*first, "first here")
                    .help("remove one of them"),
            ),
            None => words.push((ScopeWord { word: entry.key.clone(), tier }, entry.key_span)),
        }
    }
    words.into_iter().map(|(word, _)| word).collect()
}

fn bulk(field: Field<'_>, out: &mut Findings) -> Option<BulkRule> {
    let fields = field.fields("`bulk`", BulkSpec::FIELDS, out)?;
    let above = fields.require("above", out).and_then(|field| field.integer(0..=MAX_CENTS, out));
    let tier = fields.require("tier", out).and_then(|field| tier(field, out));
    let unknown_tier = fields.get("unknownTier").and_then(|field| super::catalog_action::tier(field, out));
    let tier = tier?;
    Some(BulkRule { above: u64::try_from(above?).ok()?, tier, unknown_tier: unknown_tier.unwrap_or(tier) })
}
