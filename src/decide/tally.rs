//! Combining: what the rules that matched, and those that failed, add up to.

use std::cmp::Reverse;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::condition::ConditionError;
use crate::model::{Decision, Effect, Layer, Outcome, ReasonCode, SnapshotLabel, Text};
use crate::snapshot::CompiledRule;

/// Most failures of conditions that a decision keeps.
const MAX_ERRORS: usize = 8;

/// What is known after some of the candidates, which come in order of precedence.
#[derive(Debug, Default)]
pub struct Tally {
    /// The first decider that matched in each layer.
    deciders: [Option<u32>; Layer::ALL.len()],
    /// Deny and require_approval rules whose condition failed before their layer was decided.
    failed_deciders: SmallVec<[u32; 2]>,
    warned: SmallVec<[u32; 2]>,
    audited: SmallVec<[u32; 2]>,
    /// The first observers that matched; those that only failed do not decide.
    first_warn: Option<u32>,
    first_audit: Option<u32>,
    errors: Vec<(u32, Text)>,
}

impl Tally {
    /// Whether a decider of `layer` matched.
    #[inline]
    pub fn is_decided(&self, layer: Layer) -> bool {
        self.deciders[layer as usize].is_some()
    }

    /// Patterns and condition of `rule` hold.
    pub fn matched(&mut self, number: u32, rule: &CompiledRule) {
        match rule.effect {
            Effect::Allow | Effect::Deny | Effect::RequireApproval => {
                self.deciders[rule.layer as usize].get_or_insert(number);
            }
            Effect::Warn => {
                self.first_warn.get_or_insert(number);
                self.warned.push(number);
            }
            Effect::Audit => {
                self.first_audit.get_or_insert(number);
                self.audited.push(number);
            }
        }
    }

    /// Patterns of `rule` hold and its condition failed to evaluate.
    pub fn failed(&mut self, number: u32, rule: &CompiledRule, error: &ConditionError) {
        if self.errors.len() < MAX_ERRORS {
            self.errors.push((number, error.to_string().into()));
        }
        match rule.effect {
            Effect::Deny | Effect::RequireApproval => self.failed_deciders.push(number),
            Effect::Warn => self.warned.push(number),
            Effect::Audit => self.audited.push(number),
            Effect::Allow => {}
        }
    }

    /// The request's budget ran out: denied, whatever matched so far.
    pub fn out_of_budget(self, snapshot: &Arc<SnapshotLabel>) -> Decision {
        self.into_decision(snapshot, Outcome::Deny, Effect::Deny, ReasonCode::EvaluationLimit, None)
    }

    /// The answer, after all candidates.
    pub fn answer(self, snapshot: &Arc<SnapshotLabel>) -> Decision {
        let rule = |number: u32| snapshot.rules.get(number as usize);
        // Numbers ascend from the highest layer down, so that the lowest number wins among equals.
        let decider = self.deciders.iter().flatten().copied().max_by_key(|number| {
            let label = rule(*number);
            (label.map(|label| label.effect.outcome()), label.and_then(|label| label.required_level), Reverse(*number))
        });
        let matched = decider.or(self.first_audit).or(self.first_warn);
        let (effect, reason_code) = match matched.and_then(rule) {
            Some(label) => (label.effect, ReasonCode::Policy),
            None => (snapshot.default.effect, ReasonCode::Default),
        };
        let outcome = effect.outcome();
        // A level that is asked for makes an approval more restrictive, and a higher one still more.
        let restriction = |number: Option<u32>| {
            let label = number.and_then(rule);
            (label.map_or(outcome, |label| label.effect.outcome()), label.and_then(|label| label.required_level))
        };
        let worst_failure =
            self.failed_deciders.iter().copied().max_by_key(|number| (restriction(Some(*number)), Reverse(*number)));
        if let Some(number) = worst_failure
            && restriction(Some(number)) > restriction(matched)
        {
            let effect = rule(number).map_or(Effect::Deny, |label| label.effect);
            return self.into_decision(snapshot, effect.outcome(), effect, ReasonCode::ConditionError, Some(number));
        }
        self.into_decision(snapshot, outcome, effect, reason_code, matched)
    }

    fn into_decision(
        self,
        snapshot: &Arc<SnapshotLabel>,
        outcome: Outcome,
        effect: Effect,
        reason_code: ReasonCode,
        matched: Option<u32>,
    ) -> Decision {
        let agrees =
            |number: &u32| snapshot.rules.get(*number as usize).is_some_and(|label| label.effect.outcome() == outcome);
        let agreeing = self.deciders.into_iter().flatten().filter(agrees).filter(|number| Some(*number) != matched);
        Decision {
            agreeing: agreeing.collect(),
            warned: self.warned,
            audited: self.audited,
            errors: self.errors,
            ..Decision::new(snapshot.clone(), outcome, effect, reason_code, matched)
        }
    }
}

/// The answer of a snapshot without an enabled policy.
pub fn no_policy(snapshot: &Arc<SnapshotLabel>) -> Decision {
    Decision::new(snapshot.clone(), Outcome::Deny, Effect::Deny, ReasonCode::NoPolicy, None)
}
