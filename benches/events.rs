//! The record of decisions: what a worker pays to hand a record to the ring, and what the writer pays to journal it.
//!
//! `cargo bench --bench events`

#![allow(clippy::expect_used, missing_docs, reason = "a benchmark that cannot be set up has nothing to measure")]

use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lictor::decide;
use lictor::event::{DecisionRecord, EventLog, EventOptions, Recorder};
use lictor::model::{Action, Attributes, Layer, Limits, Request, Subject, Timestamp, Value};
use lictor::policy::{self, SourceText};
use lictor::snapshot::Snapshot;

/// Records between two waits for the writer; fewer than the ring holds.
const RECORDS: u64 = 8_192;

const POLICY: &str = "
apiVersion: lictor.dev/v1
kind: Policy
metadata: {name: refunds}
spec:
  rules:
    - {name: small, effect: allow, actions: [payment.refund], when: context.amount <= 50.0}
";

/// Decisions of one small allowed request.
struct Decisions {
    snapshot: Snapshot,
    request: Request,
    limits: Limits,
    now: Timestamp,
}

impl Decisions {
    fn new() -> Self {
        let source = SourceText { name: "bench.yaml".into(), layer: Layer::Organisation, text: POLICY.into() };
        let loaded = policy::load(&[source]);
        assert!(!loaded.findings.has_errors(), "the benchmark's documents are valid");
        let context = vec![("amount".into(), Value::Number(20.0)), ("region".into(), Value::String("eu".into()))];
        let request = Request {
            request_id: "req-0001".into(),
            tenant_id: "acme".into(),
            subject: Subject {
                kind: "agent".into(),
                id: "support-7".into(),
                roles: vec!["support".into(), "night".into()],
                ..Subject::default()
            },
            action: Action { name: "payment.refund".into(), ..Action::default() },
            context: Attributes::from_entries(context).expect("unique keys"),
            ..Request::default()
        };
        Self {
            snapshot: Snapshot::build(&loaded.documents, 1),
            request,
            limits: Limits::default(),
            now: Timestamp::from_micros(1_800_000_000_000_000),
        }
    }

    fn record(&self, recorder: &Recorder) -> Box<DecisionRecord> {
        let decision = decide::evaluate(Some(&self.snapshot), &self.request, self.now, &self.limits);
        assert!(decision.allowed());
        Box::new(DecisionRecord {
            ticket: recorder.ticket(),
            decided_at: self.now,
            evaluation_nanos: 412,
            request: self.request.clone(),
            decision,
            actor: "uid:1000".into(),
        })
    }
}

/// Hands over `records` and gives how long that took, and how long until all of them were written.
#[expect(clippy::vec_box, reason = "making the boxes is not what is measured")]
fn record_all(log: &EventLog, recorder: &Recorder, records: Vec<Box<DecisionRecord>>) -> (Duration, Duration) {
    let stats = log.stats();
    let written = stats.events.load(Relaxed) + records.len() as u64;
    let start = Instant::now();
    for record in records {
        assert!(recorder.record(record).is_ok(), "the ring has room");
    }
    let handed_over = start.elapsed();
    while stats.events.load(Relaxed) < written {
        std::thread::yield_now();
    }
    (handed_over, start.elapsed())
}

fn events(c: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let log = EventLog::open(EventOptions::new(folder.path())).expect("an event log");
    let recorder = log.recorder(0);
    let decisions = Decisions::new();
    let batch = |count: u64| (0..count).map(|_| decisions.record(&recorder)).collect::<Vec<_>>();

    let mut group = c.benchmark_group("events");
    group.sample_size(10);
    group.bench_function("hand a record to the ring", |b| {
        b.iter_custom(|iterations| {
            let mut taken = Duration::ZERO;
            let mut left = iterations;
            while left > 0 {
                let count = left.min(RECORDS);
                taken += record_all(&log, &recorder, batch(count)).0;
                left -= count;
            }
            taken
        });
    });
    group.throughput(Throughput::Elements(RECORDS));
    group.bench_function("journal 8192 records", |b| {
        b.iter_custom(|iterations| (0..iterations).map(|_| record_all(&log, &recorder, batch(RECORDS)).1).sum());
    });
    group.finish();
}

criterion_group!(benches, events);
criterion_main!(benches);
