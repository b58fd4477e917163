//! What a run found out, as it is kept in a file.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// All of one run.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Figures {
    /// Pairs of slices of each comparison.
    pub pairs: usize,
    /// Length of a slice.
    pub slice_ms: u64,
    pub request_bytes: usize,
    pub answer_bytes: usize,
    pub comparisons: Vec<Comparison>,
    pub footprints: Vec<Footprint>,
    pub program_bytes: u64,
}

/// A figure over all slices or pairs: the median, and the bounds within which the true one lies 19 times of 20.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Figure {
    pub median: f64,
    pub low: f64,
    pub high: f64,
}

/// What is known of one side. Times are in microseconds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SideFigures {
    pub name: String,
    /// Decisions a second, until the last of them was in the journal.
    pub rate: Figure,
    pub p50: Figure,
    pub p99: Figure,
    /// Processor time of the server a decision.
    pub processor: Figure,
    /// The same by name of the thread.
    pub threads: BTreeMap<String, f64>,
    /// Processor time of the load program a decision.
    pub generator: f64,
    /// Records that were lost before the journal.
    pub dropped: u64,
}

/// A side compared with the first one, slice by slice.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Ratio {
    pub name: String,
    pub over: String,
    pub rate: Figure,
    pub p50: Figure,
    pub p99: Figure,
    pub processor: Figure,
    /// Difference in processor time a decision, in microseconds.
    pub processor_more: Figure,
}

/// What came of a comparison.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Comparison {
    pub id: String,
    pub title: String,
    pub pairs: usize,
    pub sides: Vec<SideFigures>,
    pub ratios: Vec<Ratio>,
}

/// Memory in MiB and time until ready in milliseconds of one setup.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Footprint {
    pub name: String,
    pub resident: Figure,
    pub peak: Figure,
    pub ready: Figure,
}

impl Figure {
    /// The median of `values` with the order statistics that bound it in 19 of 20 cases, whatever the distribution.
    pub fn of(mut values: Vec<f64>) -> Self {
        values.sort_unstable_by(f64::total_cmp);
        let count = values.len();
        let at = |rank: usize| values.get(rank.min(count.saturating_sub(1))).copied().unwrap_or(f64::NAN);
        let median = f64::midpoint(at(count.saturating_sub(1) / 2), at(count / 2));
        let low = (count as f64 / 2.0 - 1.96 * (count as f64).sqrt() / 2.0).floor().max(0.0) as usize;
        Self { median, low: at(low), high: at(count.saturating_sub(low + 1)) }
    }
}
