//! What waits to be told: events for the journal, deliveries for webhooks.

use std::time::Instant;

use uuid::Uuid;

#[cfg(feature = "postgres")]
use super::sql::Conn;
#[cfg(feature = "sqlite")]
use super::sqlite;
use super::verbs::{deliveries, outbox as outbox_verbs};
use super::write::{Write, Written};
use super::{
    AttemptOutcome, Backend, ClaimedEvent, Delivery, DeliveryClaim, DeliveryQuery, DeliveryState, NewDelivery,
    OutboxEvent, Store, StoreError, read, wrong_answer,
};
use crate::model::{Page, Text, Timestamp};

impl Store {
    // Events.

    /// Waits until events were added by this process, at once if some were since it was last waited for. Of several that
    /// wait one is told.
    pub async fn events_added(&self) {
        self.0.added.notified().await;
    }

    /// Adds events that no change comes with, for example of a refused attempt.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn add_events(&self, events: Vec<OutboxEvent>) -> Result<(), StoreError> {
        self.write(Write::AddEvents(events)).await.map(drop)
    }

    /// Claims the oldest events that nobody has claimed, for the instance `owner`, the last number of whose journal is
    /// `sequence`. They are the instance's for five minutes, and longer if it holds them.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn claim_events(&self, owner: &str, sequence: u64, limit: u32) -> Result<Vec<ClaimedEvent>, StoreError> {
        match self.write(Write::ClaimEvents { owner: owner.into(), sequence, limit }).await? {
            Written::Events(events) => Ok(events),
            _ => Err(wrong_answer()),
        }
    }

    /// What `owner` has claimed and not marked, oldest first: after a crash, what its journal may hold or not.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn claimed_events(&self, owner: &str, limit: u32) -> Result<Vec<ClaimedEvent>, StoreError> {
        let owner = Text::from(owner);
        read!(self, "claimed_events", |conn| outbox_verbs::claimed(conn, &owner, limit))
    }

    /// Keeps what `owner` has claimed for another five minutes.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn hold_events(&self, owner: &str) -> Result<u64, StoreError> {
        self.count_of(Write::HoldEvents { owner: owner.into() }).await
    }

    /// Forgets events that `owner` has claimed, because they are durable in its journal.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn mark_events(&self, owner: &str, ids: Vec<Uuid>) -> Result<(), StoreError> {
        self.write(Write::MarkEvents { owner: owner.into(), ids }).await.map(drop)
    }

    // Deliveries.

    /// Queues deliveries that no change comes with, for example tests of an endpoint.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn add_deliveries(&self, new: Vec<NewDelivery>) -> Result<(), StoreError> {
        self.write(Write::AddDeliveries(new)).await.map(drop)
    }

    /// Claims deliveries whose time has come, the longest overdue first; of those about one approval to one endpoint only
    /// the oldest that waits.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn claim_deliveries(&self, claim: DeliveryClaim) -> Result<Vec<Delivery>, StoreError> {
        match self.write(Write::ClaimDeliveries(claim)).await? {
            Written::Deliveries(deliveries) => Ok(deliveries),
            _ => Err(wrong_answer()),
        }
    }

    /// Notes what came of an attempt at the delivery `id`, which had `attempts` before it. `false` if somebody else has
    /// noted that attempt, or sent it again.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn finish_delivery(&self, id: &str, attempts: u32, outcome: AttemptOutcome) -> Result<bool, StoreError> {
        match self.write(Write::FinishDelivery { id: id.into(), attempts, outcome }).await? {
            Written::Flag(written) => Ok(written),
            _ => Err(wrong_answer()),
        }
    }

    /// Queues a delivery of the tenant anew that was delivered or has failed for good. `None` if there is none.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn redeliver(&self, tenant: &str, id: &str) -> Result<Option<Delivery>, StoreError> {
        match self.write(Write::Redeliver { tenant: tenant.into(), id: id.into() }).await? {
            Written::Delivery(delivery) => Ok(delivery.map(|delivery| *delivery)),
            _ => Err(wrong_answer()),
        }
    }

    /// One delivery of a tenant.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn delivery(&self, tenant: &str, id: &str) -> Result<Option<Delivery>, StoreError> {
        let (tenant, id) = (Text::from(tenant), Text::from(id));
        read!(self, "delivery", |conn| deliveries::by_id(conn, &tenant, &id))
    }

    /// Deliveries, newest first; dead letters are those with the state [`DeliveryState::Dead`].
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn list_deliveries(&self, query: &DeliveryQuery) -> Result<Page<Delivery>, StoreError> {
        let query = query.clone();
        read!(self, "list_deliveries", |conn| deliveries::list(conn, &query))
    }

    /// When the next delivery may be claimed, as far as is known now; `None` if none waits.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn next_delivery(&self) -> Result<Option<Timestamp>, StoreError> {
        read!(self, "next_delivery", |conn| deliveries::next(conn))
    }

    /// Gives claimed deliveries back without counting an attempt, so that others need not wait for the lease to end.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn release_deliveries(&self, ids: Vec<Text>) -> Result<u64, StoreError> {
        self.count_of(Write::ReleaseDeliveries(ids)).await
    }

    /// Forgets deliveries that the endpoint took before `before`. Gives their number, at most `limit`.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn prune_deliveries(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        self.count_of(Write::PruneDeliveries { state: DeliveryState::Delivered, before, limit }).await
    }

    /// Forgets deliveries that failed for good before `before`. Gives their number, at most `limit`.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn prune_dead_deliveries(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        self.count_of(Write::PruneDeliveries { state: DeliveryState::Dead, before, limit }).await
    }
}
