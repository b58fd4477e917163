//! Test cases of plans: the validation in a few words, what of it is not as expected, and which rules took part.

use std::collections::BTreeSet;

use super::run::{Mismatch, set};
use crate::model::{TierKind, Validation};
use crate::policy::PlanExpectation;
use crate::snapshot::Governance;

/// Most violations that an answer names.
const MAX_SHOWN: usize = 6;

/// The answer, in a few words.
pub fn answer(validation: &Validation) -> String {
    let mut answer = format!("{} tier {}", validation.status.as_str().to_lowercase(), validation.risk_tier);
    for (number, violation) in validation.violations.iter().take(MAX_SHOWN).enumerate() {
        answer.push_str(if number == 0 { ": " } else { ", " });
        answer.push_str(violation.code.as_str());
        if !violation.path.is_empty() {
            answer.push(' ');
            answer.push_str(&violation.path);
        }
        if !violation.rule.is_empty() {
            answer.push_str(&format!(" ({})", violation.rule));
        }
    }
    if let Some(more) = validation.violations.len().checked_sub(MAX_SHOWN).filter(|more| *more > 0) {
        answer.push_str(&format!(" and {more} more"));
    }
    answer
}

/// The tier, plan and flow rules of a snapshot, as `document/rule`.
pub fn rules(governance: &Governance) -> BTreeSet<String> {
    let tiers = governance.tiers().iter().map(|rule| format!("{}/{}", rule.document, rule.name));
    let plan = governance.plan_rules().iter().map(|rule| format!("{}/{}", rule.document, rule.name));
    let flows = governance.flows().iter().map(|rule| format!("{}/{}", rule.document, rule.name));
    tiers.chain(plan).chain(flows).collect()
}

/// Those of `rules` that took part in a validation.
pub fn taking_part(validation: &Validation, rules: &BTreeSet<String>) -> BTreeSet<String> {
    let reasons = validation.steps.iter().flat_map(|step| &step.tier_reasons);
    let tiers = reasons.filter(|reason| reason.kind == TierKind::Impact);
    let tiers = tiers.map(|reason| format!("{}/{}", reason.document, reason.rule));
    let others = validation.violations.iter().map(|violation| violation.rule.to_string());
    tiers.chain(others).filter(|rule| rules.contains(rule)).collect()
}

/// What is not as expected.
pub fn compare(expect: &PlanExpectation, validation: &Validation, took_part: &BTreeSet<String>) -> Vec<Mismatch> {
    let mut mismatches = Vec::new();
    let mut check = |field, expected: Option<String>, actual: String| {
        if let Some(expected) = expected.filter(|expected| *expected != actual) {
            mismatches.push(Mismatch { field, expected, actual });
        }
    };
    let each_once = |items: Vec<String>| set(items.into_iter().collect::<BTreeSet<_>>().into_iter());
    let status = |status: crate::model::ValidationStatus| status.as_str().to_lowercase();
    let level = |level: Option<u8>| level.map_or_else(|| "none".to_owned(), |level| level.to_string());
    let list = |tiers: Vec<u8>| tiers.iter().map(u8::to_string).collect::<Vec<_>>().join(", ");
    check("status", expect.status.map(status), status(validation.status));
    check("tier", expect.tier.map(|tier| tier.to_string()), validation.risk_tier.to_string());
    check("tiers", expect.tiers.clone().map(list), list(validation.steps.iter().map(|step| step.tier).collect()));
    let codes = validation.violations.iter().map(|violation| violation.code.as_str().to_owned());
    let wanted = expect.violations.as_ref().map(|codes| codes.iter().map(|code| code.as_str().to_owned()).collect());
    check("violations", wanted.map(each_once), each_once(codes.collect()));
    let paths = validation.violations.iter().map(|violation| violation.path.to_string());
    let wanted = expect.paths.as_ref().map(|paths| paths.iter().map(ToString::to_string).collect());
    check("paths", wanted.map(each_once), each_once(paths.collect()));
    let wanted = expect.rules.as_ref().map(|rules| rules.iter().map(ToString::to_string).collect());
    check("rules", wanted.map(each_once), each_once(took_part.iter().cloned().collect()));
    check("requiredLevel", expect.required_level.map(|wanted| level(Some(wanted))), level(validation.required_level));
    check("hash", expect.hash.as_ref().map(ToString::to_string), validation.ir_hash.to_string());
    mismatches
}
