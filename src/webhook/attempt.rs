//! One attempt at one delivery, from the claim to the note of what came of it.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::error::AttemptError;
use super::sender::{Message, Sender};
use crate::model::{Timestamp, sanitise_reason};
use crate::snapshot::Holder;
use crate::store::{AttemptOutcome, Delivery, Store, StoreError};
use crate::telemetry::WebhookMetrics;

/// How long after the end of an attempt the next one begins; after the last of them there is none.
pub const WAITS: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(5), Duration::from_secs(15)];

/// How long between two tries to note what came of an attempt.
const NOTE_AGAIN: Duration = Duration::from_millis(500);

/// What every attempt needs.
pub(super) struct Workshop {
    pub(super) store: Store,
    pub(super) holder: Arc<Holder>,
    pub(super) sender: Sender,
    pub(super) metrics: Arc<WebhookMetrics>,
}

impl Workshop {
    /// The longest that an attempt can take.
    pub(super) fn longest_attempt(&self) -> Duration {
        let residents = self.holder.load();
        let endpoints = residents.live().into_iter().flat_map(|snapshot| snapshot.endpoints().iter());
        let seconds = endpoints.map(|endpoint| endpoint.timeout_seconds).max().unwrap_or_default();
        Duration::from_secs(seconds.into())
    }
}

/// One attempt at one delivery.
pub(super) struct Attempt {
    pub(super) workshop: Arc<Workshop>,
    pub(super) delivery: Delivery,
    /// When somebody else may claim it.
    pub(super) until: Instant,
}

impl Attempt {
    /// Makes the attempt and notes what came of it.
    pub(super) async fn run(self) {
        let id = &self.delivery.message.id;
        let Ok(begun) = self.workshop.store.now().await else {
            // Nothing could be noted either. Whoever claims it when the lease has ended makes the attempt.
            return;
        };
        let result = self.send(begun).await;
        self.workshop.metrics.attempted(
            &self.delivery.message.endpoint,
            result.as_ref().map_or_else(|error| error.kind(), |_| "delivered"),
        );
        match self.note(result).await {
            Ok(true) => {}
            Ok(false) => tracing::debug!(%id, "somebody else has noted this attempt at a webhook"),
            Err(error) => {
                tracing::warn!(%id, %error, "an attempt at a webhook could not be noted, and is made again");
            }
        }
    }

    async fn send(&self, now: Timestamp) -> Result<u16, AttemptError> {
        let message = &self.delivery.message;
        let endpoint = {
            let residents = self.workshop.holder.load();
            residents.live().and_then(|snapshot| snapshot.endpoints().get(&message.endpoint).cloned())
        };
        let endpoint =
            endpoint.filter(|endpoint| endpoint.serves(&message.tenant_id)).ok_or(AttemptError::NoEndpoint)?;
        self.workshop.sender.send(&endpoint, Message { id: &message.id, body: &message.payload }, now).await
    }

    /// Writes down what came of it, as long as the delivery is ours.
    async fn note(&self, result: Result<u16, AttemptError>) -> Result<bool, StoreError> {
        loop {
            match self.try_note(&result).await {
                Err(error) if Instant::now() + NOTE_AGAIN >= self.until => return Err(error),
                Err(_) => sleep(NOTE_AGAIN).await,
                noted => return noted,
            }
        }
    }

    async fn try_note(&self, result: &Result<u16, AttemptError>) -> Result<bool, StoreError> {
        let Delivery { message, attempts, created_at, .. } = &self.delivery;
        let store = &self.workshop.store;
        let now = store.now().await?;
        let outcome = outcome(result, *attempts, now);
        let noted = store.finish_delivery(&message.id, *attempts, outcome.clone()).await?;
        if noted {
            let (endpoint, id, approval) = (&message.endpoint, &message.id, &message.approval_id);
            match &outcome {
                AttemptOutcome::Delivered { .. } => {
                    let micros = now.as_micros().saturating_sub(created_at.as_micros());
                    self.workshop.metrics.delivered(Duration::from_micros(u64::try_from(micros).unwrap_or_default()));
                }
                AttemptOutcome::Retry { error, at, .. } => {
                    tracing::info!(%endpoint, %id, %approval, %error, again = %at, "a webhook was not delivered");
                }
                AttemptOutcome::Dead { error, .. } => {
                    self.workshop.metrics.given_up(endpoint);
                    tracing::warn!(%endpoint, %id, %approval, %error, attempts = attempts + 1, "a webhook is given up");
                }
            }
        }
        Ok(noted)
    }
}

/// What follows from the result of an attempt that ended at `now`, after `attempts` earlier ones.
fn outcome(result: &Result<u16, AttemptError>, attempts: u32, now: Timestamp) -> AttemptOutcome {
    let error = match result {
        Ok(status) => return AttemptOutcome::Delivered { status: *status },
        Err(error) => error,
    };
    let wait = usize::try_from(attempts).ok().and_then(|place| WAITS.get(place)).filter(|_| !error.is_final());
    let (status, text) = (error.status(), sanitise_reason(&error.to_string()).to_string());
    match wait {
        Some(wait) => {
            let micros = i64::try_from(wait.as_micros()).unwrap_or(i64::MAX);
            let at = Timestamp::from_micros(now.as_micros().saturating_add(micros));
            AttemptOutcome::Retry { at, status, error: text }
        }
        None => AttemptOutcome::Dead { status, error: text },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_is_repeated_after_1_5_and_15_seconds_and_then_given_up() {
        let now = Timestamp::from_micros(1_000);
        let failed: Result<u16, AttemptError> = Err(AttemptError::Status(500));
        for (attempts, seconds) in [(0, 1), (1, 5), (2, 15)] {
            let AttemptOutcome::Retry { at, status, .. } = outcome(&failed, attempts, now) else {
                panic!("{attempts}")
            };
            assert_eq!((at.as_micros(), status), (1_000 + seconds * 1_000_000, Some(500)));
        }
        for attempts in [3, 4, u32::MAX] {
            let AttemptOutcome::Dead { status: Some(500), error } = outcome(&failed, attempts, now) else {
                panic!("{attempts}")
            };
            assert_eq!(error, "the receiver answered with status 500");
        }
    }

    #[test]
    fn what_cannot_change_is_given_up_at_once() {
        let now = Timestamp::from_micros(0);
        for error in [AttemptError::Gone, AttemptError::NoEndpoint] {
            assert!(matches!(outcome(&Err(error), 0, now), AttemptOutcome::Dead { .. }));
        }
        assert_eq!(outcome(&Ok(204), 3, now), AttemptOutcome::Delivered { status: 204 });
    }
}
