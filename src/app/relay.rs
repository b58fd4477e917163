//! Brings the events of the store's outbox into the journal: each once, whatever ends in between.
//!
//! An event is claimed for this instance, together with the number that the journal is durable up to; it is published;
//! and when it is durable, it is marked. What is found claimed and not marked, after a crash or an answer that never came,
//! is looked for in the journal behind that number, and only published if it is not there.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering::Acquire;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::event::{Ack, ControlBody, ControlRecord, EventError, EventLog, ReadyEvent, find_events};
use crate::store::{ClaimedEvent, Store, StoreError};

/// Most events that are claimed at once.
const BATCH: u32 = 256;
/// Longest wait before the outbox is looked at although nothing was added here: another server may have ended.
const IDLE: Duration = Duration::from_secs(1);
/// Wait after a failure.
const RETRY: Duration = Duration::from_millis(250);
/// Wait for room in the journal's queue.
const QUEUE: Duration = Duration::from_millis(5);
/// How often a claim is renewed while the journal cannot be written.
const HOLD: Duration = Duration::from_secs(60);

/// The task that relays.
#[derive(Debug)]
pub struct Relay {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Relay {
    /// Starts relaying from `store` to `events`, whose journal is in `journal`, for the instance `owner`. Must run inside
    /// a runtime.
    pub fn start(store: Store, events: Arc<EventLog>, journal: PathBuf, owner: String) -> Self {
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(Task { store, events, journal, owner, stopped }.run());
        Self { stop, task }
    }

    /// Brings over what is committed, then ends; after `limit` at the latest. What is left is brought over by the next
    /// start.
    pub async fn stop(mut self, limit: Duration) {
        self.stop.send_replace(true);
        if tokio::time::timeout(limit, &mut self.task).await.is_err() {
            tracing::warn!("events wait in the store; the next start records them");
            self.task.abort();
            let _ = self.task.await;
        }
    }
}

/// Why a turn failed.
#[derive(Debug, thiserror::Error)]
enum RelayError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Events(#[from] EventError),
    #[error("the journal could not be read: {0}")]
    Thread(#[from] tokio::task::JoinError),
}

struct Task {
    store: Store,
    events: Arc<EventLog>,
    journal: PathBuf,
    owner: String,
    stopped: watch::Receiver<bool>,
}

impl Task {
    async fn run(mut self) {
        // Whether something may be claimed of which nothing is known: at first, and after each failure.
        let mut unsure = true;
        let mut failing = false;
        loop {
            let turn = if unsure { self.settle().await } else { self.turn().await };
            match turn {
                Ok(relayed) => {
                    if std::mem::take(&mut failing) {
                        tracing::info!("events of the store are recorded again");
                    }
                    if std::mem::take(&mut unsure) || relayed > 0 {
                        continue;
                    }
                    if self.is_stopped() {
                        return;
                    }
                    tokio::select! {
                        () = self.store.events_added() => {}
                        () = tokio::time::sleep(IDLE) => {}
                        _ = self.stopped.changed() => {}
                    }
                }
                Err(RelayError::Events(EventError::Closed)) => return,
                Err(error) => {
                    unsure = true;
                    if !std::mem::replace(&mut failing, true) {
                        tracing::error!(%error, "events of the store cannot be recorded; they wait");
                    }
                    if self.is_stopped() {
                        return;
                    }
                    tokio::select! {
                        () = tokio::time::sleep(RETRY) => {}
                        _ = self.stopped.changed() => {}
                    }
                }
            }
        }
    }

    fn is_stopped(&self) -> bool {
        *self.stopped.borrow() || self.stopped.has_changed().is_err()
    }

    /// Claims events and brings them over. Gives their number.
    async fn turn(&self) -> Result<usize, RelayError> {
        let durable = self.events.durable_sequence();
        let claimed = self.store.claim_events(&self.owner, durable, BATCH).await?;
        self.bring(claimed).await
    }

    /// Marks what is claimed and in the journal, and brings over what is claimed and not there.
    async fn settle(&self) -> Result<usize, RelayError> {
        let mut settled = 0_usize;
        loop {
            let claimed = self.store.claimed_events(&self.owner, BATCH).await?;
            let Some(after) = claimed.iter().map(|claimed| claimed.after_sequence).min() else { return Ok(settled) };
            settled = settled.saturating_add(claimed.len());
            let wanted: HashSet<_> = claimed.iter().map(|claimed| claimed.event.id).collect();
            let (journal, last) = (self.journal.clone(), self.events.stats().sequence.load(Acquire));
            let found = tokio::task::spawn_blocking(move || find_events(&journal, after, last, &wanted)).await??;
            let (there, missing): (Vec<_>, Vec<_>) =
                claimed.into_iter().partition(|claimed| found.contains(&claimed.event.id));
            // What is in the journal may not be behind an fsync yet: it is once something newer is.
            if !there.is_empty() {
                self.sync(last).await?;
                let ids = there.into_iter().map(|claimed| claimed.event.id).collect();
                self.store.mark_events(&self.owner, ids).await?;
            }
            self.bring(missing).await?;
        }
    }

    /// Waits until the journal is durable up to `sequence`.
    async fn sync(&self, sequence: u64) -> Result<(), RelayError> {
        while self.events.durable_sequence() < sequence {
            if self.is_stopped() && self.events.is_failing() {
                return Err(EventError::Closed.into());
            }
            tokio::time::sleep(QUEUE).await;
        }
        Ok(())
    }

    /// Publishes events in order, waits until they are durable, and marks them.
    async fn bring(&self, claimed: Vec<ClaimedEvent>) -> Result<usize, RelayError> {
        if claimed.is_empty() {
            return Ok(0);
        }
        let mut acks = Vec::with_capacity(claimed.len());
        for ClaimedEvent { event, .. } in claimed {
            let id = event.id;
            acks.push((id, self.publish(event).await?));
        }
        let mut ids = Vec::with_capacity(acks.len());
        for (id, ack) in acks {
            self.durable(ack).await?;
            ids.push(id);
        }
        let relayed = ids.len();
        self.store.mark_events(&self.owner, ids).await?;
        Ok(relayed)
    }

    async fn publish(&self, event: crate::store::OutboxEvent) -> Result<Ack, RelayError> {
        loop {
            let event = event.clone();
            let ready = ReadyEvent { id: event.id, kind: event.kind, snapshot: event.snapshot, payload: event.payload };
            let record = ControlRecord {
                at: event.at,
                actor: event.actor,
                tenant: Some(event.tenant_id).filter(|tenant| !tenant.is_empty()),
                correlation_id: Some(event.correlation_id).filter(|id| !id.is_empty()),
                body: ControlBody::Ready(ready),
            };
            match self.events.publish(record) {
                Ok(ack) => return Ok(ack),
                Err(EventError::Busy { .. }) => tokio::time::sleep(QUEUE).await,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Waits until a published event is durable, however long that takes, and keeps the claim meanwhile.
    async fn durable(&self, mut ack: Ack) -> Result<(), RelayError> {
        loop {
            match tokio::time::timeout(HOLD, &mut ack).await {
                Ok(outcome) => return outcome.map(drop).map_err(RelayError::from),
                Err(_) => self.store.hold_events(&self.owner).await.map(drop)?,
            }
        }
    }
}
