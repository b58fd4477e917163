//! The event log as a whole: opening, handing out recorders, publishing, closing.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::clock::Surroundings;
use super::control::{Ack, ControlQueue};
use super::encoder::Encoder;
use super::end_mark::EndMark;
use super::error::EventError;
use super::export::Driver;
use super::files;
use super::gap::JournalFault;
use super::journal::Journal;
use super::ledger::Ledger;
use super::mask::{self, Masker};
use super::options::EventOptions;
use super::record::ControlRecord;
use super::recorder::{MAX_WORKERS, Recorder, WorkerSlot};
use super::recovery::{self, Recovered};
use super::ring::Ring;
use super::state::{BootEntry, WatermarkFile};
use super::stats::Stats;
use super::sync::Syncer;
use super::writer::{Pace, Progress, Shared, Writer};
use crate::model::BootId;

/// What opening the journal found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Bytes of a torn tail that were cut.
    pub cut_bytes: u64,
    /// What does not verify. It stays where it is; a new segment goes on behind it.
    pub faults: Vec<JournalFault>,
    /// Number of gap records that were written because of what was found.
    pub gaps: u64,
    /// Sequence number of the last event that was found, 0 in a new journal.
    pub sequence: u64,
}

/// The event log of one server. Dropping it closes it, waiting for at most five seconds.
pub struct EventLog {
    boot: BootId,
    decisions: bool,
    shared: Arc<Shared>,
    slots: Mutex<Vec<(u8, Arc<WorkerSlot>)>>,
    recovery: Recovery,
    running: Mutex<Running>,
    surroundings: Arc<dyn Surroundings>,
}

/// The threads.
#[derive(Default)]
struct Running {
    writer: Option<JoinHandle<Result<(), EventError>>>,
    exporters: Vec<Driver>,
}

/// How long dropping an open log waits.
const DROP_DEADLINE: Duration = Duration::from_secs(5);

impl EventLog {
    /// Recovers the journal, begins a new start in it and runs the writer and the exporters.
    ///
    /// # Errors
    /// The journal is in use, a directory or file cannot be used, a mask or name is not valid. A damaged journal is no
    /// error: see [`Self::recovery`].
    pub fn open(options: EventOptions) -> Result<Self, EventError> {
        let journal_dir = options.journal_dir();
        let cursors_dir = options.state_dir.join("cursors");
        files::create_private_directory(&journal_dir)?;
        files::create_private_directory(&cursors_dir)?;
        let lock = lock(&journal_dir)?;
        let masker = masker(&options)?;
        check_names(&options)?;
        let mut recovered = recovery::recover(&options.state_dir, options.key.as_ref())?;
        if recovered.cut_bytes > 0 {
            tracing::warn!(bytes = recovered.cut_bytes, "cut a torn tail of the journal");
        }
        for fault in &recovered.faults {
            tracing::error!(%fault, "the journal is damaged; `lictor audit verify` tells more");
        }
        let surroundings = options.surroundings.clone();
        let boot = new_boot(&recovered.boots, &*surroundings)?;
        let last = begin_start(&mut recovered, boot, &options)?;
        let recovery = Recovery {
            cut_bytes: recovered.cut_bytes,
            faults: recovered.faults,
            gaps: u64::try_from(recovered.gaps.len()).unwrap_or(u64::MAX),
            sequence: last,
        };
        if !options.decisions {
            tracing::warn!("decisions are not recorded (`events.mode: off`); those that must be audited are refused");
        }
        let stats = Arc::new(Stats::default());
        stats.sequence.store(last, Relaxed);
        stats.durable_sequence.store(last, Relaxed);
        let shared = Arc::new(Shared {
            ring: Arc::new(Ring::new(options.ring_records, options.ring_bytes, options.guaranteed, stats.clone())),
            control: ControlQueue::default(),
            stats: stats.clone(),
            new_workers: Mutex::default(),
            has_new_workers: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            abandon: AtomicBool::new(false),
        });
        let journal = Journal::new(
            &journal_dir,
            options.segment_bytes,
            options.journal_bytes,
            recovered.closed,
            recovered.active,
            (recovered.state, options.key.clone()),
            stats.clone(),
        )?;
        let watermark = WatermarkFile::create(&journal_dir, boot.to_string(), options.key.clone())?;
        let key = options.key.clone();
        let encoder = Encoder::new(
            &options.producer,
            options.dev,
            options.key,
            recovered.head,
            recovered.next_sequence,
            id_base(&*surroundings)?,
        );
        let parts = WriterParts {
            shared: shared.clone(),
            surroundings: surroundings.clone(),
            pace: Pace {
                fsync_interval: options.fsync_interval,
                audit_grace: options.audit_grace,
                poll_busy: options.poll_busy,
                poll_idle: options.poll_idle,
            },
            encoder,
            journal,
            ledger: Ledger::new(boot, options.gap_grace),
            masker,
            watermark,
            written: last,
            gaps: recovered.gaps,
            end_mark: EndMark::new(&options.state_dir, key.as_ref()),
            lock,
        };
        let running = Mutex::new(Running { writer: Some(parts.start()?), exporters: Vec::new() });
        // From here on dropping the log ends its threads, also where an exporter cannot be started.
        let log = Self {
            boot,
            decisions: options.decisions,
            shared,
            slots: Mutex::default(),
            recovery,
            running,
            surroundings,
        };
        for exporter in options.exporters {
            let driver = Driver::start(exporter, &journal_dir, &cursors_dir, &stats, &log.surroundings)?;
            log.running.lock().unwrap_or_else(PoisonError::into_inner).exporters.push(driver);
        }
        Ok(log)
    }

    /// The id of this start.
    #[must_use]
    pub fn boot(&self) -> BootId {
        self.boot
    }

    /// What opening the journal found.
    #[must_use]
    pub fn recovery(&self) -> &Recovery {
        &self.recovery
    }

    /// The way of the data-plane worker `worker`, 0–63, to the ring. Recorders of the same worker share its tickets.
    #[must_use]
    pub fn recorder(&self, worker: u8) -> Recorder {
        let worker = worker % MAX_WORKERS;
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = match slots.iter().find(|(known, _)| *known == worker) {
            Some((_, slot)) => slot.clone(),
            None => {
                let slot = Arc::new(WorkerSlot::default());
                slots.push((worker, slot.clone()));
                // The writer looks for the tickets of the workers that it knows, and would miss those of this one.
                if self.decisions {
                    self.shared.new_workers.lock().unwrap_or_else(PoisonError::into_inner).push((worker, slot.clone()));
                    self.shared.has_new_workers.store(true, Release);
                }
                slot
            }
        };
        let ring = self.decisions.then(|| self.shared.ring.clone());
        Recorder::new(self.boot, worker, slot, ring, self.shared.stats.clone())
    }

    /// Hands over a record of the control plane. It is not dropped: either this fails, or the acknowledgement tells when
    /// it is durable or that it never will be. Takes a lock: not for the data plane.
    ///
    /// # Errors
    /// [`EventError::Closed`] after closing, [`EventError::Busy`] if 1024 records wait already.
    pub fn publish(&self, record: ControlRecord) -> Result<Ack, EventError> {
        let ack = self.shared.control.push(record)?;
        self.wake_writer();
        Ok(ack)
    }

    /// Number of the last event that is durable. What is published from now on comes behind it, whatever happens.
    #[must_use]
    pub fn durable_sequence(&self) -> u64 {
        self.shared.stats.durable_sequence.load(Acquire)
    }

    /// What the room counts.
    #[must_use]
    pub fn stats(&self) -> Arc<Stats> {
        self.shared.stats.clone()
    }

    /// Whether the last write or fsync of the journal failed. Recorders refuse decisions that must be audited once this
    /// has lasted for the configured grace.
    #[must_use]
    pub fn is_failing(&self) -> bool {
        self.shared.stats.failing.load(Relaxed)
    }

    /// Writes what is queued, names what is missing, makes it durable and notes the clean stop; then lets the exporters
    /// deliver the rest. Stop recording first. Closing twice is no error.
    ///
    /// # Errors
    /// [`EventError::Timeout`] if the journal was not complete within `deadline`: the next start then finds an unclean
    /// stop. Exporters that did not finish are no error: their cursors say how far they came.
    pub fn close(&self, deadline: Duration) -> Result<(), EventError> {
        let mut running = std::mem::take(&mut *self.running.lock().unwrap_or_else(PoisonError::into_inner));
        let Some(writer) = running.writer.take() else { return Ok(()) };
        let start = self.surroundings.monotonic();
        let in_time = || self.surroundings.monotonic().saturating_sub(start) < deadline;
        self.shared.stop.store(true, Release);
        writer.thread().unpark();
        while !writer.is_finished() && in_time() {
            thread::sleep(Duration::from_millis(1));
        }
        if !writer.is_finished() {
            self.shared.abandon.store(true, Release);
            writer.thread().unpark();
            return Err(EventError::Timeout { what: "writing the rest of the journal", millis: deadline.as_millis() });
        }
        let closed = writer.join().unwrap_or(Err(EventError::Closed));
        running.exporters.iter().for_each(Driver::stop);
        while !running.exporters.iter().all(Driver::is_finished) && in_time() {
            thread::sleep(Duration::from_millis(1));
        }
        closed
    }

    /// Ends as a kill would: what is in memory is lost and nothing notes the end.
    #[cfg(test)]
    pub(super) fn crash(&self) {
        let mut running = std::mem::take(&mut *self.running.lock().unwrap_or_else(PoisonError::into_inner));
        self.shared.abandon.store(true, Release);
        if let Some(writer) = running.writer.take() {
            writer.thread().unpark();
            let _ = writer.join();
        }
    }

    fn wake_writer(&self) {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(writer) = &running.writer {
            writer.thread().unpark();
        }
    }
}

impl Drop for EventLog {
    fn drop(&mut self) {
        if let Err(error) = self.close(DROP_DEADLINE) {
            tracing::error!(%error, "the journal was not closed in order");
        }
    }
}

/// What the writer's thread is made of.
struct WriterParts {
    shared: Arc<Shared>,
    surroundings: Arc<dyn Surroundings>,
    pace: Pace,
    encoder: Encoder,
    journal: Journal,
    ledger: Ledger,
    masker: Masker,
    watermark: WatermarkFile,
    written: u64,
    gaps: Vec<super::gap::Gap>,
    end_mark: EndMark,
    lock: File,
}

impl WriterParts {
    fn start(self) -> Result<JoinHandle<Result<(), EventError>>, EventError> {
        let name = "lictor-journal";
        let run = move || {
            let syncer = Syncer::start(self.shared.stats.clone(), thread::current(), self.end_mark.clone())?;
            let mut writer = Writer {
                shared: self.shared,
                surroundings: self.surroundings,
                pace: self.pace,
                encoder: self.encoder,
                journal: self.journal,
                ledger: self.ledger,
                masker: self.masker,
                watermark: self.watermark,
                syncer,
                end_mark: self.end_mark,
                progress: Progress::after(self.written),
            };
            for gap in &self.gaps {
                writer.gap(gap);
            }
            let outcome = writer.run();
            drop(self.lock);
            outcome
        };
        let failed = |error: std::io::Error| EventError::Thread { thread: name.to_owned(), reason: error.to_string() };
        thread::Builder::new().name(name.to_owned()).spawn(run).map_err(failed)
    }
}

/// Notes the new start in the journal's memory of itself, durably, before anything is written. Gives the sequence number
/// of the last event.
fn begin_start(recovered: &mut Recovered, boot: BootId, options: &EventOptions) -> Result<u64, EventError> {
    let last = recovered.next_sequence.saturating_sub(1);
    let state = &mut recovered.state;
    if let Some(oldest) = recovered.closed.first().or(recovered.active.as_ref()) {
        state.forget_before(state.oldest.min(oldest.first));
    }
    state.clean = false;
    state.sequence = last;
    state.head = super::chain::hex(&recovered.head);
    state.boots.push(BootEntry { boot: boot.to_string(), first_sequence: recovered.next_sequence });
    state.save(&options.journal_dir(), options.key.as_ref())?;
    if let Some(active) = &recovered.active {
        // Lines that a killed process left in the page cache become durable before anything relies on them.
        let synced = File::open(&active.path).and_then(|file| file.sync_all());
        synced.map_err(|error| EventError::io("sync", &active.path, &error))?;
    }
    // The number stays: what an unclean stop left behind it is judged by its lines alone.
    let end_mark = EndMark::new(&options.state_dir, options.key.as_ref());
    end_mark.save(end_mark.load()?.0)?;
    // Last: without it, an end in between leaves a journal whose key was not used yet.
    if let (Some(mark), Some(key)) = (&recovered.new_mark, &options.key) {
        if mark.sequence > 1 {
            tracing::warn!(
                keyed_since = mark.sequence,
                "the journal is keyed from here on; the key does not cover the records before"
            );
        }
        mark.save(&options.state_dir, key)?;
    }
    Ok(last)
}

fn lock(journal_dir: &Path) -> Result<File, EventError> {
    let path = journal_dir.join("lock");
    let open = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
    let file = open.map_err(|error| EventError::io("open", &path, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(EventError::InUse { path: journal_dir.to_path_buf() }),
        Err(TryLockError::Error(error)) => Err(EventError::io("lock", &path, &error)),
    }
}

fn masker(options: &EventOptions) -> Result<Masker, EventError> {
    let key = match (&options.mask_key, options.mask.is_empty()) {
        (_, true) => None,
        (Some(key), false) => Some(key.clone()),
        (None, false) => Some(mask::key_of(&options.state_dir, &*options.surroundings)?),
    };
    Masker::new(&options.mask, key)
}

fn check_names(options: &EventOptions) -> Result<(), EventError> {
    let mut names: Vec<&str> = options.exporters.iter().map(|exporter| exporter.name()).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| matches!(pair, [one, other] if one == other)) {
        Some(pair) => Err(EventError::ExporterName { name: pair.concat() }),
        None => Ok(()),
    }
}

/// 26 random bits that none of `taken` has.
fn new_boot(taken: &[BootId], surroundings: &dyn Surroundings) -> Result<BootId, EventError> {
    loop {
        let mut bytes = [0; 4];
        surroundings.random(&mut bytes)?;
        let boot = BootId::from_bits(u32::from_le_bytes(bytes));
        if !taken.contains(&boot) {
            return Ok(boot);
        }
    }
}

fn id_base(surroundings: &dyn Surroundings) -> Result<u128, EventError> {
    let mut bytes = [0; 16];
    surroundings.random(&mut bytes)?;
    Ok(u128::from_le_bytes(bytes))
}
