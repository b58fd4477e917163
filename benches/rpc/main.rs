//! The load program: drives Lictor and a tonic server that decides nothing, in turn, and compares them.
//!
//! `cargo bench --bench rpc -- short|full [--only ID,ID] [--pairs N] [--slice-ms N] [--also PATH] [--json FILE]`; `list`
//! shows the scenarios. Both servers are processes of their own, driven by the same single thread; unless the title says
//! otherwise all of them share one core. `docs/performance.md` says how to read the figures.

#![allow(clippy::expect_used, clippy::panic, reason = "a measurement that cannot go on has no figures")]

mod echo;
mod footprint;
mod http2;
mod load;
mod measure;
mod question;
mod report;
mod scenarios;
mod server;

use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::time::Duration;

use scenarios::{Bench, Effort, SCENARIOS};

const USAGE: &str = "cargo bench --bench rpc -- short|full|list [--only ID,ID] [--pairs N] [--slice-ms N] \
                     [--also LICTOR] [--json FILE]";

/// Enough to see a change of some percent, in about two minutes.
const SHORT: Effort = Effort { pairs: 9, slice: Duration::from_millis(150) };
/// What is quoted.
const FULL: Effort = Effort { pairs: 25, slice: Duration::from_millis(300) };

/// The name of what is no comparison.
const FOOTPRINT: &str = "footprint";

fn main() {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [role, socket, bytes] = &arguments[..]
        && role == "echo"
    {
        return echo::run(Path::new(socket), bytes.parse().expect("a number of bytes"));
    }
    let Some(bench) = arguments.iter().position(|argument| argument == "--bench") else {
        // Run as a test: there is nothing to test, and nobody wants to wait.
        return println!("{USAGE}");
    };
    arguments.remove(bench);
    let mut effort = SHORT;
    let mut only: Option<Vec<String>> = None;
    let (mut also, mut json) = (None, None);
    let mut rest = arguments.into_iter();
    while let Some(argument) = rest.next() {
        let mut value = || rest.next().unwrap_or_else(|| usage());
        match argument.as_str() {
            "short" => effort = SHORT,
            "full" => effort = FULL,
            "list" => return list(),
            "--only" => only = Some(value().split(',').map(str::to_owned).collect()),
            "--pairs" => effort.pairs = value().parse().unwrap_or_else(|_| usage()),
            "--slice-ms" => effort.slice = Duration::from_millis(value().parse().unwrap_or_else(|_| usage())),
            "--also" => also = Some(PathBuf::from(value())),
            "--json" => json = Some(PathBuf::from(value())),
            _ => usage(),
        }
    }
    if let Some(unknown) =
        only.iter().flatten().find(|id| **id != FOOTPRINT && SCENARIOS.iter().all(|scenario| scenario.id != **id))
    {
        eprintln!("there is no scenario `{unknown}`; `list` shows them");
        std::process::exit(2);
    }
    run(effort, only.as_deref(), also, json.as_deref());
}

fn list() {
    SCENARIOS.iter().for_each(|scenario| println!("{:18} {}", scenario.id, scenario.title));
    println!("{FOOTPRINT:18} Memory, start-up, size of the program");
}

fn usage() -> ! {
    eprintln!("{USAGE}");
    std::process::exit(2);
}

/// All that one run found out.
#[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
struct Figures {
    effort_pairs: usize,
    comparisons: Vec<measure::Comparison>,
    footprints: Vec<footprint::Footprint>,
    program_bytes: u64,
}

fn run(effort: Effort, only: Option<&[String]>, also: Option<PathBuf>, json: Option<&Path>) {
    // Appointments are kept as exactly as the kernel can.
    rustix::thread::set_current_timer_slack(NonZeroU64::new(1)).expect("a timer slack");
    let bench = Bench::new(effort, also);
    println!(
        "{} pairs of {} ms; a request has {} bytes, an answer {}",
        effort.pairs,
        effort.slice.as_millis(),
        question::unary().message.len(),
        bench.answer_bytes()
    );
    let wanted = |id: &str| only.is_none_or(|only| only.iter().any(|wanted| wanted == id));
    let mut figures = Figures { effort_pairs: effort.pairs, ..Figures::default() };
    for scenario in SCENARIOS.iter().filter(|scenario| wanted(scenario.id)) {
        let comparison = scenario.run(&bench);
        report::comparison(&comparison);
        figures.comparisons.push(comparison);
    }
    if wanted(FOOTPRINT) {
        figures.program_bytes = footprint::program_bytes();
        figures.footprints = footprint::measure();
        report::footprints(&figures);
    }
    if let Some(path) = json {
        let text = serde_json::to_string_pretty(&figures).expect("JSON");
        std::fs::write(path, text).expect("the file of figures");
    }
}
