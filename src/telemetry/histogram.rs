//! A histogram with fixed buckets that costs two uncontended atomic additions an observation.
//!
//! The exporter's own histograms keep every sample until they are drained, and grow without bound where nobody asks.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};

/// Upper bounds of the buckets, in nanoseconds, and as Prometheus writes them in seconds. The last bucket has no bound.
pub const BOUNDS: [(u64, &str); 20] = [
    (100, "0.0000001"),
    (250, "0.00000025"),
    (500, "0.0000005"),
    (750, "0.00000075"),
    (1_000, "0.000001"),
    (2_000, "0.000002"),
    (3_000, "0.000003"),
    (5_000, "0.000005"),
    (7_500, "0.0000075"),
    (10_000, "0.00001"),
    (15_000, "0.000015"),
    (25_000, "0.000025"),
    (50_000, "0.00005"),
    (100_000, "0.0001"),
    (250_000, "0.00025"),
    (500_000, "0.0005"),
    (1_000_000, "0.001"),
    (5_000_000, "0.005"),
    (25_000_000, "0.025"),
    (100_000_000, "0.1"),
];

/// Counts of observations, by bucket.
#[derive(Debug, Default)]
pub struct Histogram {
    buckets: [AtomicU64; BOUNDS.len() + 1],
    sum_nanos: AtomicU64,
}

impl Histogram {
    /// Counts one observation.
    pub fn observe(&self, nanos: u64) {
        let bucket = BOUNDS.partition_point(|(bound, _)| *bound < nanos);
        if let Some(count) = self.buckets.get(bucket) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.sum_nanos.fetch_add(nanos, Ordering::Relaxed);
    }
}

/// Writes the sum of `shards` in Prometheus' text format.
pub fn render<'a>(out: &mut String, name: &str, help: &str, shards: impl Iterator<Item = &'a Histogram>) {
    let mut counts = [0_u64; BOUNDS.len() + 1];
    let mut sum_nanos = 0_u64;
    for shard in shards {
        for (total, count) in counts.iter_mut().zip(&shard.buckets) {
            *total = total.wrapping_add(count.load(Ordering::Relaxed));
        }
        sum_nanos = sum_nanos.wrapping_add(shard.sum_nanos.load(Ordering::Relaxed));
    }
    let mut cumulative = 0_u64;
    // Writing to a string cannot fail.
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} histogram");
    for (count, bound) in counts.iter().zip(BOUNDS.iter().map(|(_, text)| *text).chain(["+Inf"])) {
        cumulative = cumulative.wrapping_add(*count);
        let _ = writeln!(out, "{name}_bucket{{le=\"{bound}\"}} {cumulative}");
    }
    let (seconds, fraction) = (sum_nanos / 1_000_000_000, sum_nanos % 1_000_000_000);
    let _ = writeln!(out, "{name}_sum {seconds}.{fraction:09}\n{name}_count {cumulative}\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_by_bucket_over_all_shards() {
        let (one, two) = (Histogram::default(), Histogram::default());
        for nanos in [0, 100, 101, 1_000_000_000] {
            one.observe(nanos);
        }
        two.observe(900);
        let mut text = String::new();
        render(&mut text, "x", "Help.", [&one, &two].into_iter());
        for line in [
            "# TYPE x histogram",
            "x_bucket{le=\"0.0000001\"} 2",
            "x_bucket{le=\"0.00000025\"} 3",
            "x_bucket{le=\"0.000001\"} 4",
            "x_bucket{le=\"0.1\"} 4",
            "x_bucket{le=\"+Inf\"} 5",
            "x_sum 1.000001101",
            "x_count 5",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
        assert!(BOUNDS.is_sorted());
        assert!(BOUNDS.iter().all(|(nanos, text)| (text.parse::<f64>().unwrap() * 1e9).round() == *nanos as f64));
    }
}
