//! What the one writer of a database knows without asking it.

use std::collections::HashMap;

use crate::model::{Approval, Text};

/// Most tenants and creators that are remembered; then it begins anew.
const MOST: usize = 16_384;

/// The epoch, and how many approvals wait at most. Nobody else may write the database.
#[derive(Debug, Default)]
pub(in crate::store) struct Known {
    epoch: Option<u64>,
    /// By tenant and creator: how many of its approvals waited when they were counted, and how many it has created since.
    own: HashMap<(Text, Text), u64>,
    /// The same by tenant.
    every: HashMap<Text, u64>,
}

/// What a creation has to know of the others.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) struct Surroundings {
    pub(super) epoch: u64,
    /// How many approvals of the creator wait for people.
    pub(super) own: u64,
    /// How many of the tenant do.
    pub(super) every: u64,
}

impl Known {
    /// Forgets everything: after the epoch was raised, and after a transaction that was not committed.
    pub(in crate::store) fn forget(&mut self) {
        *self = Self::default();
    }

    /// What is known for a creation of `approval`. Not more can wait than it says; whether fewer do only the database knows.
    pub(super) fn at_most(&self, approval: &Approval) -> Option<Surroundings> {
        let epoch = self.epoch?;
        if !approval.status.is_open() {
            return Some(Surroundings { epoch, own: 0, every: 0 });
        }
        let every = *self.every.get(&approval.tenant_id)?;
        let own = *self.own.get(&(approval.tenant_id.clone(), approval.created_by.clone()))?;
        Some(Surroundings { epoch, own, every })
    }

    /// Notes what surrounds `approval` now that it was created.
    pub(super) fn created(&mut self, approval: &Approval, before: Surroundings) {
        self.epoch = Some(before.epoch);
        if !approval.status.is_open() {
            return;
        }
        if self.own.len() >= MOST {
            self.own.clear();
            self.every.clear();
        }
        let creator = (approval.tenant_id.clone(), approval.created_by.clone());
        self.own.insert(creator, before.own.saturating_add(1));
        self.every.insert(approval.tenant_id.clone(), before.every.saturating_add(1));
    }
}
