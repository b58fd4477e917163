//! The tiers of steps, each with its reasons: what the action is, what it is done to, and how much it changes.

use compact_str::format_compact;

use crate::condition::{Bindings, Budget, ConditionError, PlanBindings};
use crate::model::{Outcome, ReasonCode, Step, StepValidation, Text, TierKind, TierReason, Value};
use crate::snapshot::{GovernedAction, GovernedScope, GovernedTier};

use super::Subject;
use super::bulk;

/// The tier of an action that no catalogue lists.
const UNKNOWN: u8 = 3;

/// The keys of the constraints that name an environment, and how messages call them.
const ENVIRONMENT: [(&str, &str); 2] = [("environment", "`constraints.environment`"), ("env", "`constraints.env`")];

/// One [`StepValidation`] for each step, with its tiers; what the policies and hashes add is still empty.
pub(super) fn steps(subject: &Subject<'_>, plan: &PlanBindings<'_>, spent: &mut Budget) -> Vec<StepValidation> {
    let steps = subject.plan.steps.iter().zip(subject.actions).enumerate().map(|(index, (step, action))| {
        let mut reasons = Vec::with_capacity(2);
        let action_tier = action_tier(step, *action, &mut reasons);
        let scope_tier = scope_tier(subject, step, &mut reasons);
        let bulk_tier = bulk::tier(subject, step, *action, &mut reasons);
        let rule_tier = rule_tier(subject, plan, index, step, spent, &mut reasons);
        let impact_tier = bulk_tier.max(rule_tier);
        StepValidation {
            index: u32::try_from(index).unwrap_or(u32::MAX),
            step_id: step.step_id.clone(),
            step_hash: Text::default(),
            tier: action_tier.max(scope_tier).max(impact_tier),
            action_tier,
            scope_tier,
            impact_tier,
            tier_reasons: reasons,
            decision: Outcome::Deny,
            reason_code: ReasonCode::NoPolicy,
            matched: None,
            requires_audit: false,
        }
    });
    steps.collect()
}

fn action_tier(step: &Step, action: Option<&GovernedAction>, reasons: &mut Vec<TierReason>) -> u8 {
    let (tier, document, rule, message) = match action {
        Some(action) => {
            let message = Text::const_new("the catalogue gives the action this tier");
            (action.entry().tier, action.document().clone(), step.action.clone(), message)
        }
        None => (UNKNOWN, Text::default(), Text::default(), Text::const_new("no catalogue lists the action")),
    };
    reasons.push(TierReason { kind: TierKind::Action, tier, document, rule, message });
    tier
}

// === scope

fn scope_tier(subject: &Subject<'_>, step: &Step, reasons: &mut Vec<TierReason>) -> u8 {
    let scopes = subject.governance.scopes();
    let mut tier = look(scopes, &step.resource, "the resource", reasons);
    if step.constraints.is_empty() {
        return tier;
    }
    for (key, place) in ENVIRONMENT {
        match step.constraints.get(key) {
            None => {}
            Some(Value::List(items)) => {
                for item in items {
                    tier = tier.max(environment(scopes, item, place, reasons));
                }
            }
            Some(value) => tier = tier.max(environment(scopes, value, place, reasons)),
        }
    }
    tier
}

/// The tier of one environment: its name, or a map with its `name`. What is neither may be any.
fn environment(scopes: &[GovernedScope], value: &Value, place: &str, reasons: &mut Vec<TierReason>) -> u8 {
    let name = match value {
        Value::Null => return 0,
        Value::Map(map) => map.get("name"),
        value => Some(value),
    };
    if let Some(Value::String(text)) = name {
        return look(scopes, text, place, reasons);
    }
    let Some(scope) = scopes.iter().max_by_key(|scope| scope.tier).filter(|scope| scope.tier > 0) else { return 0 };
    reasons.push(TierReason {
        kind: TierKind::Scope,
        tier: scope.tier,
        document: scope.document.clone(),
        rule: scope.word.clone(),
        message: format_compact!(
            "{place} is neither a name, nor a map with a `name`, nor a list of these, so that it may be any"
        ),
    });
    scope.tier
}

/// The tier that the segments of `text` give: of what stands between characters that are neither letters nor digits.
/// ASCII case does not count.
fn look(scopes: &[GovernedScope], text: &str, place: &str, reasons: &mut Vec<TierReason>) -> u8 {
    let mut tier = 0;
    let mut look = |segment: &[u8]| {
        let word = |scope: &&GovernedScope| scope.word.as_bytes().eq_ignore_ascii_case(segment);
        let Some(scope) = scopes.iter().find(word) else { return };
        tier = tier.max(scope.tier);
        let known = |reason: &TierReason| reason.kind == TierKind::Scope && reason.rule == scope.word;
        if scope.tier > 0 && !reasons.iter().any(known) {
            reasons.push(TierReason {
                kind: TierKind::Scope,
                tier: scope.tier,
                document: scope.document.clone(),
                rule: scope.word.clone(),
                message: format_compact!("`{}` is a segment of {place}", scope.word),
            });
        }
    };
    if text.is_ascii() {
        text.as_bytes().split(|byte| !byte.is_ascii_alphanumeric()).for_each(look);
    } else {
        text.split(|c: char| !c.is_alphanumeric()).for_each(|segment| look(segment.as_bytes()));
    }
    tier
}

// === impact

fn rule_tier(
    subject: &Subject<'_>,
    plan: &PlanBindings<'_>,
    index: usize,
    step: &Step,
    spent: &mut Budget,
    reasons: &mut Vec<TierReason>,
) -> u8 {
    let mut tier = 0;
    for rule in subject.governance.tiers() {
        let concerned =
            |patterns: &[crate::policy::Pattern]| patterns.iter().any(|pattern| pattern.matches(&step.action));
        if rule.tier == 0 || !rule.actions.as_deref().is_none_or(concerned) {
            continue;
        }
        let bindings = Bindings::of_step(plan, index, subject.now);
        let why = match rule.when.evaluate(&bindings, spent) {
            Ok(true) if rule.reason.is_empty() => Text::const_new("the condition of the rule holds"),
            Ok(true) => rule.reason.clone(),
            Err(ConditionError::Limit) => Text::const_new("the conditions of the plan cost more than they may"),
            Err(ConditionError::NotKnown(what)) => format_compact!("the condition of the rule {what}"),
            Err(error) if !is_absent(rule, &error) => {
                format_compact!("the condition of the rule cannot be evaluated ({error}), so the tier is given")
            }
            Ok(false) | Err(_) => continue,
        };
        tier = tier.max(rule.tier);
        reasons.push(TierReason {
            kind: TierKind::Impact,
            tier: rule.tier,
            document: rule.document.clone(),
            rule: rule.name.clone(),
            message: why,
        });
    }
    tier
}

/// Whether an attribute is missing without which the condition does not hold, because it must equal a constant.
fn is_absent(rule: &GovernedTier, error: &ConditionError) -> bool {
    let ConditionError::NoSuchKey(missing) = error else { return false };
    rule.required.iter().any(|required| {
        let rest = required.strip_prefix(missing.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    })
}
