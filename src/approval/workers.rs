//! What happens by itself: expiry, escalation, and moving old approvals out of the way.
//!
//! Each server runs them. Of several on one database each claims others, and the version decides between two that have the
//! same. What was missed while no server ran is done as soon as one does.

use std::time::Duration;

use super::error::ApprovalError;
use super::machine::{self, Refused};
use super::service::Approvals;
use crate::model::Timestamp;
use crate::store::{Due, StoreError};

/// How often it is looked for what is due, at least.
const TICK: Duration = Duration::from_millis(500);
/// How often old approvals are looked for.
const ARCHIVE_TICK: Duration = Duration::from_secs(600);
/// Approvals in one claim.
const BATCH: u32 = 100;
/// Approvals that are moved at once.
const ARCHIVE_BATCH: u32 = 500;
/// Final approvals leave the others so long after their last change, in microseconds: 90 days.
const ARCHIVE_AFTER: i64 = 90 * 86_400 * 1_000_000;
/// Longest wait after the store has failed.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Who expires and escalates, in history and events.
const EXPIRY: &str = "worker:expiry";
const ESCALATION: &str = "worker:escalation";

/// What a round has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Round {
    /// How many went to a higher level.
    pub escalated: u64,
    /// How many have expired.
    pub expired: u64,
}

impl Approvals {
    /// Expires and escalates what is due, all of it.
    ///
    /// # Errors
    /// The store cannot be used; what was done until then stays done.
    pub async fn work_once(&self) -> Result<Round, ApprovalError> {
        // What is over must not be escalated first.
        let expired = self.work_off(Due::Expiry).await?;
        let escalated = self.work_off(Due::Escalation).await?;
        Ok(Round { escalated, expired })
    }

    async fn work_off(&self, due: Due) -> Result<u64, ApprovalError> {
        let mut done = 0;
        loop {
            let claimed = self.store().due_approvals(due, BATCH).await?;
            let count = claimed.len();
            let (now, epoch) = self.moment().await?;
            for approval in claimed {
                let transition = match due {
                    Due::Expiry => machine::expire(&approval, EXPIRY, now, epoch),
                    Due::Escalation => machine::escalate(&approval, ESCALATION, now, epoch),
                };
                let committed = match transition {
                    Ok(transition) => self.commit(&approval, transition).await,
                    // Another server was faster, or it was decided in between.
                    Err(_) => continue,
                };
                match committed {
                    Ok(changed) => done += u64::from(changed.is_some()),
                    Err(
                        ApprovalError::Refused(Refused::Over { .. } | Refused::TooEarly { .. })
                        | ApprovalError::NotFound,
                    ) => {}
                    Err(error) => return Err(error),
                }
            }
            if count < BATCH as usize {
                return Ok(done);
            }
        }
    }

    /// Moves out of the way what has been final for 90 days. Gives how many.
    ///
    /// # Errors
    /// The store cannot be used; what was moved until then stays moved.
    pub async fn archive(&self) -> Result<u64, ApprovalError> {
        let now = self.store().now().await?;
        let before = Timestamp::from_micros(now.as_micros().saturating_sub(ARCHIVE_AFTER));
        let mut moved = 0;
        loop {
            let count = self.store().archive_resolved(before, ARCHIVE_BATCH).await?;
            moved += count;
            if count < u64::from(ARCHIVE_BATCH) {
                return Ok(moved);
            }
        }
    }

    /// Expires and escalates what is due, for ever.
    pub async fn work(self) {
        let mut wait = TICK;
        loop {
            match self.work_once().await {
                Ok(_) => wait = TICK,
                Err(error) => {
                    tracing::warn!(%error, "approvals could not be expired and escalated; trying again");
                    wait = (wait * 2).min(LONGEST_WAIT);
                }
            }
            tokio::time::sleep(wait.min(self.until_due().await.unwrap_or(wait))).await;
        }
    }

    /// How long it takes until something is due, within a tick.
    async fn until_due(&self) -> Option<Duration> {
        let next = self.store().next_due().await.ok().flatten()?;
        let now = self.store().now().await.ok()?;
        let micros = next.as_micros().saturating_sub(now.as_micros()).max(1_000);
        let wait = Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX));
        Some(wait.min(TICK))
    }

    /// Moves old approvals out of the way, for ever.
    pub async fn keep_archiving(self) {
        loop {
            match self.archive().await {
                Ok(0) => {}
                Ok(count) => tracing::info!(count, "old approvals were archived"),
                Err(ApprovalError::Store(StoreError::Unavailable { .. })) => {}
                Err(error) => tracing::warn!(%error, "old approvals could not be archived; trying again later"),
            }
            tokio::time::sleep(ARCHIVE_TICK).await;
        }
    }
}
