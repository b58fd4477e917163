//! Ties rooms that do not know each other: reloads to the journal and the metrics, figures of rooms to the metrics.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use metrics::{counter, gauge};

use crate::config::SecretError;
use crate::event::{
    ControlBody, ControlRecord, DropReason, EventLog, ReloadFailed, ReloadFinding, SnapshotName, SnapshotPublished,
    Stats,
};
use crate::reload::{DocumentEntry, Publication, Refusal, ReloadEvents, SnapshotId, StatusReader};
use crate::snapshot::Holder;
use crate::telemetry::{Collector, Telemetry, names};
use crate::webhook::Keys;

/// How long a reload waits until its record is durable. It has happened by then, so that longer waiting helps nobody.
const RECORDING: Duration = Duration::from_secs(5);

/// Records what came of reloads.
pub struct ReloadRecorder {
    events: Arc<EventLog>,
    telemetry: Arc<Telemetry>,
    holder: Arc<Holder>,
}

impl ReloadRecorder {
    /// Records into `events` and counts in `telemetry`.
    pub fn new(events: Arc<EventLog>, telemetry: Arc<Telemetry>, holder: Arc<Holder>) -> Self {
        Self { events, telemetry, holder }
    }

    fn record(&self, at: crate::model::Timestamp, body: ControlBody) {
        let record = ControlRecord { at, actor: "system".into(), tenant: None, correlation_id: None, body };
        if let Err(error) = self.events.publish(record).and_then(|ack| ack.wait(RECORDING)) {
            tracing::error!(%error, "a reload could not be recorded");
        }
    }
}

impl ReloadEvents for ReloadRecorder {
    fn published(&mut self, publication: &Publication) {
        let rules = self.holder.load().live().map_or(0, |snapshot| snapshot.rules().len());
        if rules == 0 {
            tracing::warn!("the live snapshot has no enabled rule; check `policies.sources`");
        }
        for endpoint in self.holder.load().live().into_iter().flat_map(|snapshot| snapshot.endpoints().iter()) {
            // Others may be put right without a reload, and are told when they are used.
            if let Err(error @ SecretError::Malformed { .. }) = Keys::read(endpoint) {
                tracing::error!(endpoint = %endpoint.name, %error, "nothing can be delivered to this endpoint");
            }
        }
        self.telemetry.snapshot_published(publication.snapshot.revision, rules);
        let names = |entries: &[DocumentEntry]| entries.iter().map(|entry| entry.name.to_string()).collect();
        let body = ControlBody::SnapshotPublished(SnapshotPublished {
            snapshot: snapshot_name(&publication.snapshot),
            version: publication.version.clone(),
            previous: publication.previous.as_ref().map(snapshot_name),
            source: publication.sources.join(", "),
            trigger: publication.trigger.as_str().to_owned(),
            documents: publication.documents.len() as u64,
            rules: publication.rules(),
            added: names(&publication.changes.added),
            changed: names(&publication.changes.changed),
            removed: names(&publication.changes.removed),
        });
        self.record(publication.at, body);
    }

    fn refused(&mut self, refusal: &Refusal) {
        let findings = refusal.findings.iter().map(|finding| ReloadFinding {
            code: finding.code.to_owned(),
            message: finding.message.clone(),
            place: finding.place.clone().unwrap_or_default(),
        });
        let body = ControlBody::ReloadFailed(ReloadFailed {
            source: refusal.sources.join(", "),
            trigger: refusal.trigger.as_str().to_owned(),
            reason: format!("{}: {}", refusal.reason.as_str(), refusal.message),
            findings: findings.collect(),
            findings_total: refusal.findings_total as u64,
            kept: refusal.kept.as_ref().map(snapshot_name),
        });
        self.record(refusal.at, body);
    }
}

fn snapshot_name(id: &SnapshotId) -> SnapshotName {
    SnapshotName { digest: id.digest.clone(), revision: id.revision }
}

/// Reads how reloading stands.
pub fn reload_metrics(status: StatusReader) -> Collector {
    Box::new(move || {
        let counts = status.counts();
        for (result, count) in
            [("published", counts.published), ("unchanged", counts.unchanged), ("failed", counts.refused)]
        {
            counter!(names::POLICY_RELOADS, "result" => result).absolute(count);
        }
        let failed = status.status().failure.is_some();
        gauge!(names::POLICY_RELOAD_FAILED).set(if failed { 1.0 } else { 0.0 });
    })
}

/// Reads the figures of the event log.
pub fn event_metrics(stats: Arc<Stats>) -> Collector {
    Box::new(move || {
        gauge!(names::RING_RECORDS).set(stats.ring_depth() as f64);
        gauge!(names::RING_BYTES).set(stats.ring_bytes() as f64);
        for reason in DropReason::ALL {
            counter!(names::EVENTS_DROPPED, "reason" => reason.as_str()).absolute(stats.drops(reason));
        }
        counter!(names::JOURNAL_EVENTS).absolute(stats.events.load(Relaxed));
        gauge!(names::JOURNAL_SEQUENCE).set(stats.sequence.load(Relaxed) as f64);
        gauge!(names::JOURNAL_LAG).set(stats.lag_micros.load(Relaxed) as f64 / 1e6);
        gauge!(names::JOURNAL_LAG_RECORDS).set(stats.lag_records() as f64);
        gauge!(names::JOURNAL_BYTES).set(stats.journal_bytes.load(Relaxed) as f64);
        counter!(names::JOURNAL_SEGMENTS_DELETED).absolute(stats.segments_deleted.load(Relaxed));
        for (operation, failures) in [("write", &stats.write_failures), ("fsync", &stats.fsync_failures)] {
            counter!(names::JOURNAL_FAILURES, "operation" => operation).absolute(failures.load(Relaxed));
        }
        gauge!(names::JOURNAL_FAILING).set(if stats.failing.load(Relaxed) { 1.0 } else { 0.0 });
        counter!(names::GAP_TICKETS).absolute(stats.gap_tickets.load(Relaxed));
        for exporter in stats.exporters() {
            let name = exporter.name.clone();
            gauge!(names::EXPORTER_LAG, "exporter" => name.clone()).set(stats.exporter_lag(&exporter) as f64);
            counter!(names::EXPORTER_FAILURES, "exporter" => name.clone()).absolute(exporter.failures.load(Relaxed));
            counter!(names::EXPORTER_LOST, "exporter" => name).absolute(exporter.lost.load(Relaxed));
        }
    })
}
