//! The one thread that turns records into lines of the journal.

mod settle;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::thread;
use std::time::Duration;

use super::chain;
use super::clock::Surroundings;
use super::control::{Ack, ControlQueue};
use super::encoder::Encoder;
use super::end_mark::EndMark;
use super::error::EventError;
use super::gap::{Gap, GapReason, JournalFault};
use super::journal::Journal;
use super::ledger::{Ledger, Moment};
use super::mask::Masker;
use super::plan_queue::{PlanEvent, QueuedPlan};
use super::record::DecisionRecord;
use super::recorder::WorkerSlot;
use super::ring::{Claimed, Ring};
use super::state::WatermarkFile;
use super::stats::Stats;
use super::sync::Syncer;
use crate::model::{Ticket, Timestamp};
use settle::Unsettled;

/// Most records that are taken from the ring before they are written.
const MAX_BATCH_RECORDS: u64 = 4_096;
/// Most bytes of lines that are made before they are written.
const MAX_BATCH_BYTES: usize = 1 << 20;
/// Wait between attempts to write after a failure.
const RETRY: Duration = Duration::from_millis(50);

/// What the writer shares with the log's owner and the recorders.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) ring: Arc<Ring>,
    pub(super) control: ControlQueue,
    pub(super) stats: Arc<Stats>,
    /// Recorders that were made since the writer last looked.
    pub(super) new_workers: std::sync::Mutex<Vec<(u8, Arc<WorkerSlot>)>>,
    pub(super) has_new_workers: AtomicBool,
    /// Write what there is, then end.
    pub(super) stop: AtomicBool,
    /// End now; what is not written is lost.
    pub(super) abandon: AtomicBool,
}

/// Times and intervals of the writer.
#[derive(Debug, Clone)]
pub(super) struct Pace {
    pub(super) fsync_interval: Duration,
    pub(super) audit_grace: Duration,
    pub(super) poll_busy: Duration,
    pub(super) poll_idle: Duration,
}

/// Lines that wait to be written together into one segment.
#[derive(Debug, Default)]
struct Chunk {
    lines: Vec<u8>,
    first: u64,
    last: u64,
    new_segment: bool,
}

/// See the module.
pub(super) struct Writer {
    pub(super) shared: Arc<Shared>,
    pub(super) surroundings: Arc<dyn Surroundings>,
    pub(super) pace: Pace,
    pub(super) encoder: Encoder,
    pub(super) journal: Journal,
    pub(super) ledger: Ledger,
    pub(super) masker: Masker,
    pub(super) watermark: WatermarkFile,
    pub(super) syncer: Syncer,
    pub(super) end_mark: EndMark,
    pub(super) progress: Progress,
}

/// What has been made and not yet written, synced or acknowledged.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// Encoded and not written; the last one may still grow.
    chunks: VecDeque<Chunk>,
    /// A chunk's buffer, to be used again.
    spare: Vec<u8>,
    /// Published records and their sequence numbers.
    acks: VecDeque<(u64, Ack)>,
    /// Records that answers wait for.
    unsettled: Unsettled,
    written: u64,
    sync_asked: u64,
    sync_asked_at: Duration,
    /// When the journal began to fail.
    failing_since: Option<Duration>,
    write_failed_at: Option<Duration>,
    /// When the oldest record of the last drain was decided, in microseconds since the epoch.
    oldest_micros: Option<i64>,
}

impl Progress {
    /// The journal ends with the event `sequence`, which is durable.
    pub(super) fn after(sequence: u64) -> Self {
        Self { written: sequence, sync_asked: sequence, ..Self::default() }
    }
}

impl Writer {
    /// Runs until told to stop, then writes what there is, syncs it and notes the clean stop.
    ///
    /// # Errors
    /// What kept it from doing so.
    pub(super) fn run(mut self) -> Result<(), EventError> {
        self.shared.ring.woken_by_need(thread::current());
        let mut pause = self.pace.poll_busy;
        loop {
            if self.shared.abandon.load(Acquire) {
                self.fail_acks();
                return Err(EventError::Closed);
            }
            // Read before the drain: what was queued before the stop is then surely seen.
            let stopping = self.shared.stop.load(Acquire);
            let worked = self.turn(false);
            if stopping && self.is_drained() {
                return self.finish();
            }
            pause = if worked { self.pace.poll_busy } else { pause.saturating_mul(2).min(self.pace.poll_idle) };
            thread::park_timeout(if self.progress.write_failed_at.is_some() { pause.max(RETRY) } else { pause });
        }
    }

    /// One look at everything. Whether there was anything to do.
    fn turn(&mut self, last_chance: bool) -> bool {
        self.meet_workers();
        let mut worked = false;
        if self.progress.chunks.is_empty() {
            worked = self.drain(last_chance);
        }
        self.write();
        self.sync();
        self.acknowledge();
        self.judge();
        worked
    }

    fn meet_workers(&mut self) {
        if self.shared.has_new_workers.swap(false, Acquire) {
            let mut new = self.shared.new_workers.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            for (worker, slot) in new.drain(..) {
                self.ledger.add_worker(worker, slot);
            }
        }
    }

    /// Takes records and makes lines of them. Whether there were any.
    fn drain(&mut self, last_chance: bool) -> bool {
        let now = self.surroundings.monotonic();
        let before = self.encoder.next_sequence();
        let mut claimed = Claimed::default();
        let mut emptied = false;
        while claimed.records < MAX_BATCH_RECORDS && self.encoded_bytes() < MAX_BATCH_BYTES {
            let Some(record) = self.shared.ring.pop(&mut claimed) else {
                emptied = true;
                break;
            };
            self.decision(record, now);
        }
        let mut none_awaited = false;
        while claimed.records < MAX_BATCH_RECORDS && self.encoded_bytes() < MAX_BATCH_BYTES {
            let Some(awaited) = self.shared.ring.pop_awaited(&mut claimed) else {
                none_awaited = true;
                break;
            };
            self.awaited_decision(awaited, now);
        }
        emptied &= none_awaited;
        self.shared.stats.records.fetch_add(claimed.records, Relaxed);
        self.shared.ring.release(claimed);
        while let Some(record) = self.shared.ring.pop_refusal() {
            self.shared.stats.records.fetch_add(1, Relaxed);
            self.decision(record, now);
        }
        while let Some(queued) = self.shared.ring.plans.pop() {
            self.shared.stats.records.fetch_add(1, Relaxed);
            match queued {
                QueuedPlan::Plain(event) => self.plan(event, now),
                QueuedPlan::Awaited(awaited) => self.awaited_plan(awaited, now),
            }
        }
        while let Some((record, ack)) = self.shared.control.pop() {
            self.encode(|encoder, lines| encoder.control(lines, &record));
            self.progress.acks.push_back((self.encoder.last_sequence(), ack));
        }
        for gap in self.ledger.gaps(self.moment(now), emptied, last_chance) {
            self.gap(&gap);
        }
        self.encoder.next_sequence() != before
    }

    fn arrived(&mut self, ticket: Ticket, at: Timestamp, now: Duration) {
        // A worker may have been made since this turn began; it was announced before it could record anything.
        if !self.ledger.knows(ticket.worker) {
            self.meet_workers();
        }
        self.ledger.arrived(ticket, self.moment(now));
        self.progress.oldest_micros.get_or_insert(at.as_micros());
    }

    fn plan(&mut self, event: PlanEvent, now: Duration) {
        let (ticket, at) = event.ticket_and_time();
        self.arrived(ticket, at, now);
        self.encode_plan(event);
    }

    fn encode_plan(&mut self, mut event: PlanEvent) {
        match &mut event {
            PlanEvent::Validated(record) => self.masker.mask_plan(record),
            PlanEvent::Verified(record) => self.masker.mask_dag(record),
        }
        self.encode(|encoder, lines| encoder.plan(lines, &event));
    }

    fn decision(&mut self, mut record: Box<DecisionRecord>, now: Duration) {
        self.arrived(record.ticket, record.decided_at, now);
        self.masker.mask(&mut record);
        self.encode(|encoder, lines| encoder.decision(lines, &record));
    }

    fn moment(&self, time: Duration) -> Moment {
        Moment { time, sequence: self.encoder.next_sequence() }
    }

    /// Records that tickets are missing.
    pub(super) fn gap(&mut self, gap: &Gap) {
        let now = self.surroundings.now();
        self.shared.stats.gaps.fetch_add(1, Relaxed);
        self.shared.stats.gap_tickets.fetch_add(gap.count, Relaxed);
        self.encode(|encoder, lines| encoder.gap(lines, gap, now));
    }

    fn encoded_bytes(&self) -> usize {
        self.progress.chunks.back().map_or(0, |chunk| chunk.lines.len())
    }

    /// Makes the lines of one record. They stay in one segment.
    fn encode(&mut self, make: impl FnOnce(&mut Encoder, &mut Vec<u8>)) {
        let room = self.journal.room();
        if self.progress.chunks.is_empty() {
            let lines = std::mem::take(&mut self.progress.spare);
            let first = self.encoder.next_sequence();
            self.progress.chunks.push_back(Chunk { lines, first, last: first, new_segment: room.is_none() });
        }
        let segment_bytes = self.journal.segment_bytes();
        let Some(chunk) = self.progress.chunks.back_mut() else { return };
        let (start, first) = (chunk.lines.len(), self.encoder.next_sequence());
        make(&mut self.encoder, &mut chunk.lines);
        let limit = if chunk.new_segment { segment_bytes } else { room.unwrap_or(segment_bytes) };
        let too_much = u64::try_from(chunk.lines.len()).unwrap_or(u64::MAX) > limit;
        let last = self.encoder.last_sequence();
        match (too_much, start) {
            // The segment holds something, only not this chunk: the chunk begins a new one.
            (true, 0) => chunk.new_segment = true,
            (true, _) => {
                let lines = chunk.lines.split_off(start);
                self.progress.chunks.push_back(Chunk { lines, first, last, new_segment: true });
                return;
            }
            (false, _) => {}
        }
        chunk.last = last;
    }

    /// Writes what was encoded. After a failure the same lines are tried again, and until they are written nothing more
    /// is taken from the ring.
    fn write(&mut self) {
        let now = self.surroundings.monotonic();
        if self.progress.write_failed_at.is_some() {
            self.note_lag();
        }
        if self.progress.write_failed_at.is_some_and(|at| now.saturating_sub(at) < RETRY) {
            return;
        }
        while let Some(chunk) = self.progress.chunks.front_mut() {
            let syncer = &self.syncer;
            let appended =
                self.journal.append(&chunk.lines, chunk.first, chunk.new_segment, |finished| syncer.ask(finished));
            let stats = &self.shared.stats;
            if let Err(error) = appended {
                stats.write_failures.fetch_add(1, Relaxed);
                if self.progress.write_failed_at.replace(now).is_none() {
                    tracing::error!(%error, "the journal cannot be written; decisions wait in memory");
                }
                stats.pending_events.store(self.pending_events(), Relaxed);
                return;
            }
            stats.writes.fetch_add(1, Relaxed);
            stats.events.fetch_add(chunk.last.saturating_sub(chunk.first).saturating_add(1), Relaxed);
            stats.sequence.store(chunk.last, Release);
            self.progress.written = chunk.last;
            if self.progress.write_failed_at.take().is_some() {
                tracing::info!("the journal can be written again");
            }
            if let Some(mut written) = self.progress.chunks.pop_front() {
                written.lines.clear();
                self.progress.spare = written.lines;
            }
        }
        self.shared.stats.pending_events.store(0, Relaxed);
        self.note_lag();
        self.progress.oldest_micros = None;
        let standings = self.ledger.standings(self.encoder.next_sequence());
        self.watermark.update(self.progress.written, standings);
    }

    /// Time since the oldest decision that was taken from the ring and is not written.
    fn note_lag(&self) {
        if let Some(oldest) = self.progress.oldest_micros {
            let lag = self.surroundings.now().as_micros().saturating_sub(oldest);
            self.shared.stats.lag_micros.store(u64::try_from(lag).unwrap_or(0), Relaxed);
        }
    }

    fn pending_events(&self) -> u64 {
        let events = |chunk: &Chunk| chunk.last.saturating_sub(chunk.first).saturating_add(1);
        self.progress.chunks.iter().map(events).fold(0, u64::saturating_add)
    }

    /// Asks for an fsync where one is due: after the interval, or at once if someone waits, but one at a time.
    fn sync(&mut self) {
        let written = self.progress.written;
        let asked = self.progress.sync_asked;
        let in_flight = asked > self.shared.stats.durable_sequence.load(Acquire);
        if written <= asked || in_flight {
            return;
        }
        let now = self.surroundings.monotonic();
        let acked = self.progress.acks.front().is_some_and(|(sequence, _)| *sequence <= written);
        let waited_for = acked || self.progress.unsettled.reaches(written);
        let due = now.saturating_sub(self.progress.sync_asked_at) >= self.pace.fsync_interval;
        if due || waited_for || self.shared.stop.load(Relaxed) {
            self.ask_sync(now);
        }
    }

    fn ask_sync(&mut self, now: Duration) {
        if let Some(path) = self.journal.drop_if_removed() {
            tracing::error!(path = %path.display(), "the active segment of the journal was deleted");
            let message = "the segment was deleted while it was being written".to_owned();
            let fault = JournalFault { file: path, line: 0, offset: 0, message };
            self.gap(&Gap::unnamed(GapReason::CorruptJournal, fault.to_string()));
            let written = self.progress.written;
            while let Some((_, ack)) = self.progress.acks.pop_front_if(|(sequence, _)| *sequence <= written) {
                ack.settle(Err(EventError::Lost { what: fault.to_string() }));
            }
            self.settle_lost(written);
        }
        if let Some(request) = self.journal.to_sync(self.progress.written) {
            self.syncer.ask(request);
            self.progress.sync_asked = self.progress.written;
            self.progress.sync_asked_at = now;
        }
    }

    fn acknowledge(&mut self) {
        let durable = self.shared.stats.durable_sequence.load(Acquire);
        self.settle(durable);
        while let Some((sequence, ack)) = self.progress.acks.pop_front() {
            if sequence > durable {
                self.progress.acks.push_front((sequence, ack));
                return;
            }
            ack.settle(Ok(sequence));
        }
    }

    /// Settles whether the journal fails, and whether it has for so long that nothing may rely on it.
    fn judge(&mut self) {
        let failing = self.progress.write_failed_at.is_some() || self.syncer.failing();
        let now = self.surroundings.monotonic();
        let since = failing.then(|| *self.progress.failing_since.get_or_insert(now));
        if since.is_none() {
            self.progress.failing_since = None;
        }
        let refusing = since.is_some_and(|since| now.saturating_sub(since) >= self.pace.audit_grace);
        self.shared.stats.failing.store(failing, Relaxed);
        self.shared.stats.refusing_audited.store(refusing, Relaxed);
    }

    fn is_drained(&self) -> bool {
        self.shared.ring.is_empty() && self.shared.control.is_empty() && self.progress.chunks.is_empty()
    }

    /// Names what is missing, makes everything durable and notes the clean stop.
    fn finish(mut self) -> Result<(), EventError> {
        self.shared.control.close();
        let mut gaps_named = false;
        loop {
            if self.shared.abandon.load(Acquire) {
                self.fail_acks();
                return Err(EventError::Closed);
            }
            let last_chance = !gaps_named && self.progress.chunks.is_empty();
            self.turn(last_chance);
            gaps_named |= last_chance;
            let durable = self.shared.stats.durable_sequence.load(Acquire) >= self.progress.written;
            if gaps_named && durable && self.is_drained() && self.progress.unsettled.is_empty() {
                break;
            }
            thread::park_timeout(self.pace.poll_busy);
        }
        self.acknowledge();
        self.end_mark.save(self.progress.written)?;
        self.journal.save_closed(self.encoder.last_sequence(), chain::hex(&self.encoder.head()))
    }

    fn fail_acks(&mut self) {
        self.syncer.give_up();
        self.shared.control.close();
        self.shared.control.fail_rest();
        for (_, ack) in self.progress.acks.drain(..) {
            ack.settle(Err(EventError::Closed));
        }
        self.progress.unsettled.fail();
    }
}
