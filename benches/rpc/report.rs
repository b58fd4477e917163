//! Figures for people at a terminal.

use super::figures::{Comparison, Figure, Figures, Footprint};

/// Prints memory, start-up and size.
pub fn footprints(figures: &Figures) {
    println!("\nMemory and start-up");
    for footprint in &figures.footprints {
        let Footprint { name, resident, peak, ready } = footprint;
        let (resident, peak, ready) = (resident.median, peak.median, ready.median);
        println!("  {name:18} {resident:6.1} MiB resident, {peak:6.1} MiB at most, ready after {ready:6.1} ms");
    }
    println!("  the program has {:.1} MiB", figures.program_bytes as f64 / f64::from(1 << 20));
}

/// Prints one comparison.
pub fn comparison(comparison: &Comparison) {
    println!("\n{} [{}], {} pairs", comparison.title, comparison.id, comparison.pairs);
    println!(
        "  {:22} {:>11} {:>9} {:>9} {:>11} {:>9}",
        "", "decisions/s", "p50 µs", "p99 µs", "CPU µs/dec.", "load µs"
    );
    for side in &comparison.sides {
        println!(
            "  {:22} {:>11.0} {:>9.1} {:>9.1} {:>11.3} {:>9.3}{}",
            side.name,
            side.rate.median,
            side.p50.median,
            side.p99.median,
            side.processor.median,
            side.generator,
            if side.dropped > 0 { format!("  {} RECORDS DROPPED", side.dropped) } else { String::new() }
        );
        let threads = side.threads.iter().filter(|(_, time)| **time >= 0.0005);
        let threads: Vec<String> = threads.map(|(name, time)| format!("{name} {time:.3}")).collect();
        println!("  {:22}   {}", "", threads.join(", "));
    }
    for ratio in &comparison.ratios {
        println!(
            "  {} / {}: rate {}, p50 {}, p99 {}, CPU {}, {:+.3} µs",
            ratio.name,
            ratio.over,
            shown(ratio.rate),
            shown(ratio.p50),
            shown(ratio.p99),
            shown(ratio.processor),
            ratio.processor_more.median
        );
    }
}

fn shown(figure: Figure) -> String {
    format!("{:.3} ({:.3}–{:.3})", figure.median, figure.low, figure.high)
}
