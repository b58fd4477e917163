//! Which tickets of this start the journal accounts for, so that missing ones can be named.
//!
//! Records of one worker come in the order of their tickets, so that a jump means loss. A ticket at the end that was taken
//! and never followed by another shows in the worker's count. Both are given a moment to turn up (a refusal takes another
//! queue and may be late), and then become one gap a worker.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::gap::{Gap, GapReason, MAX_RANGES};
use super::recorder::{MAX_WORKERS, WorkerSlot};
use crate::model::{BootId, Ticket};

/// Tickets of one worker.
#[derive(Debug)]
struct WorkerLedger {
    worker: u8,
    slot: Arc<WorkerSlot>,
    /// The ticket that should come next.
    next: u64,
    /// Ascending, apart, both ends included; all below `next`.
    missing: Vec<(u64, u64)>,
    /// When the oldest of `missing` was missed.
    missing_since: Option<Moment>,
    /// Tickets up to this were taken at that time, and the ring was empty.
    tail: Option<(u64, Duration)>,
    /// The worker's count of refusals at the last gap.
    refused: u64,
}

/// A point in time, and the number of the event that comes next at that point.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) time: Duration,
    pub(super) sequence: u64,
}

/// How far the tickets of a worker are accounted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Standing {
    pub(super) worker: u8,
    /// Tickets that were taken.
    pub(super) issued: u64,
    /// Every ticket below this one is recorded or named by a gap.
    pub(super) settled: u64,
    /// No event below this one concerns a ticket from `settled` on.
    pub(super) sequence: u64,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Ledger {
    boot: BootId,
    grace: Duration,
    workers: Vec<WorkerLedger>,
}

impl Ledger {
    pub(super) fn new(boot: BootId, grace: Duration) -> Self {
        Self { boot, grace, workers: Vec::new() }
    }

    /// Makes a worker known. Its tickets are accounted for from then on.
    pub(super) fn add_worker(&mut self, worker: u8, slot: Arc<WorkerSlot>) {
        if worker < MAX_WORKERS && !self.knows(worker) {
            self.workers.push(WorkerLedger {
                worker,
                slot,
                next: 1,
                missing: Vec::new(),
                missing_since: None,
                tail: None,
                refused: 0,
            });
        }
    }

    /// Whether the worker is known.
    pub(super) fn knows(&self, worker: u8) -> bool {
        self.workers.iter().any(|known| known.worker == worker)
    }

    /// Takes note of a record of a known worker.
    pub(super) fn arrived(&mut self, ticket: Ticket, now: Moment) {
        if ticket.boot != self.boot {
            return;
        }
        let Some(worker) = self.workers.iter_mut().find(|worker| worker.worker == ticket.worker) else { return };
        let number = ticket.number;
        if number < worker.next {
            worker.turned_up(number);
            return;
        }
        if number > worker.next {
            worker.missed(worker.next, number.saturating_sub(1), now);
        }
        worker.next = number.saturating_add(1);
    }

    /// The gaps that are due. `ring_empty`: every record that was queued before `issued` was read has been taken out.
    /// `last_chance`: nothing comes any more, all is due.
    pub(super) fn gaps(&mut self, now: Moment, ring_empty: bool, last_chance: bool) -> Vec<Gap> {
        let (boot, grace) = (self.boot, self.grace);
        let gaps = self.workers.iter_mut().filter_map(|worker| worker.gap(boot, grace, now, ring_empty, last_chance));
        gaps.collect()
    }

    /// How far each worker's tickets are accounted for, where the next event is `next_sequence`.
    pub(super) fn standings(&self, next_sequence: u64) -> impl Iterator<Item = Standing> {
        self.workers.iter().map(move |worker| Standing {
            worker: worker.worker,
            issued: worker.slot.issued(),
            settled: worker.missing.first().map_or(worker.next, |(first, _)| *first),
            sequence: worker.missing_since.map_or(next_sequence, |since| since.sequence),
        })
    }
}

impl WorkerLedger {
    fn missed(&mut self, first: u64, last: u64, now: Moment) {
        self.missing.push((first, last));
        self.missing_since.get_or_insert(now);
    }

    fn turned_up(&mut self, number: u64) {
        let Ok(at) = self.missing.binary_search_by(|(first, last)| {
            if *last < number {
                std::cmp::Ordering::Less
            } else if *first > number {
                std::cmp::Ordering::Greater
            } else {
                std::cmp::Ordering::Equal
            }
        }) else {
            return;
        };
        let (first, last) = self.missing.remove(at);
        if number < last {
            self.missing.insert(at, (number.saturating_add(1), last));
        }
        if first < number {
            self.missing.insert(at, (first, number.saturating_sub(1)));
        }
        if self.missing.is_empty() {
            self.missing_since = None;
        }
    }

    fn gap(&mut self, boot: BootId, grace: Duration, now: Moment, ring_empty: bool, last_chance: bool) -> Option<Gap> {
        self.watch_tail(grace, now, ring_empty, last_chance);
        let since = self.missing_since?;
        let due = last_chance || now.time.saturating_sub(since.time) >= grace || self.missing.len() >= MAX_RANGES;
        if !due {
            return None;
        }
        self.missing_since = None;
        let refused = self.slot.refused();
        let reason = if refused > self.refused { GapReason::RingFull } else { GapReason::NotRecorded };
        self.refused = refused;
        Some(Gap::of_ranges(boot, self.worker, reason, std::mem::take(&mut self.missing)))
    }

    /// Tickets beyond the last record: missing if they still are after the moment of grace.
    fn watch_tail(&mut self, grace: Duration, now: Moment, ring_empty: bool, last_chance: bool) {
        if !ring_empty {
            return;
        }
        let issued = self.slot.issued();
        if issued < self.next {
            self.tail = None;
            return;
        }
        let (up_to, since) = match self.tail {
            Some((up_to, since)) if up_to >= self.next => (up_to, since),
            _ => (issued, now.time),
        };
        self.tail = Some((up_to, since));
        if last_chance || now.time.saturating_sub(since) >= grace {
            let up_to = if last_chance { issued } else { up_to };
            self.missed(self.next, up_to, Moment { time: since, ..now });
            self.next = up_to.saturating_add(1);
            self.tail = None;
        }
    }
}
