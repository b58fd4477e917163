//! How the event log is set up.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::chain::ChainKey;
use super::clock::{Machine, Surroundings};
use super::export::NamedExporter;

/// How the event log is set up. A cap below two segments keeps the active segment only.
#[non_exhaustive]
pub struct EventOptions {
    /// State directory; the journal is in its `journal`, cursors in `cursors`, the masking key in `keys`.
    pub state_dir: PathBuf,
    /// `meta.producer`: program, version and, where there is one, the instance's id.
    pub producer: String,
    /// Whether the server believes what callers say of themselves, which every record tells then.
    pub dev: bool,
    /// Whether decisions are recorded. Where they are not, those with the audit obligation are refused.
    pub decisions: bool,
    /// How long an answer waits until its record is durable, after which it is a denial; `None` where answers do not wait.
    pub guaranteed: Option<Duration>,
    /// Most bytes of all segments together.
    pub journal_bytes: u64,
    /// Most bytes of one segment.
    pub segment_bytes: u64,
    /// Longest time between a write and the fsync that covers it.
    pub fsync_interval: Duration,
    /// Most decision records that wait for the writer; one eighth is reserved for what is not a plain allow. At most
    /// 8 388 607.
    pub ring_records: usize,
    /// Most bytes that those records own.
    pub ring_bytes: u64,
    /// How long the journal may fail before decisions that must be audited are refused.
    pub audit_grace: Duration,
    /// How long a ticket may be missing before a gap names it.
    pub gap_grace: Duration,
    /// How often the writer looks into the ring while there is work.
    pub poll_busy: Duration,
    /// How often it looks, at the least, when there is none.
    pub poll_idle: Duration,
    /// Key of the chain; without one the chain shows corruption, with one tampering.
    pub key: Option<ChainKey>,
    /// Attributes to be masked, for example `context.params.card_number`.
    pub mask: Vec<String>,
    /// Key of the masks; `None` to use the one in the state directory, which is made at first use.
    pub mask_key: Option<ChainKey>,
    /// Where events go besides the journal.
    pub exporters: Vec<NamedExporter>,
    /// Clock and randomness.
    pub surroundings: Arc<dyn Surroundings>,
}

impl EventOptions {
    /// The defaults, for this state directory: 256 MiB in segments of 16 MiB, an fsync each second, 65 536 records or
    /// 32 MiB in the ring, no key, no masks, no exporters.
    #[must_use]
    pub fn new(state_dir: impl Into<PathBuf>) -> Self {
        Self {
            state_dir: state_dir.into(),
            producer: concat!("lictor/", env!("CARGO_PKG_VERSION")).to_owned(),
            dev: false,
            decisions: true,
            guaranteed: None,
            journal_bytes: 256 << 20,
            segment_bytes: 16 << 20,
            fsync_interval: Duration::from_secs(1),
            ring_records: 65_536,
            ring_bytes: 32 << 20,
            audit_grace: Duration::from_secs(1),
            gap_grace: Duration::from_secs(1),
            poll_busy: Duration::from_millis(1),
            poll_idle: Duration::from_millis(5),
            key: None,
            mask: Vec::new(),
            mask_key: None,
            exporters: Vec::new(),
            surroundings: Arc::new(Machine::default()),
        }
    }

    /// The journal's directory.
    #[must_use]
    pub fn journal_dir(&self) -> PathBuf {
        journal_dir(&self.state_dir)
    }
}

/// The journal's directory in a state directory.
#[must_use]
pub fn journal_dir(state_dir: &Path) -> PathBuf {
    state_dir.join("journal")
}
