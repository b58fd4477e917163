//! The rules of a risk policy: tiers by condition, rules over the whole plan, and flows.

use crate::condition::PlanScope;
use crate::diag::{Finding, Findings, Span};
use crate::model::{Limits, Text, ValidationStatus};
use crate::policy::decode::{Context, Name, OneLine, PatternText, level, name, patterns, plan_condition};
use crate::policy::{FlowRule, PlanRule, TierRule};
use crate::yaml::{Field, Fields, spec};

use super::catalog_action::tier;
use super::risk_policy::RuleNames;

spec! {
    /// A tier by condition. Where the condition cannot be evaluated, the tier is given.
    pub(crate) struct TierRuleSpec {
        /// Unique within the risk policy.
        name: Name,
        /// Actions that it is about, as patterns; all if not given.
        #[schemars(length(min = 1))]
        actions: Option<Vec<PatternText>>,
        /// A CEL expression over `step` and `ir`.
        when: OneLine,
        /// The tier that a step gets where it holds.
        #[schemars(range(min = 0, max = 3))]
        tier: u8,
        /// Why, for the people and programs that read the answer.
        reason: Option<String>,
    }
}

spec! {
    /// A rule over the whole plan. Where its condition cannot be evaluated, it applies.
    pub(crate) struct PlanRuleSpec {
        /// Unique within the risk policy.
        name: Name,
        /// A CEL expression over `ir`.
        when: OneLine,
        /// What follows where it holds.
        effect: RiskEffect,
        /// Level of approver needed; only for `escalate`.
        #[schemars(range(min = 1, max = 5))]
        requiredLevel: Option<u8>,
        /// Why, for the people and programs that read the answer.
        reason: Option<String>,
    }
}

spec! {
    /// What may not flow where: from an output with one label to a parameter with another.
    pub(crate) struct FlowRuleSpec {
        /// Unique within the risk policy.
        name: Name,
        /// Label of the source, as catalogues give it to outputs.
        from: Name,
        /// Label of the sink, as catalogues give it to parameters.
        to: Name,
        /// What follows where it does.
        effect: RiskEffect,
        /// Level of approver needed; only for `escalate`.
        #[schemars(range(min = 1, max = 5))]
        requiredLevel: Option<u8>,
        /// Why, for the people and programs that read the answer.
        reason: Option<String>,
    }
}

/// What follows for the plan.
#[derive(schemars::JsonSchema)]
#[schemars(rename = "RiskEffect", rename_all = "snake_case")]
#[allow(dead_code, reason = "read by the schema generator only")]
pub(crate) enum RiskEffect {
    /// It needs a human's approval.
    Escalate,
    /// It is refused.
    Reject,
}

const EFFECTS: [(&str, ValidationStatus); 2] =
    [("escalate", ValidationStatus::Escalate), ("reject", ValidationStatus::Reject)];

pub(super) fn tiers(
    field: Option<Field<'_>>,
    context: Context<'_>,
    names: &mut RuleNames,
    out: &mut Findings,
) -> Vec<TierRule> {
    let entries = entries(field, out);
    let read = |entry: Field<'_>| {
        let fields = entry.fields("a tier rule", TierRuleSpec::FIELDS, out)?;
        let (name, span) = rule_name(&fields, names, out);
        let mut problems = Findings::default();
        let actions = patterns(fields.get("actions"), Limits::default().name_bytes, &mut problems);
        let actions = (!problems.has_errors()).then_some(actions);
        out.extend(problems);
        let when = plan_condition(&fields, PlanScope::Step, context, out);
        let tier = fields.require("tier", out).and_then(|field| tier(field, out));
        let reason = reason(&fields, out);
        Some(TierRule { name: name?, actions: actions?, when: when?, tier: tier?, reason, span })
    };
    entries.into_iter().filter_map(read).collect()
}

pub(super) fn plan(
    field: Option<Field<'_>>,
    context: Context<'_>,
    names: &mut RuleNames,
    out: &mut Findings,
) -> Vec<PlanRule> {
    let entries = entries(field, out);
    let read = |entry: Field<'_>| {
        let fields = entry.fields("a plan rule", PlanRuleSpec::FIELDS, out)?;
        let (name, span) = rule_name(&fields, names, out);
        let when = plan_condition(&fields, PlanScope::Plan, context, out);
        let (effect, required_level) = effect(&fields, out);
        let reason = reason(&fields, out);
        Some(PlanRule { name: name?, when: when?, effect: effect?, required_level, reason, span })
    };
    entries.into_iter().filter_map(read).collect()
}

pub(super) fn flows(
    field: Option<Field<'_>>,
    document: &Text,
    names: &mut RuleNames,
    out: &mut Findings,
) -> Vec<FlowRule> {
    let entries = entries(field, out);
    let read = |entry: Field<'_>| {
        let fields = entry.fields("a flow", FlowRuleSpec::FIELDS, out)?;
        let (rule, span) = rule_name(&fields, names, out);
        let from = fields.require("from", out).and_then(|field| name(field, out));
        let to = fields.require("to", out).and_then(|field| name(field, out));
        let (effect, required_level) = effect(&fields, out);
        let reason = reason(&fields, out);
        let (from, to) = (from?.into(), to?.into());
        Some(FlowRule {
            document: document.clone(),
            name: rule?,
            from,
            to,
            effect: effect?,
            required_level,
            reason,
            span,
        })
    };
    entries.into_iter().filter_map(read).collect()
}

/// The entries of a list of rules.
fn entries<'n>(field: Option<Field<'n>>, out: &mut Findings) -> Vec<Field<'n>> {
    field.and_then(|field| field.list("rules", out)).unwrap_or_default()
}

fn rule_name(fields: &Fields<'_>, names: &mut RuleNames, out: &mut Findings) -> (Option<Text>, Span) {
    let field = fields.require("name", out);
    let span = field.map_or_else(|| fields.node().head(), |field| field.node.span);
    let name = field.and_then(|field| name(field, out));
    if let Some(name) = name {
        names.take(name, span, out);
    }
    (name.map(Text::from), span)
}

fn reason(fields: &Fields<'_>, out: &mut Findings) -> Text {
    fields.get("reason").and_then(|field| field.string(out)).unwrap_or_default().into()
}

fn effect(fields: &Fields<'_>, out: &mut Findings) -> (Option<ValidationStatus>, Option<u8>) {
    let effect = fields.require("effect", out).and_then(|field| field.one_of("an effect", &EFFECTS, out));
    let Some(field) = fields.get("requiredLevel") else { return (effect, None) };
    let level = level(field, out);
    if effect == Some(ValidationStatus::Reject) {
        out.push(
            Finding::error("misplaced-field", "a rule with effect `reject` asks no approver")
                .at(field.key_span)
                .label("only for `escalate`")
                .help("remove `requiredLevel`, or write `effect: escalate`"),
        );
        return (effect, None);
    }
    (effect, level)
}
