//! The appending end of the journal: segments of bounded size, the oldest deleted beyond a total.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::chain::ChainKey;
use super::error::EventError;
use super::files;
use super::segment::{self, Segment};
use super::state::JournalState;
use super::stats::Stats;

/// See the module.
#[derive(Debug)]
pub(super) struct Journal {
    directory: PathBuf,
    segment_bytes: u64,
    total_bytes: u64,
    closed: VecDeque<Segment>,
    active: Option<Active>,
    /// The journal's memory of itself; the cap notes in it what it deletes.
    state: JournalState,
    /// Key that vouches for that memory.
    key: Option<ChainKey>,
    stats: Arc<Stats>,
}

#[derive(Debug)]
struct Active {
    segment: Segment,
    file: Arc<File>,
    /// Whether bytes of a failed write may lie behind `segment.bytes`.
    torn: bool,
}

/// A segment's file that is to be synced; everything up to `sequence` is then durable.
#[derive(Debug, Clone)]
pub(super) struct ToSync {
    pub(super) file: Arc<File>,
    pub(super) path: PathBuf,
    /// Directory that the file was newly created in.
    pub(super) directory: Option<PathBuf>,
    pub(super) sequence: u64,
}

impl Journal {
    pub(super) fn new(
        directory: &Path,
        segment_bytes: u64,
        total_bytes: u64,
        closed: Vec<Segment>,
        active: Option<Segment>,
        memory: (JournalState, Option<ChainKey>),
        stats: Arc<Stats>,
    ) -> Result<Self, EventError> {
        let active = match active {
            Some(segment) => {
                let file = OpenOptions::new()
                    .write(true)
                    .open(&segment.path)
                    .map_err(|error| EventError::io("open", &segment.path, &error))?;
                Some(Active { segment, file: Arc::new(file), torn: false })
            }
            None => None,
        };
        let (state, key) = memory;
        let journal = Self {
            directory: directory.to_path_buf(),
            segment_bytes,
            total_bytes,
            closed: closed.into(),
            active,
            state,
            key,
            stats,
        };
        journal.publish_size();
        Ok(journal)
    }

    /// How many more bytes the active segment takes before it is full; `None` if the next write begins a new one.
    pub(super) fn room(&self) -> Option<u64> {
        self.active.as_ref().map(|active| self.segment_bytes.saturating_sub(active.segment.bytes))
    }

    /// Most bytes of a segment, unless a single decision's lines are larger.
    pub(super) fn segment_bytes(&self) -> u64 {
        self.segment_bytes
    }

    /// Appends whole lines, the first of which is the event `first`. A new segment is begun where `new_segment` or where
    /// there is none; the finished one is given to `finished` to be synced. On failure nothing has been appended, and the
    /// same lines are to be tried again.
    pub(super) fn append(
        &mut self,
        lines: &[u8],
        first: u64,
        new_segment: bool,
        finished: impl FnOnce(ToSync),
    ) -> Result<(), EventError> {
        if new_segment || self.active.is_none() {
            self.begin(first, finished)?;
        }
        let Some(active) = self.active.as_mut() else { return Err(EventError::Closed) };
        let (path, at) = (&active.segment.path, active.segment.bytes);
        if active.torn {
            active.file.set_len(at).map_err(|error| EventError::io("cut", path, &error))?;
            active.torn = false;
        }
        if let Err(error) = active.file.write_all_at(lines, at) {
            // A reader must not take a part of a line for a line; if even this fails it is tried before the next write.
            active.torn = active.file.set_len(at).is_err();
            return Err(EventError::io("write", path, &error));
        }
        let written = u64::try_from(lines.len()).unwrap_or(u64::MAX);
        active.segment.bytes = at.saturating_add(written);
        self.stats.bytes.fetch_add(written, Relaxed);
        self.publish_size();
        Ok(())
    }

    fn begin(&mut self, first: u64, finished: impl FnOnce(ToSync)) -> Result<(), EventError> {
        let path = segment::path_of(&self.directory, first);
        files::create_private_directory(&self.directory)?;
        if self.active.as_ref().is_some_and(|active| active.segment.path == path) {
            return Ok(());
        }
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .map_err(|error| EventError::io("create", &path, &error))?;
        let segment = Segment { first, path, bytes: 0 };
        if let Some(done) = self.active.replace(Active { segment, file: Arc::new(file), torn: false }) {
            finished(ToSync {
                file: done.file,
                path: done.segment.path.clone(),
                directory: Some(self.directory.clone()),
                sequence: first.saturating_sub(1),
            });
            self.closed.push_back(done.segment);
        }
        self.enforce_cap();
        Ok(())
    }

    /// Lets go of an active segment that someone deleted, so that the next write begins a new one. Gives its path.
    pub(super) fn drop_if_removed(&mut self) -> Option<PathBuf> {
        let is_gone = |active: &Active| active.file.metadata().is_ok_and(|metadata| metadata.nlink() == 0);
        let gone = self.active.take_if(|active| is_gone(active))?;
        Some(gone.segment.path)
    }

    /// The active segment, to be synced; everything up to `sequence` has been written.
    pub(super) fn to_sync(&self, sequence: u64) -> Option<ToSync> {
        self.active.as_ref().map(|active| ToSync {
            file: active.file.clone(),
            path: active.segment.path.clone(),
            directory: Some(self.directory.clone()),
            sequence,
        })
    }

    /// Notes in the state file that the journal was closed in order.
    pub(super) fn save_closed(&mut self, sequence: u64, head: String) -> Result<(), EventError> {
        self.state.clean = true;
        self.state.sequence = sequence;
        self.state.head = head;
        self.state.save(&self.directory, self.key.as_ref())
    }

    fn size(&self) -> u64 {
        let active = self.active.as_ref().map_or(0, |active| active.segment.bytes);
        self.closed.iter().fold(active, |sum, segment| sum.saturating_add(segment.bytes))
    }

    /// Deletes the oldest closed segments so that, with a full active one, the total stays within the cap. What the cap
    /// deletes is noted first, so that an auditor can tell it from a segment that someone removed.
    fn enforce_cap(&mut self) {
        while self.size().saturating_add(self.segment_bytes) > self.total_bytes {
            let Some(oldest) = self.closed.pop_front() else { return };
            let next = self.closed.front().or(self.active.as_ref().map(|active| &active.segment));
            self.state.forget_before(next.map_or(0, |segment| segment.first));
            let deleted = self.state.save(&self.directory, self.key.as_ref()).and_then(|()| {
                fs::remove_file(&oldest.path).map_err(|error| EventError::io("remove", &oldest.path, &error))
            });
            match deleted {
                Ok(()) => {
                    self.stats.segments_deleted.fetch_add(1, Relaxed);
                }
                Err(error) if matches!(&error, EventError::Io { kind: std::io::ErrorKind::NotFound, .. }) => {}
                Err(error) => {
                    tracing::warn!(%error, "the journal is above its cap");
                    self.closed.push_front(oldest);
                    return;
                }
            }
        }
    }

    fn publish_size(&self) {
        self.stats.journal_bytes.store(self.size(), Relaxed);
        let segments = self.closed.len().saturating_add(usize::from(self.active.is_some()));
        self.stats.segments.store(u64::try_from(segments).unwrap_or(u64::MAX), Relaxed);
    }
}
