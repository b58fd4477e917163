//! A histogram with fixed buckets that costs two uncontended atomic additions an observation.
//!
//! The exporter's own histograms keep every sample until they are drained, and grow without bound where nobody asks.

use std::fmt::Write;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering};

/// Upper bounds of buckets, in nanoseconds, and as Prometheus writes them in seconds. The last bucket has no bound.
pub type Table = [(u64, &'static str); 20];

/// The buckets of a kind of histogram.
pub trait Bounds {
    /// Their bounds, ascending.
    const BOUNDS: Table;
}

/// For what is computed: from 100 ns to 100 ms.
#[derive(Debug, Default)]
pub struct Fast;

impl Bounds for Fast {
    const BOUNDS: Table = [
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
}

/// For what waits for networks and people's machines: from 1 ms to 5 min.
#[derive(Debug, Default)]
pub struct Slow;

impl Bounds for Slow {
    const BOUNDS: Table = [
        (1_000_000, "0.001"),
        (2_500_000, "0.0025"),
        (5_000_000, "0.005"),
        (10_000_000, "0.01"),
        (25_000_000, "0.025"),
        (50_000_000, "0.05"),
        (100_000_000, "0.1"),
        (250_000_000, "0.25"),
        (500_000_000, "0.5"),
        (1_000_000_000, "1"),
        (2_000_000_000, "2"),
        (3_000_000_000, "3"),
        (5_000_000_000, "5"),
        (7_500_000_000, "7.5"),
        (10_000_000_000, "10"),
        (15_000_000_000, "15"),
        (30_000_000_000, "30"),
        (60_000_000_000, "60"),
        (120_000_000_000, "120"),
        (300_000_000_000, "300"),
    ];
}

/// For what waits for a disk or a database: from 25 µs to 60 s.
#[derive(Debug, Default)]
pub struct Disk;

impl Bounds for Disk {
    const BOUNDS: Table = [
        (25_000, "0.000025"),
        (50_000, "0.00005"),
        (100_000, "0.0001"),
        (250_000, "0.00025"),
        (500_000, "0.0005"),
        (1_000_000, "0.001"),
        (2_500_000, "0.0025"),
        (5_000_000, "0.005"),
        (10_000_000, "0.01"),
        (25_000_000, "0.025"),
        (50_000_000, "0.05"),
        (100_000_000, "0.1"),
        (250_000_000, "0.25"),
        (500_000_000, "0.5"),
        (1_000_000_000, "1"),
        (2_500_000_000, "2.5"),
        (5_000_000_000, "5"),
        (10_000_000_000, "10"),
        (30_000_000_000, "30"),
        (60_000_000_000, "60"),
    ];
}

/// Counts of observations, by bucket.
#[derive(Debug, Default)]
pub struct Histogram<B = Fast> {
    buckets: [AtomicU64; Fast::BOUNDS.len() + 1],
    sum_nanos: AtomicU64,
    bounds: PhantomData<B>,
}

impl<B: Bounds> Histogram<B> {
    /// Counts one observation.
    pub fn observe(&self, nanos: u64) {
        let bucket = B::BOUNDS.partition_point(|(bound, _)| *bound < nanos);
        if let Some(count) = self.buckets.get(bucket) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.sum_nanos.fetch_add(nanos, Ordering::Relaxed);
    }
}

/// Writes the sum of `shards` in Prometheus' text format.
pub fn render<'a, B: Bounds + 'a>(
    out: &mut String,
    name: &str,
    help: &str,
    shards: impl Iterator<Item = &'a Histogram<B>>,
) {
    head(out, name, help);
    series(out, name, "", shards);
}

/// Writes a histogram for each value of the label `label`, whose values need no escaping.
pub fn render_labelled<'a, B: Bounds + 'a>(
    out: &mut String,
    name: &str,
    help: &str,
    label: &str,
    each: impl Iterator<Item = (&'a str, &'a Histogram<B>)>,
) {
    head(out, name, help);
    for (value, histogram) in each {
        series(out, name, &format!("{label}=\"{value}\""), std::iter::once(histogram));
    }
}

fn head(out: &mut String, name: &str, help: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} histogram");
}

fn series<'a, B: Bounds + 'a>(
    out: &mut String,
    name: &str,
    labels: &str,
    shards: impl Iterator<Item = &'a Histogram<B>>,
) {
    let mut counts = [0_u64; Fast::BOUNDS.len() + 1];
    let mut sum_nanos = 0_u64;
    for shard in shards {
        for (total, count) in counts.iter_mut().zip(&shard.buckets) {
            *total = total.wrapping_add(count.load(Ordering::Relaxed));
        }
        sum_nanos = sum_nanos.wrapping_add(shard.sum_nanos.load(Ordering::Relaxed));
    }
    let mut cumulative = 0_u64;
    let (comma, of_all) = if labels.is_empty() { ("", String::new()) } else { (",", format!("{{{labels}}}")) };
    for (count, bound) in counts.iter().zip(B::BOUNDS.iter().map(|(_, text)| *text).chain(["+Inf"])) {
        cumulative = cumulative.wrapping_add(*count);
        let _ = writeln!(out, "{name}_bucket{{{labels}{comma}le=\"{bound}\"}} {cumulative}");
    }
    let (seconds, fraction) = (sum_nanos / 1_000_000_000, sum_nanos % 1_000_000_000);
    let _ = writeln!(out, "{name}_sum{of_all} {seconds}.{fraction:09}\n{name}_count{of_all} {cumulative}\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_by_bucket_over_all_shards() {
        let (one, two) = (Histogram::<Fast>::default(), Histogram::default());
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
        let mut text = String::new();
        render_labelled(&mut text, "x", "Help.", "of", [("a", &one), ("b", &two)].into_iter());
        for line in ["x_bucket{of=\"a\",le=\"0.0000001\"} 2", "x_sum{of=\"b\"} 0.000000900", "x_count{of=\"a\"} 4"] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
        for bounds in [Fast::BOUNDS, Slow::BOUNDS, Disk::BOUNDS] {
            assert!(bounds.is_sorted());
            assert!(bounds.iter().all(|(nanos, text)| (text.parse::<f64>().unwrap() * 1e9).round() == *nanos as f64));
        }
    }
}
