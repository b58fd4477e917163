//! Counting what becomes of approvals. Seldom enough that all threads share one set of counters.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use metrics::counter;

use super::names;

/// Counters of approvals. The words come from closed sets.
#[derive(Debug, Default)]
pub struct ApprovalMetrics {
    happened: Mutex<BTreeMap<&'static str, u64>>,
    refused: Mutex<BTreeMap<&'static str, u64>>,
}

impl ApprovalMetrics {
    /// Counts something that happened to an approval.
    pub fn happened(&self, what: &'static str) {
        add(&self.happened, what);
    }

    /// Counts a redemption that was refused.
    pub fn refused(&self, reason: &'static str) {
        add(&self.refused, reason);
    }

    /// Puts the counters into the recorder that is in place.
    pub(super) fn collect(&self) {
        for (what, total) in read(&self.happened) {
            counter!(names::APPROVALS, "what" => what).absolute(total);
        }
        for (reason, total) in read(&self.refused) {
            counter!(names::APPROVALS_REFUSED, "reason" => reason).absolute(total);
        }
    }
}

fn add(counts: &Mutex<BTreeMap<&'static str, u64>>, word: &'static str) {
    *counts.lock().unwrap_or_else(PoisonError::into_inner).entry(word).or_default() += 1;
}

fn read(counts: &Mutex<BTreeMap<&'static str, u64>>) -> BTreeMap<&'static str, u64> {
    counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
}
