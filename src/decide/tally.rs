//! Combining: what the rules that matched, and those that failed, add up to.

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
    deciders: [Option<Decider>; Layer::ALL.len()],
    /// Deny and require_approval rules whose condition failed before their layer was decided.
    failed_deciders: SmallVec<[Decider; 2]>,
    warned: SmallVec<[u32; 2]>,
    audited: SmallVec<[u32; 2]>,
    /// The first observers that matched; those that only failed do not decide.
    first_warn: Option<u32>,
    first_audit: Option<u32>,
    errors: Vec<(u32, Text)>,
}

/// A rule that allows, denies or requires approval.
#[derive(Debug, Clone, Copy)]
struct Decider {
    number: u32,
    effect: Effect,
}

/// How restrictive an answer is: by what may happen, then by the level of approver. A level that is asked for makes an
/// approval more restrictive, and a higher one still more.
type Restriction = (Outcome, Option<u8>);

impl Decider {
    fn restriction(self, snapshot: &SnapshotLabel) -> Restriction {
        let level = match self.effect {
            Effect::RequireApproval => snapshot.rules.get(self.number as usize).and_then(|label| label.required_level),
            _ => None,
        };
        (self.effect.outcome(), level)
    }
}

/// The most restrictive of `deciders`; the first among equals, which come from the highest layer down.
fn most_restrictive(
    deciders: impl Iterator<Item = Decider>,
    snapshot: &SnapshotLabel,
) -> Option<(Restriction, Decider)> {
    let mut most: Option<(Restriction, Decider)> = None;
    for decider in deciders {
        let restriction = decider.restriction(snapshot);
        if most.is_none_or(|(known, _)| restriction > known) {
            most = Some((restriction, decider));
        }
    }
    most
}

impl Tally {
    /// Whether a decider of `layer` matched.
    #[inline]
    pub fn is_decided(&self, layer: Layer) -> bool {
        self.deciders[layer as usize].is_some()
    }

    /// Whether no rule matched and none failed.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.deciders.iter().all(Option::is_none)
            && self.failed_deciders.is_empty()
            && self.warned.is_empty()
            && self.audited.is_empty()
            && self.errors.is_empty()
    }

    /// Patterns and condition of `rule` hold.
    #[inline]
    pub fn matched(&mut self, number: u32, rule: &CompiledRule) {
        match rule.effect {
            effect @ (Effect::Allow | Effect::Deny | Effect::RequireApproval) => {
                self.deciders[rule.layer as usize].get_or_insert(Decider { number, effect });
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
    #[cold]
    pub fn failed(&mut self, number: u32, rule: &CompiledRule, error: &ConditionError) {
        if self.errors.len() < MAX_ERRORS {
            self.errors.push((number, error.to_string().into()));
        }
        match rule.effect {
            effect @ (Effect::Deny | Effect::RequireApproval) => self.failed_deciders.push(Decider { number, effect }),
            Effect::Warn => self.warned.push(number),
            Effect::Audit => self.audited.push(number),
            Effect::Allow => {}
        }
    }

    /// The request's budget ran out: denied, whatever matched so far.
    #[cold]
    pub fn out_of_budget(self, snapshot: &Arc<SnapshotLabel>) -> Decision {
        self.into_decision(snapshot, Outcome::Deny, Effect::Deny, ReasonCode::EvaluationLimit, None)
    }

    /// The answer, after all candidates.
    #[inline]
    pub fn answer(self, snapshot: &Arc<SnapshotLabel>) -> Decision {
        self.conclude(snapshot, snapshot.default.effect.outcome())
    }

    /// The answer, after all candidates, where the default restricts nothing.
    pub fn rules_alone(self, snapshot: &Arc<SnapshotLabel>) -> Decision {
        self.conclude(snapshot, Outcome::Allow)
    }

    /// The answer, where what no rule decides is restricted to `default`.
    #[inline]
    fn conclude(self, snapshot: &Arc<SnapshotLabel>, default: Outcome) -> Decision {
        let decider = most_restrictive(self.deciders.iter().flatten().copied(), snapshot);
        let (restriction, effect, matched) = match (decider, self.first_audit, self.first_warn) {
            (Some((restriction, decider)), _, _) => (restriction, decider.effect, Some(decider.number)),
            (None, Some(audit), _) => ((Outcome::Allow, None), Effect::Audit, Some(audit)),
            (None, None, Some(warn)) => ((Outcome::Allow, None), Effect::Warn, Some(warn)),
            (None, None, None) => ((default, None), snapshot.default.effect, None),
        };
        if !self.failed_deciders.is_empty()
            && let Some((failed, decider)) = most_restrictive(self.failed_deciders.iter().copied(), snapshot)
            && failed > restriction
        {
            let Decider { number, effect } = decider;
            return self.into_decision(snapshot, effect.outcome(), effect, ReasonCode::ConditionError, Some(number));
        }
        let reason_code = if matched.is_some() { ReasonCode::Policy } else { ReasonCode::Default };
        self.into_decision(snapshot, effect.outcome(), effect, reason_code, matched)
    }

    #[inline]
    fn into_decision(
        self,
        snapshot: &Arc<SnapshotLabel>,
        outcome: Outcome,
        effect: Effect,
        reason_code: ReasonCode,
        matched: Option<u32>,
    ) -> Decision {
        let mut agreeing = SmallVec::new();
        for decider in self.deciders.into_iter().flatten() {
            if decider.effect.outcome() == outcome && Some(decider.number) != matched {
                agreeing.push(decider.number);
            }
        }
        Decision {
            agreeing,
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
