//! What the journal remembers of itself between starts, apart from its lines.
//!
//! `state.json` is replaced at start, at a clean stop and when the cap deletes a segment, and is durable. `watermark` is
//! overwritten in place with each write and never synced: it survives the end of the process, not that of the machine.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::chain::ChainKey;
use super::error::EventError;
use super::files;
use super::ledger::Standing;
use super::seal::seal;

/// One start of a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct BootEntry {
    /// Seven hexadecimal digits.
    pub(super) boot: String,
    /// Sequence number of the first event that it could write.
    pub(super) first_sequence: u64,
}

/// Content of `state.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct JournalState {
    /// Version of the layout of the journal's directory.
    pub(super) format: u32,
    /// Whether the journal was closed in order; false while a server runs.
    pub(super) clean: bool,
    /// The starts whose records the journal may still hold, oldest first. The last one is the current or latest.
    pub(super) boots: Vec<BootEntry>,
    /// First sequence number that the cap has left; older segments were deleted on purpose.
    #[serde(deserialize_with = "super::sequence::read")]
    pub(super) oldest: u64,
    /// Sequence number of the last event, at a clean stop; at start, of the last event found.
    #[serde(deserialize_with = "super::sequence::read")]
    pub(super) sequence: u64,
    /// Its hash, 64 hexadecimal digits.
    pub(super) head: String,
    /// Keyed hash of the rest; `None` where no key is configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) mac: Option<String>,
}

/// The layout that this version writes.
pub(super) const FORMAT: u32 = 1;

impl JournalState {
    pub(super) fn path(directory: &Path) -> PathBuf {
        directory.join("state.json")
    }

    /// Reads the state; `None` where there is none or it cannot be understood.
    pub(super) fn load(directory: &Path) -> Result<Option<Self>, EventError> {
        Ok(files::read(&Self::path(directory))?.and_then(|content| serde_json::from_slice(&content).ok()))
    }

    fn unsealed(&self) -> Self {
        Self { mac: None, ..self.clone() }
    }

    /// Whether it was written by someone with the key.
    pub(super) fn is_authentic(&self, key: &ChainKey) -> bool {
        self.mac.is_some() && self.mac == seal(Some(key), "state", &self.unsealed())
    }

    /// Writes the state, durably, under the key if there is one.
    pub(super) fn save(&self, directory: &Path, key: Option<&ChainKey>) -> Result<(), EventError> {
        let sealed = Self { mac: seal(key, "state", &self.unsealed()), ..self.clone() };
        let mut content = serde_json::to_vec_pretty(&sealed).unwrap_or_default();
        content.push(b'\n');
        files::replace(&Self::path(directory), &content)
    }

    /// Forgets starts whose records the journal no longer holds.
    pub(super) fn forget_before(&mut self, oldest: u64) {
        self.oldest = oldest;
        // A start's records end where the next one's begin.
        let gone = self.boots.windows(2).take_while(|pair| matches!(pair, [_, next] if next.first_sequence <= oldest));
        let gone = gone.count();
        self.boots.drain(..gone);
    }
}

/// Content of `watermark`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Watermark {
    /// The start that wrote it.
    pub(super) boot: String,
    /// Sequence number of the last event that was written.
    pub(super) sequence: u64,
    /// How far the tickets of each worker were accounted for.
    pub(super) workers: Vec<Standing>,
    /// Keyed hash of the rest; `None` where no key is configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) mac: Option<String>,
}

impl Watermark {
    pub(super) fn path(directory: &Path) -> PathBuf {
        directory.join("watermark")
    }

    /// Whether it was written by someone with the key.
    pub(super) fn is_authentic(&self, key: &ChainKey) -> bool {
        let unsealed = Self { mac: None, ..self.clone() };
        self.mac.is_some() && self.mac == seal(Some(key), "watermark", &unsealed)
    }

    /// Reads the watermark; `None` where there is none or it cannot be understood.
    pub(super) fn load(directory: &Path) -> Result<Option<Self>, EventError> {
        Ok(files::read(&Self::path(directory))?.and_then(|content| {
            let line = content.split(|byte| *byte == b'\n').next()?;
            serde_json::from_slice(line).ok()
        }))
    }
}

/// Writes the watermark, in place.
#[derive(Debug)]
pub(super) struct WatermarkFile {
    file: File,
    key: Option<ChainKey>,
    written: Option<Watermark>,
    boot: String,
    line: Vec<u8>,
}

impl WatermarkFile {
    /// Starts a new watermark for the start `boot`.
    pub(super) fn create(directory: &Path, boot: String, key: Option<ChainKey>) -> Result<Self, EventError> {
        let path = Watermark::path(directory);
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&path)
            .map_err(|error| EventError::io("open", &path, &error))?;
        Ok(Self { file, key, written: None, boot, line: Vec::new() })
    }

    /// Overwrites the watermark where it has changed. Numbers only grow within one start, so that the new line covers the
    /// old one; a page at most, so that the end of the process cannot tear it. Failure costs the hint and nothing else.
    pub(super) fn update(&mut self, sequence: u64, workers: impl Iterator<Item = Standing>) {
        let watermark = Watermark { boot: self.boot.clone(), sequence, workers: workers.collect(), mac: None };
        if self.written.as_ref() == Some(&watermark) {
            return;
        }
        let mac = seal(self.key.as_ref(), "watermark", &watermark);
        let sealed = Watermark { mac, ..watermark };
        self.line.clear();
        if serde_json::to_writer(&mut self.line, &sealed).is_err() {
            return;
        }
        self.line.push(b'\n');
        if self.file.write_all_at(&self.line, 0).is_ok() {
            self.written = Some(Watermark { mac: None, ..sealed });
        }
    }
}
