//! Counting validated plans and audited DAGs. Seldom enough that all threads share one set of counters.

use std::sync::atomic::{AtomicU64, Ordering};

use metrics::counter;

use super::histogram::{self, Histogram};
use super::names;
use crate::model::{Validation, ValidationStatus, ViolationCode};

const STATUSES: [ValidationStatus; 3] = [ValidationStatus::Pass, ValidationStatus::Escalate, ValidationStatus::Reject];
const TIERS: [&str; 4] = ["0", "1", "2", "3"];

/// Counters of validations and verifications.
#[derive(Debug, Default)]
pub struct PlanMetrics {
    validations: [[AtomicU64; TIERS.len()]; STATUSES.len()],
    violations: [AtomicU64; ViolationCode::ALL.len()],
    duration: Histogram,
    dags_ok: AtomicU64,
    dags_failed: AtomicU64,
}

impl PlanMetrics {
    /// Counts a validation and the time that it took.
    pub fn validated(&self, validation: &Validation, nanos: u64) {
        let of_status = self.validations.get(validation.status as usize);
        if let Some(count) = of_status.and_then(|tiers| tiers.get(usize::from(validation.risk_tier))) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        for violation in &validation.violations {
            // Codes are numbered from 1.
            if let Some(count) = (violation.code as usize).checked_sub(1).and_then(|at| self.violations.get(at)) {
                count.fetch_add(1, Ordering::Relaxed);
            }
        }
        self.duration.observe(nanos);
    }

    /// Counts the audit of a DAG.
    pub fn verified(&self, success: bool) {
        let count = if success { &self.dags_ok } else { &self.dags_failed };
        count.fetch_add(1, Ordering::Relaxed);
    }

    /// Puts the counters into the recorder that is in place.
    pub(super) fn collect(&self) {
        for (status, tiers) in STATUSES.into_iter().zip(&self.validations) {
            for (tier, count) in TIERS.into_iter().zip(tiers) {
                let total = count.load(Ordering::Relaxed);
                if total > 0 {
                    counter!(names::VALIDATIONS, "status" => status.as_str(), "tier" => tier).absolute(total);
                }
            }
        }
        for (code, count) in ViolationCode::ALL.into_iter().zip(&self.violations) {
            let total = count.load(Ordering::Relaxed);
            if total > 0 {
                counter!(names::VIOLATIONS, "code" => code.as_str()).absolute(total);
            }
        }
        for (result, count) in [("ok", &self.dags_ok), ("failed", &self.dags_failed)] {
            counter!(names::DAG_VERIFICATIONS, "result" => result).absolute(count.load(Ordering::Relaxed));
        }
    }

    /// Writes the histogram in Prometheus' text format.
    pub(super) fn render(&self, out: &mut String) {
        let help = "Time that validating a plan took";
        histogram::render(out, names::VALIDATE_DURATION, help, std::iter::once(&self.duration));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_and_codes_stand_where_their_numbers_say() {
        assert!(STATUSES.iter().enumerate().all(|(place, status)| *status as usize == place));
        assert!(ViolationCode::ALL.iter().enumerate().all(|(place, code)| *code as usize == place + 1));
    }
}
