//! Starts the program in a folder of its own and talks to it.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hyper_util::rt::TokioIo;
use lictor::api::proto::v1::decision_service_client::DecisionServiceClient;
use lictor::api::proto::v1::{Action, EvaluateRequest, Subject};
use tonic::transport::{Channel, Endpoint};

/// Longest that a test waits for something that should happen soon.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub type Client = DecisionServiceClient<Channel>;

/// A folder with policies and state, and the program running over it.
pub struct Lictor {
    folder: tempfile::TempDir,
    child: Option<Child>,
    /// Content of `lictor.yaml`, if the program is to have one.
    pub config: String,
    /// Further arguments of `lictor serve`.
    pub arguments: Vec<&'static str>,
    pub tcp: SocketAddr,
    pub http: SocketAddr,
}

impl Lictor {
    /// Starts over a folder with one policy file and waits until it is ready.
    pub fn start(policies: &str) -> Self {
        let mut lictor = Self::prepare(policies);
        lictor.run();
        lictor
    }

    /// A folder with one policy file.
    pub fn prepare(policies: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::create_dir(folder.path().join("policies")).expect("policies folder");
        let lictor = Self {
            folder,
            child: None,
            config: String::new(),
            arguments: Vec::new(),
            tcp: free_address(),
            http: free_address(),
        };
        lictor.write_policies(policies);
        lictor
    }

    /// Starts the program (again) over the folder and waits until it is ready.
    pub fn run(&mut self) {
        self.run_with(Stdio::null());
    }

    /// The same, with its output to go there.
    pub fn run_with(&mut self, output: Stdio) {
        self.spawn_with(output);
        wait_for("readiness", || self.http_get("/readyz").is_some_and(|answer| answer.starts_with("HTTP/1.1 200")));
    }

    /// Starts the program over the folder.
    pub fn spawn(&mut self) {
        self.spawn_with(Stdio::null());
    }

    fn spawn_with(&mut self, output: Stdio) {
        if !self.config.is_empty() {
            std::fs::write(self.path("lictor.yaml"), &self.config).expect("write configuration");
        }
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.path("log")).expect("log file");
        let child = Command::new(env!("CARGO_BIN_EXE_lictor"))
            .arg("serve")
            .args(["--policies".as_ref(), self.path("policies").as_os_str()])
            .args(["--state".as_ref(), self.path("state").as_os_str()])
            .args(["--listen", &self.tcp.to_string(), "--http", &self.http.to_string()])
            .args(&self.arguments)
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(log)
            .spawn()
            .expect("lictor starts");
        self.child = Some(child);
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn socket(&self) -> PathBuf {
        self.path("state/lictor.sock")
    }

    /// Replaces the policy file as an editor does: write beside it, then rename.
    pub fn write_policies(&self, text: &str) {
        let beside = self.path("policies/.policies.yaml.tmp");
        std::fs::write(&beside, text).expect("write policies");
        std::fs::rename(&beside, self.path("policies/policies.yaml")).expect("rename policies");
    }

    /// The whole answer to an HTTP request, if there is one.
    pub fn http_get(&self, path: &str) -> Option<String> {
        let mut stream = TcpStream::connect(self.http).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
        write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer)
    }

    pub fn signal(&self, signal: &str) {
        let id = self.child.as_ref().expect("running").id().to_string();
        let status = Command::new("kill").args([signal, &id]).status().expect("kill runs");
        assert!(status.success(), "kill {signal} {id}");
    }

    /// The reading end of the program's output, once, where it was started with a pipe.
    #[allow(dead_code, reason = "for benches/robustness, which shares this file")]
    pub fn output(&mut self) -> Option<std::process::ChildStdout> {
        self.child.as_mut()?.stdout.take()
    }

    fn process_file(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{name}", self.child.as_ref().expect("running").id()))
    }

    /// Forgets what the program's resident memory has been at most.
    pub fn reset_peak_memory(&self) {
        std::fs::write(self.process_file("clear_refs"), "5").expect("reset of the peak");
    }

    /// What the program's resident memory has been at most, in KiB.
    pub fn peak_memory_kib(&self) -> u64 {
        self.memory_kib("VmHWM:")
    }

    /// What the program's resident memory is, in KiB.
    pub fn resident_memory_kib(&self) -> u64 {
        self.memory_kib("VmRSS:")
    }

    /// The part of it that is not the program's own file, in KiB.
    pub fn anonymous_memory_kib(&self) -> u64 {
        self.memory_kib("RssAnon:")
    }

    fn memory_kib(&self, field: &str) -> u64 {
        let status = std::fs::read_to_string(self.process_file("status")).expect("status of the program");
        let value = status.lines().find_map(|line| line.strip_prefix(field)?.trim().strip_suffix(" kB"));
        value.and_then(|value| value.parse().ok()).expect("a figure")
    }

    /// Waits until the program has ended.
    pub fn wait(&mut self) -> ExitStatus {
        let mut child = self.child.take().expect("running");
        let started = Instant::now();
        loop {
            if let Some(status) = child.try_wait().expect("wait") {
                return status;
            }
            if started.elapsed() > PATIENCE {
                let _ = child.kill();
                panic!("lictor does not end\n{}", self.log());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// Runs another sub-command over the same state and gives exit code and output.
    pub fn command(&self, arguments: &[&str]) -> (i32, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_lictor"))
            .args(arguments)
            .current_dir(self.folder.path())
            .output()
            .expect("lictor runs");
        let printed = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output.status.code().unwrap_or(-1), printed)
    }

    /// `lictor audit verify` over the state.
    pub fn audit_verify(&self) -> (i32, String) {
        let state = self.path("state").display().to_string();
        self.command(&["audit", "verify", "--state", &state])
    }

    /// Journal segments, oldest first.
    pub fn segments(&self) -> Vec<PathBuf> {
        let mut segments: Vec<PathBuf> = std::fs::read_dir(self.path("state/journal"))
            .expect("journal")
            .map(|entry| entry.expect("entry").path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "jsonl"))
            .collect();
        segments.sort();
        segments
    }

    /// Every whole record of the journal.
    pub fn journal(&self) -> Vec<serde_json::Value> {
        self.journal_lines().lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    fn journal_lines(&self) -> String {
        self.segments().iter().map(|path| std::fs::read_to_string(path).expect("segment")).collect()
    }

    /// Records of one type.
    pub fn records(&self, kind: &str) -> Vec<serde_json::Value> {
        let member = format!("\"type\":\"{kind}\"");
        let text = self.journal_lines();
        let of_kind = text.lines().filter(|line| line.contains(&member));
        of_kind.filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// The value of a metric, by name and labels as they stand in the exposition; 0 if it is not there.
    pub fn metric(&self, series: &str) -> u64 {
        let text = self.http_get("/metrics").unwrap_or_default();
        let value = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        value.and_then(|value| value.parse::<f64>().ok()).map_or(0, |value| value as u64)
    }

    /// A client over the Unix socket.
    pub async fn client(&self) -> Client {
        DecisionServiceClient::new(connect(&self.socket()).await)
    }
}

impl Drop for Lictor {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            eprintln!("log of lictor:\n{}", self.log());
        }
    }
}

async fn connect(socket: &Path) -> Channel {
    let socket = socket.to_owned();
    let connector = tower::service_fn(move |_| {
        let socket = socket.clone();
        async move { tokio::net::UnixStream::connect(socket).await.map(TokioIo::new) }
    });
    Endpoint::from_static("http://localhost").connect_with_connector(connector).await.expect("connect")
}

/// An address that nobody listens on.
pub fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("its address")
}

/// Waits until `holds`, which should be soon.
pub fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < PATIENCE, "no {what} within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A question about `action`.
pub fn question(action: &str) -> EvaluateRequest {
    EvaluateRequest {
        subject: Some(Subject { id: "agent-1".to_owned(), ..Subject::default() }),
        action: Some(Action { name: action.to_owned(), properties: None }),
        ..EvaluateRequest::default()
    }
}

/// Pause of a caller between its questions: a journal of moderate size suffices.
const PAUSE: Duration = Duration::from_micros(200);

/// Asks from several tasks until told to stop.
pub struct Load {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
    tasks: Vec<tokio::task::JoinHandle<Vec<tonic::Status>>>,
}

impl Load {
    /// `tasks` callers, each asking about `action`.
    pub async fn start(lictor: &Lictor, tasks: usize, action: &'static str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let answered = Arc::new(AtomicU64::new(0));
        let client = lictor.client().await;
        let tasks = (0..tasks)
            .map(|_| {
                let (stop, answered, mut client) = (stop.clone(), answered.clone(), client.clone());
                tokio::spawn(async move {
                    let mut failures = Vec::new();
                    while !stop.load(Ordering::Relaxed) && failures.is_empty() {
                        match client.evaluate(question(action)).await {
                            Ok(_) => _ = answered.fetch_add(1, Ordering::Relaxed),
                            Err(status) => failures.push(status),
                        }
                        tokio::time::sleep(PAUSE).await;
                    }
                    failures
                })
            })
            .collect();
        Self { stop, answered, tasks }
    }

    pub fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }

    /// Stops the callers and gives the number of answers and every failure.
    pub async fn stop(self) -> (u64, Vec<tonic::Status>) {
        self.stop.store(true, Ordering::Relaxed);
        let mut failures = Vec::new();
        for task in self.tasks {
            failures.extend(task.await.expect("caller"));
        }
        (self.answered.load(Ordering::Relaxed), failures)
    }
}
