//! Statements that records are missing, and which.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::model::BootId;

/// Why records are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum GapReason {
    /// The ring was full, so that decisions outran the journal.
    RingFull,
    /// A ticket was taken and no record of its decision ever came.
    NotRecorded,
    /// The server stopped without closing the journal.
    UncleanShutdown,
    /// A part of the journal does not verify, or is gone.
    CorruptJournal,
    /// The journal, or its end, is gone.
    JournalLost,
}

impl GapReason {
    /// The name in records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RingFull => "ring_full",
            Self::NotRecorded => "not_recorded",
            Self::UncleanShutdown => "unclean_shutdown",
            Self::CorruptJournal => "corrupt_journal",
            Self::JournalLost => "journal_lost",
        }
    }
}

/// Most ranges in one gap record, so that no line grows beyond bounds.
pub(super) const MAX_RANGES: usize = 1_024;

/// Payload of `events.gap`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// The start of the server whose records are missing, 7 hexadecimal digits; `None` where it is not known.
    #[serde(serialize_with = "boot_digits")]
    pub boot: Option<BootId>,
    /// The worker whose records are missing; `None` where it is not known.
    pub worker: Option<u8>,
    /// First missing ticket number.
    pub first: Option<u64>,
    /// Last missing ticket number; `None` where the gap is open: every ticket from `first` on may be missing.
    pub last: Option<u64>,
    /// How many tickets are missing; a lower bound where `exact` is false.
    pub count: u64,
    /// Whether `count` is all.
    pub exact: bool,
    /// Why.
    pub reason: GapReason,
    /// The missing tickets as ranges, both ends included, where they are not all of `first` to `last`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ranges: Vec<(u64, u64)>,
    /// What was found, for people; empty where there is nothing to add.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

// The signature is serde's.
#[allow(clippy::ref_option)]
fn boot_digits<S: serde::Serializer>(boot: &Option<BootId>, serializer: S) -> Result<S::Ok, S::Error> {
    match boot {
        Some(boot) => serializer.collect_str(boot),
        None => serializer.serialize_none(),
    }
}

impl Gap {
    /// A gap of which nothing is known but the reason and what was found.
    #[must_use]
    pub fn unnamed(reason: GapReason, detail: String) -> Self {
        Self {
            boot: None,
            worker: None,
            first: None,
            last: None,
            count: 0,
            exact: false,
            reason,
            ranges: Vec::new(),
            detail,
        }
    }

    /// Tickets of one worker of this start, as ascending ranges with both ends included.
    pub(super) fn of_ranges(boot: BootId, worker: u8, reason: GapReason, ranges: Vec<(u64, u64)>) -> Self {
        let count = ranges
            .iter()
            .fold(0_u64, |sum, (first, last)| sum.saturating_add(last.saturating_sub(*first).saturating_add(1)));
        let (first, last) = (ranges.first().map(|range| range.0), ranges.last().map(|range| range.1));
        let ranges = if ranges.len() > 1 { ranges } else { Vec::new() };
        Self {
            boot: Some(boot),
            worker: Some(worker),
            first,
            last,
            count,
            exact: true,
            reason,
            ranges,
            detail: String::new(),
        }
    }
}

/// Something wrong with the journal that was met when it was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalFault {
    /// File.
    pub file: PathBuf,
    /// Line, from 1; 0 where the whole file is meant.
    pub line: u64,
    /// Where the line starts, in bytes.
    pub offset: u64,
    /// What is wrong and what was expected.
    pub message: String,
}

impl std::fmt::Display for JournalFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = self.file.file_name().unwrap_or(self.file.as_os_str()).display();
        write!(f, "{name}:{} (byte {}): {}", self.line, self.offset, self.message)
    }
}
