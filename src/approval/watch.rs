//! Waiting for changes of an approval: told at once of changes by this process, and within a second of others'.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::service::Approvals;
use crate::model::{Approval, Text};

use super::error::ApprovalError;

/// How often watched approvals are looked up, for changes by other servers.
const LOOK_UP: Duration = Duration::from_millis(700);

/// Those who wait, by approval.
#[derive(Debug, Default)]
pub(super) struct Watchers {
    versions: Mutex<HashMap<Text, watch::Sender<u64>>>,
}

impl Watchers {
    /// Tells those who wait that an approval has a new version.
    pub(super) fn changed(&self, id: &Text, version: u64) {
        let versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = versions.get(id) {
            sender.send_if_modified(|known| std::mem::replace(known, version.max(*known)) < version);
        }
    }

    fn watch(&self, id: &Text) -> watch::Receiver<u64> {
        let mut versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        versions.entry(id.clone()).or_insert_with(|| watch::Sender::new(0)).subscribe()
    }

    /// The approvals that are watched; those that no longer are, are forgotten.
    fn watched(&self) -> Vec<Text> {
        let mut versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        versions.retain(|_, sender| sender.receiver_count() > 0);
        versions.keys().cloned().collect()
    }
}

/// Waits for the changes of one approval.
#[derive(Debug)]
pub struct Watching {
    approvals: Approvals,
    tenant: Text,
    id: Text,
    versions: watch::Receiver<u64>,
    sent: u64,
    ended: bool,
}

impl Approvals {
    /// Waits for the changes of an approval. The first answer is how it is now.
    #[must_use]
    pub fn watch(&self, tenant: &str, id: &str) -> Watching {
        let id = Text::from(id);
        Watching {
            versions: self.watchers().watch(&id),
            approvals: self.clone(),
            tenant: tenant.into(),
            id,
            sent: 0,
            ended: false,
        }
    }

    /// Looks up what is watched, for changes by other servers, for ever.
    pub async fn look_up_watched(self) {
        let mut tick = tokio::time::interval(LOOK_UP);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            let watched = self.watchers().watched();
            if watched.is_empty() {
                continue;
            }
            match self.store().versions(&watched).await {
                Ok(versions) => {
                    versions.iter().for_each(|(id, version)| self.watchers().changed(id, *version));
                }
                Err(error) => tracing::debug!(%error, "watched approvals could not be looked up"),
            }
        }
    }
}

impl Watching {
    /// The approval after its next change; `None` after a final state.
    ///
    /// # Errors
    /// There is no such approval, or the store cannot be used.
    pub async fn next(&mut self) -> Result<Option<Approval>, ApprovalError> {
        loop {
            if self.ended {
                return Ok(None);
            }
            // Marked as seen before it is read, so that no change falls between.
            self.versions.borrow_and_update();
            let approval = self.approvals.get(&self.tenant, &self.id).await?;
            if approval.version > self.sent {
                self.sent = approval.version;
                self.ended = approval.status.is_final();
                return Ok(Some(approval));
            }
            if self.versions.changed().await.is_err() {
                return Ok(None);
            }
        }
    }
}
