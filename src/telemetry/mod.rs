//! Metrics and logs: every metric name (`names`), every handle, and how they are shown.
//!
//! Counters of the hot path are plain atomics, one shard a worker, and are added up when somebody asks. Handles of the
//! `metrics` facade are made at asking time too, so that nothing on the request path looks one up. Labels come from
//! closed sets; tenants appear only as hashes, and at most 900 of them.

mod approvals;
mod decisions;
mod histogram;
mod logs;
pub mod names;
mod plans;
mod process;
mod tenants;
mod webhooks;

#[cfg(test)]
mod tests;

pub use approvals::ApprovalMetrics;
pub use decisions::{DecisionMetrics, DecisionOutcome};
pub use histogram::{Disk, Histogram, render_labelled};
pub use logs::{LogError, LogFormat, init as init_logs};
pub use plans::PlanMetrics;
pub use tenants::Tenant;
pub use webhooks::WebhookMetrics;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use metrics::{counter, describe_counter, describe_gauge, gauge};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusRecorder};

use decisions::Shard;
use tenants::Tenants;

/// Reads figures that another room keeps, when the metrics are asked for. Runs with the recorder of this
/// [`Telemetry`] in place, so that `metrics::gauge!` and `metrics::counter!(…).absolute(…)` end up in its output.
pub type Collector = Box<dyn Fn() + Send + Sync>;

/// Adds what another room renders itself, in Prometheus' text format.
pub type Renderer = Box<dyn Fn(&mut String) + Send + Sync>;

/// All metrics of one server.
pub struct Telemetry {
    recorder: PrometheusRecorder,
    started: Instant,
    shards: Mutex<Vec<Arc<Shard>>>,
    tenants: Arc<Tenants>,
    plans: Arc<PlanMetrics>,
    approvals: Arc<ApprovalMetrics>,
    webhooks: Arc<WebhookMetrics>,
    collectors: Mutex<Vec<Collector>>,
    renderers: Mutex<Vec<Renderer>>,
    connections_refused: AtomicU64,
    snapshot: Mutex<Option<(u64, usize, Instant)>>,
}

impl Telemetry {
    /// Metrics that start from zero.
    #[must_use]
    pub fn new() -> Self {
        let recorder = PrometheusBuilder::new().build_recorder();
        metrics::with_local_recorder(&recorder, || {
            for (name, kind, help) in names::DESCRIBED {
                match kind {
                    names::Kind::Counter => describe_counter!(name, help),
                    names::Kind::Gauge => describe_gauge!(name, help),
                }
            }
            gauge!(names::BUILD_INFO, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
        });
        Self {
            recorder,
            started: Instant::now(),
            shards: Mutex::default(),
            tenants: Arc::default(),
            plans: Arc::default(),
            approvals: Arc::default(),
            webhooks: Arc::default(),
            collectors: Mutex::default(),
            renderers: Mutex::default(),
            connections_refused: AtomicU64::new(0),
            snapshot: Mutex::default(),
        }
    }

    /// The counters of a further data-plane worker.
    #[must_use]
    pub fn worker(&self) -> DecisionMetrics {
        let shard = Arc::<Shard>::default();
        lock(&self.shards).push(shard.clone());
        DecisionMetrics::new(shard, self.tenants.clone())
    }

    /// The counters of plans, shared by all threads.
    #[must_use]
    pub fn plans(&self) -> Arc<PlanMetrics> {
        self.plans.clone()
    }

    /// The counters of approvals, shared by all threads.
    #[must_use]
    pub fn approvals(&self) -> Arc<ApprovalMetrics> {
        self.approvals.clone()
    }

    /// The counters of webhooks.
    #[must_use]
    pub fn webhooks(&self) -> Arc<WebhookMetrics> {
        self.webhooks.clone()
    }

    /// Lets `collector` add figures whenever the metrics are asked for.
    pub fn collect_from(&self, collector: Collector) {
        lock(&self.collectors).push(collector);
    }

    /// Lets `renderer` add text whenever the metrics are asked for.
    pub fn render_from(&self, renderer: Renderer) {
        lock(&self.renderers).push(renderer);
    }

    /// Counts a call, or an item of a batch or stream, that could not be asked. Both labels come from closed sets.
    pub fn rpc_refused(&self, code: &'static str, reason: &'static str) {
        metrics::with_local_recorder(&self.recorder, || {
            counter!(names::RPC_ERRORS, "code" => code, "reason" => reason).increment(1);
        });
    }

    /// Counts a connection that was closed because of the limit.
    pub fn connection_refused(&self) {
        self.connections_refused.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes that a snapshot went live.
    pub fn snapshot_published(&self, revision: u64, rules: usize) {
        *lock(&self.snapshot) = Some((revision, rules, Instant::now()));
    }

    /// All metrics in Prometheus' text format.
    #[must_use]
    pub fn render(&self) -> String {
        let shards = lock(&self.shards).clone();
        metrics::with_local_recorder(&self.recorder, || self.collect(&shards));
        let mut text = self.recorder.handle().render();
        let help = "Time that evaluating a decision took";
        let durations = shards.iter().map(|shard| &shard.duration);
        histogram::render(&mut text, names::EVALUATE_DURATION, help, durations);
        self.plans.render(&mut text);
        self.webhooks.render(&mut text);
        for renderer in lock(&self.renderers).iter() {
            renderer(&mut text);
        }
        text
    }

    fn collect(&self, shards: &[Arc<Shard>]) {
        for (outcome, total) in decisions::totals(shards) {
            let [decision, effect, reason_code] = outcome.labels();
            counter!(names::DECISIONS, "decision" => decision, "effect" => effect, "reason_code" => reason_code)
                .absolute(total);
        }
        for (tenant, total) in self.tenants.counts() {
            counter!(names::TENANT_DECISIONS, "tenant" => tenant).absolute(total);
        }
        self.plans.collect();
        self.approvals.collect();
        self.webhooks.collect();
        counter!(names::CONNECTIONS_REFUSED).absolute(self.connections_refused.load(Ordering::Relaxed));
        let snapshot = *lock(&self.snapshot);
        gauge!(names::SNAPSHOT_REVISION).set(snapshot.map_or(0.0, |(revision, ..)| revision as f64));
        if let Some((_, rules, published)) = snapshot {
            gauge!(names::SNAPSHOT_RULES).set(rules as f64);
            gauge!(names::SNAPSHOT_AGE).set(published.elapsed().as_secs_f64());
        }
        gauge!(names::UPTIME).set(self.started.elapsed().as_secs_f64());
        let process = process::Process::now();
        if let Some(bytes) = process.resident_bytes {
            gauge!(names::PROCESS_RESIDENT).set(bytes);
        }
        if let Some(seconds) = process.cpu_seconds {
            counter!(names::PROCESS_CPU).absolute(seconds);
        }
        if let Some(count) = process.open_fds {
            gauge!(names::PROCESS_FDS).set(count);
        }
        for collector in lock(&self.collectors).iter() {
            collector();
        }
    }
}

impl Default for Telemetry {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Telemetry").finish_non_exhaustive()
    }
}

/// What is locked stays consistent even if a holder panicked: each is one value that is replaced or appended to.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
