//! The service: loads, asks the machine, commits, and tells.
//!
//! Who may do what by role is decided before (`identity`); what depends on the approval itself (its creator, its stages, its
//! hash) is decided here. Every time is the store's.

mod consume;
mod create;
mod decide;
mod read;
mod rules;

use std::sync::Arc;

use super::error::ApprovalError;
use super::machine::{self, Refused, Transition};
use super::payload;
use super::people::People;
use super::target::Codec;
use super::watch::Watchers;
use crate::model::{Approval, Limits, Text, Timestamp};
use crate::receipt::Issuer;
use crate::snapshot::{Holder, Snapshot};
use crate::store::{ApprovalChange, Changed, NewDelivery, OutboxEvent, Store};
use crate::telemetry::ApprovalMetrics;
use crate::webhook::{self, CourierHandle};

pub use consume::{Consumed, Redemption};
pub use create::{Creation, Newly};
pub use decide::Decided;
pub use machine::{Vote, Voter};

/// Most times that a change is made anew because another came first.
const ATTEMPTS: usize = 64;

/// Makes approvals, lets people decide them, and redeems them. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Approvals(Arc<Inner>);

/// What the service is made of.
#[derive(Debug)]
pub struct Parts {
    /// Where approvals are kept.
    pub store: Store,
    /// The live snapshot.
    pub holder: Arc<Holder>,
    /// Limits on targets.
    pub limits: Arc<Limits>,
    /// Signs grants; without it there are none.
    pub issuer: Option<Arc<Issuer>>,
    /// Translates targets.
    pub codec: Box<dyn Codec>,
    /// Knows who goes by several names.
    pub people: Box<dyn People>,
    /// Counters.
    pub metrics: Arc<ApprovalMetrics>,
    /// Sends webhooks; `None` where nobody does.
    pub courier: Option<CourierHandle>,
}

#[derive(Debug)]
struct Inner {
    parts: Parts,
    watchers: Watchers,
}

/// Who calls, as known from the channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// The principal.
    pub principal: Text,
    /// Level of approver that it holds, 1–5.
    pub level: Option<u8>,
}

impl Approvals {
    /// A service of these parts.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(Inner { parts, watchers: Watchers::default() }))
    }

    /// Where approvals are kept.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.0.parts.store
    }

    /// The live snapshot.
    fn snapshot(&self) -> Option<Arc<Snapshot>> {
        self.0.parts.holder.load().live().cloned()
    }

    fn limits(&self) -> &Limits {
        &self.0.parts.limits
    }

    /// Who is waiting for changes.
    pub(super) fn watchers(&self) -> &Watchers {
        &self.0.watchers
    }

    /// The store's time and epoch.
    pub(super) async fn moment(&self) -> Result<(Timestamp, u64), ApprovalError> {
        let now = self.store().now().await?;
        let epoch = match self.store().epoch() {
            Some(epoch) => epoch,
            None => self.store().read_mark().await?.epoch,
        };
        Ok((now, epoch))
    }

    /// Loads the approval, applies `change`, and commits what comes of it; again where another change came first.
    async fn change(
        &self,
        tenant: &str,
        id: &str,
        change: impl Fn(&Approval, Timestamp, u64) -> Result<Transition, ApprovalError>,
    ) -> Result<Approval, ApprovalError> {
        for _ in 0..ATTEMPTS {
            let approval = self.store().approval(tenant, id).await?.ok_or(ApprovalError::NotFound)?;
            let (now, epoch) = self.moment().await?;
            let transition = change(&approval, now, epoch)?;
            if let Some(after) = self.commit(&approval, transition).await? {
                return Ok(after);
            }
        }
        Err(ApprovalError::Contended)
    }

    /// Commits a transition; `None` where another change came first.
    pub(super) async fn commit(
        &self,
        before: &Approval,
        transition: Transition,
    ) -> Result<Option<Approval>, ApprovalError> {
        let only_while_live = transition.only_while_live();
        let Transition { approval, history, voter, happening, verb } = transition;
        let mut events = Vec::new();
        let mut deliveries = Vec::new();
        if let (Some(happening), Some(row)) = (happening, &history) {
            (events, deliveries) = self.tell(happening, &approval, row);
        }
        // What the workers do has to wait for its time by the store's clock, whatever theirs says.
        let only_after = match happening {
            Some(machine::Happening::Expired) if self.store().epoch() == Some(before.epoch) => Some(before.expires_at),
            Some(machine::Happening::Escalated) => before.escalates_at,
            _ => None,
        };
        let change = ApprovalChange {
            expected_version: before.version,
            only_while_live,
            only_after,
            approval: approval.clone(),
            history,
            voter,
            events,
            deliveries,
        };
        match self.store().change_approval(change).await? {
            Changed::Done => {
                if let Some(happening) = happening {
                    self.0.parts.metrics.happened(happening.name());
                }
                self.watchers().changed(&approval.id, approval.version);
                self.nudge();
                Ok(Some(approval))
            }
            Changed::Conflict => Ok(None),
            Changed::Expired => {
                // The epoch may have been raised by another server.
                self.store().read_mark().await?;
                Err(Refused::Over { verb }.into())
            }
            Changed::TooEarly => Err(Refused::TooEarly { verb }.into()),
            Changed::Missing => Err(ApprovalError::NotFound),
        }
    }

    /// Lets webhooks be sent at once.
    fn nudge(&self) {
        if let Some(courier) = &self.0.parts.courier {
            courier.nudge();
        }
    }

    /// The events and deliveries that tell of what happened.
    fn tell(
        &self,
        happening: machine::Happening,
        approval: &Approval,
        row: &crate::model::HistoryRow,
    ) -> (Vec<OutboxEvent>, Vec<NewDelivery>) {
        let event = |kind| OutboxEvent {
            correlation_id: approval.correlation_id.clone(),
            snapshot: approval.snapshot.clone(),
            payload: payload::payload(kind, approval, row),
            ..OutboxEvent::new(kind, approval.tenant_id.clone(), row.actor.clone(), row.at)
        };
        let events: Vec<OutboxEvent> = happening.event_types().iter().copied().map(event).collect();
        let deliveries = self.deliveries(happening, approval, &events, row.at);
        (events, deliveries)
    }

    /// What webhooks are told.
    fn deliveries(
        &self,
        happening: machine::Happening,
        approval: &Approval,
        events: &[OutboxEvent],
        at: Timestamp,
    ) -> Vec<NewDelivery> {
        let names = &approval.progress.settled.webhooks;
        let told = happening.webhook_events().iter().zip(events);
        if names.is_empty() {
            return Vec::new();
        }
        let snapshot = self.snapshot();
        let deliveries = told.flat_map(|(told, event)| {
            let event_id = event.id.hyphenated().to_string();
            webhook::deliveries(snapshot.as_deref(), names, *told, approval, &event_id, at)
        });
        deliveries.collect()
    }
}
