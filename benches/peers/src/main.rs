//! Lictor beside other policy engines, on equal work.
//!
//! `benches/peers/run` builds and runs this. Each engine and size is measured in a process of its own, so that memory is
//! its own as well; all use the system's allocator.

#![allow(clippy::expect_used, clippy::panic, reason = "a measurement that cannot go on has no figures")]

mod engines;
mod servers;
mod work;

#[path = "../../rpc/http2.rs"]
#[allow(dead_code, reason = "the load program of Lictor uses all of it")]
mod http2;
#[path = "../../rpc/load.rs"]
#[allow(dead_code, reason = "the load program of Lictor uses all of it")]
mod load;

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use engines::{ENGINES, label};
use work::{Ask, SIZES};

/// What the page shows.
#[derive(Serialize)]
struct Peers {
    engines: Vec<Measured>,
    servers: Vec<servers::Measured>,
}

/// One engine with so many rules. Times in nanoseconds, memory in MiB.
#[derive(Debug, Serialize, Deserialize)]
struct Measured {
    engine: String,
    rules: usize,
    hit: f64,
    last: f64,
    miss: f64,
    load: f64,
    memory: f64,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["one", engine, rules] => {
            let measured = measure(engine.parse().expect("a number"), rules.parse().expect("a number"));
            println!("{}", serde_json::to_string(&measured).expect("JSON"));
        }
        ["--lictor", lictor, "--cerbos", cerbos, out] => all(&PathBuf::from(lictor), &PathBuf::from(cerbos), out),
        _ => {
            eprintln!("run benches/peers/run");
            std::process::exit(2);
        }
    }
}

fn all(lictor: &std::path::Path, cerbos: &std::path::Path, out: &str) {
    let mut engines = Vec::new();
    for engine in 0..ENGINES.len() {
        for rules in SIZES {
            let child = Command::new(std::env::current_exe().expect("this program"))
                .args(["one", &engine.to_string(), &rules.to_string()])
                .output()
                .expect("a process");
            assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stderr));
            let measured: Measured = serde_json::from_slice(&child.stdout).expect("figures");
            println!("{measured:?}");
            engines.push(measured);
        }
    }
    let servers = servers::measure(lictor, cerbos.exists().then_some(cerbos));
    let text = serde_json::to_string_pretty(&Peers { engines, servers }).expect("JSON");
    std::fs::write(out, text).expect("the file of figures");
}

fn measure(engine: usize, rules: usize) -> Measured {
    let name = label(ENGINES[engine]);
    let load = ENGINES[engine].2;
    let before = resident_mib();
    let start = Instant::now();
    let mut engine = load(rules);
    let load = start.elapsed().as_nanos() as f64;
    let memory = resident_mib() - before;
    let [hit, last, miss] = Ask::ALL.map(|ask| {
        engine.prepare(ask);
        assert_eq!(engine.decide(), ask.allowed(), "{name}, {rules} rules, {ask:?}");
        median_nanos(|| engine.decide())
    });
    Measured { engine: name, rules, hit, last, miss, load, memory }
}

/// Length of one of the batches whose median is the figure.
const BATCH: Duration = Duration::from_millis(10);
const BATCHES: usize = 31;

fn median_nanos(mut work: impl FnMut() -> bool) -> f64 {
    let mut batch = |count: u32| {
        let start = Instant::now();
        for _ in 0..count {
            std::hint::black_box(work());
        }
        start.elapsed()
    };
    let mut count = 1;
    while batch(count) < BATCH && count < 1 << 24 {
        count *= 2;
    }
    let mut times: Vec<f64> = (0..BATCHES).map(|_| batch(count).as_nanos() as f64 / f64::from(count)).collect();
    times.sort_unstable_by(f64::total_cmp);
    times[BATCHES / 2]
}

fn resident_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("the kernel's view of us");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("resident memory");
    line.split_whitespace().next().and_then(|text| text.parse::<f64>().ok()).expect("a number") / 1024.0
}
