//! Approvals as they were committed last, so that asking for one that was just written needs no look at the file.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::model::{Approval, Sha256Digest, Text};
use crate::store::change::{ApprovalChange, Changed, Created};
use crate::store::write::{Write, Written};

/// Most bytes of a generation, of which there are two.
const MOST_BYTES: usize = 2 << 20;
/// What an approval takes besides its texts of any length, about.
const FIXED_BYTES: usize = 2 << 10;

/// What was written last. Only the one thread that writes adds to it, after each commit and before it answers; before a
/// commit it takes out what is about to change, so that nobody finds here what the file no longer holds.
#[derive(Debug, Default)]
pub(super) struct Recent(Mutex<Generations>);

/// The younger one is filled; when it is full, the older one is forgotten.
#[derive(Debug, Default)]
struct Generations {
    young: Generation,
    old: Generation,
}

#[derive(Debug, Default)]
struct Generation {
    approvals: HashMap<Text, Arc<Approval>>,
    tokens: HashMap<Sha256Digest, Text>,
    bytes: usize,
}

/// Approvals that are taken out because they are about to change.
#[derive(Debug, Default)]
pub(super) struct Withdrawn(HashMap<Text, Arc<Approval>>);

impl Recent {
    fn generations(&self) -> MutexGuard<'_, Generations> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An approval of a tenant, if it was written lately.
    pub(super) fn by_id(&self, tenant: &str, id: &str) -> Option<Approval> {
        let found = self.generations().by_id(id)?;
        (found.tenant_id == tenant).then(|| (*found).clone())
    }

    /// The approval with this token, if it was written lately.
    pub(super) fn by_token(&self, hash: &Sha256Digest) -> Option<Approval> {
        let found = self.generations().by_token(hash)?;
        Some((*found).clone())
    }

    /// Takes out what the writes may change. It has to be given back once they are committed.
    pub(super) fn withdraw<'w>(&self, writes: impl Iterator<Item = &'w Write>) -> Withdrawn {
        let mut withdrawn = Withdrawn::default();
        let mut generations = self.generations();
        for write in writes {
            if let Write::Change(change) = write
                && let Some(approval) = generations.remove(&change.approval.id)
            {
                withdrawn.0.insert(approval.id.clone(), approval);
            }
        }
        withdrawn
    }

    /// Notes what was committed.
    pub(super) fn committed<'a>(&self, writes: impl Iterator<Item = (Write, &'a Written)>, withdrawn: Withdrawn) {
        let Withdrawn(mut changed) = withdrawn;
        let mut generations = self.generations();
        for (write, written) in writes {
            match (write, written) {
                (Write::Create(new), Written::Created(Created::New)) => generations.insert(Arc::new(new.approval)),
                (Write::Change(change), Written::Changed(Changed::Done)) => {
                    // Or created just before, in the same group.
                    let id = &change.approval.id;
                    if let Some(before) = changed.remove(id).or_else(|| generations.remove(id)) {
                        let after = apply(Arc::unwrap_or_clone(before), *change);
                        changed.insert(after.id.clone(), Arc::new(after));
                    }
                }
                _ => {}
            }
        }
        changed.into_values().for_each(|approval| generations.insert(approval));
    }
}

/// What the file holds after a change: the members that it writes.
fn apply(before: Approval, change: ApprovalChange) -> Approval {
    let after = change.approval;
    Approval {
        version: after.version,
        status: after.status,
        required_level: after.required_level,
        updated_at: after.updated_at,
        escalates_at: after.escalates_at,
        resolved_at: after.resolved_at,
        consumed_at: after.consumed_at,
        progress: after.progress,
        token_hash: if change.history.is_none() { after.token_hash } else { before.token_hash },
        ..before
    }
}

impl Generations {
    fn by_id(&self, id: &str) -> Option<Arc<Approval>> {
        [&self.young, &self.old].into_iter().find_map(|generation| generation.approvals.get(id)).cloned()
    }

    fn by_token(&self, hash: &Sha256Digest) -> Option<Arc<Approval>> {
        let id = [&self.young, &self.old].into_iter().find_map(|generation| generation.tokens.get(hash))?;
        self.by_id(id)
    }

    fn insert(&mut self, approval: Arc<Approval>) {
        if self.young.bytes >= MOST_BYTES {
            self.old = mem::take(&mut self.young);
        }
        self.young.insert(approval);
    }

    fn remove(&mut self, id: &str) -> Option<Arc<Approval>> {
        self.young.remove(id).or_else(|| self.old.remove(id))
    }
}

impl Generation {
    fn insert(&mut self, approval: Arc<Approval>) {
        self.bytes = self.bytes.saturating_add(size(&approval));
        self.tokens.insert(approval.token_hash, approval.id.clone());
        self.approvals.insert(approval.id.clone(), approval);
    }

    fn remove(&mut self, id: &str) -> Option<Arc<Approval>> {
        let approval = self.approvals.remove(id)?;
        self.tokens.remove(&approval.token_hash);
        self.bytes = self.bytes.saturating_sub(size(&approval));
        Some(approval)
    }
}

/// Bytes that it takes, about.
fn size(approval: &Approval) -> usize {
    let Approval { target, view, justification, progress, .. } = approval;
    let votes = progress.stages.iter().flat_map(|stage| &stage.approvals).map(|vote| vote.notes.len());
    let redeemed = progress.redemption.iter().map(|redemption| redemption.redeemed.len() * 256);
    let texts = target.len() + view.len() + justification.len() + progress.resolution.len();
    FIXED_BYTES + texts + votes.sum::<usize>() + redeemed.sum::<usize>()
}
