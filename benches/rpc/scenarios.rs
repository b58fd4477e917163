//! What is compared.

use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use rustix::thread::CpuSet;

use super::callers;
use super::echo::Threads;
use super::figures::Comparison;
use super::http2::{Connection, Question};
use super::measure::{Drive, Side, compare};
use super::question;
use super::server::{Server, Setup, bind_self_to, last_of, processors};

/// Rules that a server has while it is driven.
const RULES: usize = 100;
/// Rules that are loaded anew under load.
const RELOADED_RULES: usize = 10_000;
/// Share of the floor's saturation at which an open loop runs.
const OPEN_SHARE: f64 = 0.7;
/// The same while policies are loaded anew, which needs a core of its own for a moment.
const RELOAD_SHARE: f64 = 0.2;

/// How long all this may take.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    /// Rounds; each gives one pair of slices to each comparison.
    pub pairs: usize,
    /// Length of a slice.
    pub slice: Duration,
}

/// A scenario: its name on the command line, its title, and what happens.
pub struct Scenario {
    pub id: &'static str,
    pub title: &'static str,
    what: What,
}

#[derive(Clone, Copy)]
enum What {
    /// Closed loop, both ends on one core.
    Calls { question: fn() -> Question, connections: usize, in_flight: usize, tcp: bool },
    /// Open loop, on one core or with all of them for the server.
    Open { one_core: bool },
    /// An exporter that stands still.
    Stalled,
    /// Answers that wait for their records.
    Guaranteed,
    /// Callers that prove who they are.
    Callers,
    /// Policies that are loaded anew under load.
    Reload,
    /// The floor on one thread and on threads that take work from each other.
    Threads,
}

const fn calls(
    id: &'static str,
    title: &'static str,
    question: fn() -> Question,
    [connections, in_flight]: [usize; 2],
    tcp: bool,
) -> Scenario {
    Scenario { id, title, what: What::Calls { question, connections, in_flight, tcp } }
}

const UNARY: fn() -> Question = question::unary;
const BATCH: fn() -> Question = question::batch;
const STREAM: fn() -> Question = question::stream;

/// All scenarios, in the order of the report.
pub const SCENARIOS: [Scenario; 18] = [
    calls("unary-64", "Evaluate, Unix socket, 64 in flight", UNARY, [1, 64], false),
    calls("unary-1", "Evaluate, Unix socket, 1 in flight", UNARY, [1, 1], false),
    calls("unary-4x16", "Evaluate, Unix socket, 4 connections, 64 in flight", UNARY, [4, 64], false),
    calls("unary-tcp-64", "Evaluate, TCP, 64 in flight", UNARY, [1, 64], true),
    calls("unary-tcp-1", "Evaluate, TCP, 1 in flight", UNARY, [1, 1], true),
    calls("unary-tcp-4x16", "Evaluate, TCP, 4 connections, 64 in flight", UNARY, [4, 64], true),
    calls("batch-1", "EvaluateBatch of 100, Unix socket, 1 in flight", BATCH, [1, 1], false),
    calls("batch-tcp-1", "EvaluateBatch of 100, TCP, 1 in flight", BATCH, [1, 1], true),
    calls("stream-64", "EvaluateStream, Unix socket, 64 pipelined", STREAM, [1, 64], false),
    calls("stream-1", "EvaluateStream, Unix socket, 1 in flight", STREAM, [1, 1], false),
    calls("stream-tcp-64", "EvaluateStream, TCP, 64 pipelined", STREAM, [1, 64], true),
    Scenario {
        id: "open-one-core",
        title: "Evaluate, open loop at 70 % of echo's saturation, both ends on one core",
        what: What::Open { one_core: true },
    },
    Scenario {
        id: "open-free",
        title: "Evaluate, open loop at 70 % of echo's saturation, all cores for the server",
        what: What::Open { one_core: false },
    },
    Scenario {
        id: "stalled-exporter",
        title: "Evaluate, Unix socket, 64 in flight, one stalled exporter",
        what: What::Stalled,
    },
    Scenario {
        id: "guaranteed",
        title: "Evaluate, Unix socket, 64 in flight, answers that wait until their records are durable",
        what: What::Guaranteed,
    },
    Scenario { id: "callers", title: "Evaluate, TCP, 64 in flight, by who calls", what: What::Callers },
    Scenario {
        id: "reload",
        title: "Evaluate, open loop at 20 % of echo's saturation, 10 000 rules loaded anew meanwhile",
        what: What::Reload,
    },
    Scenario {
        id: "threads",
        title: "No-op echo, 4 connections, 64 in flight, all cores for the server",
        what: What::Threads,
    },
];

/// What scenarios share.
pub struct Bench {
    pub effort: Effort,
    /// Another build of Lictor, to be compared as well.
    pub also: Option<PathBuf>,
    answer_bytes: usize,
}

type Servers = Vec<(&'static str, Rc<Server>)>;

impl Bench {
    /// Asks Lictor once, to learn how long its answers are.
    pub fn new(effort: Effort, also: Option<PathBuf>) -> Self {
        let (_, answer) = Connection::open(&lictor(true).unix(), question::unary()).expect("an answer");
        question::assert_allowed(&answer);
        Self { effort, also, answer_bytes: answer.len() }
    }

    /// Bytes of an answer.
    pub fn answer_bytes(&self) -> usize {
        self.answer_bytes
    }

    /// Runs one scenario.
    pub fn run(&self, scenario: &Scenario) -> Comparison {
        match scenario.what {
            What::Calls { question, connections, in_flight, tcp } => {
                let servers = self.servers();
                let _bound = Bound::to_one_core(servers.iter().map(|(_, server)| server));
                let sides = sides(&servers, tcp, connections, &question());
                compare(scenario, sides, self.effort.pairs, &self.closed(in_flight))
            }
            What::Open { one_core } => self.open(scenario, one_core),
            What::Stalled => {
                let servers: Servers = vec![
                    ("lictor", lictor(true)),
                    ("lictor again", lictor(true)),
                    ("stalled exporter", Rc::new(Server::lictor(&Setup { stalled_exporter: true, ..setup(true) }))),
                ];
                let _bound = Bound::to_one_core(servers.iter().map(|(_, server)| server));
                let sides = sides(&servers, false, 1, &question::unary());
                compare(scenario, sides, self.effort.pairs, &self.closed(64))
            }
            What::Guaranteed => {
                let servers: Servers = vec![
                    ("lictor", lictor(true)),
                    ("lictor again", lictor(true)),
                    ("guaranteed", Rc::new(Server::lictor(&Setup { guaranteed: true, ..setup(true) }))),
                ];
                let _bound = Bound::to_one_core(servers.iter().map(|(_, server)| server));
                let sides = sides(&servers, false, 1, &question::unary());
                compare(scenario, sides, self.effort.pairs, &self.closed(64))
            }
            What::Callers => self.callers(scenario),
            What::Reload => self.reload(scenario),
            What::Threads => {
                let echo = |threads| Rc::new(Server::echo(self.answer_bytes, threads));
                let servers: Servers = vec![
                    ("one thread", echo(Threads::One)),
                    ("one thread again", echo(Threads::One)),
                    ("work stealing", echo(Threads::Stealing)),
                ];
                let _bound = Bound::self_only();
                let sides = sides(&servers, false, 4, &question::unary());
                compare(scenario, sides, self.effort.pairs, &self.closed(64))
            }
        }
    }

    fn closed(&self, in_flight: usize) -> Drive {
        Drive::Closed { in_flight, length: self.effort.slice }
    }

    /// The servers that calls are compared on, the floor first, and the floor again to show the noise.
    fn servers(&self) -> Servers {
        let echo = || Rc::new(Server::echo(self.answer_bytes, Threads::One));
        let mut servers = vec![
            ("echo", echo()),
            ("echo again", echo()),
            ("lictor", lictor(true)),
            ("lictor, journal off", lictor(false)),
        ];
        if let Some(program) = &self.also {
            servers.push(("other lictor", Rc::new(Server::lictor_at(program, &setup(true)))));
        }
        servers
    }

    /// What the journal does to latencies.
    fn open(&self, scenario: &Scenario, one_core: bool) -> Comparison {
        let servers: Servers =
            vec![("lictor, journal off", lictor(false)), ("off again", lictor(false)), ("lictor", lictor(true))];
        let echo = Rc::new(Server::echo(self.answer_bytes, Threads::One));
        let _bound = if one_core {
            Bound::to_one_core(servers.iter().map(|(_, server)| server).chain([&echo]))
        } else {
            Bound::self_only()
        };
        let rate = self.saturation(&echo) * OPEN_SHARE;
        let sides = sides(&servers, false, 1, &question::unary());
        compare(scenario, sides, self.effort.pairs, &Drive::Open { rate, length: self.effort.slice * 2 })
    }

    /// What it costs to know who calls.
    fn callers(&self, scenario: &Scenario) -> Comparison {
        let (takes_tokens, token) = callers::bearer();
        let (takes_certificates, connect) = callers::certified();
        let known = |known| Rc::new(Server::lictor(&Setup { known, ..setup(true) }));
        let servers: Servers = vec![
            ("anonymous", lictor(true)),
            ("anonymous again", lictor(true)),
            ("a token with each call", known(takes_tokens)),
            ("TLS, client certificate", known(takes_certificates)),
        ];
        let _bound = Bound::to_one_core(servers.iter().map(|(_, server)| server));
        let plain = question::unary();
        let shown = Question { bearer: Some(token), ..plain.clone() };
        let mut sides = sides(&servers[..2], true, 1, &plain);
        let (name, server) = &servers[2];
        sides.push(Side::new(name, server, true, 1, &shown));
        let (name, server) = &servers[3];
        sides.push(Side::at(&connect(server.tcp()), name, server, 1, &plain));
        compare(scenario, sides, self.effort.pairs, &self.closed(64))
    }

    /// What loading many rules does to those who ask meanwhile. A slice is long enough for a whole load.
    fn reload(&self, scenario: &Scenario) -> Comparison {
        let many = || {
            let documents = Some(question::documents(RELOADED_RULES));
            Rc::new(Server::lictor(&Setup { documents, ..setup(true) }))
        };
        let servers: Servers = vec![("lictor", many()), ("lictor again", many()), ("reloading", many())];
        let _bound = Bound::self_only();
        let rate = self.saturation(&Rc::new(Server::echo(self.answer_bytes, Threads::One))) * RELOAD_SHARE;
        let mut sides = sides(&servers, false, 1, &question::unary());
        let (server, mut edition) = (servers[2].1.clone(), 0);
        sides[2].before = Some(Box::new(move || {
            edition += 1;
            server.write_policies(&format!("# {edition}\n{}", question::documents(RELOADED_RULES + edition)));
            server.hang_up();
        }));
        let pairs = self.effort.pairs.div_ceil(2);
        compare(scenario, sides, pairs, &Drive::Open { rate, length: Duration::from_secs(1) })
    }

    /// Calls a second that the floor can answer.
    fn saturation(&self, echo: &Rc<Server>) -> f64 {
        let probe = Scenario { id: "saturation", title: "", what: What::Stalled };
        let side = Side::new("echo", echo, false, 1, &question::unary());
        compare(&probe, vec![side], 5, &self.closed(64)).sides[0].rate.median
    }
}

fn sides(servers: &[(&'static str, Rc<Server>)], tcp: bool, connections: usize, question: &Question) -> Vec<Side> {
    servers.iter().map(|(name, server)| Side::new(name, server, tcp, connections, question)).collect()
}

fn setup(journal: bool) -> Setup {
    Setup { documents: Some(question::documents(RULES)), journal, ..Setup::default() }
}

fn lictor(journal: bool) -> Rc<Server> {
    Rc::new(Server::lictor(&setup(journal)))
}

/// While it lives, this thread is bound to one core.
struct Bound {
    all: CpuSet,
}

impl Bound {
    fn self_only() -> Self {
        let all = processors();
        bind_self_to(&last_of(&all));
        Self { all }
    }

    fn to_one_core<'s>(servers: impl Iterator<Item = &'s Rc<Server>>) -> Self {
        let bound = Self::self_only();
        servers.for_each(|server| server.bind_to(&last_of(&bound.all)));
        bound
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        bind_self_to(&self.all);
    }
}
