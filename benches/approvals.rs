//! Approvals under load: so many callers at once, each creating, approving and redeeming, over the embedded store; beside the
//! fdatasync of the same disk.
//!
//! `cargo bench --bench approvals [-- [--json FILE] [DIR]]`; DIR is a folder on the disk to measure, FILE where to keep the
//! figures.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a measurement that cannot go on has failed")]

// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

mod arguments;

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lictor::api::WireCodec;
use lictor::approval::{Actor, Approvals, Creation, Decided, Parts, Redemption, Target, Vote};
use lictor::model::{Layer, Plan, Step, Subject, Text};
use lictor::policy::{SourceText, load};
use lictor::snapshot::{Holder, Snapshot};
use lictor::store::{Place, Store, StoreOptions};
use serde_json::{Value, json};

const DOCUMENTS: &str = "\
apiVersion: lictor.dev/v1
kind: ActionCatalog
metadata: {name: c}
spec:
  providers: [bank]
  actions: [{name: bank.transfer, tier: 2, providers: [bank]}]
---
apiVersion: lictor.dev/v1
kind: Policy
metadata: {name: p}
spec: {rules: [{name: r, effect: allow}]}
";

/// Callers at once, and how often each goes the whole way.
const LOADS: [(usize, usize); 5] = [(1, 500), (10, 200), (30, 100), (50, 100), (200, 40)];

fn main() {
    let arguments = arguments::Arguments::read();
    let folder = tempfile::tempdir_in(&arguments.parent).unwrap();
    let floor = fdatasync(folder.path());
    println!("fdatasync of 4 KiB: {:.2} ms (p50)", millis(floor));
    println!("a call: one of the three; a way: all three; ms");
    println!(
        "{:>8} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>10} {:>7} {:>7}",
        "callers", "call p50", "p95", "p99", "way p50", "p95", "p99", "changes/s", "cpu µs", "failed"
    );
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let measured = LOADS.map(|(callers, rounds)| {
        let place = Place::Sqlite(folder.path().join(format!("{callers}.db")));
        runtime.block_on(measure(place, callers, rounds))
    });
    arguments.keep(&measured);
}

/// The median of an append and fdatasync.
fn fdatasync(folder: &Path) -> Duration {
    let mut file = std::fs::File::create(folder.join("floor")).unwrap();
    let mut times: Vec<Duration> = (0..200)
        .map(|_| {
            file.write_all(&[7; 4096]).unwrap();
            let begin = Instant::now();
            file.sync_data().unwrap();
            begin.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[times.len() / 2]
}

async fn measure(place: Place, callers: usize, rounds: usize) -> Value {
    let store = Store::open(StoreOptions::new(place)).await.unwrap();
    let text = SourceText { name: "p".into(), layer: Layer::Organisation, text: DOCUMENTS.into() };
    let holder = Arc::new(Holder::default());
    drop(holder.publish(Arc::new(Snapshot::build(&load(&[text]).documents, 1))));
    let approvals = Approvals::new(Parts {
        store: store.clone(),
        holder,
        limits: Arc::default(),
        issuer: None,
        codec: Box::new(WireCodec),
        people: Box::new(()),
        metrics: Arc::default(),
        courier: None,
    });
    let (begin, used) = (Instant::now(), cpu());
    let mut tasks = tokio::task::JoinSet::new();
    for caller in 0..callers {
        let approvals = approvals.clone();
        tasks.spawn(async move {
            let (mut calls, mut ways, mut failed) = (Vec::with_capacity(rounds * 3), Vec::with_capacity(rounds), 0);
            for round in 0..rounds {
                let begin = Instant::now();
                match whole_way(&approvals, &format!("{caller}-{round}"), &mut calls).await {
                    Some(()) => ways.push(begin.elapsed()),
                    None => failed += 1,
                }
            }
            (calls, ways, failed)
        });
    }
    let (mut calls, mut ways, mut failed) = (Vec::new(), Vec::new(), 0);
    while let Some(done) = tasks.join_next().await {
        let (of_calls, of_ways, of_failed) = done.unwrap();
        calls.extend(of_calls);
        ways.extend(of_ways);
        failed += of_failed;
    }
    let rate = calls.len() as f64 / begin.elapsed().as_secs_f64();
    let each = (cpu() - used).as_secs_f64() * 1e6 / calls.len() as f64;
    let [call, way] = [calls, ways].map(|mut times| {
        times.sort_unstable();
        [0.5, 0.95, 0.99].map(|share| millis(times[((times.len() - 1) as f64 * share) as usize]))
    });
    println!(
        "{callers:>8} {:>9.2} {:>9.2} {:>9.2} {:>9.2} {:>9.2} {:>9.2} {rate:>10.0} {each:>7.0} {failed:>7}",
        call[0], call[1], call[2], way[0], way[1], way[2]
    );
    store.close().await;
    json!({
        "callers": callers, "call_p50": call[0], "call_p95": call[1], "way_p50": way[0], "way_p95": way[1],
        "rate": rate, "processor": each, "failed": failed,
    })
}

/// Processor time that this process has used.
fn cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Creates, approves and redeems; adds how long each took.
async fn whole_way(approvals: &Approvals, key: &str, times: &mut Vec<Duration>) -> Option<()> {
    let runtime = Actor { principal: "cn:runtime".into(), level: None };
    let lead = Actor { principal: "cn:lead".into(), level: Some(4) };
    let step = Step {
        action: "bank.transfer".into(),
        provider: "bank".into(),
        idempotency_key: key.into(),
        ..Step::default()
    };
    let plan =
        Plan { subject: Subject { id: "agent".into(), ..Subject::default() }, steps: vec![step], ..Plan::default() };
    let creation = Creation {
        idempotency_key: key.into(),
        tenant: Text::default(),
        target: Target::Plan(Box::new(plan)),
        requested_by: Text::default(),
        justification: String::new(),
        ttl_seconds: None,
        webhook_endpoints: Vec::new(),
        correlation_id: Text::default(),
    };
    let begin = Instant::now();
    let newly = approvals.create(&runtime, creation).await.ok()?;
    times.push(begin.elapsed());
    let approval = newly.approval;
    let vote = Vote { target_hash: approval.target_hash.clone(), ..Vote::default() };
    let begin = Instant::now();
    approvals.decide(&lead, &approval.tenant_id, &approval.id, Decided::Approve(vote)).await.ok()?;
    times.push(begin.elapsed());
    let redemption = Redemption {
        tenant: approval.tenant_id,
        token: newly.token.reveal().to_owned(),
        target_hash: approval.target_hash,
        step: None,
        redemption_key: key.into(),
    };
    let begin = Instant::now();
    approvals.consume(&runtime, &redemption).await.ok()?;
    times.push(begin.elapsed());
    Some(())
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
