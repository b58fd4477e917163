//! The load program: drives Lictor and a tonic server that decides nothing, in turn, and compares them.
//!
//! `cargo bench --bench rpc -- short` (`full`, `list`, `--help`). Both servers are processes of their own, driven by the
//! same single thread; unless the title says otherwise all of them share one core. `docs/performance.md` says how to read
//! the figures; `benches/run` measures all of it and writes its table.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a measurement that cannot go on has no figures"
)]

mod approvals;
#[path = "../../tests/server/identity/authority.rs"]
mod authority;
mod callers;
mod criterion;
mod echo;
mod figures;
mod footprint;
mod http2;
mod load;
mod machine;
mod measure;
mod peers;
mod question;
mod report;
mod scenarios;
mod server;
mod table;
#[path = "../../tests/server/identity/token_key.rs"]
mod token_key;

use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Parser as _;

use figures::Figures;
use scenarios::{Bench, Effort, SCENARIOS};

/// Enough to see a change of some percent, in two minutes or so.
const SHORT: Effort = Effort { pairs: 9, slice: Duration::from_millis(120) };
/// What is quoted.
const FULL: Effort = Effort { pairs: 25, slice: Duration::from_millis(200) };
/// The name of what is no comparison.
const FOOTPRINT: &str = "footprint";

/// Drives Lictor and a tonic server that decides nothing, in turn, and compares them.
#[derive(Debug, clap::Parser)]
#[command(name = "cargo bench --bench rpc --")]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// What cargo adds when it measures.
    #[arg(long, global = true, hide = true)]
    bench: bool,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Measures with few short slices
    Short(Options),
    /// Measures with as many and as long slices as figures to be quoted need
    Full(Options),
    /// Shows the scenarios
    List,
    /// Writes the figures of the last `--json FILE`, of the files beside it and of criterion into a page, between its markers
    Table {
        /// The file of figures
        #[arg(long, value_name = "FILE")]
        json: PathBuf,
        /// The figures of the peers, if there are any
        #[arg(long, value_name = "FILE")]
        peers: Option<PathBuf>,
        /// The page
        #[arg(long, value_name = "FILE", default_value = "docs/performance.md")]
        page: PathBuf,
    },
    /// Serves as the server that decides nothing
    #[command(hide = true)]
    Echo { socket: PathBuf, answer_bytes: usize, threads: echo::Threads },
}

#[derive(Debug, clap::Args)]
struct Options {
    /// Only these scenarios
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    only: Vec<String>,
    /// Number of pairs of slices
    #[arg(long)]
    pairs: Option<usize>,
    /// Length of a slice
    #[arg(long)]
    slice_ms: Option<u64>,
    /// Another build of Lictor, to be compared as well
    #[arg(long, value_name = "PROGRAM")]
    also: Option<PathBuf>,
    /// Where to keep the figures
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

fn main() {
    let arguments = Arguments::parse();
    match arguments.command {
        Some(Command::Short(options)) => run(SHORT, options),
        Some(Command::Full(options)) => run(FULL, options),
        Some(Command::List) => list(),
        Some(Command::Table { json, peers, page }) => table::write(&page, &json, peers.as_deref()),
        Some(Command::Echo { socket, answer_bytes, threads }) => echo::run(&socket, answer_bytes, threads),
        // Run as a test, or among all benches: nobody asked for anything.
        None => println!("say what to measure, for example `cargo bench --bench rpc -- short`"),
    }
}

fn list() {
    SCENARIOS.iter().for_each(|scenario| println!("{:18} {}", scenario.id, scenario.title));
    println!("{FOOTPRINT:18} Memory, start-up, size of the program");
}

fn run(effort: Effort, options: Options) {
    let known = |id: &String| id == FOOTPRINT || SCENARIOS.iter().any(|scenario| scenario.id == id);
    if let Some(unknown) = options.only.iter().find(|id| !known(id)) {
        eprintln!("there is no scenario `{unknown}`; `list` shows them");
        std::process::exit(2);
    }
    let effort = Effort {
        pairs: options.pairs.unwrap_or(effort.pairs),
        slice: options.slice_ms.map_or(effort.slice, Duration::from_millis),
    };
    // Appointments are kept as exactly as the kernel can.
    rustix::thread::set_current_timer_slack(NonZeroU64::new(1)).expect("a timer slack");
    let bench = Bench::new(effort, options.also);
    let mut figures = Figures {
        pairs: effort.pairs,
        slice_ms: u64::try_from(effort.slice.as_millis()).unwrap_or(u64::MAX),
        request_bytes: question::unary().message.len(),
        answer_bytes: bench.answer_bytes(),
        ..Figures::default()
    };
    let wanted = |id: &str| options.only.is_empty() || options.only.iter().any(|wanted| wanted == id);
    for scenario in SCENARIOS.iter().filter(|scenario| wanted(scenario.id)) {
        let comparison = bench.run(scenario);
        report::comparison(&comparison);
        figures.comparisons.push(comparison);
    }
    if wanted(FOOTPRINT) {
        figures.program_bytes = footprint::program_bytes();
        figures.footprints = footprint::measure();
        report::footprints(&figures);
    }
    if let Some(path) = &options.json {
        keep(&figures, path);
    }
}

fn keep(figures: &Figures, path: &Path) {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).expect("the folder of figures");
    }
    std::fs::write(path, serde_json::to_string_pretty(figures).expect("JSON")).expect("the file of figures");
}
