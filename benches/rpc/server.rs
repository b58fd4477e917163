//! Servers under test: processes of their own, their processor time and memory as the kernel counts them.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use clap::ValueEnum as _;
use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use super::callers::Known;
use super::echo::Threads;
use super::http2::Address;

/// A server that does not come up or catch up within this time is broken.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between looks at whether a server is ready.
const LOOK: Duration = Duration::from_micros(500);

/// How Lictor is set up.
#[derive(Debug, Clone, Default)]
pub struct Setup {
    /// The documents; `None` for the default policies of the repository.
    pub documents: Option<String>,
    /// Whether decisions are recorded.
    pub journal: bool,
    /// Whether answers wait for their records.
    pub guaranteed: bool,
    /// Whether an exporter writes to a pipe that nobody reads.
    pub stalled_exporter: bool,
    /// What it knows of its callers.
    pub known: Known,
}

/// A running server.
pub struct Server {
    child: Child,
    folder: tempfile::TempDir,
    socket: PathBuf,
    tcp: SocketAddr,
    http: Option<SocketAddr>,
    /// The end of a pipe that nobody reads.
    _unread: Option<ChildStdout>,
    /// From the start of the process until it was ready.
    pub ready_after: Duration,
}

impl Server {
    /// Starts Lictor, the program that is built beside this one, over a folder of its own.
    pub fn lictor(setup: &Setup) -> Self {
        Self::lictor_at(Path::new(env!("CARGO_BIN_EXE_lictor")), setup)
    }

    /// Starts another build of Lictor.
    pub fn lictor_at(program: &Path, setup: &Setup) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let policies = match &setup.documents {
            Some(text) => {
                std::fs::create_dir(folder.path().join("policies")).expect("a folder");
                std::fs::write(folder.path().join("policies/policies.yaml"), text).expect("policies");
                folder.path().join("policies")
            }
            None => Path::new(env!("CARGO_MANIFEST_DIR")).join("policies/default"),
        };
        let mode = match (setup.journal, setup.guaranteed) {
            (_, true) => "guaranteed",
            (true, false) => "best_effort",
            (false, false) => "off",
        };
        let exporters = if setup.stalled_exporter { "[{type: stdout}]" } else { "[]" };
        let config = format!("events: {{mode: {mode}, exporters: {exporters}}}\n{}", setup.known.config);
        for (name, text) in &setup.known.files {
            std::fs::write(folder.path().join(name), text).expect("a file of the configuration");
        }
        std::fs::write(folder.path().join("lictor.yaml"), config).expect("a configuration");
        let (tcp, http) = (free_address(), free_address());
        let socket = folder.path().join("s");
        let start = Instant::now();
        let mut child = Command::new(program)
            .arg("serve")
            .args(["--config".as_ref(), folder.path().join("lictor.yaml").as_os_str()])
            .args(["--policies".as_ref(), policies.as_os_str()])
            .args(["--state".as_ref(), folder.path().join("state").as_os_str()])
            .args(["--socket".as_ref(), socket.as_os_str()])
            .args(["--listen", &tcp.to_string(), "--http", &http.to_string()])
            .stdin(Stdio::null())
            .stdout(if setup.stalled_exporter { Stdio::piped() } else { Stdio::null() })
            .stderr(std::fs::File::create(folder.path().join("log")).expect("a log"))
            .spawn()
            .expect("lictor starts");
        let unread = child.stdout.take();
        let mut server =
            Self { child, folder, socket, tcp, http: Some(http), _unread: unread, ready_after: Duration::ZERO };
        server.until("ready", |server| server.http_get("/readyz").is_some_and(|answer| answer.contains(" 200 ")));
        server.ready_after = start.elapsed();
        server
    }

    /// Starts the echo server, which is this program in another role.
    pub fn echo(answer_bytes: usize, threads: Threads) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let socket = folder.path().join("s");
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args(["echo".as_ref(), socket.as_os_str(), answer_bytes.to_string().as_ref()])
            .arg(threads.to_possible_value().expect("a name").get_name())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the echo server starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("its output")).read_line(&mut line).expect("its address");
        let tcp = line.trim().parse().expect("an address");
        Self { child, folder, socket, tcp, http: None, _unread: None, ready_after: Duration::ZERO }
    }

    /// Where it listens on a Unix socket.
    pub fn unix(&self) -> Address {
        Address::Unix(self.socket.clone())
    }

    /// Where it listens on TCP.
    pub fn tcp(&self) -> SocketAddr {
        self.tcp
    }

    /// Processor time used so far by the threads of each name, in nanoseconds.
    pub fn processor_time(&self) -> BTreeMap<String, u64> {
        let mut times = BTreeMap::new();
        for task in self.tasks() {
            let read = |name: &str| std::fs::read_to_string(task.join(name)).unwrap_or_default();
            let spent = read("schedstat").split(' ').next().and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
            *times.entry(read("comm").trim().to_owned()).or_default() += spent;
        }
        times
    }

    /// Resident memory in KiB, now and at its highest.
    pub fn resident_kib(&self) -> (u64, u64) {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|line| line.split_whitespace().next()).and_then(|text| text.parse().ok()).unwrap_or(0)
        };
        (field("VmRSS:"), field("VmHWM:"))
    }

    /// Binds every thread to the processors of `set`; threads that it starts later inherit that.
    pub fn bind_to(&self, set: &CpuSet) {
        for task in self.tasks() {
            let id = task.file_name().and_then(|name| name.to_str()?.parse().ok()).and_then(Pid::from_raw);
            // A thread may have ended meanwhile.
            let _ = sched_setaffinity(id, set);
        }
    }

    fn tasks(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).expect("the server runs");
        entries.map(|entry| entry.expect("a task").path()).collect()
    }

    /// Waits until every decision is in the journal. Gives how long that took, zero if all was there at once.
    pub fn catch_up(&self) -> Duration {
        let start = Instant::now();
        let mut took = Duration::ZERO;
        if self.http.is_some() {
            while self.metric("lictor_journal_lag_records") > 0.0 {
                std::thread::sleep(LOOK);
                took = start.elapsed();
                assert!(took < PATIENCE, "the journal does not catch up");
            }
        }
        took
    }

    /// Records that were lost before the journal.
    pub fn dropped(&self) -> u64 {
        if self.http.is_some() { self.metric("lictor_events_dropped_total") as u64 } else { 0 }
    }

    /// The sum of a metric over its labels.
    pub fn metric(&self, name: &str) -> f64 {
        let text = self.http_get("/metrics").expect("metrics");
        let of_name = text.lines().filter_map(|line| line.strip_prefix(name));
        let series = of_name.filter(|rest| rest.starts_with(['{', ' ']));
        series.filter_map(|rest| rest.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }

    /// Asks for a reload, as an operator does.
    pub fn hang_up(&self) {
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a process");
        rustix::process::kill_process(id, rustix::process::Signal::HUP).expect("a signal");
    }

    /// Replaces the policy file, as an editor does.
    pub fn write_policies(&self, text: &str) {
        let folder = self.folder.path().join("policies");
        std::fs::write(folder.join(".new"), text).expect("policies");
        std::fs::rename(folder.join(".new"), folder.join("policies.yaml")).expect("policies");
    }

    fn http_get(&self, path: &str) -> Option<String> {
        let mut stream = TcpStream::connect(self.http?).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer)
    }

    /// Waits until `holds`.
    pub fn until(&mut self, what: &str, holds: impl Fn(&Self) -> bool) {
        let start = Instant::now();
        while !holds(self) {
            let ended = self.child.try_wait().ok().flatten();
            if ended.is_some() || start.elapsed() > PATIENCE {
                let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
                panic!("the server is not {what}\n{log}");
            }
            std::thread::sleep(LOOK);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("its address")
}

/// The processors that this process may use.
pub fn processors() -> CpuSet {
    sched_getaffinity(None).expect("the processors")
}

/// The last one of `all`: the first is where interrupts go.
pub fn last_of(all: &CpuSet) -> CpuSet {
    let mut one = CpuSet::new();
    let last = (0..CpuSet::MAX_CPU).rev().find(|cpu| all.is_set(*cpu)).unwrap_or(0);
    one.set(last);
    one
}

/// Binds the calling thread to `set`.
pub fn bind_self_to(set: &CpuSet) {
    sched_setaffinity(None, set).expect("processors of our own");
}

/// Processor time that the calling thread has used, in nanoseconds.
pub fn own_time() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|text| text.parse().ok()).unwrap_or(0)
}
