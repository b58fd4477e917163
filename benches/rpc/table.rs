//! Figures as tables of a page, between its markers.

use std::fmt::Write as _;
use std::path::Path;

use super::approvals::Approvals;
use super::criterion::Medians;
use super::figures::{Comparison, Figure, Figures, Ratio, SideFigures};
use super::machine;
use super::peers::Peers;

const BEGIN: &str = "<!-- figures: written by benches/run, not by hand -->";
const END: &str = "<!-- end of figures -->";
/// Sizes of the tables of deciding.
const SIZES: [&str; 4] = ["10", "100", "1000", "10000"];

/// Writes the tables into `page`, in place of those that are there.
pub fn write(page: &Path, json: &Path, peers: Option<&Path>) {
    let read = |path: &Path| match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => fail(&format!("cannot read `{}`: {error}", path.display())),
    };
    let parsed = serde_json::from_str(&read(json));
    let figures: Figures = parsed.unwrap_or_else(|error| fail(&format!("`{}`: {error}", json.display())));
    let peers = peers.filter(|path| path.exists()).map(|path| Peers::parse(&read(path)));
    let text = read(page);
    let Some((before, rest)) = text.split_once(BEGIN) else { fail("the page has no marker where figures begin") };
    let Some((_, after)) = rest.split_once(END) else { fail("the page has no marker where figures end") };
    let approvals = Approvals::read(json.parent().unwrap_or(Path::new(".")));
    let tables = render(&figures, &Medians::read(), &approvals, peers.as_ref());
    std::fs::write(page, format!("{before}{BEGIN}\n\n{tables}\n{END}{after}")).expect("the page");
    println!("wrote the tables of {}", page.display());
}

fn fail(message: &str) -> ! {
    eprintln!("{message}");
    std::process::exit(2);
}

fn render(figures: &Figures, medians: &Medians, approvals: &Approvals, peers: Option<&Peers>) -> String {
    let mut out = machine::describe();
    let _ = writeln!(
        out,
        "- {} pairs of slices of {} ms; requests of {} bytes, answers of {}; in brackets: the bounds of the median, 19 \
         times of 20\n",
        figures.pairs, figures.slice_ms, figures.request_bytes, figures.answer_bytes
    );
    budget(&mut out, figures, medians, approvals);
    deciding(&mut out, medians);
    parts(&mut out, medians);
    calls(&mut out, figures);
    disturbances(&mut out, figures);
    footprint(&mut out, figures);
    approvals.write(&mut out);
    if let Some(peers) = peers {
        peers.write(&mut out);
    }
    out.trim_end().to_owned() + "\n"
}

/// The rows of the budget that exist.
fn budget(out: &mut String, figures: &Figures, medians: &Medians, approvals: &Approvals) {
    let mut rows: Vec<[String; 3]> = Vec::new();
    let mut row = |what: &str, target: &str, measured: Option<String>| {
        if let Some(measured) = measured {
            rows.push([what.to_owned(), target.to_owned(), measured]);
        }
    };
    row(
        "decide, one matching rule with a CEL condition, 10 … 10 000 rules",
        "≤ 300 ns median, 10 000 within 1.5× of 10",
        flatness(medians),
    );
    row(
        "ValidateIR, 10 steps, in process, without signing and parameter schemas",
        "≤ 10 µs",
        medians.get("validate/with-policy", "10").map(time),
    );
    row("– with a receipt", "≤ 40 µs", medians.get("validate/with-receipt", "10").map(time));
    let comparison = |id: &str| figures.comparisons.iter().find(|comparison| comparison.id == id);
    let ratio = |id: &str, side: &str| comparison(id)?.ratios.iter().find(|ratio| ratio.name == side);
    let side = |id: &str, name: &str| comparison(id)?.sides.iter().find(|side| side.name == name);
    row(
        "Evaluate against a no-op tonic echo: journal on, no drops, one core for both ends, 64 in flight: throughput",
        "≥ 0.95×, then beyond 1.0×",
        ratio("unary-64", "lictor").map(|ratio| {
            let dropped = side("unary-64", "lictor").map_or(0, |side| side.dropped);
            format!("{}; {dropped} records dropped", times(ratio.rate))
        }),
    );
    row(
        "– server CPU a call",
        "beside it",
        side("unary-64", "lictor").zip(side("unary-64", "echo")).map(|(lictor, echo)| {
            let worker = thread(lictor, "lictor-worker");
            let journal = thread(lictor, "lictor-journal") + thread(lictor, "lictor-fsync");
            format!(
                "{:.2} µs (worker {worker:.2}, journal {journal:.2}); echo {:.2} µs",
                lictor.processor.median, echo.processor.median
            )
        }),
    );
    row("– p50 at one in flight", "≤ 1.10×", ratio("unary-1", "lictor").map(|ratio| times(ratio.p50)));
    for (id, what) in [
        ("open-one-core", "journal on against off, open loop at 70 % of echo's saturation, one core for all"),
        ("open-free", "– with a second core for the writer and the load program"),
    ] {
        row(
            what,
            "p50 and p99 ≤ 1.05×",
            ratio(id, "lictor").map(|ratio| format!("p50 {}, p99 {}", times(ratio.p50), times(ratio.p99))),
        );
    }
    row(
        "one stalled exporter against none, throughput",
        "≥ 0.99×",
        ratio("stalled-exporter", "stalled exporter").map(|ratio| times(ratio.rate)),
    );
    let more = |ratio: &Ratio| format!("{:+.0} ns", ratio.processor_more.median * 1e3);
    row(
        "EvaluateStream, 64 pipelined: server CPU a decision over a no-op stream's",
        "≤ 400 ns, journal off",
        ratio("stream-64", "lictor, journal off")
            .zip(ratio("stream-64", "lictor"))
            .map(|(off, on)| format!("{} (journal on: {})", more(off), more(on))),
    );
    row(
        "compile 10 000 distinct four-term conditions",
        "≤ 150 ms",
        medians.get("compile", "10000 conditions").map(|median| format!("{:.0} ms", median / 1e6)),
    );
    row(
        "reload of 10 000 rules under load",
        "fails no call and makes none wait",
        ratio("reload", "reloading").map(|ratio| format!("no call failed; p99 {}", times(ratio.p99))),
    );
    if let [idle, many] = &figures.footprints[..] {
        let measured = format!("{:.1} MiB idle, {:.1} MiB", idle.resident.median, many.resident.median);
        row("resident memory, one snapshot", "≤ 25 MiB idle, ≤ 60 MiB with 10 000 rules", Some(measured));
    }
    rows.extend(approvals.budget());
    heading(out, "Against the budget", "what | target | measured", "---|---|---");
    for [what, target, measured] in rows {
        let _ = writeln!(out, "| {what} | {target} | {measured} |");
    }
}

/// The dimensions that an index makes flat, by the names of their benches.
const FLAT: [&str; 5] = ["action", "role", "resource-prefix", "tenant", "value"];

fn flatness(medians: &Medians) -> Option<String> {
    let mut slowest = (0.0, "");
    let mut steepest = (0.0, "");
    for name in medians.groups("decide/").filter(|name| FLAT.contains(name)) {
        let at = |size: &str| medians.get(&format!("decide/{name}"), size);
        for median in SIZES.into_iter().filter_map(at) {
            slowest = if median > slowest.0 { (median, name) } else { slowest };
        }
        let (few, many) = (at("10")?, at("10000")?);
        steepest = if many / few > steepest.0 { (many / few, name) } else { steepest };
    }
    let (median, ratio) = (slowest.0, steepest.0);
    (median > 0.0).then(|| format!("{median:.0} ns at most ({}), {ratio:.2}× at most ({})", slowest.1, steepest.1))
}

fn deciding(out: &mut String, medians: &Medians) {
    let names: Vec<&str> = medians.groups("decide/").collect();
    if names.is_empty() {
        return;
    }
    heading(
        out,
        "Deciding in process",
        "rules differ in | 10 rules | 100 | 1 000 | 10 000 | 10 000 / 10",
        "---|--:|--:|--:|--:|--:",
    );
    for name in names {
        let at = |size: &str| medians.get(&format!("decide/{name}"), size);
        let cells: Vec<String> = SIZES.into_iter().map(|size| at(size).map_or_else(|| "–".to_owned(), time)).collect();
        let growth =
            at("10").zip(at("10000")).map_or_else(|| "–".to_owned(), |(few, many)| format!("{:.2}×", many / few));
        let _ = writeln!(out, "| {name} | {} | {growth} |", cells.join(" | "));
    }
}

fn parts(out: &mut String, medians: &Medians) {
    heading(out, "Conditions, loading, records", "what | median", "---|--:");
    for (group, prefix) in [
        ("condition", "evaluate: "),
        ("compile", ""),
        ("events", ""),
        ("validate/governance", "ValidateIR, plan rules only, steps: "),
        ("validate/with-policy", "ValidateIR, steps: "),
        ("validate/data-flow", "ValidateIR, inputs from other steps, steps: "),
        ("validate/with-receipt", "ValidateIR with a receipt, steps: "),
    ] {
        for (name, median) in medians.group(group) {
            let _ = writeln!(out, "| {prefix}{name} | {} |", time(median));
        }
    }
}

fn calls(out: &mut String, figures: &Figures) {
    heading(
        out,
        "Calls, all on one core",
        "call | throughput, Lictor / echo | p50, Lictor / echo | CPU a decision: echo | Lictor | – its worker | Lictor, \
         journal off | noise: throughput, echo / echo",
        "---|--:|--:|--:|--:|--:|--:|--:",
    );
    for comparison in &figures.comparisons {
        let side = |name: &str| comparison.sides.iter().find(|side| side.name == name);
        let ratio = |name: &str| comparison.ratios.iter().find(|ratio| ratio.name == name);
        let (Some(echo), Some(lictor), Some(off)) = (side("echo"), side("lictor"), side("lictor, journal off")) else {
            continue;
        };
        let (Some(ratio), Some(noise)) = (ratio("lictor"), ratio("echo again")) else { continue };
        let _ = writeln!(
            out,
            "| {} | {} | {} | {:.2} µs | {:.2} µs | {:.2} µs | {:.2} µs | {} |",
            comparison.title,
            times(ratio.rate),
            times(ratio.p50),
            echo.processor.median,
            lictor.processor.median,
            thread(lictor, "lictor-worker"),
            off.processor.median,
            times(noise.rate),
        );
    }
}

/// Comparisons of Lictor with itself, and of the floor with itself.
fn disturbances(out: &mut String, figures: &Figures) {
    heading(
        out,
        "What the journal, an exporter, callers, a reload and threads do to calls",
        "load | compared | throughput | p50 | p99 | CPU a call",
        "---|---|--:|--:|--:|--:",
    );
    let of_lictor = |comparison: &&Comparison| comparison.sides.iter().all(|side| side.name != "echo");
    for comparison in figures.comparisons.iter().filter(of_lictor) {
        for ratio in &comparison.ratios {
            let Ratio { name, over, rate, p50, p99, processor, .. } = ratio;
            let [rate, p50, p99, processor] = [rate, p50, p99, processor].map(|bounds| times(*bounds));
            let _ = writeln!(out, "| {} | {name} / {over} | {rate} | {p50} | {p99} | {processor} |", comparison.title);
        }
    }
}

fn footprint(out: &mut String, figures: &Figures) {
    heading(out, "Memory, start-up, size", "with | resident | at most while loading | ready after", "---|--:|--:|--:");
    for footprint in &figures.footprints {
        let (resident, peak, ready) = (footprint.resident.median, footprint.peak.median, footprint.ready.median);
        let _ = writeln!(out, "| {} | {resident:.1} MiB | {peak:.1} MiB | {ready:.0} ms |", footprint.name);
    }
    let _ = writeln!(out, "\nThe program has {:.1} MiB.", figures.program_bytes as f64 / f64::from(1 << 20));
}

/// A heading, and the first two lines of the table below it.
pub fn heading(out: &mut String, title: &str, columns: &str, rule: &str) {
    let _ = writeln!(out, "{}### {title}\n\n| {columns} |\n|{rule}|", if out.ends_with("\n\n") { "" } else { "\n" });
}

fn times(figure: Figure) -> String {
    format!("{:.2}× ({:.2}–{:.2})", figure.median, figure.low, figure.high)
}

/// Processor time of the threads whose names begin so.
fn thread(side: &SideFigures, name: &str) -> f64 {
    side.threads.iter().filter(|(thread, _)| thread.starts_with(name)).map(|(_, time)| time).sum()
}

/// Nanoseconds in the unit that reads best.
pub fn time(nanos: f64) -> String {
    match nanos {
        ..1e3 => format!("{nanos:.0} ns"),
        1e3..1e6 => format!("{:.1} µs", nanos / 1e3),
        _ => format!("{:.1} ms", nanos / 1e6),
    }
}
