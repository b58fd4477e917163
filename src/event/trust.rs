//! What a start believes of the journal under its key: which lines must be keyed, and which files beside them the key
//! vouches for.

use std::path::{Path, PathBuf};

use super::chain::ChainKey;
use super::end_mark::EndMark;
use super::error::EventError;
use super::gap::JournalFault;
use super::line::{Line, Verified};
use super::recovery::End;
use super::seal::{KeyedSince, Protection};
use super::state::{JournalState, Watermark};

/// See the module.
pub(super) struct Trust<'a> {
    state_dir: &'a Path,
    key: Option<(&'a ChainKey, Protection)>,
}

impl<'a> Trust<'a> {
    /// Reads the mark that says since when the journal is keyed.
    pub(super) fn load(state_dir: &'a Path, key: Option<&'a ChainKey>) -> Result<Self, EventError> {
        let key = match key {
            Some(key) => Some((key, Protection::load(state_dir, key)?)),
            None => None,
        };
        if key.is_none() && KeyedSince::path(state_dir).exists() {
            tracing::warn!("the journal was keyed and no key is configured: what is recorded now is not protected");
        }
        Ok(Self { state_dir, key })
    }

    /// The configured key.
    pub(super) fn key(&self) -> Option<&'a ChainKey> {
        self.key.as_ref().map(|(key, _)| *key)
    }

    /// The key, where it was used before, so that everything must carry it.
    fn demanding(&self) -> Option<&'a ChainKey> {
        self.key.as_ref().filter(|(_, protection)| *protection != Protection::Unmarked).map(|(key, _)| *key)
    }

    /// The state, with a fault where it should carry the key and does not. It is then no proof of a clean stop.
    pub(super) fn state(
        &self,
        directory: &Path,
        faults: &mut Vec<JournalFault>,
    ) -> Result<Option<JournalState>, EventError> {
        let mut state = JournalState::load(directory)?;
        if let Some(key) = self.demanding()
            && !state.as_ref().is_some_and(|state| state.is_authentic(key))
        {
            faults
                .push(fault(JournalState::path(directory), "is not what the server wrote with the key, or is missing"));
            if let Some(state) = &mut state {
                state.clean = false;
            }
        }
        Ok(state)
    }

    /// The watermark, if it can be believed. One that is missing or torn is what the end of the machine leaves.
    pub(super) fn watermark(
        &self,
        directory: &Path,
        faults: &mut Vec<JournalFault>,
    ) -> Result<Option<Watermark>, EventError> {
        let watermark = Watermark::load(directory)?;
        let Some(key) = self.demanding() else { return Ok(watermark) };
        let forged = watermark.as_ref().is_some_and(|watermark| !watermark.is_authentic(key));
        if forged {
            faults.push(fault(Watermark::path(directory), "is not what the server wrote with the key"));
        }
        Ok(watermark.filter(|_| !forged))
    }

    /// What is wrong with the hash of a line. `after_keyed`: lines before it are keyed.
    pub(super) fn objection(&self, line: &Line<'_>, verified: Verified, after_keyed: bool) -> Option<String> {
        let protection = self.key.as_ref().map(|(_, protection)| protection);
        let mark = protection.and_then(Protection::mark);
        if mark.is_some_and(|mark| !mark.agrees(line.sequence, &line.prev)) {
            return Some("does not follow what the journal held when it became keyed".to_owned());
        }
        let from = protection.and_then(Protection::required_from).filter(|from| line.sequence >= *from);
        match verified {
            Verified::Keyed => None,
            Verified::Plain => match (from, after_keyed) {
                (Some(from), _) => {
                    Some(format!("is not protected by the key, although the journal is keyed since sequence {from}"))
                }
                (None, true) => Some("is not protected by the key, although lines before it are".to_owned()),
                (None, false) => None,
            },
            Verified::No if self.key.is_some() => {
                Some("the hash is not that of the line, nor that of the line under the configured key".to_owned())
            }
            Verified::No => {
                Some("the hash is not that of the line (or the line is keyed and no key is configured)".to_owned())
            }
        }
    }

    /// Compares the journal's end with the last one known for sure, and goes on behind that. Where records are gone, which.
    pub(super) fn lost(&self, end: &mut End) -> Result<Option<JournalFault>, EventError> {
        let mark = EndMark::new(self.state_dir, self.key());
        let (sequence, authentic) = mark.load()?;
        if self.demanding().is_some() && !authentic {
            let message = "is not what the server wrote with the key, or is missing";
            end.faults.push(fault(mark.path().to_path_buf(), message));
        }
        if sequence < end.next_sequence {
            return Ok(None);
        }
        let message = format!(
            "the journal was written up to sequence {sequence}, and ends with {}: the records between are gone",
            end.next_sequence.saturating_sub(1)
        );
        end.next_sequence = sequence.saturating_add(1);
        Ok(Some(fault(mark.path().to_path_buf(), &message)))
    }

    /// Compares the mark with the journal's end, and makes one where there is none: from the first keyed line on, or else
    /// from the next.
    pub(super) fn settle(&self, first_keyed: Option<KeyedSince>, end: &mut End) -> Option<KeyedSince> {
        let (_, protection) = self.key.as_ref()?;
        let path = KeyedSince::path(self.state_dir);
        match protection {
            Protection::Since(mark) if mark.sequence > end.next_sequence => {
                let message = format!(
                    "the journal is keyed since sequence {}, but ends with {}: its records were removed",
                    mark.sequence,
                    end.next_sequence.saturating_sub(1)
                );
                end.faults.push(fault(path, &message));
                end.next_sequence = mark.sequence;
                None
            }
            Protection::Since(_) => None,
            Protection::Forged => {
                end.faults
                    .push(fault(path, "is not what the server wrote with the key: it was changed, or the key was"));
                None
            }
            Protection::Unmarked => {
                if first_keyed.is_some() {
                    end.faults
                        .push(fault(path, "is missing, although the journal holds keyed records: it was removed"));
                }
                Some(first_keyed.unwrap_or_else(|| KeyedSince::new(end.next_sequence, &end.head)))
            }
        }
    }
}

fn fault(file: PathBuf, message: &str) -> JournalFault {
    JournalFault { file, line: 0, offset: 0, message: message.to_owned() }
}
