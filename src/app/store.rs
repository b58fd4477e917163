//! The store of a running server: opened at the start, watched, and its figures shown.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use metrics::{counter, gauge};

use super::seen::{self, SeenError};
use crate::receipt::Issuer;
use crate::state_dir::StateDir;
use crate::store::{Expected, Figures, Mark, Place, Store, StoreError, StoreOptions};
use crate::telemetry::{Collector, Renderer, names, render_labelled};

/// Time between two looks at the store.
const INTERVAL: Duration = Duration::from_secs(5);
/// From how far behind the store's time the machine's clock is worth a warning.
const BEHIND: Duration = Duration::from_secs(2);

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

/// Lets the store be no other than the one that was seen last. Gives the epoch that was seen, 0 if none ever was.
pub fn expect(options: &mut StoreOptions, state_dir: &StateDir) -> Result<u64, SeenError> {
    let Some(mark) = seen::seen(state_dir.path())? else {
        if let Place::Sqlite(path) = &options.place
            && path.metadata().is_ok_and(|file| file.len() > 0)
        {
            tracing::warn!(
                "there is no `store-epoch` in `{}`, and there is `{}`: if that is an old copy, stop the server and run `lictor \
                 restore --epoch-only`, or what was used since could run again",
                state_dir.path().display(),
                path.display()
            );
        }
        return Ok(0);
    };
    options.expected = Some(Expected { mark, owner: state_dir.instance_id().to_string().into() });
    Ok(mark.epoch)
}

/// Looks at the store now and then: for the metrics, for an epoch that a restore has raised, for the machine's clock, and to
/// note how far the store has come. Never ends.
pub async fn watch(store: Store, seen: Seen, issuer: Weak<Issuer>, state_dir: std::path::PathBuf) {
    let (mut noted, mut is_behind) = (Mark::default(), false);
    loop {
        is_behind = tell_behind(store.clock_behind(), is_behind);
        let look = look(&store).await;
        if let Err(error) = &look {
            tracing::debug!(%error, "the store does not answer");
        }
        *seen.0.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(look.unwrap_or(Look { figures: None, oldest: None }));
        if let Ok(mark) = store.read_mark().await
            && mark != noted
        {
            if let Some(issuer) = issuer.upgrade() {
                issuer.raise_epoch(mark.epoch);
            }
            note(&state_dir, &mark);
            noted = mark;
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

/// Notes how far the store has come. That it cannot be noted is no reason not to serve.
pub fn note(state_dir: &Path, mark: &Mark) {
    if let Err(error) = seen::note(state_dir, mark) {
        tracing::warn!(%error, "cannot note how far the store has come");
    }
}

/// Says once that the clock is behind; gives whether it is.
fn tell_behind(behind: Duration, was: bool) -> bool {
    let is_behind = behind >= BEHIND;
    if is_behind && !was {
        tracing::warn!(
            "the clock is {} s behind the store, in which there are changes of a later time: the clock was ahead, or is wrong \
             now. The store's time goes on from its last change, so that approvals expire as they should; what it writes and \
             grants say is ahead by that much. See `docs/store.md`",
            behind.as_secs()
        );
    }
    is_behind
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
    let (own, behind) = (store.metrics(), store.clone());
    Box::new(move || {
        for (operation, outcome, count) in own.operations() {
            counter!(names::STORE_OPERATIONS, "operation" => operation, "outcome" => outcome).absolute(count);
        }
        let (groups, grouped) = own.groups();
        counter!(names::STORE_COMMITS).absolute(groups);
        counter!(names::STORE_COMMITTED_WRITES).absolute(grouped);
        gauge!(names::STORE_LARGEST_COMMIT).set(own.largest_group() as f64);
        gauge!(names::STORE_CLOCK_BEHIND).set(behind.clock_behind().as_secs_f64());
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
