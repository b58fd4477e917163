//! Which tickets an unclean stop may have lost.
//!
//! Below the last recorded ticket of a worker there may be holes that no gap record named yet; they are known exactly.
//! Above it nothing is known for sure: tickets may have been taken after the writer last looked.

use std::collections::BTreeMap;

use super::error::EventError;
use super::gap::{Gap, GapReason, MAX_RANGES};
use super::ledger::Standing;
use super::line::{self, GapLine};
use super::recovery::for_each_record;
use super::segment::Segment;
use super::state::Watermark;
use crate::model::BootId;

/// Tickets of one worker that the journal accounts for, as ascending ranges that lie apart.
#[derive(Debug, Default)]
struct Covered(Vec<(u64, u64)>);

impl Covered {
    fn add(&mut self, first: u64, last: u64) {
        // Tickets come nearly in order, so that the place is at or near the end.
        let at = self.0.iter().rposition(|range| range.0 <= first).map_or(0, |at| at.saturating_add(1));
        self.0.insert(at, (first, last));
        let start = at.saturating_sub(1);
        let mut merged: Vec<(u64, u64)> = Vec::new();
        for range in self.0.drain(start..) {
            match merged.last_mut() {
                Some(before) if range.0 <= before.1.saturating_add(1) => before.1 = before.1.max(range.1),
                _ => merged.push(range),
            }
        }
        self.0.extend(merged);
    }

    fn highest(&self) -> u64 {
        self.0.last().map_or(0, |range| range.1)
    }

    fn holes(&self) -> Vec<(u64, u64)> {
        let pairs = self.0.windows(2);
        pairs
            .filter_map(|pair| match pair {
                [before, after] => Some((before.1.saturating_add(1), after.0.saturating_sub(1))),
                _ => None,
            })
            .collect()
    }
}

/// The gaps of the start `boot`, which ended without closing the journal. Its events begin at `first_sequence` at the
/// earliest, and the journal ends before `next_sequence`. For each worker: the holes, exactly; and an open gap from the
/// last accounted ticket on, whose count is what the watermark proves.
pub(super) fn since(
    boot: BootId,
    first_sequence: u64,
    next_sequence: u64,
    watermark: Option<Watermark>,
    segments: &[Segment],
) -> Result<Vec<Gap>, EventError> {
    let watermark = watermark.filter(|watermark| line::parse_boot(&watermark.boot) == Some(boot));
    // The watermark tells the truth about lines that are there. It can be ahead of them only if the machine stopped.
    let trusted = watermark.as_ref().is_some_and(|watermark| watermark.sequence < next_sequence);
    let standings = watermark.map(|watermark| watermark.workers).unwrap_or_default();
    let mut covered: BTreeMap<u8, Covered> = BTreeMap::new();
    let mut scan_from = first_sequence;
    if trusted {
        let last_written = next_sequence.saturating_sub(1);
        scan_from = standings.iter().map(|standing| standing.sequence).min().unwrap_or(scan_from).min(last_written);
        for standing in &standings {
            covered.entry(standing.worker).or_default().add(0, standing.settled.saturating_sub(1));
        }
    }
    // A start whose first events are still there has no tickets before them.
    let complete = !trusted && segments.first().is_some_and(|segment| segment.first <= first_sequence);
    let from = segments.partition_point(|segment| segment.first <= scan_from).saturating_sub(1);
    for segment in segments.get(from..).unwrap_or_default() {
        cover(segment, boot, complete, &mut covered)?;
    }
    let mut workers: Vec<u8> =
        standings.iter().map(|standing| standing.worker).chain(covered.keys().copied()).collect();
    workers.sort_unstable();
    workers.dedup();
    if workers.is_empty() {
        workers.push(0);
    }
    let mut gaps = Vec::new();
    for worker in workers {
        let (highest, holes) =
            covered.get(&worker).map(|covered| (covered.highest(), covered.holes())).unwrap_or_default();
        for holes in holes.chunks(MAX_RANGES) {
            gaps.push(Gap::of_ranges(boot, worker, GapReason::UncleanShutdown, holes.to_vec()));
        }
        gaps.push(open_gap(boot, worker, highest, &standings));
    }
    Ok(gaps)
}

fn open_gap(boot: BootId, worker: u8, highest: u64, standings: &[Standing]) -> Gap {
    let issued = standings.iter().find(|standing| standing.worker == worker).map_or(0, |standing| standing.issued);
    Gap {
        boot: Some(boot),
        worker: Some(worker),
        first: Some(highest.saturating_add(1)),
        last: None,
        count: issued.saturating_sub(highest),
        exact: false,
        reason: GapReason::UncleanShutdown,
        ranges: Vec::new(),
        detail: String::new(),
    }
}

/// Adds what `segment` accounts for: tickets that are recorded, and those that gap records name.
fn cover(
    segment: &Segment,
    boot: BootId,
    complete: bool,
    covered: &mut BTreeMap<u8, Covered>,
) -> Result<(), EventError> {
    let mut add = |worker: u8, first: u64, last: u64| {
        let covered = covered.entry(worker).or_default();
        if complete && covered.0.is_empty() {
            covered.add(0, 0);
        }
        covered.add(first, last);
    };
    for_each_record(segment, |line, bytes| {
        if let Some(ticket) = line.ticket.filter(|ticket| ticket.boot == boot) {
            add(ticket.worker, ticket.number, ticket.number);
        }
        if line.kind == "events.gap"
            && let Ok(GapLine { payload }) = serde_json::from_slice(bytes)
            && payload.boot.as_deref().and_then(line::parse_boot) == Some(boot)
            && let (Some(worker), Some(first), Some(last)) = (payload.worker, payload.first, payload.last)
        {
            let ranges = if payload.ranges.is_empty() { vec![(first, last)] } else { payload.ranges };
            ranges.into_iter().for_each(|(first, last)| add(worker, first, last));
        }
    })
}
