//! The parts of a decision's record that follow from its snapshot alone, rendered once and copied from then on.

use std::sync::{Arc, Weak};

use super::json;
use super::record::DecisionRecord;
use crate::model::{Decision, Effect, Outcome, ReasonCode, SnapshotLabel};

/// Snapshots whose parts are kept: the live one, and some that callers pin.
const MAX_SNAPSHOTS: usize = 4;
/// Results that are kept of a snapshot.
const MAX_RESULTS: usize = 256;

/// See the module. Bounded: a result takes a few hundred bytes, a few kilobytes where a rule's reason and obligations are
/// long.
#[derive(Debug, Default)]
pub(super) struct Rendered {
    /// The one used last is the first.
    snapshots: Vec<OfSnapshot>,
}

#[derive(Debug)]
struct OfSnapshot {
    /// Keeps the address from being used again, but not what the label holds.
    label: Weak<SnapshotLabel>,
    /// The members between `now` and `inputs`.
    revision: Vec<u8>,
    /// By number of the matched rule, modulo their number.
    results: Vec<Option<(Key, Box<[u8]>)>>,
}

/// Everything that the result depends on, where the decision has no more to say than one rule or the default does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Key {
    outcome: Outcome,
    effect: Effect,
    reason_code: ReasonCode,
    matched: Option<u32>,
}

impl Key {
    fn of(decision: &Decision) -> Option<Self> {
        let Decision { outcome, effect, reason_code, matched, .. } = *decision;
        let simple = decision.agreeing.is_empty()
            && decision.warned.is_empty()
            && decision.audited.is_empty()
            && decision.errors.is_empty();
        simple.then_some(Self { outcome, effect, reason_code, matched })
    }

    /// Where the result is kept among `places`.
    fn place(self, places: usize) -> usize {
        self.matched.and_then(|number| (number as usize).checked_rem(places)).unwrap_or(0)
    }
}

impl Rendered {
    /// Appends the member `result`, which `write` writes where it is not known yet.
    pub(super) fn result(
        &mut self,
        out: &mut Vec<u8>,
        record: &DecisionRecord,
        write: impl FnOnce(&mut Vec<u8>, &DecisionRecord),
    ) {
        let Some(key) = Key::of(&record.decision) else { return write(out, record) };
        let results = self.of(&record.decision.snapshot).map(|parts| &mut parts.results);
        let places = results.as_ref().map_or(0, |results| results.len());
        let Some(slot) = results.and_then(|results| results.get_mut(key.place(places))) else {
            return write(out, record);
        };
        match slot {
            Some((known, result)) if *known == key => out.extend_from_slice(result),
            _ => {
                let start = out.len();
                write(out, record);
                *slot = out.get(start..).map(|result| (key, result.into()));
            }
        }
    }

    /// Appends the members `snapshot_revision` and, where there is one, `policy_version`.
    pub(super) fn revision(&mut self, out: &mut Vec<u8>, label: &Arc<SnapshotLabel>) {
        if let Some(parts) = self.of(label) {
            out.extend_from_slice(&parts.revision);
        }
    }

    fn of(&mut self, label: &Arc<SnapshotLabel>) -> Option<&mut OfSnapshot> {
        let is_it = |parts: &OfSnapshot| std::ptr::eq(parts.label.as_ptr(), Arc::as_ptr(label));
        match self.snapshots.iter().position(is_it) {
            Some(0) => {}
            Some(at) => self.snapshots.swap(0, at),
            None => {
                self.snapshots.truncate(MAX_SNAPSHOTS - 1);
                self.snapshots.insert(0, OfSnapshot::new(label));
            }
        }
        self.snapshots.first_mut()
    }
}

impl OfSnapshot {
    fn new(label: &Arc<SnapshotLabel>) -> Self {
        let mut revision = Vec::new();
        json::integer_member(&mut revision, "snapshot_revision", label.revision);
        json::optional_member(&mut revision, "policy_version", &label.version);
        let mut results = Vec::new();
        results.resize_with(MAX_RESULTS.min(label.rules.len()).max(1), || None);
        Self { label: Arc::downgrade(label), revision, results }
    }
}
