//! The newest events of a journal, and those that come after them.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use super::error::EventError;
use super::line;
use super::reader::{Batch, JournalReader};
use super::segment::{self, Lines, Segment};

/// Follows a journal from its newest events on, beside the server that writes it.
#[derive(Debug)]
pub struct JournalTail {
    newest: Vec<Vec<u8>>,
    reader: JournalReader,
}

impl JournalTail {
    /// Finds the newest `count` events that `wanted` says yes to, given the line without its newline.
    ///
    /// # Errors
    /// [`EventError::Io`] if the directory or a segment cannot be read.
    pub fn open(directory: &Path, count: usize, mut wanted: impl FnMut(&[u8]) -> bool) -> Result<Self, EventError> {
        let segments = segment::list(directory)?;
        let (mut newest, mut last) = (Vec::new(), None);
        for segment in segments.iter().rev() {
            let (mut of_segment, end) = read(segment, &mut wanted)?;
            last = last.or(end).or(Some(segment.first.saturating_sub(1)));
            let missing = count.saturating_sub(newest.len());
            of_segment.drain(..of_segment.len().saturating_sub(missing));
            of_segment.append(&mut newest);
            newest = of_segment;
            if newest.len() >= count {
                break;
            }
        }
        Ok(Self { newest, reader: JournalReader::after(directory, last.unwrap_or(0)) })
    }

    /// The newest events that were wanted, oldest first, once.
    pub fn take_newest(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.newest)
    }

    /// Events, wanted or not, that came since; none if there are none yet. Does not wait.
    ///
    /// # Errors
    /// [`EventError::Io`] if a segment cannot be read.
    pub fn following(&mut self) -> Result<Batch, EventError> {
        self.reader.read(u64::MAX)
    }
}

/// The wanted lines of a segment and the sequence number of its last whole line.
fn read(segment: &Segment, wanted: &mut impl FnMut(&[u8]) -> bool) -> Result<(Vec<Vec<u8>>, Option<u64>), EventError> {
    let file = match File::open(&segment.path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok((Vec::new(), None)),
        Err(error) => return Err(EventError::io("open", &segment.path, &error)),
    };
    let mut lines = Lines::new(BufReader::with_capacity(256 * 1024, file));
    let (mut found, mut last) = (Vec::new(), None);
    while let Some(raw) = lines.next().map_err(|error| EventError::io("read", &segment.path, &error))? {
        if raw.complete {
            last = line::quick_sequence(raw.bytes).or(last);
            if wanted(raw.bytes) {
                found.push(raw.bytes.to_vec());
            }
        }
    }
    Ok((found, last))
}
