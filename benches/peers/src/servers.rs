//! Other servers beside Lictor's, over a Unix socket: the same hundred rules, the same question, in turn.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use prost::Message;
use prost_types::Value;
use prost_types::value::Kind;
use serde::Serialize;

use crate::http2::{Address, Connection, Question};
use crate::load;
use crate::work::{Ask, action};

const RULES: usize = 100;
const ROUNDS: usize = 15;
const SLICE: Duration = Duration::from_millis(400);
const PATIENCE: Duration = Duration::from_secs(30);

/// One server. Times in microseconds, memory in MiB.
#[derive(Debug, Serialize)]
pub struct Measured {
    server: String,
    call: String,
    p50: f64,
    processor: f64,
    memory: f64,
}

/// A running server and what it is asked.
struct Server {
    name: &'static str,
    child: Child,
    folder: tempfile::TempDir,
    question: Question,
    allows: fn(&[u8]) -> bool,
}

/// Lictor, and Cerbos if there is one.
pub fn measure(lictor: &Path, cerbos: Option<&Path>) -> Vec<Measured> {
    let mut servers = vec![start_lictor(lictor)];
    servers.extend(cerbos.map(start_cerbos));
    let mut measured = Vec::new();
    for in_flight in [1, 64] {
        let mut connections: Vec<Connection> = servers.iter().map(Server::connect).collect();
        let mut seen: Vec<Vec<(f64, f64)>> = vec![Vec::new(); servers.len()];
        for round in 0..=ROUNDS {
            for (n, server) in servers.iter().enumerate() {
                let before = server.processor_nanos();
                let connection = std::slice::from_mut(&mut connections[n]);
                let mut taken = load::closed(connection, in_flight, SLICE).expect("every call is answered");
                // What the server does afterwards belongs to its calls.
                std::thread::sleep(Duration::from_millis(50));
                let calls = taken.latencies.len();
                let spent = server.processor_nanos().saturating_sub(before) as f64 / calls as f64 / 1e3;
                taken.latencies.sort_unstable();
                if round > 0 {
                    seen[n].push((f64::from(taken.latencies[calls / 2]) / 1e3, spent));
                }
            }
        }
        for (server, seen) in servers.iter().zip(seen) {
            let middle = |mut values: Vec<f64>| {
                values.sort_unstable_by(f64::total_cmp);
                values[values.len() / 2]
            };
            let row = Measured {
                server: server.name.to_owned(),
                call: format!("one check, {in_flight} in flight"),
                p50: middle(seen.iter().map(|(p50, _)| *p50).collect()),
                processor: middle(seen.iter().map(|(_, spent)| *spent).collect()),
                memory: server.resident_mib(),
            };
            println!("{row:?}");
            measured.push(row);
        }
    }
    measured
}

impl Server {
    fn address(&self) -> Address {
        Address::Unix(self.folder.path().join("s"))
    }

    fn connect(&self) -> Connection {
        let start = Instant::now();
        loop {
            match Connection::open(&self.address(), self.question.clone()) {
                Ok((connection, answer)) => {
                    assert!((self.allows)(&answer), "{} does not allow what it is to allow", self.name);
                    return connection;
                }
                Err(error) => assert!(start.elapsed() < PATIENCE, "{} does not answer: {error}", self.name),
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn processor_nanos(&self) -> u64 {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).expect("the server runs");
        let spent = |task: std::fs::DirEntry| {
            let text = std::fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
            text.split(' ').next().and_then(|text| text.parse::<u64>().ok()).unwrap_or(0)
        };
        tasks.filter_map(Result::ok).map(spent).sum()
    }

    fn resident_mib(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("the server runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("resident memory");
        line.split_whitespace().next().and_then(|text| text.parse::<f64>().ok()).expect("a number") / 1024.0
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn start(
    name: &'static str,
    command: &mut Command,
    folder: tempfile::TempDir,
    question: Question,
    allows: fn(&[u8]) -> bool,
) -> Server {
    let log = std::fs::File::create(folder.path().join("log")).expect("a log");
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().expect("the server starts");
    Server { name, child, folder, question, allows }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port()
}

// === Lictor ===

fn start_lictor(program: &Path) -> Server {
    let folder = tempfile::tempdir().expect("a folder");
    let mut text = String::from("apiVersion: lictor.dev/v1\nkind: Policy\nmetadata: {name: p}\nspec:\n  rules:\n");
    for n in 0..RULES {
        let _ = writeln!(
            text,
            "    - {{name: r{n}, effect: allow, actions: [{}], subjects: {{roles: [support]}}, when: \"has(context.amount) \
             && context.amount <= 50.0 && context.region == 'eu' && subject.type == 'agent'\"}}",
            action(n)
        );
    }
    std::fs::create_dir(folder.path().join("policies")).expect("a folder");
    std::fs::write(folder.path().join("policies/p.yaml"), text).expect("policies");
    let mut command = Command::new(program);
    command
        .args(["serve", "--listen", "off", "--http", "off", "--policies"])
        .arg(folder.path().join("policies"))
        .arg("--state")
        .arg(folder.path().join("state"))
        .arg("--socket")
        .arg(folder.path().join("s"));
    let request = lictor_message::EvaluateRequest {
        subject: Some(lictor_message::Subject {
            kind: "agent".to_owned(),
            id: "support-7".to_owned(),
            roles: vec!["support".to_owned()],
        }),
        action: Some(lictor_message::Action { name: Ask::Hit.action(RULES) }),
        resource: Some(lictor_message::Resource { kind: "order".to_owned(), id: "eu/4711".to_owned() }),
        context: Some(prost_types::Struct { fields: attributes() }),
    };
    let question = Question {
        path: "/lictor.v1.DecisionService/Evaluate",
        message: request.encode_to_vec(),
        streaming: false,
        least_answer: 64,
    };
    let allows = |answer: &[u8]| lictor_message::EvaluateResponse::decode(answer).is_ok_and(|answer| answer.allowed);
    start("lictor, journal on", &mut command, folder, question, allows)
}

fn attributes() -> BTreeMap<String, Value> {
    let value = |kind| Value { kind: Some(kind) };
    BTreeMap::from([
        ("amount".to_owned(), value(Kind::NumberValue(20.0))),
        ("region".to_owned(), value(Kind::StringValue("eu".to_owned()))),
    ])
}

/// The parts of Lictor's messages that are used here; the embedded library does not have them.
mod lictor_message {
    #[derive(Clone, PartialEq, prost::Message)]
    pub struct EvaluateRequest {
        #[prost(message, optional, tag = "3")]
        pub subject: Option<Subject>,
        #[prost(message, optional, tag = "4")]
        pub action: Option<Action>,
        #[prost(message, optional, tag = "5")]
        pub resource: Option<Resource>,
        #[prost(message, optional, tag = "6")]
        pub context: Option<prost_types::Struct>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct EvaluateResponse {
        #[prost(bool, tag = "4")]
        pub allowed: bool,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Subject {
        #[prost(string, tag = "1")]
        pub kind: String,
        #[prost(string, tag = "2")]
        pub id: String,
        #[prost(string, repeated, tag = "3")]
        pub roles: Vec<String>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Action {
        #[prost(string, tag = "1")]
        pub name: String,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Resource {
        #[prost(string, tag = "1")]
        pub kind: String,
        #[prost(string, tag = "2")]
        pub id: String,
    }
}

// === Cerbos ===

fn start_cerbos(program: &Path) -> Server {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("s");
    let policies = folder.path().join("policies");
    std::fs::create_dir(&policies).expect("a folder");
    let mut text = String::from(
        "apiVersion: api.cerbos.dev/v1\nresourcePolicy:\n  version: default\n  resource: order\n  rules:\n",
    );
    for n in 0..RULES {
        let _ = writeln!(
            text,
            "    - actions: [\"{}\"]\n      effect: EFFECT_ALLOW\n      roles: [support]\n      condition:\n        match:\n          \
             expr: has(R.attr.amount) && R.attr.amount <= 50.0 && R.attr.region == \"eu\" && P.attr.type == \"agent\"",
            action(n)
        );
    }
    std::fs::write(policies.join("order.yaml"), text).expect("policies");
    let config = format!(
        "server: {{grpcListenAddr: \"unix:{}\", httpListenAddr: \"127.0.0.1:{}\"}}\nstorage: {{driver: disk, disk: {{directory: \
         {}}}}}\ntelemetry: {{disabled: true}}\n",
        socket.display(),
        free_port(),
        policies.display()
    );
    std::fs::write(folder.path().join("conf.yaml"), config).expect("a configuration");
    let mut command = Command::new(program);
    command.args(["server", "--log-level=WARN", "--config"]).arg(folder.path().join("conf.yaml"));
    let kind = Value { kind: Some(Kind::StringValue("agent".to_owned())) };
    let request = cerbos_message::CheckResourcesRequest {
        principal: Some(cerbos_message::Principal {
            id: "support-7".to_owned(),
            roles: vec!["support".to_owned()],
            attr: BTreeMap::from([("type".to_owned(), kind)]),
        }),
        resources: vec![cerbos_message::ResourceEntry {
            actions: vec![Ask::Hit.action(RULES)],
            resource: Some(cerbos_message::Resource {
                kind: "order".to_owned(),
                id: "eu/4711".to_owned(),
                attr: attributes(),
            }),
        }],
    };
    let question = Question {
        path: "/cerbos.svc.v1.CerbosService/CheckResources",
        message: request.encode_to_vec(),
        streaming: false,
        least_answer: 16,
    };
    // Effect 1 is allow.
    let allows = |answer: &[u8]| {
        let answer = cerbos_message::CheckResourcesResponse::decode(answer);
        answer.is_ok_and(|answer| answer.results.iter().flat_map(|result| result.actions.values()).eq(&[1]))
    };
    start("Cerbos 0.55", &mut command, folder, question, allows)
}

/// The parts of Cerbos' messages that are used here, by the numbers of its published definitions.
mod cerbos_message {
    use std::collections::BTreeMap;

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct CheckResourcesRequest {
        #[prost(message, optional, tag = "3")]
        pub principal: Option<Principal>,
        #[prost(message, repeated, tag = "4")]
        pub resources: Vec<ResourceEntry>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Principal {
        #[prost(string, tag = "1")]
        pub id: String,
        #[prost(string, repeated, tag = "3")]
        pub roles: Vec<String>,
        #[prost(btree_map = "string, message", tag = "4")]
        pub attr: BTreeMap<String, prost_types::Value>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct ResourceEntry {
        #[prost(string, repeated, tag = "1")]
        pub actions: Vec<String>,
        #[prost(message, optional, tag = "2")]
        pub resource: Option<Resource>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Resource {
        #[prost(string, tag = "1")]
        pub kind: String,
        #[prost(string, tag = "3")]
        pub id: String,
        #[prost(btree_map = "string, message", tag = "4")]
        pub attr: BTreeMap<String, prost_types::Value>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct CheckResourcesResponse {
        #[prost(message, repeated, tag = "2")]
        pub results: Vec<ResultEntry>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct ResultEntry {
        #[prost(btree_map = "string, int32", tag = "2")]
        pub actions: BTreeMap<String, i32>,
    }
}
