//! What the key of the chain vouches for besides the lines: small files that carry a keyed hash of themselves, and the
//! mark that says since when the journal is keyed.
//!
//! Without the mark nothing tells a journal that became keyed late from one whose key was stripped by someone who
//! computed plain hashes anew.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::chain::{self, ChainKey, Hash};
use super::error::EventError;
use super::{files, json};

/// The keyed hash of `content`, which must not hold one itself. `purpose` keeps the hash of one file from passing for
/// that of another. `None` without a key.
pub(super) fn seal(key: Option<&ChainKey>, purpose: &str, content: &impl Serialize) -> Option<String> {
    let bytes = serde_json::to_vec(content).ok()?;
    key.map(|key| chain::hex(&key.mac(&[b"lictor ", purpose.as_bytes(), &[0], &bytes])))
}

/// Since when the journal is keyed. Written once, when the key is first used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KeyedSince {
    /// Sequence number of the first event that the key protects.
    #[serde(deserialize_with = "super::sequence::read")]
    pub(super) sequence: u64,
    /// Hash that this event follows, 64 hexadecimal digits: it binds the mark to its journal, and the events before to
    /// what they were then.
    pub(super) prev: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mac: Option<String>,
}

/// What the mark says under a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Protection {
    /// There is no mark: the key was not used yet, or someone removed it.
    Unmarked,
    /// The mark, which the key vouches for.
    Since(KeyedSince),
    /// There is a mark, and the key does not vouch for it.
    Forged,
}

impl KeyedSince {
    pub(super) fn new(sequence: u64, prev: &Hash) -> Self {
        Self { sequence, prev: chain::hex(prev), mac: None }
    }

    /// Where it is kept.
    pub(super) fn path(state_dir: &Path) -> PathBuf {
        state_dir.join("keys").join("keyed-since.json")
    }

    /// Whether a line with this number and previous hash is in its place.
    pub(super) fn agrees(&self, sequence: u64, prev: &Hash) -> bool {
        sequence != self.sequence || json::unhex32(self.prev.as_bytes()).as_ref() == Some(prev)
    }

    fn unsealed(&self) -> Self {
        Self { mac: None, ..self.clone() }
    }

    /// Writes the mark, durably.
    pub(super) fn save(&self, state_dir: &Path, key: &ChainKey) -> Result<(), EventError> {
        let path = Self::path(state_dir);
        if let Some(directory) = path.parent() {
            files::create_private_directory(directory)?;
        }
        let sealed = Self { mac: seal(Some(key), "keyed-since", &self.unsealed()), ..self.clone() };
        let mut content = serde_json::to_vec(&sealed).unwrap_or_default();
        content.push(b'\n');
        files::replace(&path, &content)
    }
}

impl Protection {
    /// Reads the mark.
    pub(super) fn load(state_dir: &Path, key: &ChainKey) -> Result<Self, EventError> {
        let Some(content) = files::read(&KeyedSince::path(state_dir))? else { return Ok(Self::Unmarked) };
        let mark = serde_json::from_slice::<KeyedSince>(&content).ok();
        let vouched =
            mark.filter(|mark| mark.mac.is_some() && mark.mac == seal(Some(key), "keyed-since", &mark.unsealed()));
        Ok(vouched.map_or(Self::Forged, Self::Since))
    }

    /// The mark, if the key vouches for it.
    pub(super) fn mark(&self) -> Option<&KeyedSince> {
        match self {
            Self::Since(mark) => Some(mark),
            Self::Unmarked | Self::Forged => None,
        }
    }

    /// From which event on lines without the key are wrong, as a server sees it that may have to introduce the key.
    pub(super) fn required_from(&self) -> Option<u64> {
        match self {
            Self::Unmarked => None,
            Self::Since(mark) => Some(mark.sequence),
            Self::Forged => Some(0),
        }
    }
}
