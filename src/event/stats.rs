//! What the event room counts, in plain atomics that the telemetry reads when it is scraped.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

/// Reason of a dropped record in metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DropReason {
    /// The ring held as many records as it may.
    RingFull,
    /// The records in the ring owned as much memory as they may.
    RingBytes,
    /// The journal cannot be written and no more refusals for want of audit can wait.
    JournalFailing,
}

impl DropReason {
    /// All reasons.
    pub const ALL: [Self; 3] = [Self::RingFull, Self::RingBytes, Self::JournalFailing];

    /// The label in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RingFull => "ring_full",
            Self::RingBytes => "ring_bytes",
            Self::JournalFailing => "journal_failing",
        }
    }
}

/// Counters only grow; gauges say how things are now. Read them one by one: they are not one consistent picture.
#[derive(Debug, Default)]
pub struct Stats {
    /// Records and bytes in the ring, packed: see [`Occupancy`].
    pub(super) occupancy: AtomicU64,
    drops: [AtomicU64; 3],
    /// Counter: decision records that the writer took from the ring.
    pub records: AtomicU64,
    /// Counter: events that were written to the journal.
    pub events: AtomicU64,
    /// Counter: bytes that were written to the journal.
    pub bytes: AtomicU64,
    /// Counter: write system calls.
    pub writes: AtomicU64,
    /// Counter: writes that failed; each is tried again.
    pub write_failures: AtomicU64,
    /// Counter: fsyncs of segments.
    pub fsyncs: AtomicU64,
    /// Counter: fsyncs that failed.
    pub fsync_failures: AtomicU64,
    /// Counter: `events.gap` records.
    pub gaps: AtomicU64,
    /// Counter: tickets that gap records of this start name as missing.
    pub gap_tickets: AtomicU64,
    /// Counter: segments that the journal's cap deleted.
    pub segments_deleted: AtomicU64,
    /// Gauge: sequence number of the last event written.
    pub sequence: AtomicU64,
    /// Gauge: sequence number of the last event that an fsync covers. Exporters go no further.
    pub durable_sequence: AtomicU64,
    /// Gauge: events that are encoded and wait for a write to succeed.
    pub pending_events: AtomicU64,
    /// Gauge: microseconds from the oldest decision of the last drain until it was written; while it cannot be written,
    /// until now.
    pub lag_micros: AtomicU64,
    /// Gauge: bytes of all segments.
    pub journal_bytes: AtomicU64,
    /// Gauge: number of segments.
    pub segments: AtomicU64,
    /// Gauge: whether the last write or fsync failed.
    pub failing: AtomicBool,
    /// Gauge: whether decisions that must be audited are refused because the journal has been failing for too long.
    pub refusing_audited: AtomicBool,
    exporters: Mutex<Vec<Arc<ExporterStats>>>,
}

/// How one exporter does.
#[derive(Debug, Default)]
pub struct ExporterStats {
    /// Its name.
    pub name: String,
    /// Gauge: sequence number of the last event that it made durable.
    pub sequence: AtomicU64,
    /// Counter: events that it delivered.
    pub delivered: AtomicU64,
    /// Counter: attempts that failed.
    pub failures: AtomicU64,
    /// Counter: events that the journal's cap deleted before this exporter read them.
    pub lost: AtomicU64,
}

impl Stats {
    /// Decision records in the ring.
    #[must_use]
    pub fn ring_depth(&self) -> u64 {
        Occupancy(self.occupancy.load(Relaxed)).records()
    }

    /// Bytes that the records in the ring own.
    #[must_use]
    pub fn ring_bytes(&self) -> u64 {
        Occupancy(self.occupancy.load(Relaxed)).bytes()
    }

    /// Records that were lost for `reason`; gap records name them. A decision with the audit obligation that could not be
    /// queued counts only if the record of its refusal is lost as well.
    #[must_use]
    pub fn drops(&self, reason: DropReason) -> u64 {
        self.drops[reason as usize].load(Relaxed)
    }

    /// Events between what was decided and what was written: in the ring (records) and pending (events).
    #[must_use]
    pub fn lag_records(&self) -> u64 {
        self.ring_depth().saturating_add(self.pending_events.load(Relaxed))
    }

    /// The exporters, in the order of the configuration.
    #[must_use]
    pub fn exporters(&self) -> Vec<Arc<ExporterStats>> {
        self.exporters.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Events that `exporter` still has to deliver.
    #[must_use]
    pub fn exporter_lag(&self, exporter: &ExporterStats) -> u64 {
        self.sequence.load(Relaxed).saturating_sub(exporter.sequence.load(Relaxed))
    }

    pub(super) fn add_exporter(&self, name: &str) -> Arc<ExporterStats> {
        let stats = Arc::new(ExporterStats { name: name.to_owned(), ..ExporterStats::default() });
        self.exporters.lock().unwrap_or_else(PoisonError::into_inner).push(stats.clone());
        stats
    }

    pub(super) fn dropped(&self, reason: DropReason) {
        self.drops[reason as usize].fetch_add(1, Relaxed);
    }
}

/// Number of records and their bytes in one word, so that a producer claims both with one atomic addition: the upper 24
/// bits count records, the lower 40 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Occupancy(pub(super) u64);

impl Occupancy {
    const BYTE_BITS: u32 = 40;
    /// Most records that the word can count.
    pub(super) const MAX_RECORDS: u64 = (1 << 23) - 1;
    /// Most bytes that the word can count.
    pub(super) const MAX_BYTES: u64 = (1 << 39) - 1;

    /// `records` records with `bytes` bytes together; both within the maxima.
    pub(super) const fn of(records: u64, bytes: u64) -> Self {
        Self((records << Self::BYTE_BITS) | (bytes & ((1 << Self::BYTE_BITS) - 1)))
    }

    pub(super) const fn records(self) -> u64 {
        self.0 >> Self::BYTE_BITS
    }

    pub(super) const fn bytes(self) -> u64 {
        self.0 & ((1 << Self::BYTE_BITS) - 1)
    }
}
