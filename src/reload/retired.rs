//! Snapshots that are no longer resident, kept until no request can hold them any more.
//!
//! Freeing a large snapshot takes milliseconds. Whoever drops the last reference frees it, so the reload thread keeps one
//! until requests that began before the swap are over.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::snapshot::Residents;

/// Most that wait; beyond it, those that nobody reads go before their time, so that reloads in quick succession do not
/// fill the memory.
const MOST_WAITING: usize = 16;

/// What waits to be freed.
#[derive(Debug)]
pub(super) struct Retired {
    grace: Duration,
    waiting: VecDeque<(Instant, Arc<Residents>)>,
}

impl Retired {
    pub(super) fn new(grace: Duration) -> Self {
        Self { grace, waiting: VecDeque::new() }
    }

    /// Takes over what a swap gave back.
    pub(super) fn push(&mut self, residents: Arc<Residents>, now: Instant) {
        self.waiting.push_back((now, residents));
        self.release(now);
    }

    /// Frees what has waited long enough and nobody reads.
    pub(super) fn release(&mut self, now: Instant) {
        while let Some((since, residents)) = self.waiting.front() {
            let has_waited = now.saturating_duration_since(*since) >= self.grace || self.waiting.len() > MOST_WAITING;
            if !has_waited || Arc::strong_count(residents) > 1 {
                return;
            }
            self.waiting.pop_front();
        }
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Weak;

    use super::*;
    use crate::model::Layer;
    use crate::policy::{self, SourceText};
    use crate::snapshot::{Holder, MAX_RESIDENTS, Snapshot};

    const GRACE: Duration = Duration::from_secs(5);

    fn snapshot(version: usize) -> Arc<Snapshot> {
        let text = format!(
            "apiVersion: lictor.dev/v1\nkind: Policy\nmetadata: {{name: p{version}}}\nspec:\n  rules:\n    \
             - {{name: r, effect: allow, actions: [a.b]}}\n"
        );
        let loaded =
            policy::load(&[SourceText { name: "p.yaml".into(), layer: Layer::Organisation, text: text.into() }]);
        Arc::new(Snapshot::build(&loaded.documents, 1))
    }

    /// Publishes so many snapshots that the first leaves. Gives it, to see whether it is freed, and what reads it.
    fn first_has_left(
        holder: &Holder,
        retired: &mut Retired,
        now: Instant,
    ) -> (Weak<Snapshot>, arc_swap::Guard<Arc<Residents>>) {
        let first = snapshot(0);
        let weak = Arc::downgrade(&first);
        retired.push(holder.publish(first), now);
        let reader = holder.load();
        for version in 1..=MAX_RESIDENTS {
            retired.push(holder.publish(snapshot(version)), now);
        }
        (weak, reader)
    }

    #[test]
    fn the_reload_thread_frees_what_left_and_no_request_does() {
        let (holder, now) = (Holder::default(), Instant::now());
        let mut retired = Retired::new(GRACE);
        let (first, reader) = first_has_left(&holder, &mut retired, now);
        retired.release(now + GRACE);
        assert!(first.upgrade().is_some(), "a request still reads it");
        drop(reader);
        assert!(first.upgrade().is_some(), "the end of the request does not free it");
        retired.release(now + GRACE);
        assert!(first.upgrade().is_none(), "the reload thread does");
        assert_eq!(retired.len(), 0);
        assert_eq!(holder.load().iter().count(), MAX_RESIDENTS);
    }

    #[test]
    fn what_a_request_may_have_taken_out_waits_for_the_grace() {
        let (holder, now) = (Holder::default(), Instant::now());
        let mut retired = Retired::new(GRACE);
        let (first, reader) = first_has_left(&holder, &mut retired, now);
        drop(reader);
        retired.release(now + GRACE / 2);
        assert!(first.upgrade().is_some());
        retired.release(now + GRACE);
        assert!(first.upgrade().is_none());
    }
}
