//! The store of a running server: opened at the start, watched, and its figures shown.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use metrics::{counter, gauge};

use crate::receipt::Issuer;
use crate::state_dir::write_durably;
use crate::store::{Figures, Store, StoreError};
use crate::telemetry::{Collector, Renderer, names, render_labelled};

/// Time between two looks at the store.
const INTERVAL: Duration = Duration::from_secs(5);
/// File of the state directory that holds the epoch as last seen, for starts at which the store cannot be reached.
const EPOCH_FILE: &str = "store-epoch";

/// What the last look at the store showed.
#[derive(Debug, Clone, Default)]
pub struct Seen(Arc<Mutex<Option<Look>>>);

#[derive(Debug, Clone, Copy)]
struct Look {
    /// `None` where the store did not answer.
    figures: Option<Figures>,
    /// Age of the oldest event of the outbox then, and when that was.
    oldest: Option<(Duration, Instant)>,
}

/// The epoch that receipts carry: the store's, or as it was last seen.
pub fn epoch(store: &Store, state_dir: &Path) -> u64 {
    store.epoch().unwrap_or_else(|| saved_epoch(state_dir))
}

/// The epoch as it was last seen, 0 if it never was.
pub fn saved_epoch(state_dir: &Path) -> u64 {
    let text = std::fs::read_to_string(state_dir.join(EPOCH_FILE)).unwrap_or_default();
    text.trim().parse().unwrap_or(0)
}

/// Notes the epoch. That it cannot be noted is no reason not to serve: it is known as long as the store answers.
pub fn save_epoch(state_dir: &Path, epoch: u64) {
    if saved_epoch(state_dir) < epoch
        && let Err(error) = write_durably(&state_dir.join(EPOCH_FILE), format!("{epoch}\n").as_bytes())
    {
        tracing::warn!(%error, "cannot note the epoch of the store");
    }
}

/// Looks at the store now and then: for the metrics, and for an epoch that a restore has raised. Never ends.
pub async fn watch(store: Store, seen: Seen, issuer: Weak<Issuer>, state_dir: std::path::PathBuf) {
    let mut epoch = 0;
    loop {
        let look = look(&store).await;
        if let Err(error) = &look {
            tracing::debug!(%error, "the store does not answer");
        }
        *seen.0.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(look.unwrap_or(Look { figures: None, oldest: None }));
        if let Ok(now) = store.read_epoch().await
            && now > epoch
        {
            epoch = now;
            save_epoch(&state_dir, epoch);
            if let Some(issuer) = issuer.upgrade() {
                issuer.raise_epoch(epoch);
            }
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

async fn look(store: &Store) -> Result<Look, StoreError> {
    let figures = store.figures().await?;
    let now = store.now().await?;
    let age = |at: crate::model::Timestamp| {
        let micros = now.as_micros().saturating_sub(at.as_micros());
        Duration::from_micros(u64::try_from(micros).unwrap_or(0))
    };
    Ok(Look { figures: Some(figures), oldest: figures.oldest_event.map(|at| (age(at), Instant::now())) })
}

/// Shows how long the store's operations take.
pub fn durations(store: &Store) -> Renderer {
    let own = store.metrics();
    Box::new(move |text| {
        let help = "Time that operations of the store took, from asking to the answer";
        let durations = own.durations();
        let each = durations.iter().map(|(operation, duration)| (*operation, &**duration));
        render_labelled(text, names::STORE_OPERATION_DURATION, help, "operation", each);
    })
}

/// Shows the store's figures.
pub fn metrics(store: &Store, seen: Seen) -> Collector {
    let own = store.metrics();
    Box::new(move || {
        for (operation, outcome, count) in own.operations() {
            counter!(names::STORE_OPERATIONS, "operation" => operation, "outcome" => outcome).absolute(count);
        }
        let (groups, grouped) = own.groups();
        counter!(names::STORE_COMMITS).absolute(groups);
        counter!(names::STORE_COMMITTED_WRITES).absolute(grouped);
        gauge!(names::STORE_LARGEST_COMMIT).set(own.largest_group() as f64);
        let Some(look) = *seen.0.lock().unwrap_or_else(PoisonError::into_inner) else { return };
        gauge!(names::STORE_UP).set(if look.figures.is_some() { 1.0 } else { 0.0 });
        let Some(figures) = look.figures else { return };
        gauge!(names::APPROVALS_OPEN).set(figures.open_approvals as f64);
        gauge!(names::OUTBOX_EVENTS).set(figures.outbox as f64);
        let age = look.oldest.map_or(0.0, |(age, at)| (age + at.elapsed()).as_secs_f64());
        gauge!(names::OUTBOX_AGE).set(age);
        gauge!(names::DELIVERIES_PENDING).set(figures.pending_deliveries as f64);
        gauge!(names::DELIVERIES_DEAD).set(figures.dead_deliveries as f64);
    })
}
