//! Auditing a journal: does every line hash to what it says, follow the one before it, and is none missing?
//!
//! Works beside a running server: only reads, and takes a last line that is being written for what it is.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::chain::{self, ChainKey, GENESIS, Hash};
use super::end_mark::EndMark;
use super::error::EventError;
use super::gap::GapReason;
use super::line::{GapLine, Line, Verified};
use super::seal::{KeyedSince, Protection};
use super::segment::{self, Lines, RawLine, Segment};
use super::state::{JournalState, Watermark};

/// Most findings that are kept with their text; the rest is counted.
const MAX_FINDINGS: usize = 1_000;

/// What else a server keeps in the journal's directory.
const KEPT: [&str; 4] = ["state.json", "state.new", "watermark", "lock"];

/// Something that does not verify.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditFinding {
    /// Stable code: `unreadable`, `sequence`, `link`, `hash`, `unkeyed`, `missing_segment`, `truncated`, `keyed_since` or
    /// `forged` (files beside the lines do not carry the key), `corrupt_journal` or `journal_lost` (the server says so).
    pub code: &'static str,
    /// File.
    pub file: PathBuf,
    /// Line, from 1; 0 where the whole file is meant.
    pub line: u64,
    /// Where the line starts, in bytes.
    pub offset: u64,
    /// Sequence number that the line states; `None` where it states none.
    pub sequence: Option<u64>,
    /// What is wrong and what was expected.
    pub message: String,
}

/// What gap records say is missing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct GapSummary {
    /// Number of gap records.
    pub records: u64,
    /// Tickets that they name as missing; with open gaps, at least.
    pub tickets: u64,
    /// Gap records whose count is a lower bound.
    pub open: u64,
    /// Missing tickets by reason.
    pub by_reason: BTreeMap<String, u64>,
}

/// The outcome of an audit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct AuditReport {
    /// Number of segments.
    pub segments: u64,
    /// Number of bytes that were read.
    pub bytes: u64,
    /// Number of records that could be read.
    pub records: u64,
    /// Sequence number of the first record.
    pub first_sequence: Option<u64>,
    /// Sequence number of the last record.
    pub last_sequence: Option<u64>,
    /// Hash of the last record, 64 hexadecimal digits. Kept elsewhere, it proves later that nothing before it changed.
    pub head: Option<String>,
    /// Records whose hash holds under the key.
    pub keyed: u64,
    /// Sequence number from which on the journal is keyed, as its authenticated mark (or the caller) says; `None` without
    /// a key or a mark.
    pub keyed_since: Option<u64>,
    /// First and last sequence number of the records that the key does not cover.
    pub not_covered: Option<(u64, u64)>,
    /// Records that are missing by the server's own account.
    pub gaps: GapSummary,
    /// What is worth knowing and not wrong.
    pub notes: Vec<String>,
    /// What does not verify, in the order of the journal; at most 1000.
    pub findings: Vec<AuditFinding>,
    /// Number of findings, also of those that were not kept.
    pub findings_total: u64,
}

impl AuditReport {
    /// Whether everything verifies.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.findings_total == 0
    }
}

/// Audits the journal in `directory`, which is `journal` in a state directory. With a key, only lines before the mark that
/// the server made when it first used the key may be without it.
///
/// # Errors
/// [`EventError::Io`] if the directory or a file cannot be read.
pub fn audit(directory: &Path, key: Option<&ChainKey>) -> Result<AuditReport, EventError> {
    audit_keyed_from(directory, key, None)
}

/// As [`audit`]; the caller knows that the journal must be keyed from the sequence number `keyed_from` on, also where the
/// mark is missing or says that it was later.
///
/// # Errors
/// As [`audit`].
pub fn audit_keyed_from(
    directory: &Path,
    key: Option<&ChainKey>,
    keyed_from: Option<u64>,
) -> Result<AuditReport, EventError> {
    // The hints first: what is written meanwhile can only put the journal ahead of them.
    let before = JournalState::load(directory)?;
    let watermark = Watermark::load(directory)?;
    let segments = segment::list(directory)?;
    let mut auditor = Auditor { key, ..Auditor::default() };
    auditor.protection(directory, keyed_from)?;
    for (index, segment) in segments.iter().enumerate() {
        let is_last = index.saturating_add(1) == segments.len();
        auditor.segment(directory, segment, is_last, before.as_ref().is_some_and(|state| state.clean))?;
    }
    auditor.ends(directory, &segments, before, watermark)?;
    auditor.others(directory)?;
    Ok(auditor.report)
}

#[derive(Default)]
struct Auditor<'a> {
    key: Option<&'a ChainKey>,
    /// The mark that says since when the journal is keyed.
    mark: Option<KeyedSince>,
    /// From which sequence number on every line must be keyed.
    required_from: u64,
    report: AuditReport,
    /// Sequence number that should come next; `None` before the first record.
    expected: Option<u64>,
    /// Hash that the next line should follow; `None` where the line before it could not be read.
    previous: Option<Hash>,
    last_file: PathBuf,
}

impl Auditor<'_> {
    /// Settles which lines must be keyed.
    fn protection(&mut self, directory: &Path, keyed_from: Option<u64>) -> Result<(), EventError> {
        let (Some(key), Some(state_dir)) = (self.key, directory.parent()) else { return Ok(()) };
        let protection = Protection::load(state_dir, key)?;
        let missing = protection == Protection::Unmarked && keyed_from.is_none();
        if missing || protection == Protection::Forged {
            let message = if missing {
                "the mark that says since when the journal is keyed is missing: it was removed, or no server used this key here"
            } else {
                "the mark that says since when the journal is keyed does not verify: it was changed, or the key is another"
            };
            self.whole_file("keyed_since", KeyedSince::path(state_dir), message.to_owned());
        }
        self.mark = protection.mark().cloned();
        self.report.keyed_since = self.mark.as_ref().map(|mark| mark.sequence).into_iter().chain(keyed_from).min();
        self.required_from = self.report.keyed_since.unwrap_or(0);
        Ok(())
    }

    fn segment(&mut self, directory: &Path, segment: &Segment, is_last: bool, clean: bool) -> Result<(), EventError> {
        let file = match File::open(&segment.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return self.vanished(directory, segment),
            Err(error) => return Err(EventError::io("open", &segment.path, &error)),
        };
        self.report.segments = self.report.segments.saturating_add(1);
        self.last_file.clone_from(&segment.path);
        if self.expected.is_none_or(|expected| expected < segment.first)
            && let Some(expected) = self.expected
        {
            let last = segment.first.saturating_sub(1);
            let message = format!(
                "the records {expected} to {last} should come before this segment: a segment is missing or was cut"
            );
            self.find(segment, None, "missing_segment", None, message);
            self.expected = Some(segment.first);
            self.previous = None;
        }
        self.expected.get_or_insert(segment.first);
        if segment.first <= 1 && self.report.records == 0 {
            self.previous = Some(GENESIS);
        }
        let mut lines = Lines::new(BufReader::with_capacity(256 * 1024, file));
        while let Some(raw) = lines.next().map_err(|error| EventError::io("read", &segment.path, &error))? {
            let length = u64::try_from(raw.bytes.len()).unwrap_or(u64::MAX);
            self.report.bytes = self.report.bytes.saturating_add(length).saturating_add(u64::from(raw.complete));
            if raw.complete {
                self.line(segment, &raw);
            } else if is_last && !clean {
                self.report.notes.push(format!(
                    "{}: the last {length} bytes, from byte {} on, are no whole line: it is being written, or the server was stopped while writing it (the next start cuts it)",
                    name(&segment.path),
                    raw.offset,
                ));
            } else {
                let message = format!("the last {length} bytes are no whole line: the file was cut");
                self.find(segment, Some(&raw), "truncated", None, message);
            }
        }
        Ok(())
    }

    /// A segment was deleted between listing and opening: by the cap, or not.
    fn vanished(&mut self, directory: &Path, segment: &Segment) -> Result<(), EventError> {
        let oldest = JournalState::load(directory)?.map_or(0, |state| state.oldest);
        if segment.first < oldest {
            // Start anew behind what the cap deleted.
            (self.expected, self.previous) = (None, None);
            self.report.notes.push(format!("{} was deleted by the journal's cap meanwhile", name(&segment.path)));
        } else {
            self.find(segment, None, "missing_segment", None, "the segment was removed during the audit".to_owned());
        }
        Ok(())
    }

    fn line(&mut self, segment: &Segment, raw: &RawLine<'_>) {
        let expected = self.expected.unwrap_or(segment.first);
        let line = match Line::parse(raw.bytes) {
            Ok(line) => line,
            Err(message) => {
                let message = format!("{message} (the record {expected} was expected here)");
                self.find(segment, Some(raw), "unreadable", None, message);
                self.expected = Some(expected.saturating_add(1));
                self.previous = None;
                return;
            }
        };
        let sequence = Some(line.sequence);
        self.report.records = self.report.records.saturating_add(1);
        self.report.first_sequence.get_or_insert(line.sequence);
        self.count_gap(segment, raw, &line);
        self.check_hash(segment, raw, &line);
        if line.sequence < expected {
            let message = format!(
                "sequence {expected} was expected, not {}: the line is repeated or out of place",
                line.sequence
            );
            self.find(segment, Some(raw), "sequence", sequence, message);
            return;
        }
        if line.sequence > expected {
            let missing = line.sequence.saturating_sub(expected);
            let records = if missing == 1 { "record is" } else { "records are" };
            let message = format!(
                "sequence {expected} was expected, not {}: {missing} {records} missing before this line, or out of place",
                line.sequence
            );
            self.find(segment, Some(raw), "sequence", sequence, message);
        } else if self.mark.as_ref().is_some_and(|mark| !mark.agrees(line.sequence, &line.prev)) {
            let message = "the record does not follow what the journal held when it became keyed: the records before were changed, or the mark is another journal's";
            self.find(segment, Some(raw), "link", sequence, message.to_owned());
        } else if let Some(previous) = self.previous.filter(|previous| *previous != line.prev) {
            let message = format!(
                "`prev` is {} but the hash of the record before is {}: one of the two was changed",
                chain::hex(&line.prev),
                chain::hex(&previous)
            );
            self.find(segment, Some(raw), "link", sequence, message);
        }
        self.expected = Some(line.sequence.saturating_add(1));
        self.previous = Some(line.hash);
        self.report.last_sequence = sequence;
        self.report.head = Some(chain::hex(&line.hash));
    }

    fn check_hash(&mut self, segment: &Segment, raw: &RawLine<'_>, line: &Line<'_>) {
        let (code, message) = match line.verify(self.key) {
            Verified::Keyed => {
                self.report.keyed = self.report.keyed.saturating_add(1);
                return;
            }
            Verified::Plain if self.key.is_none() => return,
            Verified::Plain => {
                let (first, last) = self.report.not_covered.unwrap_or((line.sequence, line.sequence));
                self.report.not_covered = Some((first.min(line.sequence), last.max(line.sequence)));
                if line.sequence < self.required_from && self.report.keyed == 0 {
                    return;
                }
                let why = match self.report.keyed_since {
                    Some(since) => format!("although the journal is keyed since sequence {since}"),
                    None => "and nothing proves that the journal was without one then".to_owned(),
                };
                ("unkeyed", format!("the record is not protected by the key, {why}"))
            }
            Verified::No if self.key.is_some() => (
                "hash",
                "the line does not hash to what it states, neither under the key nor without one: its bytes were changed, or the key is another".to_owned(),
            ),
            Verified::No => (
                "hash",
                "the line does not hash to what it states: its bytes were changed, or it is keyed and `--key` is needed".to_owned(),
            ),
        };
        self.find(segment, Some(raw), code, Some(line.sequence), message);
    }

    fn count_gap(&mut self, segment: &Segment, raw: &RawLine<'_>, line: &Line<'_>) {
        if line.kind != "events.gap" {
            return;
        }
        let gaps = &mut self.report.gaps;
        gaps.records = gaps.records.saturating_add(1);
        if let Ok(GapLine { payload }) = serde_json::from_slice(raw.bytes) {
            gaps.tickets = gaps.tickets.saturating_add(payload.count);
            gaps.open = gaps.open.saturating_add(u64::from(!payload.exact));
            let of_reason = gaps.by_reason.entry(payload.reason.clone()).or_default();
            *of_reason = of_reason.saturating_add(payload.count);
            if let Some(code) = [GapReason::CorruptJournal, GapReason::JournalLost]
                .map(|reason| reason.as_str())
                .into_iter()
                .find(|code| *code == payload.reason)
            {
                let message = format!("a server found the journal damaged when it wrote this: {}", payload.detail);
                self.find(segment, Some(raw), code, Some(line.sequence), message);
            }
        }
    }

    /// Both ends of the journal against what it remembers of itself.
    fn ends(
        &mut self,
        directory: &Path,
        segments: &[Segment],
        before: Option<JournalState>,
        watermark: Option<Watermark>,
    ) -> Result<(), EventError> {
        let now = JournalState::load(directory)?;
        if let Some(key) = self.key {
            self.beside(directory, key, now.as_ref(), watermark.as_ref());
        }
        let Some(state) = now else {
            if !segments.is_empty() {
                self.report.notes.push("`state.json` is missing or unreadable: whether the first or last records were removed cannot be told".to_owned());
            }
            return Ok(());
        };
        let ended_at = self.report.last_sequence.unwrap_or(0);
        let first = segments.first().map(|segment| segment.first);
        if let Some(first) = first.filter(|first| *first > state.oldest) {
            let message = format!(
                "the journal begins with the record {first}, but its cap has left all from {} on: a segment is missing",
                state.oldest
            );
            let file = segments.first().map(|segment| segment.path.clone()).unwrap_or_default();
            self.add(AuditFinding { code: "missing_segment", file, line: 0, offset: 0, sequence: None, message });
        }
        if state.oldest > 1 {
            self.report.notes.push(format!("records before {} were deleted by the journal's cap", state.oldest));
        }
        // A server that was started or stopped meanwhile has its own idea of the end.
        if before.as_ref() != Some(&state) {
            return Ok(());
        }
        let written = watermark.filter(|_| !state.clean).map(|watermark| watermark.sequence).unwrap_or(state.sequence);
        let changed =
            state.clean && ended_at == written && self.report.head.as_ref().is_some_and(|head| *head != state.head);
        let message = if ended_at < written && (state.clean || written > 0) {
            format!(
                "the journal ends with the record {ended_at}, but was written up to {written}: its end was removed (or lost with the power)"
            )
        } else if changed {
            format!("the hash of the last record is not {}, with which the journal was closed", state.head)
        } else if state.clean && ended_at > written {
            format!(
                "the journal was closed with the record {written}, but goes on to {ended_at}: records were added by someone else"
            )
        } else {
            return Ok(());
        };
        let file = if self.last_file.as_os_str().is_empty() { directory.to_path_buf() } else { self.last_file.clone() };
        self.add(AuditFinding {
            code: "truncated",
            file,
            line: 0,
            offset: 0,
            sequence: self.report.last_sequence,
            message,
        });
        Ok(())
    }

    /// Files beside the lines that cannot be read for what they are, or that the server does not keep.
    fn others(&mut self, directory: &Path) -> Result<(), EventError> {
        let failed = |error: io::Error| EventError::io("list", directory, &error);
        for entry in std::fs::read_dir(directory).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let path = entry.path();
            let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
            if !(is_file && (segment::first_of(&path).is_some() || KEPT.iter().any(|kept| entry.file_name() == *kept)))
            {
                let name = name(&path).escape_default().to_string();
                self.report.notes.push(format!("`{name}` is no file of the journal: someone else put it there"));
            }
        }
        let unreadable = "is there and cannot be read for what it is: it was changed, or torn when the power went";
        if Watermark::load(directory)?.is_none() && !is_blank(&Watermark::path(directory)) {
            self.report.notes.push(format!("`watermark` {unreadable}"));
        }
        if let Some(state_dir) = directory.parent() {
            let mark = EndMark::new(state_dir, None);
            if !mark.is_readable()? {
                self.report.notes.push(format!("`{}` {unreadable}", name(mark.path())));
            }
        }
        Ok(())
    }

    /// What the key says of the files beside the lines.
    fn beside(
        &mut self,
        directory: &Path,
        key: &ChainKey,
        state: Option<&JournalState>,
        watermark: Option<&Watermark>,
    ) {
        let ended_at = self.report.last_sequence.unwrap_or(0);
        if let Some(since) =
            self.mark.as_ref().map(|mark| mark.sequence).filter(|since| *since > ended_at.saturating_add(1))
        {
            let message = format!(
                "the journal ends with the record {ended_at}, but is keyed since {since}: its records were removed"
            );
            self.whole_file("truncated", directory.to_path_buf(), message);
        }
        // Where no key was ever used this is said once already.
        if self.mark.is_none() && self.report.keyed == 0 {
            return;
        }
        if !state.is_some_and(|state| state.is_authentic(key)) {
            let message = "is not what the server wrote with the key, or is missing".to_owned();
            self.whole_file("forged", JournalState::path(directory), message);
        }
        if watermark.is_some_and(|watermark| !watermark.is_authentic(key)) {
            let message = "is not what the server wrote with the key".to_owned();
            self.whole_file("forged", Watermark::path(directory), message);
        }
    }

    fn whole_file(&mut self, code: &'static str, file: PathBuf, message: String) {
        self.add(AuditFinding { code, file, line: 0, offset: 0, sequence: None, message });
    }

    fn find(
        &mut self,
        segment: &Segment,
        raw: Option<&RawLine<'_>>,
        code: &'static str,
        sequence: Option<u64>,
        message: String,
    ) {
        let (line, offset) = raw.map_or((0, 0), |raw| (raw.number, raw.offset));
        self.add(AuditFinding { code, file: segment.path.clone(), line, offset, sequence, message });
    }

    fn add(&mut self, finding: AuditFinding) {
        self.report.findings_total = self.report.findings_total.saturating_add(1);
        if self.report.findings.len() < MAX_FINDINGS {
            self.report.findings.push(finding);
        }
    }
}

/// Whether there is nothing in the file, or no file.
fn is_blank(path: &Path) -> bool {
    std::fs::metadata(path).map_or(true, |metadata| metadata.len() == 0)
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}
