//! How far an exporter has come, kept on disk.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::event::error::EventError;
use crate::event::files;

#[derive(Debug, Serialize, Deserialize)]
struct Content {
    sequence: u64,
}

/// The cursor of one exporter.
#[derive(Debug)]
pub(super) struct Cursor {
    path: PathBuf,
    saved: u64,
}

impl Cursor {
    /// Opens the cursor `name` in `directory`. One that does not exist, or cannot be understood, stands at the beginning:
    /// events are then delivered again rather than lost.
    pub(super) fn open(directory: &Path, name: &str) -> Result<Self, EventError> {
        let path = directory.join(name);
        let content = files::read(&path)?.and_then(|content| serde_json::from_slice::<Content>(&content).ok());
        Ok(Self { path, saved: content.map_or(0, |content| content.sequence) })
    }

    /// Sequence number of the last event that was delivered for sure.
    pub(super) fn saved(&self) -> u64 {
        self.saved
    }

    /// Makes `sequence` durable as the last delivered one.
    pub(super) fn save(&mut self, sequence: u64) -> Result<(), EventError> {
        if sequence != self.saved {
            let content = serde_json::to_vec(&Content { sequence }).unwrap_or_default();
            files::replace(&self.path, &content)?;
            self.saved = sequence;
        }
        Ok(())
    }
}
