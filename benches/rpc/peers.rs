//! Figures of other engines, as `benches/peers` keeps them.

use std::fmt::Write as _;

use serde::Deserialize;

use super::table::{heading, time};

/// All of them.
#[derive(Debug, Deserialize)]
pub struct Peers {
    engines: Vec<Engine>,
    #[serde(default)]
    servers: Vec<Server>,
}

/// One engine with so many rules. Times in nanoseconds, memory in MiB; absent where it took too long.
#[derive(Debug, Deserialize)]
struct Engine {
    engine: String,
    rules: usize,
    hit: Option<f64>,
    last: Option<f64>,
    miss: Option<f64>,
    load: Option<f64>,
    memory: Option<f64>,
}

/// One server. Times in microseconds, memory in MiB.
#[derive(Debug, Deserialize)]
struct Server {
    server: String,
    call: String,
    p50: f64,
    processor: f64,
    memory: f64,
}

impl Peers {
    /// From the file's text.
    pub fn parse(text: &str) -> Self {
        serde_json::from_str(text).expect("the figures of the peers")
    }

    /// Appends their tables.
    pub fn write(&self, out: &mut String) {
        heading(
            out,
            "Peers in process",
            "engine | rules | hit | last rule matches | none matches | load | memory",
            "---|--:|--:|--:|--:|--:|--:",
        );
        let shown = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), time);
        for Engine { engine, rules, hit, last, miss, load, memory } in &self.engines {
            let memory = memory.map_or_else(|| "–".to_owned(), |memory| format!("{memory:.1} MiB"));
            let (hit, last, miss, load) = (shown(*hit), shown(*last), shown(*miss), shown(*load));
            let _ = writeln!(out, "| {engine} | {rules} | {hit} | {last} | {miss} | {load} | {memory} |");
        }
        if self.servers.is_empty() {
            return;
        }
        heading(out, "Peers as servers", "server | call | p50 | CPU a call | resident memory", "---|---|--:|--:|--:");
        for Server { server, call, p50, processor, memory } in &self.servers {
            let _ = writeln!(out, "| {server} | {call} | {p50:.0} µs | {processor:.1} µs | {memory:.0} MiB |");
        }
    }
}
