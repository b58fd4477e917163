//! Everything that writes, as data, so that it can be queued and committed with others.

use uuid::Uuid;

use super::change::{ApprovalChange, Changed, Created, Due, NewApproval};
use super::delivery::{AttemptOutcome, Delivery, DeliveryClaim, DeliveryState, NewDelivery};
use super::outbox::{ClaimedEvent, OutboxEvent};
use super::sql::{Conn, SqlError};
use super::verbs::known::Known;
use super::verbs::{Moment, approvals, deliveries, due, meta, outbox};
use crate::model::{Approval, Text, Timestamp};

/// Something that writes.
#[derive(Debug)]
pub(super) enum Write {
    Create(Box<NewApproval>),
    Change(Box<ApprovalChange>),
    ClaimDue { due: Due, limit: u32 },
    Archive { before: Timestamp, limit: u32 },
    AddEvents(Vec<OutboxEvent>),
    ClaimEvents { owner: Text, sequence: u64, limit: u32 },
    HoldEvents { owner: Text },
    MarkEvents { owner: Text, ids: Vec<Uuid> },
    AddDeliveries(Vec<NewDelivery>),
    ClaimDeliveries(DeliveryClaim),
    FinishDelivery { id: Text, attempts: u32, outcome: AttemptOutcome },
    Redeliver { tenant: Text, id: Text },
    ReleaseDeliveries(Vec<Text>),
    PruneDeliveries { state: DeliveryState, before: Timestamp, limit: u32 },
    RaiseEpoch { floor: u64, owner: Text },
}

/// What came of it.
#[derive(Debug)]
pub(super) enum Written {
    Created(Created),
    Changed(Changed),
    Approvals(Vec<Approval>),
    Events(Vec<ClaimedEvent>),
    Deliveries(Vec<Delivery>),
    Delivery(Option<Box<Delivery>>),
    Count(u64),
    Flag(bool),
    Done,
}

impl Write {
    /// Its name in metrics.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Create(_) => "create_approval",
            Self::Change(_) => "change_approval",
            Self::ClaimDue { .. } => "due_approvals",
            Self::Archive { .. } => "archive_approvals",
            Self::AddEvents(_) => "add_events",
            Self::ClaimEvents { .. } => "claim_events",
            Self::HoldEvents { .. } => "hold_events",
            Self::MarkEvents { .. } => "mark_events",
            Self::AddDeliveries(_) => "add_deliveries",
            Self::ClaimDeliveries(_) => "claim_deliveries",
            Self::FinishDelivery { .. } => "finish_delivery",
            Self::Redeliver { .. } => "redeliver",
            Self::ReleaseDeliveries(_) => "release_deliveries",
            Self::PruneDeliveries { .. } => "prune_deliveries",
            Self::RaiseEpoch { .. } => "raise_epoch",
        }
    }

    /// Whether it adds events to the outbox.
    pub(super) fn adds_events(&self) -> bool {
        match self {
            Self::Create(new) => !new.events.is_empty(),
            Self::Change(change) => !change.events.is_empty(),
            Self::AddEvents(events) => !events.is_empty(),
            _ => false,
        }
    }

    /// The latest time that it writes in the epoch `epoch`, which the clock must not go below afterwards.
    pub(super) fn latest_time(&self, epoch: u64) -> Option<Timestamp> {
        let approval = match self {
            Self::Create(new) => &new.approval,
            Self::Change(change) => &change.approval,
            _ => return None,
        };
        (approval.epoch >= epoch).then_some(approval.updated_at)
    }

    /// Whether it needs the store's time.
    #[cfg(feature = "postgres")]
    pub(super) fn reads_clock(&self) -> bool {
        match self {
            Self::Create(new) => !new.deliveries.is_empty(),
            Self::Change(change) => !change.deliveries.is_empty(),
            Self::ClaimDue { .. }
            | Self::ClaimEvents { .. }
            | Self::HoldEvents { .. }
            | Self::AddDeliveries(_)
            | Self::ClaimDeliveries(_)
            | Self::FinishDelivery { .. }
            | Self::Redeliver { .. } => true,
            Self::Archive { .. }
            | Self::AddEvents(_)
            | Self::MarkEvents { .. }
            | Self::ReleaseDeliveries(_)
            | Self::PruneDeliveries { .. }
            | Self::RaiseEpoch { .. } => false,
        }
    }

    /// Does it, inside the transaction that `conn` is in. `known` is what the caller knows if nobody else writes.
    pub(super) async fn apply(
        &self,
        conn: &mut Conn<'_>,
        moment: Moment,
        known: Option<&mut Known>,
    ) -> Result<Written, SqlError> {
        Ok(match self {
            Self::Create(new) => Written::Created(approvals::create(conn, new, moment, known).await?),
            Self::Change(change) => Written::Changed(approvals::change(conn, change, moment).await?),
            Self::ClaimDue { due, limit } => Written::Approvals(due::claim(conn, *due, *limit, moment).await?),
            Self::Archive { before, limit } => Written::Count(due::archive(conn, *before, *limit).await?),
            Self::AddEvents(events) => {
                outbox::add(conn, events).await?;
                Written::Done
            }
            Self::ClaimEvents { owner, sequence, limit } => {
                Written::Events(outbox::claim(conn, owner, *sequence, *limit, moment).await?)
            }
            Self::HoldEvents { owner } => Written::Count(outbox::hold(conn, owner, moment).await?),
            Self::MarkEvents { owner, ids } => {
                outbox::mark(conn, owner, ids).await?;
                Written::Done
            }
            Self::AddDeliveries(new) => {
                deliveries::add(conn, new, moment).await?;
                Written::Done
            }
            Self::ClaimDeliveries(claim) => Written::Deliveries(deliveries::claim(conn, claim, moment).await?),
            Self::FinishDelivery { id, attempts, outcome } => {
                Written::Flag(deliveries::finish(conn, id, *attempts, outcome, moment).await?)
            }
            Self::Redeliver { tenant, id } => {
                Written::Delivery(deliveries::redeliver(conn, tenant, id, moment).await?.map(Box::new))
            }
            Self::ReleaseDeliveries(ids) => Written::Count(deliveries::release(conn, ids).await?),
            Self::PruneDeliveries { state, before, limit } => {
                Written::Count(deliveries::prune(conn, *state, *before, *limit).await?)
            }
            Self::RaiseEpoch { floor, owner } => {
                if let Some(known) = known {
                    known.forget();
                }
                Written::Count(meta::raise_epoch(conn, *floor, owner).await?)
            }
        })
    }
}
