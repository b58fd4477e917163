//! Killed at random moments of a load: nothing that was answered is lost, nothing happens twice, nothing comes from nowhere,
//! neither in the store nor in the journal.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use lictor::app::Relay;
use lictor::event::{EventLog, EventOptions};
use lictor::model::{ApprovalQuery, ApprovalStatus};
use lictor::store::{Changed, Created, Place, Store, StoreOptions};

use crate::harness::{PATIENCE, approval, moment, new, to, wait_for};
use crate::postgres;

/// What the loading process is told by its environment.
const URL: &str = "LICTOR_LOAD_URL";
const STATE: &str = "LICTOR_LOAD_STATE";

/// Where an approval goes, by version.
const WAY: [ApprovalStatus; 3] = [ApprovalStatus::Pending, ApprovalStatus::Approved, ApprovalStatus::Consumed];

fn options(url: &str, state: &Path) -> StoreOptions {
    let mut options = StoreOptions::new(Place::parse(url, None, state).expect("a URL"));
    options.wait = PATIENCE;
    options
}

/// The loading process: says `? ID VERSION` before and `= ID VERSION` after each change, until it is killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "is a process of its own, which the other tests start and kill"]
async fn loading_process() {
    let (Ok(url), Some(state)) = (std::env::var(URL), std::env::var_os(STATE)) else { return };
    let state = PathBuf::from(state);
    let events = Arc::new(EventLog::open(EventOptions::new(&state)).expect("the journal"));
    let store = Store::open(options(&url, &state)).await.expect("the store");
    let owner = state.display().to_string();
    let _relay = Relay::start(store.clone(), events, state.join("journal"), owner);
    let callers: Vec<_> = (0..4).map(|_| tokio::spawn(changes(store.clone()))).collect();
    for caller in callers {
        caller.await.expect("a caller");
    }
}

async fn changes(store: Store) {
    loop {
        let mut approval = approval(store.now().await.expect("the time"), 1);
        say('?', &approval.id, 1);
        assert_eq!(store.create_approval(new(approval.clone())).await.expect("creation"), Created::New);
        say('=', &approval.id, 1);
        for status in &WAY[1..] {
            let change = to(&approval, *status, "jwt:iss#ann", approval.created_at);
            approval = change.approval.clone();
            say('?', &approval.id, approval.version);
            assert_eq!(store.change_approval(change).await.expect("change"), Changed::Done);
            say('=', &approval.id, approval.version);
        }
    }
}

/// One write, so that lines of several callers do not mix.
fn say(sign: char, id: &str, version: u64) {
    let line = format!("{sign} {id} {version}\n");
    std::io::stdout().write_all(line.as_bytes()).and_then(|()| std::io::stdout().flush()).expect("standard output");
}

/// What the loading processes said: by approval the version that was answered, and the one that was asked for.
type Told = Arc<Mutex<HashMap<String, (u64, u64)>>>;

struct Loading {
    process: Child,
    reader: JoinHandle<()>,
}

impl Loading {
    fn start(url: &str, state: &Path, told: &Told) -> Self {
        let mut process = Command::new(std::env::current_exe().expect("this program"))
            .args(["--ignored", "--exact", "--nocapture", "store_crash::loading_process"])
            .env(URL, url)
            .env(STATE, state)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the loading process");
        let output = BufReader::new(process.stdout.take().expect("its output"));
        let told = told.clone();
        let reader = std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                let words: Vec<&str> = line.split(' ').collect();
                // The test harness prints too, and the last line may be cut.
                let [sign @ ("?" | "="), id, version] = words.as_slice() else { continue };
                let (36, Ok(version)) = (id.len(), version.parse()) else { continue };
                let mut told = told.lock().expect("no panic");
                let entry = told.entry((*id).to_owned()).or_default();
                if *sign == "=" { entry.0 = version } else { entry.1 = version }
            }
        });
        Self { process, reader }
    }

    fn kill(mut self) {
        // SIGKILL.
        self.process.kill().expect("kill");
        self.process.wait().expect("the process ends");
        self.reader.join().expect("its output is read");
    }
}

/// Number of changes that were answered.
fn answered(told: &Told) -> u64 {
    told.lock().expect("no panic").values().map(|(sure, _)| *sure).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_killed_100_times_on_sqlite() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let state = folder.path().to_owned();
    killed("sqlite:lictor.db".to_owned(), vec![state], 100).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_killed_50_times_on_one_postgres() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let states: Vec<PathBuf> = ["a", "b"].iter().map(|name| folder.path().join(name)).collect();
    states.iter().for_each(|state| std::fs::create_dir(state).expect("a state directory"));
    let url = tokio::task::spawn_blocking(|| postgres::shared().database()).await.expect("a database");
    killed(url, states, 50).await;
}

async fn killed(url: String, states: Vec<PathBuf>, rounds: u32) {
    let told = Told::default();
    let (loading_told, loading_url, loading_states) = (told.clone(), url.clone(), states.clone());
    tokio::task::spawn_blocking(move || {
        for _ in 0..rounds {
            let before = answered(&loading_told);
            let start = |state: &PathBuf| Loading::start(&loading_url, state, &loading_told);
            let processes: Vec<Loading> = loading_states.iter().map(start).collect();
            wait_for("change", || answered(&loading_told) > before);
            std::thread::sleep(moment(60));
            processes.into_iter().for_each(Loading::kill);
        }
    })
    .await
    .expect("the load");

    // The next start brings over what the last one left.
    let mut store = None;
    for state in &states {
        let events = Arc::new(EventLog::open(EventOptions::new(state)).expect("the journal"));
        let opened = Store::open(options(&url, state)).await.expect("the store");
        let owner = state.display().to_string();
        Relay::start(opened.clone(), events.clone(), state.join("journal"), owner).stop(PATIENCE).await;
        events.close(PATIENCE).expect("the journal is complete");
        store = Some(opened);
    }
    let store = store.expect("a store");
    assert_eq!(store.figures().await.expect("figures").outbox, 0, "all events are in a journal");

    let told = told.lock().expect("no panic").clone();
    assert!(told.len() >= rounds as usize, "{} approvals", told.len());
    let query = ApprovalQuery { tenant_id: "acme".into(), limit: 1_000_000, ..ApprovalQuery::default() };
    let found = store.list_approvals(&query).await.expect("list").items;
    let versions: HashMap<String, u64> = found.iter().map(|one| (one.id.to_string(), one.version)).collect();
    assert_eq!(versions.len(), found.len());
    for (id, (sure, asked)) in &told {
        let version = versions.get(id).copied().unwrap_or(0);
        assert!((*sure..=*asked).contains(&version), "{id}: {sure} was answered, {asked} asked for, {version} found");
    }
    for approval in &found {
        assert!(told.contains_key(approval.id.as_str()), "{} came from nowhere", approval.id);
        assert_eq!(approval.status, WAY[approval.version as usize - 1]);
    }
    let expected: u64 = versions.values().sum();
    let history = lictor::model::HistoryQuery {
        tenant_id: "acme".into(),
        limit: 10_000_000,
        ..lictor::model::HistoryQuery::default()
    };
    assert_eq!(store.list_history(&history).await.expect("history").items.len() as u64, expected, "a row a change");

    let mut journalled: HashMap<String, Vec<u64>> = HashMap::new();
    let mut ids = std::collections::HashSet::new();
    for event in states.iter().flat_map(|state| journal(state)) {
        if event["payload"]["approval_id"].is_null() {
            continue;
        }
        assert!(ids.insert(event["id"].as_str().expect("an id").to_owned()), "twice: {event}");
        let id = event["payload"]["approval_id"].as_str().expect("an approval").to_owned();
        journalled.entry(id).or_default().push(event["payload"]["version"].as_u64().expect("a version"));
    }
    assert_eq!(ids.len() as u64, expected, "an event a change");
    for (id, mut seen) in journalled {
        if states.len() > 1 {
            // Either server may have journalled a part of them.
            seen.sort_unstable();
        }
        let all: Vec<u64> = (1..=versions.get(&id).copied().unwrap_or(0)).collect();
        assert_eq!(seen, all, "{id}: each change once and in order");
    }
    store.close().await;
}

/// The records of the journal in a state directory, in order.
fn journal(state: &Path) -> Vec<serde_json::Value> {
    let mut segments: Vec<PathBuf> = std::fs::read_dir(state.join("journal"))
        .expect("journal")
        .map(|entry| entry.expect("entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "jsonl"))
        .collect();
    segments.sort();
    let text: String = segments.iter().map(|path| std::fs::read_to_string(path).expect("segment")).collect();
    text.lines().map(|line| serde_json::from_str(line).expect("a record")).collect()
}
