//! Commits of the embedded store beside what the disk can do: `cargo bench --bench store
//! [-- [--json FILE] [DIRECTORY]]`.
//!
//! The floor is the rate of `fdatasync` after one write of a page, on the same disk: into a file whose blocks are there
//! already, as a write-ahead log that is used again writes, and to the end of a growing file.

#![allow(clippy::expect_used, missing_docs, reason = "a benchmark that cannot be set up has nothing to measure")]

// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

mod arguments;

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use lictor::event::EventType;
use lictor::model::{Approval, ApprovalStatus, HistoryRow, Progress, Stage, TargetKind, Timestamp};
use lictor::store::{ApprovalChange, Changed, Created, NewApproval, OutboxEvent, Place, Store, StoreOptions};
use serde_json::{Value, json};

/// How long each figure is measured, and before it not.
const MEASURED: Duration = Duration::from_secs(4);
const WARM: Duration = Duration::from_secs(1);

fn main() {
    let arguments = arguments::Arguments::read();
    let parent = &arguments.parent;
    let folder = tempfile::tempdir_in(parent).expect("a folder on the disk to be measured");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("runtime");
    println!("commits of the embedded store on {}, {} s each\n", parent.display(), MEASURED.as_secs());
    println!("| what | a second | median | p95 | of the floor |\n|---|---|---|---|---|");
    let mut rows = Vec::new();
    let mut show = |what: &str, figures: Figures, floor: Option<f64>| {
        let (rate, row) = show(what, figures, floor);
        rows.push(row);
        rate
    };
    let before = fdatasync(folder.path(), false);
    let floor = show("fdatasync of a page, blocks there", before, None);
    show("fdatasync of a page, file growing", fdatasync(folder.path(), true), Some(floor));
    for callers in [1, 4, 16, 50] {
        let file = folder.path().join(format!("{callers}.db"));
        let measured = runtime.block_on(commits(&file, callers));
        show(&format!("changes by {callers} callers"), measured, Some(floor));
    }
    // The disk may have changed its mind meanwhile.
    show("fdatasync of a page, once more", fdatasync(folder.path(), false), Some(floor));
    arguments.keep(&rows);
}

/// How long each of them took, and how long all together.
struct Figures {
    each: Vec<Duration>,
    all: Duration,
}

fn show(what: &str, mut figures: Figures, floor: Option<f64>) -> (f64, Value) {
    figures.each.sort();
    let rate = figures.each.len() as f64 / figures.all.as_secs_f64();
    let at = |part: usize| figures.each[(figures.each.len() - 1) * part / 100].as_secs_f64() * 1e3;
    let of_floor = floor.map(|floor| rate / floor);
    let shown = of_floor.map_or_else(String::new, |of_floor| format!("{of_floor:.2}"));
    println!("| {what} | {rate:.0} | {:.2} ms | {:.2} ms | {shown} |", at(50), at(95));
    std::io::stdout().flush().expect("standard output");
    (rate, json!({"what": what, "rate": rate, "p50": at(50), "p95": at(95), "of_floor": of_floor}))
}

fn fdatasync(folder: &Path, growing: bool) -> Figures {
    const PAGES: u64 = 4_096;
    let path = folder.join(if growing { "growing" } else { "there" });
    let file: File = OpenOptions::new().write(true).create(true).truncate(true).open(&path).expect("a file");
    let page = [0x5a_u8; 4_096];
    if !growing {
        for number in 0..PAGES {
            file.write_all_at(&page, number * 4_096).expect("write");
        }
        file.sync_all().expect("sync");
    }
    let mut figures = Figures { each: Vec::new(), all: Duration::ZERO };
    let begin = Instant::now();
    let mut measured_from = None;
    for number in 0_u64.. {
        let start = Instant::now();
        let offset = if growing { number } else { number % PAGES } * 4_096;
        file.write_all_at(&page, offset).expect("write");
        file.sync_data().expect("fdatasync");
        if begin.elapsed() < WARM {
            continue;
        }
        let from = *measured_from.get_or_insert(start);
        figures.each.push(start.elapsed());
        figures.all = from.elapsed();
        if figures.all >= MEASURED {
            break;
        }
    }
    figures
}

async fn commits(file: &Path, callers: usize) -> Figures {
    let mut options = StoreOptions::new(Place::Sqlite(file.to_owned()));
    options.wait = Duration::from_secs(30);
    let store = Store::open(options).await.expect("the store opens");
    let numbers = Arc::new(AtomicU64::new(0));
    let begin = Instant::now();
    let tasks: Vec<_> = (0..callers).map(|_| tokio::spawn(caller(store.clone(), numbers.clone(), begin))).collect();
    let mut each = Vec::new();
    for task in tasks {
        each.extend(task.await.expect("a caller"));
    }
    store.close().await;
    Figures { each, all: MEASURED }
}

/// Creates, approves and consumes, one change after the other.
async fn caller(store: Store, numbers: Arc<AtomicU64>, begin: Instant) -> Vec<Duration> {
    let mut each = Vec::new();
    while begin.elapsed() < WARM + MEASURED {
        let mut approval = approval(numbers.fetch_add(1, Ordering::Relaxed));
        let history = history(&approval, None);
        let events = vec![event(&approval)];
        let new = NewApproval {
            approval: approval.clone(),
            max_open: u32::MAX,
            max_open_of_tenant: u32::MAX,
            history,
            events,
            deliveries: Vec::new(),
        };
        let start = Instant::now();
        assert_eq!(store.create_approval(new).await.expect("creation"), Created::New);
        note(&mut each, start, begin);
        for status in [ApprovalStatus::Approved, ApprovalStatus::Consumed] {
            let before = approval.status;
            approval.version += 1;
            approval.status = status;
            let change = ApprovalChange {
                expected_version: approval.version - 1,
                only_while_live: true,
                only_after: None,
                history: Some(history_of(&approval, before)),
                voter: None,
                events: vec![event(&approval)],
                deliveries: Vec::new(),
                approval: approval.clone(),
            };
            let start = Instant::now();
            assert_eq!(store.change_approval(change).await.expect("change"), Changed::Done);
            note(&mut each, start, begin);
        }
    }
    each
}

fn note(each: &mut Vec<Duration>, start: Instant, begin: Instant) {
    if (WARM..WARM + MEASURED).contains(&begin.elapsed()) {
        each.push(start.elapsed());
    }
}

fn history_of(approval: &Approval, before: ApprovalStatus) -> HistoryRow {
    history(approval, Some(before))
}

fn history(approval: &Approval, from_status: Option<ApprovalStatus>) -> HistoryRow {
    HistoryRow {
        approval_id: approval.id.clone(),
        tenant_id: approval.tenant_id.clone(),
        version: approval.version,
        from_status,
        to_status: approval.status,
        actor: approval.created_by.clone(),
        reason: "measured".to_owned(),
        at: approval.created_at,
    }
}

fn event(approval: &Approval) -> OutboxEvent {
    let mut event = OutboxEvent::new(EventType::IrValidatedEscalate, "acme", "uid:1000", approval.created_at);
    event.payload =
        serde_json::json!({"approval_id": approval.id.as_str(), "target_hash": approval.target_hash.as_str()});
    event
}

fn approval(number: u64) -> Approval {
    let now = Timestamp::from_system(SystemTime::now());
    let later = Timestamp::from_micros(now.as_micros() + 3_600_000_000);
    let digest = |kind: u8| {
        let mut digest = [kind; 32];
        digest[..8].copy_from_slice(&number.to_be_bytes());
        digest
    };
    Approval {
        id: uuid::Uuid::now_v7().to_string().into(),
        tenant_id: "acme".into(),
        version: 1,
        status: ApprovalStatus::Pending,
        target_kind: TargetKind::Plan,
        target_hash: format!("sha256:{}", "ab".repeat(32)).into(),
        target: vec![0x5a; 1_024],
        view: vec![0x5a; 1_024],
        tier: 2,
        required_level: 3,
        snapshot: format!("sha256:{}", "cd".repeat(32)).into(),
        policy: "standard".into(),
        requested_by: "agent-7".into(),
        on_behalf_of: "".into(),
        created_by: "uid:1000".into(),
        justification: "the customer asked for it".to_owned(),
        cost_cents: Some(1_250),
        correlation_id: "corr-1".into(),
        created_at: now,
        updated_at: now,
        escalates_at: None,
        expires_at: later,
        resolved_at: None,
        consumed_at: None,
        token_hash: digest(1),
        key_hash: digest(2),
        body_hash: digest(3),
        epoch: 1,
        webhook_endpoints: Vec::new(),
        progress: Progress {
            stages: vec![Stage { level: 3, quorum: 1, approvals: Vec::new() }],
            ..Progress::default()
        },
    }
}
