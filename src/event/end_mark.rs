//! How far the journal was written for sure, kept outside the journal's directory: what shows that the directory as a whole
//! is gone.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::chain::ChainKey;
use super::error::EventError;
use super::files;
use super::seal::seal;

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Content {
    #[serde(deserialize_with = "super::sequence::read")]
    sequence: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mac: Option<String>,
}

/// The mark of one state directory.
#[derive(Debug, Clone)]
pub(super) struct EndMark {
    path: PathBuf,
    key: Option<ChainKey>,
}

impl EndMark {
    pub(super) fn new(state_dir: &Path, key: Option<&ChainKey>) -> Self {
        Self { path: state_dir.join("journal-end.json"), key: key.cloned() }
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Everything up to `sequence` is durable.
    pub(super) fn save(&self, sequence: u64) -> Result<(), EventError> {
        let content = Content { sequence, mac: None };
        let sealed = Content { mac: seal(self.key.as_ref(), "journal-end", &content), ..content };
        files::replace(&self.path, &serde_json::to_vec(&sealed).unwrap_or_default())
    }

    /// Whether it says something, or is not there.
    pub(super) fn is_readable(&self) -> Result<bool, EventError> {
        let content = files::read(&self.path)?;
        Ok(content.is_none_or(|content| serde_json::from_slice::<Content>(&content).is_ok()))
    }

    /// The last known sequence number, 0 where there is none, and whether the key vouches for it.
    pub(super) fn load(&self) -> Result<(u64, bool), EventError> {
        let content = files::read(&self.path)?.and_then(|content| serde_json::from_slice::<Content>(&content).ok());
        let content = content.unwrap_or_default();
        let expected = seal(self.key.as_ref(), "journal-end", &Content { mac: None, ..content.clone() });
        Ok((content.sequence, expected.is_none() || content.mac == expected))
    }
}
