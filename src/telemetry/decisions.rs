//! Counting decisions: one shard a worker, so that workers do not fight over counters.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::histogram::Histogram;
use super::tenants::{Tenant, Tenants};
use crate::model::{Decision, Effect, Outcome, ReasonCode, Text};

const OUTCOMES: [Outcome; 3] = [Outcome::Allow, Outcome::RequireApproval, Outcome::Deny];
const REASONS: [ReasonCode; 6] = [
    ReasonCode::Policy,
    ReasonCode::Default,
    ReasonCode::NoPolicy,
    ReasonCode::ConditionError,
    ReasonCode::EvaluationLimit,
    ReasonCode::AuditUnavailable,
];

/// What is counted of a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecisionOutcome {
    outcome: Outcome,
    effect: Effect,
    reason_code: ReasonCode,
}

impl DecisionOutcome {
    /// What is counted of `decision`.
    #[must_use]
    pub fn of(decision: &Decision) -> Self {
        Self { outcome: decision.outcome, effect: decision.effect, reason_code: decision.reason_code }
    }

    /// Its place among all outcomes, in the order of `all`.
    fn index(self) -> usize {
        let reason = match self.reason_code {
            ReasonCode::Policy => 0,
            ReasonCode::Default => 1,
            ReasonCode::NoPolicy => 2,
            ReasonCode::ConditionError => 3,
            ReasonCode::EvaluationLimit => 4,
            ReasonCode::AuditUnavailable => 5,
        };
        (self.outcome as usize * Effect::ALL.len() + self.effect as usize) * REASONS.len() + reason
    }

    fn all() -> impl Iterator<Item = Self> {
        OUTCOMES.into_iter().flat_map(|outcome| {
            Effect::ALL.into_iter().flat_map(move |effect| {
                REASONS.into_iter().map(move |reason_code| Self { outcome, effect, reason_code })
            })
        })
    }

    /// The values of the labels `decision`, `effect` and `reason_code`.
    pub(super) fn labels(self) -> [&'static str; 3] {
        [self.outcome.as_str(), self.effect.as_str(), self.reason_code.as_str()]
    }
}

/// The counters of one worker.
#[derive(Debug)]
pub(super) struct Shard {
    counts: [AtomicU64; OUTCOMES.len() * Effect::ALL.len() * REASONS.len()],
    pub duration: Histogram,
}

impl Default for Shard {
    fn default() -> Self {
        Self { counts: std::array::from_fn(|_| AtomicU64::default()), duration: Histogram::default() }
    }
}

/// How often each outcome was counted in all shards; those that never were are left out.
pub(super) fn totals(shards: &[Arc<Shard>]) -> impl Iterator<Item = (DecisionOutcome, u64)> {
    DecisionOutcome::all().filter_map(|outcome| {
        let count =
            |shard: &Arc<Shard>| shard.counts.get(outcome.index()).map_or(0, |count| count.load(Ordering::Relaxed));
        let total: u64 = shards.iter().map(count).sum();
        (total > 0).then_some((outcome, total))
    })
}

/// A worker's way to count decisions. Not shared between workers.
#[derive(Debug)]
pub struct DecisionMetrics {
    shard: Arc<Shard>,
    tenants: Arc<Tenants>,
    /// The tenants seen last, so that most decisions need not hash the id.
    recent: RefCell<[Option<(Text, Tenant)>; 8]>,
}

impl DecisionMetrics {
    pub(super) fn new(shard: Arc<Shard>, tenants: Arc<Tenants>) -> Self {
        Self { shard, tenants, recent: RefCell::default() }
    }

    /// Where the decisions of the tenant `id` are counted.
    pub fn tenant(&self, id: &str) -> Tenant {
        let sum = id.bytes().fold(id.len(), |sum, byte| sum.wrapping_mul(31).wrapping_add(usize::from(byte)));
        let Ok(mut recent) = self.recent.try_borrow_mut() else { return self.tenants.place(id) };
        let slot = sum % recent.len();
        match recent.get_mut(slot) {
            Some(Some((known, tenant))) if known == id => *tenant,
            Some(entry) => {
                let tenant = self.tenants.place(id);
                *entry = Some((Text::from(id), tenant));
                tenant
            }
            None => self.tenants.place(id),
        }
    }

    /// Counts a decision and the time that its evaluation took.
    pub fn decided(&self, outcome: DecisionOutcome, tenant: Tenant, evaluation_nanos: u64) {
        if let Some(count) = self.shard.counts.get(outcome.index()) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.tenants.count(tenant);
        self.shard.duration.observe(evaluation_nanos);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_has_a_place_of_its_own() {
        let indices: Vec<usize> = DecisionOutcome::all().map(DecisionOutcome::index).collect();
        assert!(indices.iter().copied().eq(0..Shard::default().counts.len()), "{indices:?}");
    }
}
