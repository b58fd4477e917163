//! What is compared.

use std::rc::Rc;
use std::time::Duration;

use super::http2::{Connection, Question};
use super::measure::{Comparison, Drive, Side, compare};
use super::question;
use super::server::{Server, Setup, bind_self_to, last_of, processors};

/// Rules that the server has while it is driven.
const RULES: usize = 100;

/// How long all this may take.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    /// Rounds; each gives one pair of slices to each comparison.
    pub pairs: usize,
    /// Length of a slice.
    pub slice: Duration,
}

/// A scenario: its name on the command line, and what runs it.
pub struct Scenario {
    pub id: &'static str,
    pub title: &'static str,
    run: fn(&Scenario, &Bench) -> Comparison,
}

/// What scenarios share.
pub struct Bench {
    pub effort: Effort,
    /// Another build of Lictor, to be compared as well.
    pub also: Option<std::path::PathBuf>,
    answer_bytes: usize,
}

impl Scenario {
    /// Runs it.
    pub fn run(&self, bench: &Bench) -> Comparison {
        (self.run)(self, bench)
    }
}

/// All scenarios, in the order of the report.
pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "unary-64",
        title: "Evaluate, Unix socket, 1 connection, 64 in flight",
        run: |s, b| b.calls(s, UNARY, 1, 64, false),
    },
    Scenario {
        id: "unary-1",
        title: "Evaluate, Unix socket, 1 connection, 1 in flight",
        run: |s, b| b.calls(s, UNARY, 1, 1, false),
    },
    Scenario {
        id: "unary-4x16",
        title: "Evaluate, Unix socket, 4 connections, 64 in flight",
        run: |s, b| b.calls(s, UNARY, 4, 64, false),
    },
    Scenario {
        id: "unary-tcp-64",
        title: "Evaluate, TCP, 1 connection, 64 in flight",
        run: |s, b| b.calls(s, UNARY, 1, 64, true),
    },
    Scenario {
        id: "unary-tcp-1",
        title: "Evaluate, TCP, 1 connection, 1 in flight",
        run: |s, b| b.calls(s, UNARY, 1, 1, true),
    },
    Scenario {
        id: "unary-tcp-4x16",
        title: "Evaluate, TCP, 4 connections, 64 in flight",
        run: |s, b| b.calls(s, UNARY, 4, 64, true),
    },
    Scenario {
        id: "batch-1",
        title: "EvaluateBatch of 100, Unix socket, 1 connection, 1 in flight",
        run: |s, b| b.calls(s, BATCH, 1, 1, false),
    },
    Scenario {
        id: "batch-tcp-1",
        title: "EvaluateBatch of 100, TCP, 1 connection, 1 in flight",
        run: |s, b| b.calls(s, BATCH, 1, 1, true),
    },
    Scenario {
        id: "stream-64",
        title: "EvaluateStream, Unix socket, 64 pipelined",
        run: |s, b| b.calls(s, STREAM, 1, 64, false),
    },
    Scenario {
        id: "stream-1",
        title: "EvaluateStream, Unix socket, 1 in flight",
        run: |s, b| b.calls(s, STREAM, 1, 1, false),
    },
    Scenario {
        id: "stream-tcp-64",
        title: "EvaluateStream, TCP, 64 pipelined",
        run: |s, b| b.calls(s, STREAM, 1, 64, true),
    },
    Scenario {
        id: "open-one-core",
        title: "Evaluate, open loop at 70 % of echo's saturation, both ends on one core",
        run: |s, b| b.open(s, true),
    },
    Scenario {
        id: "open-free",
        title: "Evaluate, open loop at 70 % of echo's saturation, server free to use all cores",
        run: |s, b| b.open(s, false),
    },
    Scenario {
        id: "stalled-exporter",
        title: "Evaluate, Unix socket, 64 in flight, one stalled exporter",
        run: |s, b| b.stalled(s),
    },
];

const UNARY: fn() -> Question = question::unary;
const BATCH: fn() -> Question = question::batch;
const STREAM: fn() -> Question = question::stream;

impl Bench {
    /// Asks Lictor once, to learn how long its answers are.
    pub fn new(effort: Effort, also: Option<std::path::PathBuf>) -> Self {
        let lictor = lictor(true, false);
        let (_, answer) = Connection::open(&lictor.unix(), question::unary()).expect("an answer");
        question::assert_allowed(&answer);
        Self { effort, also, answer_bytes: answer.len() }
    }

    /// Bytes of an answer.
    pub fn answer_bytes(&self) -> usize {
        self.answer_bytes
    }

    fn echo(&self) -> Rc<Server> {
        Rc::new(Server::echo(self.answer_bytes))
    }

    /// The servers that calls are compared on, the floor first, and the floor again to show the noise.
    fn servers(&self) -> Vec<(&'static str, Rc<Server>)> {
        let mut servers = vec![
            ("echo", self.echo()),
            ("echo again", self.echo()),
            ("lictor", lictor(true, false)),
            ("lictor, journal off", lictor(false, false)),
        ];
        if let Some(program) = &self.also {
            servers.push(("other lictor", Rc::new(Server::lictor_at(program, &setup(true, false)))));
        }
        servers
    }

    /// Closed loop, both ends on one core.
    fn calls(
        &self,
        scenario: &Scenario,
        question: fn() -> Question,
        connections: usize,
        in_flight: usize,
        tcp: bool,
    ) -> Comparison {
        let servers = self.servers();
        let _bound = OneCore::bind(servers.iter().map(|(_, server)| server));
        let side = |(name, server): &(&'static str, Rc<Server>)| Side::new(name, server, tcp, connections, &question());
        let drive = Drive::Closed { in_flight, length: self.effort.slice };
        compare(scenario.id, scenario.title, servers.iter().map(side).collect(), self.effort.pairs, &drive)
    }

    /// Open loop: what the journal does to latencies.
    fn open(&self, scenario: &Scenario, one_core: bool) -> Comparison {
        let servers = [
            ("lictor, journal off", lictor(false, false)),
            ("off again", lictor(false, false)),
            ("lictor", lictor(true, false)),
        ];
        let echo = self.echo();
        let all = processors();
        let _bound = if one_core {
            OneCore::bind(servers.iter().map(|(_, server)| server).chain([&echo]))
        } else {
            bind_self_to(&last_of(&all));
            OneCore { all }
        };
        let question = question::unary();
        let saturation = {
            let side = Side::new("echo", &echo, false, 1, &question);
            let drive = Drive::Closed { in_flight: 64, length: self.effort.slice };
            compare("saturation", "", vec![side], 5, &drive).sides[0].rate.median
        };
        let side = |(name, server): &(&'static str, Rc<Server>)| Side::new(name, server, false, 1, &question);
        let drive = Drive::Open { rate: saturation * 0.7, length: self.effort.slice * 2 };
        compare(scenario.id, scenario.title, servers.iter().map(side).collect(), self.effort.pairs, &drive)
    }

    /// An exporter that stands still must not hold up decisions.
    fn stalled(&self, scenario: &Scenario) -> Comparison {
        let servers = [
            ("lictor", lictor(true, false)),
            ("lictor again", lictor(true, false)),
            ("stalled exporter", lictor(true, true)),
        ];
        let _bound = OneCore::bind(servers.iter().map(|(_, server)| server));
        let question = question::unary();
        let side = |(name, server): &(&'static str, Rc<Server>)| Side::new(name, server, false, 1, &question);
        let drive = Drive::Closed { in_flight: 64, length: self.effort.slice };
        compare(scenario.id, scenario.title, servers.iter().map(side).collect(), self.effort.pairs, &drive)
    }
}

fn setup(journal: bool, stalled_exporter: bool) -> Setup {
    Setup { documents: Some(question::documents(RULES)), journal, stalled_exporter }
}

fn lictor(journal: bool, stalled_exporter: bool) -> Rc<Server> {
    Rc::new(Server::lictor(&setup(journal, stalled_exporter)))
}

/// While it lives, this thread and the servers share one core.
struct OneCore {
    all: rustix::thread::CpuSet,
}

impl OneCore {
    fn bind<'s>(servers: impl Iterator<Item = &'s Rc<Server>>) -> Self {
        let all = processors();
        let one = last_of(&all);
        servers.for_each(|server| server.bind_to(&one));
        bind_self_to(&one);
        Self { all }
    }
}

impl Drop for OneCore {
    fn drop(&mut self) {
        bind_self_to(&self.all);
    }
}
