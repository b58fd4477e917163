//! Finding the end of a journal, and what was lost since it was last open.
//!
//! A torn tail, that is bytes after the last newline or one final line that is no record, is what a stop in the middle of
//! a write leaves: it is cut. After a stop in order there is none: what follows the end then was added by someone else, and
//! is corruption. Anything else that does not verify is corruption: it stays where it is for the auditor, is
//! reported, and a new segment goes on behind the highest sequence number that was seen.

use std::fs::{self, File, OpenOptions};
use std::io::BufReader;
use std::path::Path;

use super::chain::{self, ChainKey, GENESIS, Hash};
use super::error::EventError;
use super::gap::{Gap, GapReason, JournalFault};
use super::json;
use super::line::{self, Line, Verified};
use super::lost;
use super::options::journal_dir;
use super::seal::KeyedSince;
use super::segment::{self, Lines, RawLine, Segment};
use super::state::JournalState;
use super::trust::Trust;
use crate::model::BootId;

/// Most faults that are kept; the auditor finds them all.
const MAX_FAULTS: usize = 16;

/// What recovery found.
#[derive(Debug)]
pub(super) struct Recovered {
    /// All segments but the active one, oldest first.
    pub(super) closed: Vec<Segment>,
    /// The segment to append to; `None` to begin a new one.
    pub(super) active: Option<Segment>,
    /// Hash that the next line follows.
    pub(super) head: Hash,
    /// Number of the next event.
    pub(super) next_sequence: u64,
    /// Bytes of a torn tail that were cut.
    pub(super) cut_bytes: u64,
    /// What does not verify.
    pub(super) faults: Vec<JournalFault>,
    /// What is to be recorded as missing.
    pub(super) gaps: Vec<Gap>,
    /// The journal's memory of itself, as it was found.
    pub(super) state: JournalState,
    /// All starts that the journal may still hold records of.
    pub(super) boots: Vec<BootId>,
    /// The mark that says since when the journal is keyed, where it is to be made.
    pub(super) new_mark: Option<KeyedSince>,
}

/// Recovers the journal in the state directory `state_dir`; it exists and nobody else writes it.
pub(super) fn recover(state_dir: &Path, key: Option<&ChainKey>) -> Result<Recovered, EventError> {
    let directory = &journal_dir(state_dir);
    let trust = Trust::load(state_dir, key)?;
    let mut forged = Vec::new();
    let known = trust.state(directory, &mut forged)?;
    let watermark = trust.watermark(directory, &mut forged)?;
    let mut segments = segment::list(directory)?;
    let mut cut_bytes = 0_u64;
    let last = loop {
        let Some(last) = segments.last_mut() else { break None };
        let mut scan = scan(last, &trust)?;
        if let Some(offset) = scan.torn_at
            && known.as_ref().is_some_and(|state| state.clean)
        {
            scan.added_after_end(last, offset);
        } else if let Some(offset) = scan.torn_at {
            cut_bytes = cut_bytes.saturating_add(last.bytes.saturating_sub(offset));
            cut(&last.path, offset)?;
            last.bytes = offset;
        }
        if last.bytes > 0 {
            break Some(scan);
        }
        fs::remove_file(&last.path).map_err(|error| EventError::io("remove", &last.path, &error))?;
        segments.pop();
    };
    let first_keyed = last.as_ref().and_then(|scan| scan.first_keyed.clone());
    let mut end = End::of(directory, last, known.as_ref(), &segments);
    end.faults.append(&mut forged);
    let lost = trust.lost(&mut end)?;
    let new_mark = trust.settle(first_keyed, &mut end);
    let boots = known_boots(known.as_ref(), &segments)?;
    let clean = known.as_ref().is_some_and(|state| state.clean);
    let fresh = known.is_none() && segments.is_empty();
    let mut gaps = Vec::new();
    if !clean && !fresh {
        let latest =
            known.as_ref().and_then(|state| state.boots.last()).and_then(|entry| line::parse_boot(&entry.boot));
        let first_sequence =
            known.as_ref().and_then(|state| state.boots.last()).map_or(1, |entry| entry.first_sequence);
        gaps = match latest.or(end.last_boot) {
            Some(boot) => lost::since(boot, first_sequence, end.next_sequence, watermark, &segments)?,
            None => vec![Gap::unnamed(GapReason::UncleanShutdown, String::new())],
        };
    }
    gaps.extend(end.faults.first().map(|fault| Gap::unnamed(GapReason::CorruptJournal, fault.to_string())));
    let oldest = match (segments.first(), &lost) {
        (Some(segment), _) => segment.first,
        (None, Some(_)) => 1,
        (None, None) => end.next_sequence,
    };
    if let Some(lost) = lost {
        gaps.push(Gap::unnamed(GapReason::JournalLost, lost.message.clone()));
        end.faults.push(lost);
    }
    let state = known.unwrap_or(JournalState {
        format: super::state::FORMAT,
        clean: false,
        boots: Vec::new(),
        oldest,
        sequence: 0,
        head: chain::hex(&GENESIS),
        mac: None,
    });
    let active = if end.faults.is_empty() { segments.pop() } else { None };
    Ok(Recovered {
        closed: segments,
        active,
        head: end.head,
        next_sequence: end.next_sequence,
        cut_bytes,
        faults: end.faults,
        gaps,
        state,
        boots,
        new_mark,
    })
}

/// Where the journal ends.
pub(super) struct End {
    pub(super) head: Hash,
    pub(super) next_sequence: u64,
    last_boot: Option<BootId>,
    pub(super) faults: Vec<JournalFault>,
}

impl End {
    fn of(directory: &Path, last: Option<Scan>, known: Option<&JournalState>, segments: &[Segment]) -> Self {
        // A segment that is not empty has used at least the number in its name, even if none of its lines can be read.
        let first_of_last = segments.last().map_or(0, |segment| segment.first);
        let scan = last.unwrap_or_default();
        let mut end = Self {
            head: scan.last.unwrap_or(GENESIS),
            next_sequence: scan.highest.max(first_of_last).saturating_add(1).max(scan.expected),
            last_boot: scan.last_boot,
            faults: scan.faults,
        };
        let ended_at = scan.highest.max(first_of_last);
        if let Some(state) = known
            && state.clean
            && (state.sequence != ended_at || state.head != chain::hex(&end.head))
        {
            let message = format!(
                "the journal was closed at sequence {} with hash {}, and ends at sequence {} with hash {}; records were removed or changed since",
                state.sequence,
                state.head,
                ended_at,
                chain::hex(&end.head),
            );
            let file = segments.last().map_or_else(|| directory.to_path_buf(), |segment| segment.path.clone());
            end.faults.push(JournalFault { file, line: 0, offset: 0, message });
            if state.sequence >= end.next_sequence {
                end.next_sequence = state.sequence.saturating_add(1);
                end.head = json::unhex32(state.head.as_bytes()).unwrap_or(end.head);
            }
        }
        end
    }
}

/// What one segment holds.
#[derive(Debug, Default)]
struct Scan {
    /// Where a torn tail starts.
    torn_at: Option<u64>,
    /// Whether that is a whole line.
    torn_line: bool,
    faults: Vec<JournalFault>,
    /// The first line that is keyed.
    first_keyed: Option<KeyedSince>,
    /// Hash of the last record.
    last: Option<Hash>,
    highest: u64,
    /// The number that comes after all lines, also those that are no records but in the place of one.
    expected: u64,
    last_boot: Option<BootId>,
}

fn open(segment: &Segment) -> Result<Lines<BufReader<File>>, EventError> {
    let file = File::open(&segment.path).map_err(|error| EventError::io("open", &segment.path, &error))?;
    Ok(Lines::new(BufReader::with_capacity(256 * 1024, file)))
}

/// Reads and verifies one segment.
fn scan(segment: &Segment, trust: &Trust<'_>) -> Result<Scan, EventError> {
    let mut lines = open(segment)?;
    let mut scan = Scan::default();
    let mut expected = segment.first;
    // A line that is no record is a torn tail if nothing follows it, else a fault.
    let mut suspect: Option<JournalFault> = None;
    while let Some(raw) = lines.next().map_err(|error| EventError::io("read", &segment.path, &error))? {
        if let Some(fault) = suspect.take() {
            scan.fault(fault);
            expected = expected.saturating_add(1);
        }
        if !raw.complete {
            scan.torn_at = Some(raw.offset);
            break;
        }
        let line = match Line::parse(raw.bytes) {
            Ok(line) => line,
            Err(message) => {
                suspect = Some(fault_at(segment, &raw, message));
                continue;
            }
        };
        if line.sequence != expected {
            let message = format!("sequence {expected} was expected, not {}", line.sequence);
            scan.fault(fault_at(segment, &raw, message));
        } else if scan.last.is_some_and(|last| last != line.prev) {
            scan.fault(fault_at(segment, &raw, "does not follow the line before it".to_owned()));
        } else {
            let verified = line.verify(trust.key());
            if verified == Verified::Keyed && scan.first_keyed.is_none() {
                scan.first_keyed = Some(KeyedSince::new(line.sequence, &line.prev));
            }
            if let Some(message) = trust.objection(&line, verified, scan.first_keyed.is_some()) {
                scan.fault(fault_at(segment, &raw, message));
            }
        }
        expected = line.sequence.saturating_add(1);
        scan.highest = scan.highest.max(line.sequence);
        scan.last = Some(line.hash);
        scan.last_boot = line.ticket.map(|ticket| ticket.boot).or(scan.last_boot);
    }
    if let Some(fault) = suspect {
        scan.torn_at = Some(fault.offset);
        scan.torn_line = true;
    }
    scan.expected = expected;
    Ok(scan)
}

impl Scan {
    /// What was taken for a torn tail cannot be one.
    fn added_after_end(&mut self, segment: &Segment, offset: u64) {
        let bytes = segment.bytes.saturating_sub(offset);
        let message = format!(
            "the journal was closed in order, and {bytes} bytes that are no record follow its end: someone else added them"
        );
        self.fault(JournalFault { file: segment.path.clone(), line: 0, offset, message });
        self.torn_at = None;
        // A whole line stands in the place of a record, as the auditor counts.
        self.expected = self.expected.saturating_add(u64::from(self.torn_line));
    }

    fn fault(&mut self, fault: JournalFault) {
        if self.faults.len() < MAX_FAULTS {
            self.faults.push(fault);
        }
    }
}

fn fault_at(segment: &Segment, raw: &RawLine<'_>, message: String) -> JournalFault {
    JournalFault { file: segment.path.clone(), line: raw.number, offset: raw.offset, message }
}

fn cut(path: &Path, offset: u64) -> Result<(), EventError> {
    let truncate = || {
        let file = OpenOptions::new().write(true).open(path)?;
        file.set_len(offset)?;
        file.sync_all()
    };
    truncate().map_err(|error| EventError::io("cut the torn tail of", path, &error))
}

/// The starts that the journal may hold records of: what the state remembers, or else what the lines say.
fn known_boots(known: Option<&JournalState>, segments: &[Segment]) -> Result<Vec<BootId>, EventError> {
    if let Some(state) = known {
        return Ok(state.boots.iter().filter_map(|entry| line::parse_boot(&entry.boot)).collect());
    }
    let mut boots = Vec::new();
    for segment in segments {
        for_each_record(segment, |line, _| {
            if let Some(ticket) = line.ticket
                && !boots.contains(&ticket.boot)
            {
                boots.push(ticket.boot);
            }
        })?;
    }
    Ok(boots)
}

pub(super) fn for_each_record(segment: &Segment, mut see: impl FnMut(&Line<'_>, &[u8])) -> Result<(), EventError> {
    let mut lines = open(segment)?;
    while let Some(raw) = lines.next().map_err(|error| EventError::io("read", &segment.path, &error))? {
        if let Ok(line) = Line::parse(raw.bytes) {
            see(&line, raw.bytes);
        }
    }
    Ok(())
}
