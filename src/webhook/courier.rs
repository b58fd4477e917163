//! The courier: claims what is queued in the store, sends it, and notes what came of it.
//!
//! Every endpoint has its own few places, so that one that hangs delays no other. Messages about one approval go to an
//! endpoint in their order; the store gives the next one only when the one before has ended. What is claimed is nobody
//! else's until the lease ends; a server that dies in between leaves it to the next, so that a message can arrive twice,
//! and never not at all.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::task::{Id, JoinHandle, JoinSet};
use tokio::time::{Instant, sleep, timeout_at};

use super::attempt::{Attempt, Workshop};
use super::sender::Sender;
use crate::model::{Page, Text, Timestamp};
use crate::snapshot::Holder;
use crate::store::{Delivery, DeliveryClaim, DeliveryQuery, Store, StoreError};
use crate::telemetry::WebhookMetrics;

/// Most attempts at the same time, over all endpoints.
const MAX_IN_FLIGHT: usize = 1024;

/// How long a lease outlasts the longest attempt, to note what came of it.
const LEASE_MARGIN: Duration = Duration::from_secs(5);

/// How long messages that were delivered are kept, so that people can look them up.
const KEEP: Duration = Duration::from_secs(7 * 24 * 3600);

/// How long dead letters are kept, so that people can send them again. Final approvals are archived after as long.
const KEEP_DEAD: Duration = Duration::from_secs(90 * 24 * 3600);

/// Messages that are forgotten at once.
const PRUNE_BATCH: u32 = 1_000;

/// How often those that are older are looked for.
const PRUNE_EVERY: Duration = Duration::from_secs(600);

/// How the courier works.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CourierOptions {
    /// Most messages on their way to one endpoint at the same time.
    pub per_endpoint: u32,
    /// How often the store is asked, beside nudges: what other servers queue is sent within this time.
    pub poll: Duration,
}

impl Default for CourierOptions {
    fn default() -> Self {
        Self { per_endpoint: 4, poll: Duration::from_secs(1) }
    }
}

/// Sends what is queued, as long as it is there and not stopped.
#[derive(Debug)]
pub struct Courier {
    handle: CourierHandle,
    stop: watch::Sender<Option<Instant>>,
    rounds: JoinHandle<()>,
}

/// Tells the courier of work. Cheap to clone.
#[derive(Debug, Clone)]
pub struct CourierHandle {
    store: Store,
    nudge: Arc<Notify>,
}

impl CourierHandle {
    /// Says that deliveries were queued, so that they need not wait until the store is next asked.
    pub fn nudge(&self) {
        self.nudge.notify_one();
    }

    /// Queues a message anew that was delivered or has failed for good. `None` where the tenant has no such message.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn redeliver(&self, tenant: &str, id: &str) -> Result<Option<Delivery>, StoreError> {
        let delivery = self.store.redeliver(tenant, id).await?;
        self.nudge();
        Ok(delivery)
    }

    /// Messages and what came of them, newest first; dead letters are those in the state `Dead`.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn list(&self, query: &DeliveryQuery) -> Result<Page<Delivery>, StoreError> {
        self.store.list_deliveries(query).await
    }
}

impl Courier {
    /// Starts to send, on `runtime`.
    #[must_use]
    pub fn start(
        store: Store,
        holder: Arc<Holder>,
        sender: Sender,
        metrics: Arc<WebhookMetrics>,
        options: CourierOptions,
        runtime: &Handle,
    ) -> Self {
        let nudge = Arc::<Notify>::default();
        let (stop, stopping) = watch::channel(None);
        let workshop = Arc::new(Workshop { store: store.clone(), holder, sender, metrics });
        let rounds = Rounds { workshop, options, nudge: nudge.clone(), tasks: JoinSet::new(), places: HashMap::new() };
        let rounds = runtime.spawn(rounds.run(stopping));
        Self { handle: CourierHandle { store, nudge }, stop, rounds }
    }

    /// To tell it of work by.
    #[must_use]
    pub fn handle(&self) -> CourierHandle {
        self.handle.clone()
    }

    /// Claims nothing more, and ends when the attempts under way have ended, at the latest after `grace`. What is not
    /// sent stays in the store.
    pub async fn stop(self, grace: Duration) {
        // Nobody to tell means that it has ended.
        let _ = self.stop.send(Some(Instant::now() + grace));
        if let Err(error) = self.rounds.await {
            tracing::error!(%error, "the webhook courier ended badly");
        }
    }
}

/// The courier at work.
struct Rounds {
    workshop: Arc<Workshop>,
    options: CourierOptions,
    nudge: Arc<Notify>,
    tasks: JoinSet<()>,
    /// What each task delivers.
    places: HashMap<Id, Place>,
}

/// A place that is taken.
struct Place {
    endpoint: Text,
    delivery: Text,
}

impl Rounds {
    async fn run(mut self, mut stopping: watch::Receiver<Option<Instant>>) {
        let nudge = self.nudge.clone();
        let mut pruned: Option<Instant> = None;
        let mut is_failing = false;
        while stopping.borrow_and_update().is_none() {
            let pause = match self.round().await {
                Ok(pause) => {
                    is_failing = false;
                    pause
                }
                Err(error) => {
                    // Once, until it works again: the store says the rest.
                    if !std::mem::replace(&mut is_failing, true) {
                        tracing::warn!(%error, "webhooks wait for the store");
                    }
                    self.options.poll
                }
            };
            if pruned.is_none_or(|at| at.elapsed() >= PRUNE_EVERY) && !is_failing {
                if let Err(error) = prune(&self.workshop.store).await {
                    tracing::warn!(%error, "old webhook deliveries could not be removed");
                }
                pruned = Some(Instant::now());
            }
            tokio::select! {
                Some(ended) = self.tasks.join_next_with_id(), if !self.tasks.is_empty() => self.free(&ended),
                () = nudge.notified() => {}
                () = sleep(pause) => {}
                changed = stopping.changed() => if changed.is_err() { return },
            }
            while let Some(ended) = self.tasks.try_join_next_with_id() {
                self.free(&ended);
            }
        }
        let until = stopping.borrow().unwrap_or_else(Instant::now);
        while let Ok(Some(ended)) = timeout_at(until, self.tasks.join_next_with_id()).await {
            self.free(&ended);
        }
        self.tasks.shutdown().await;
        self.give_back().await;
    }

    /// Gives back what was claimed and not sent to its end, so that nobody waits for the lease.
    async fn give_back(&mut self) {
        let cut_short: Vec<Text> = self.places.drain().map(|(_, place)| place.delivery).collect();
        if cut_short.is_empty() {
            return;
        }
        tracing::warn!(attempts = cut_short.len(), "attempts at webhooks were cut short; they are made again");
        if let Err(error) = self.workshop.store.release_deliveries(cut_short).await {
            tracing::warn!(%error, "deliveries could not be given back; others wait until the claim ends");
        }
    }

    /// Sends what is due, and tells how long there is nothing to do.
    async fn round(&mut self) -> Result<Duration, StoreError> {
        let store = self.workshop.store.clone();
        // Before the first documents are live nobody can say what an endpoint is.
        if self.workshop.holder.load().live().is_none() {
            return Ok(self.options.poll);
        }
        let now = store.now().await?;
        let mut next = store.next_delivery().await?;
        if next.is_some_and(|at| at <= now) {
            self.claim_all().await?;
            next = store.next_delivery().await?;
        }
        let pause = next.filter(|at| *at > now).map(|at| at.as_micros() - now.as_micros());
        let pause = pause.and_then(|micros| u64::try_from(micros).ok()).map(Duration::from_micros);
        Ok(pause.map_or(self.options.poll, |pause| pause.min(self.options.poll)))
    }

    /// Claims and begins as much as there are places for.
    async fn claim_all(&mut self) -> Result<(), StoreError> {
        let lease = self.workshop.longest_attempt() + LEASE_MARGIN;
        loop {
            let mut taken: HashMap<&Text, u32> = HashMap::new();
            for place in self.places.values() {
                *taken.entry(&place.endpoint).or_default() += 1;
            }
            let most = self.options.per_endpoint.max(1);
            let (busy, free): (Vec<_>, Vec<_>) = taken.into_iter().partition(|(_, places)| *places >= most);
            // As many for each as the fullest of the others has room for, so that nothing that is claimed has to wait.
            let per_endpoint = most - free.iter().map(|(_, places)| *places).max().unwrap_or_default();
            let limit = MAX_IN_FLIGHT.saturating_sub(self.tasks.len());
            if limit == 0 {
                return Ok(());
            }
            let claim = DeliveryClaim {
                limit: u32::try_from(limit).unwrap_or(u32::MAX),
                per_endpoint,
                busy: busy.into_iter().map(|(endpoint, _)| endpoint.clone()).collect(),
                lease_micros: i64::try_from(lease.as_micros()).unwrap_or(i64::MAX),
            };
            let until = Instant::now() + lease;
            let claimed = self.workshop.store.claim_deliveries(claim).await?;
            if claimed.is_empty() {
                return Ok(());
            }
            for delivery in claimed {
                let place =
                    Place { endpoint: delivery.message.endpoint.clone(), delivery: delivery.message.id.clone() };
                let attempt = Attempt { workshop: self.workshop.clone(), delivery, until };
                let id = self.tasks.spawn(attempt.run()).id();
                self.places.insert(id, place);
            }
        }
    }

    fn free(&mut self, ended: &Result<(Id, ()), tokio::task::JoinError>) {
        let id = match ended {
            Ok((id, ())) => *id,
            Err(error) => {
                tracing::error!(%error, "an attempt at a webhook ended badly");
                error.id()
            }
        };
        self.places.remove(&id);
    }
}

/// Forgets what was delivered or given up long ago.
async fn prune(store: &Store) -> Result<(), StoreError> {
    let now = store.now().await?;
    let before = |keep: Duration| {
        let keep = i64::try_from(keep.as_micros()).unwrap_or(i64::MAX);
        Timestamp::from_micros(now.as_micros().saturating_sub(keep))
    };
    let batch = u64::from(PRUNE_BATCH);
    while store.prune_deliveries(before(KEEP), PRUNE_BATCH).await? >= batch {}
    while store.prune_dead_deliveries(before(KEEP_DEAD), PRUNE_BATCH).await? >= batch {}
    Ok(())
}
