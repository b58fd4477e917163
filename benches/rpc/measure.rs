//! Slices of time in turn over several servers, and what can be said of them together.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use super::figures::{Comparison, Figure, Ratio, SideFigures};
use super::http2::{Address, Connection, Question};
use super::load;
use super::scenarios::Scenario;
use super::server::{Server, own_time};

/// How a slice is driven.
#[derive(Debug, Clone)]
pub enum Drive {
    /// So many calls under way at all times.
    Closed { in_flight: usize, length: Duration },
    /// Calls at random times at this rate a second, the same times for every side of a round.
    Open { rate: f64, length: Duration },
}

/// A server and the connections to it.
pub struct Side {
    pub name: &'static str,
    pub server: Rc<Server>,
    /// What is done to the server when a slice begins.
    pub before: Option<Box<dyn FnMut()>>,
    connections: Vec<Connection>,
    /// Decisions in one call.
    decisions: usize,
    slices: Vec<Slice>,
}

/// What one slice showed.
#[derive(Debug, Clone, Default)]
struct Slice {
    /// Decisions a second, until the last of them was in the journal.
    rate: f64,
    p50: f64,
    p99: f64,
    /// Processor time of the server a decision, in nanoseconds, by name of the thread.
    threads: BTreeMap<String, f64>,
    /// The same of the load program's one thread.
    own: f64,
}

impl Side {
    /// Connects so often to `server`, over TCP or the Unix socket.
    pub fn new(name: &'static str, server: &Rc<Server>, tcp: bool, connections: usize, question: &Question) -> Self {
        let address = if tcp { Address::Tcp(server.tcp()) } else { server.unix() };
        Self::at(&address, name, server, connections, question)
    }

    /// The same over a way of its own.
    pub fn at(
        address: &Address,
        name: &'static str,
        server: &Rc<Server>,
        connections: usize,
        question: &Question,
    ) -> Self {
        let open = |_| Connection::open(address, question.clone()).expect("the server answers").0;
        let decisions = if question.path.ends_with("Batch") { super::question::BATCH } else { 1 };
        let connections = (0..connections).map(open).collect();
        Self { name, server: server.clone(), before: None, connections, decisions, slices: Vec::new() }
    }

    fn slice(&mut self, drive: &Drive, seed: u64) -> Slice {
        let before = self.server.processor_time();
        let own = own_time();
        if let Some(before) = &mut self.before {
            before();
        }
        let taken = match drive {
            Drive::Closed { in_flight, length } => load::closed(&mut self.connections, *in_flight, *length),
            Drive::Open { rate, length } => load::open(&mut self.connections, &load::schedule(*rate, *length, seed)),
        };
        let own = own_time().saturating_sub(own);
        let mut taken = taken.expect("the server answers every call");
        // Records that still wait are work that belongs to this slice.
        let wall = taken.wall + self.server.catch_up();
        let calls = taken.latencies.len();
        let decisions = (calls * self.decisions) as f64;
        let mut threads = BTreeMap::new();
        for (name, after) in self.server.processor_time() {
            let spent = after.saturating_sub(before.get(&name).copied().unwrap_or(0));
            threads.insert(name, spent as f64 / decisions);
        }
        taken.latencies.sort_unstable();
        let at = |share: f64| {
            let rank = (calls as f64 * share) as usize;
            taken.latencies.get(rank.min(calls.saturating_sub(1))).copied().unwrap_or(0).into()
        };
        Slice {
            rate: decisions / wall.as_secs_f64(),
            p50: at(0.5),
            p99: at(0.99),
            threads,
            own: own as f64 / decisions,
        }
    }
}

impl Slice {
    fn processor(&self) -> f64 {
        self.threads.values().sum()
    }
}

/// Drives the sides in turn, `pairs` times after one round to warm up; every other round goes backwards, so that a
/// machine that gets slower or faster favours nobody.
pub fn compare(scenario: &Scenario, mut sides: Vec<Side>, pairs: usize, drive: &Drive) -> Comparison {
    for round in 0..=pairs {
        let mut order: Vec<usize> = (0..sides.len()).collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for n in order {
            let slice = sides[n].slice(drive, round as u64 + 1);
            if round > 0 {
                sides[n].slices.push(slice);
            }
        }
    }
    let (first, others) = sides.split_first().expect("a side");
    Comparison {
        id: scenario.id.to_owned(),
        title: scenario.title.to_owned(),
        pairs,
        sides: sides.iter().map(figures).collect(),
        ratios: others.iter().map(|other| ratio(other, first)).collect(),
    }
}

fn figures(side: &Side) -> SideFigures {
    let of = |value: fn(&Slice) -> f64| Figure::of(side.slices.iter().map(value).collect());
    let names: Vec<&String> = side.slices.first().map(|slice| slice.threads.keys().collect()).unwrap_or_default();
    let thread = |name: &String| {
        let times = side.slices.iter().map(|slice| slice.threads.get(name).copied().unwrap_or(0.0) / 1e3);
        (name.clone(), Figure::of(times.collect()).median)
    };
    SideFigures {
        name: side.name.to_owned(),
        rate: of(|slice| slice.rate),
        p50: of(|slice| slice.p50 / 1e3),
        p99: of(|slice| slice.p99 / 1e3),
        processor: of(|slice| slice.processor() / 1e3),
        threads: names.into_iter().map(thread).collect(),
        generator: of(|slice| slice.own / 1e3).median,
        dropped: side.server.dropped(),
    }
}

fn ratio(side: &Side, over: &Side) -> Ratio {
    let pairs = |value: fn(&Slice, &Slice) -> f64| {
        Figure::of(side.slices.iter().zip(&over.slices).map(|(side, over)| value(side, over)).collect())
    };
    Ratio {
        name: side.name.to_owned(),
        over: over.name.to_owned(),
        rate: pairs(|side, over| side.rate / over.rate),
        p50: pairs(|side, over| side.p50 / over.p50),
        p99: pairs(|side, over| side.p99 / over.p99),
        processor: pairs(|side, over| side.processor() / over.processor()),
        processor_more: pairs(|side, over| (side.processor() - over.processor()) / 1e3),
    }
}
