//! Segments: the files of the journal, named by the sequence number of their first line.

use std::fs;
use std::io::{self, BufRead};
use std::path::{Path, PathBuf};

use super::error::EventError;
use super::sequence;

const EXTENSION: &str = "jsonl";

/// One file of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Segment {
    /// Sequence number of its first line.
    pub(super) first: u64,
    /// Where it is.
    pub(super) path: PathBuf,
    /// Its size.
    pub(super) bytes: u64,
}

/// Path of the segment that starts with the event `first`.
pub(super) fn path_of(directory: &Path, first: u64) -> PathBuf {
    directory.join(format!("{first:020}.{EXTENSION}"))
}

/// The segments of a journal, oldest first. Other files are passed over.
pub(super) fn list(directory: &Path) -> Result<Vec<Segment>, EventError> {
    let failed = |error: io::Error| EventError::io("list", directory, &error);
    let mut segments = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let path = entry.path();
        let Some(first) = first_of(&path) else { continue };
        match entry.metadata() {
            Ok(metadata) if metadata.is_file() => segments.push(Segment { first, path, bytes: metadata.len() }),
            Ok(_) => {}
            // The journal's cap may delete a segment while it is being listed.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(EventError::io("examine", &path, &error)),
        }
    }
    segments.sort_unstable_by_key(|segment| segment.first);
    Ok(segments)
}

/// The number in the name of a segment.
pub(super) fn first_of(path: &Path) -> Option<u64> {
    if path.extension()? != EXTENSION {
        return None;
    }
    let stem = path.file_stem()?.to_str()?;
    let number = (stem.len() == 20 && stem.bytes().all(|byte| byte.is_ascii_digit())).then(|| stem.parse().ok());
    number.flatten().filter(|number| *number <= sequence::MAX)
}

/// One line of a segment, without its newline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RawLine<'a> {
    pub(super) bytes: &'a [u8],
    /// Line number, from 1.
    pub(super) number: u64,
    /// Where it starts.
    pub(super) offset: u64,
    /// Whether a newline ended it. A line without one is being written or was torn.
    pub(super) complete: bool,
}

/// Reads lines one by one and keeps count of where they are.
#[derive(Debug)]
pub(super) struct Lines<R> {
    reader: R,
    buffer: Vec<u8>,
    number: u64,
    offset: u64,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader, buffer: Vec::new(), number: 0, offset: 0 }
    }

    /// The next line; `None` at the end.
    pub(super) fn next(&mut self) -> io::Result<Option<RawLine<'_>>> {
        self.buffer.clear();
        let read = self.reader.read_until(b'\n', &mut self.buffer)?;
        if read == 0 {
            return Ok(None);
        }
        let offset = self.offset;
        self.offset = offset.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
        self.number = self.number.saturating_add(1);
        let (bytes, complete) = match self.buffer.strip_suffix(b"\n") {
            Some(bytes) => (bytes, true),
            None => (self.buffer.as_slice(), false),
        };
        Ok(Some(RawLine { bytes, number: self.number, offset, complete }))
    }
}
