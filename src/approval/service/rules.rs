//! What the arguments of a call that is about to be made are held against.

use std::sync::Arc;

use crate::ir;
use crate::model::{Attributes, Step, Text};
use crate::snapshot::{Holder, Snapshot};

/// The rules of now, and those that the approvers knew: what is redeemed keeps to both, so that neither a reload after the
/// approval lets through what was never meant, nor an old approval what is forbidden by now; and so that an audit, which asks
/// the snapshot that the approval names, finds nothing wrong with what was redeemed.
#[derive(Debug)]
pub(super) struct Rules {
    live: Option<Arc<Snapshot>>,
    /// The snapshot that the approval was made with, where it is another and still resident.
    before: Option<Arc<Snapshot>>,
    /// Digest of the snapshot that the approval was made with.
    made_with: Text,
}

impl Rules {
    /// What is live and resident now, for an approval that was made with the snapshot `made_with`.
    pub(super) fn now(holder: &Holder, made_with: &Text) -> Self {
        let residents = holder.load();
        let live = residents.live().cloned();
        let is_live = live.as_ref().is_some_and(|live| live.digest() == made_with.as_str());
        let before = residents.pinned(made_with).filter(|_| !is_live).cloned();
        Self { live, before, made_with: made_with.clone() }
    }

    /// The live snapshot.
    pub(super) fn live(&self) -> Option<&Snapshot> {
        self.live.as_deref()
    }

    /// Why a call of `step` with the resolved arguments `params` is not what was approved, or breaks a schema.
    pub(super) fn objection(&self, step: &Step, params: &Attributes) -> Option<String> {
        if let Some(difference) = ir::differing_call(step, params) {
            return Some(difference);
        }
        let Some(live) = self.live() else { return Some("no documents are loaded".to_owned()) };
        let wrong = |snapshot: &Snapshot| ir::wrong_open_params(snapshot.governance(), step, params);
        if let Some(what) = wrong(live) {
            return Some(match live.digest() == self.made_with.as_str() {
                true => format!("{what}; so says the live snapshot ({}), which validated the plan", live.digest()),
                false => format!(
                    "{what}; so says the live snapshot ({}), and another validated the plan ({}): have the plan validated and \
                     approved again",
                    live.digest(),
                    self.made_with
                ),
            });
        }
        let before = self.before.as_deref()?;
        let what = wrong(before)?;
        Some(format!(
            "{what}; so says the snapshot that validated the plan ({}), and the live one ({}) does not: have the plan validated \
             and approved again",
            before.digest(),
            live.digest()
        ))
    }
}
