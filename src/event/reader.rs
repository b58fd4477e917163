//! Reading the journal while it is being written: in order, whole lines only, across segments.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::error::EventError;
use super::line;
use super::segment::{self, Segment};

/// Bytes that are read at once.
const READ_BYTES: usize = 256 * 1024;

/// Whole lines of the journal, in order.
#[derive(Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    /// Sequence number of each line and where it ends, its newline included.
    ends: Vec<(u64, usize)>,
}

impl Batch {
    /// Number of events.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no event.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The events from number `skip` of the batch on: sequence number and line, which ends with a newline.
    pub fn lines(&self, skip: usize) -> impl Iterator<Item = (u64, &[u8])> {
        let starts = std::iter::once(0).chain(self.ends.iter().map(|(_, end)| *end));
        let lines = self.ends.iter().zip(starts).skip(skip);
        lines.filter_map(|((sequence, end), start)| Some((*sequence, self.bytes.get(start..*end)?)))
    }

    /// The same as bytes, one line behind the other.
    #[must_use]
    pub fn bytes(&self, skip: usize) -> &[u8] {
        let start = skip.checked_sub(1).and_then(|last| self.ends.get(last)).map_or(0, |(_, end)| *end);
        self.bytes.get(start..).unwrap_or_default()
    }

    /// Sequence number of the event `index` of the batch.
    #[must_use]
    pub fn sequence(&self, index: usize) -> Option<u64> {
        self.ends.get(index).map(|(sequence, _)| *sequence)
    }
}

/// Reads a journal from a sequence number on.
#[derive(Debug)]
pub(super) struct JournalReader {
    directory: PathBuf,
    /// Sequence number that is wanted next.
    next: u64,
    current: Option<Current>,
    buffer: Vec<u8>,
    /// Events that were deleted before they were read, or that do not name their number.
    lost: u64,
}

#[derive(Debug)]
struct Current {
    segment: Segment,
    file: File,
    offset: u64,
}

impl JournalReader {
    /// A reader of the events after `sequence`.
    pub(super) fn after(directory: &Path, sequence: u64) -> Self {
        let next = sequence.saturating_add(1);
        Self { directory: directory.to_path_buf(), next, current: None, buffer: Vec::new(), lost: 0 }
    }

    /// How many events were passed over because they were gone, since this was last asked.
    pub(super) fn take_lost(&mut self) -> u64 {
        std::mem::take(&mut self.lost)
    }

    /// The next events up to `limit`; none if there are none yet.
    pub(super) fn read(&mut self, limit: u64) -> Result<Batch, EventError> {
        let mut batch = Batch::default();
        while batch.is_empty() && self.next <= limit {
            if self.current.is_none() && !self.open_at_next()? {
                break;
            }
            if self.read_current(&mut batch, limit)? || !batch.is_empty() {
                continue;
            }
            // At the end of the segment. What follows it was begun only after its last line was written, so that one
            // more look tells whether it is read to the end.
            let Some(following) = self.following()? else { break };
            if !self.read_current(&mut batch, limit)? && batch.is_empty() {
                self.open(following)?;
            }
        }
        Ok(batch)
    }

    /// Opens the segment that holds the wanted event, or else the oldest after it.
    fn open_at_next(&mut self) -> Result<bool, EventError> {
        let segments = segment::list(&self.directory)?;
        let at = segments.partition_point(|segment| segment.first <= self.next).saturating_sub(1);
        match segments.into_iter().nth(at) {
            Some(segment) => self.open(segment).map(|()| true),
            None => Ok(false),
        }
    }

    fn following(&self) -> Result<Option<Segment>, EventError> {
        let Some(current) = &self.current else { return Ok(None) };
        let segments = segment::list(&self.directory)?;
        Ok(segments.into_iter().find(|segment| segment.first > current.segment.first))
    }

    fn open(&mut self, segment: Segment) -> Result<(), EventError> {
        match File::open(&segment.path) {
            Ok(file) => self.current = Some(Current { segment, file, offset: 0 }),
            // Deleted by the cap since it was listed: look again.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => self.current = None,
            Err(error) => return Err(EventError::io("open", &segment.path, &error)),
        }
        Ok(())
    }

    /// Reads on in the open segment. Whether it advanced.
    fn read_current(&mut self, batch: &mut Batch, limit: u64) -> Result<bool, EventError> {
        let Some(current) = self.current.as_mut() else { return Ok(true) };
        let mut wanted = READ_BYTES;
        loop {
            self.buffer.resize(wanted, 0);
            let read = current
                .file
                .read_at(&mut self.buffer, current.offset)
                .map_err(|error| EventError::io("read", &current.segment.path, &error))?;
            let read_bytes = self.buffer.get(..read).unwrap_or_default();
            if read_bytes.contains(&b'\n') {
                break self.buffer.truncate(read);
            }
            if read < wanted {
                return Ok(false);
            }
            wanted = wanted.saturating_mul(2);
        }
        let mut advanced = 0_usize;
        for line in self.buffer.split_inclusive(|byte| *byte == b'\n') {
            if line.last() != Some(&b'\n') {
                break;
            }
            let sequence = line::quick_sequence(line);
            if sequence.is_some_and(|sequence| sequence > limit) {
                break;
            }
            advanced = advanced.saturating_add(line.len());
            match sequence {
                Some(sequence) if sequence >= self.next => {
                    self.lost = self.lost.saturating_add(sequence.saturating_sub(self.next));
                    self.next = sequence.saturating_add(1);
                    batch.bytes.extend_from_slice(line);
                    batch.ends.push((sequence, batch.bytes.len()));
                }
                _ => {}
            }
        }
        current.offset = current.offset.saturating_add(u64::try_from(advanced).unwrap_or(u64::MAX));
        Ok(advanced > 0)
    }
}
