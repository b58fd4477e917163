//! The thread of one exporter.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::cursor::Cursor;
use super::{Exporter, NamedExporter};
use crate::event::clock::Surroundings;
use crate::event::error::EventError;
use crate::event::reader::{Batch, JournalReader};
use crate::event::stats::{ExporterStats, Stats};

/// How often the journal is looked at for more.
const POLL: Duration = Duration::from_millis(20);
/// Time between two saves of the cursor.
const SAVE_INTERVAL: Duration = Duration::from_secs(1);
/// First wait after a failure; it doubles up to the longest.
const FIRST_BACKOFF: Duration = Duration::from_millis(100);
const LONGEST_BACKOFF: Duration = Duration::from_secs(30);

/// The handle of an exporter's thread.
#[derive(Debug)]
pub(in crate::event) struct Driver {
    name: String,
    thread: Option<JoinHandle<()>>,
    signals: Arc<Signals>,
}

#[derive(Debug, Default)]
struct Signals {
    /// The journal is complete: deliver the rest, then end.
    stop: AtomicBool,
    /// End now.
    abandon: AtomicBool,
}

struct Export {
    name: String,
    exporter: Box<dyn Exporter>,
    reader: JournalReader,
    cursor: Cursor,
    signals: Arc<Signals>,
    stats: Arc<Stats>,
    own: Arc<ExporterStats>,
    surroundings: Arc<dyn Surroundings>,
    delivered: u64,
    saved_at: Duration,
}

impl Driver {
    /// Starts the thread of `exporter`.
    pub(in crate::event) fn start(
        exporter: NamedExporter,
        journal: &Path,
        cursors: &Path,
        stats: &Arc<Stats>,
        surroundings: &Arc<dyn Surroundings>,
    ) -> Result<Self, EventError> {
        let NamedExporter { name, exporter } = exporter;
        let cursor = Cursor::open(cursors, &name)?;
        // A cursor beyond the journal belongs to another journal, or to one that lost its end.
        let delivered = cursor.saved().min(stats.sequence.load(Acquire));
        let own = stats.add_exporter(&name);
        own.sequence.store(delivered, Relaxed);
        let signals = Arc::new(Signals::default());
        let export = Export {
            name: name.clone(),
            exporter,
            reader: JournalReader::after(journal, delivered),
            cursor,
            signals: signals.clone(),
            stats: stats.clone(),
            own,
            surroundings: surroundings.clone(),
            delivered,
            saved_at: surroundings.monotonic(),
        };
        let thread_name = format!("lictor-{name}");
        let thread = thread::Builder::new()
            .name(thread_name.clone())
            .spawn(move || export.run())
            .map_err(|error| EventError::Thread { thread: thread_name, reason: error.to_string() })?;
        Ok(Self { name, thread: Some(thread), signals })
    }

    /// Tells the thread that the journal is complete.
    pub(in crate::event) fn stop(&self) {
        self.signals.stop.store(true, Release);
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }

    /// Whether the thread has ended.
    pub(in crate::event) fn is_finished(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }
}

impl Drop for Driver {
    /// Waits for a thread that has ended. One that hangs in its destination is left behind: it holds no lock, and events
    /// that it did not deliver stay before its cursor.
    fn drop(&mut self) {
        self.signals.abandon.store(true, Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            if !thread.is_finished() {
                tracing::debug!(exporter = self.name, "exporter is still busy");
                return;
            }
            if thread.join().is_err() {
                tracing::error!(exporter = self.name, "exporter ended by a panic");
            }
        }
    }
}

impl Export {
    fn run(mut self) {
        while !self.signals.abandon.load(Acquire) {
            let stopping = self.signals.stop.load(Acquire);
            let batch = match self.reader.read(self.stats.durable_sequence.load(Acquire)) {
                Ok(batch) => batch,
                Err(error) => {
                    self.own.failures.fetch_add(1, Relaxed);
                    tracing::warn!(exporter = self.name, %error, "exporter cannot read the journal");
                    Batch::default()
                }
            };
            self.count_lost();
            if batch.is_empty() {
                self.save_cursor(stopping);
                if stopping {
                    break;
                }
                thread::park_timeout(POLL);
            } else {
                self.deliver(&batch);
                self.save_cursor(false);
            }
        }
        self.save_cursor(true);
    }

    /// Delivers all of `batch`, trying again as often as it takes.
    fn deliver(&mut self, batch: &Batch) {
        let (mut done, mut backoff) = (0_usize, FIRST_BACKOFF);
        while done < batch.len() {
            let outcome = self.exporter.export(batch, done);
            let before = done;
            done = done.saturating_add(outcome.events).min(batch.len());
            if let Some(sequence) = done.checked_sub(1).and_then(|last| batch.sequence(last)) {
                self.delivered = sequence;
                self.own.sequence.store(sequence, Relaxed);
                let events = u64::try_from(done.saturating_sub(before)).unwrap_or(0);
                self.own.delivered.fetch_add(events, Relaxed);
            }
            if done >= batch.len() {
                return;
            }
            self.own.failures.fetch_add(1, Relaxed);
            if done > before {
                backoff = FIRST_BACKOFF;
            }
            let error = outcome.error.unwrap_or_default();
            tracing::warn!(
                exporter = self.name,
                error,
                wait_ms = backoff.as_millis(),
                "exporter failed and tries again"
            );
            self.save_cursor(false);
            if !self.pause(backoff) {
                return;
            }
            backoff = backoff.saturating_mul(2).min(LONGEST_BACKOFF);
        }
    }

    /// Waits; false when the thread is to end. While stopping, short waits only: there is a deadline.
    fn pause(&self, backoff: Duration) -> bool {
        let start = self.surroundings.monotonic();
        loop {
            if self.signals.abandon.load(Acquire) {
                return false;
            }
            let limit = if self.signals.stop.load(Acquire) { backoff.min(FIRST_BACKOFF) } else { backoff };
            let passed = self.surroundings.monotonic().saturating_sub(start);
            if passed >= limit {
                return true;
            }
            thread::park_timeout(limit.saturating_sub(passed));
        }
    }

    fn count_lost(&mut self) {
        let lost = self.reader.take_lost();
        if lost > 0 {
            self.own.lost.fetch_add(lost, Relaxed);
            tracing::error!(
                exporter = self.name,
                lost,
                "events were deleted by the journal's cap before they were exported"
            );
        }
    }

    fn save_cursor(&mut self, now: bool) {
        let time = self.surroundings.monotonic();
        if !now && time.saturating_sub(self.saved_at) < SAVE_INTERVAL {
            return;
        }
        self.saved_at = time;
        if let Err(error) = self.cursor.save(self.delivered) {
            tracing::warn!(exporter = self.name, %error, "exporter cannot keep its place");
        }
    }
}
