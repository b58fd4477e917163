//! What is handed over to be recorded: decisions from the data plane, everything else from the control plane.

use serde::Serialize;

use super::catalogue::EventType;
use crate::model::{Decision, Effect, Outcome, ReasonCode, Request, Text, Ticket, Timestamp, Value};

/// Everything that is recorded of one decision. Serialised by the writer, never by the worker that decided.
#[derive(Debug, Clone)]
pub struct DecisionRecord {
    /// Its ticket, also inside the decision id.
    pub ticket: Ticket,
    /// The time that the conditions saw.
    pub decided_at: Timestamp,
    /// Time that the evaluation took.
    pub evaluation_nanos: u64,
    /// The question.
    pub request: Request,
    /// The answer.
    pub decision: Decision,
    /// Who is on the channel, for example `uid:1000` or `anonymous`.
    pub actor: Text,
}

impl DecisionRecord {
    /// Whether the decision is an allow that nothing else is to be said of. Only such records may not use the ring's
    /// reserve.
    #[must_use]
    pub fn is_plain_allow(&self) -> bool {
        let decision = &self.decision;
        decision.effect == Effect::Allow
            && decision.allowed()
            && decision.warned.is_empty()
            && decision.audited.is_empty()
            && decision.errors.is_empty()
    }

    /// Makes a decision whose record cannot be written as it must be into a denial.
    pub fn refuse_unrecorded(&mut self) {
        let decision = &mut self.decision;
        decision.outcome = Outcome::Deny;
        decision.effect = Effect::Deny;
        decision.reason_code = ReasonCode::AuditUnavailable;
        decision.matched = None;
        decision.agreeing.clear();
    }

    /// About how many bytes of memory the record owns. Texts up to 24 bytes live inline and cost nothing more.
    #[must_use]
    pub fn approximate_bytes(&self) -> usize {
        let request = &self.request;
        let texts = [
            &request.request_id,
            &request.tenant_id,
            &request.subject.kind,
            &request.subject.id,
            &request.subject.on_behalf_of,
            &request.action.name,
            &request.resource.kind,
            &request.resource.id,
            &request.run_id,
            &request.correlation_id,
            &request.snapshot,
            &self.actor,
        ];
        let mut bytes = std::mem::size_of::<Self>();
        for text in texts.into_iter().chain(&request.subject.roles) {
            bytes = bytes.saturating_add(text_bytes(text));
        }
        bytes = bytes.saturating_add(request.subject.roles.capacity().saturating_mul(std::mem::size_of::<Text>()));
        let maps =
            [&request.subject.properties, &request.action.properties, &request.resource.properties, &request.context];
        for map in maps {
            for (key, value) in map {
                bytes = bytes.saturating_add(entry_bytes(key, value));
            }
        }
        for (_, error) in &self.decision.errors {
            bytes = bytes.saturating_add(32).saturating_add(text_bytes(error));
        }
        bytes
    }
}

pub(super) fn text_bytes(text: &Text) -> usize {
    if text.is_heap_allocated() { text.capacity() } else { 0 }
}

pub(super) fn entry_bytes(key: &Text, value: &Value) -> usize {
    let entry = std::mem::size_of::<(Text, Value)>();
    entry.saturating_add(text_bytes(key)).saturating_add(value_bytes(value))
}

pub(super) fn value_bytes(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => text_bytes(text),
        Value::List(items) => items.iter().fold(0, |sum: usize, item| {
            sum.saturating_add(std::mem::size_of::<Value>()).saturating_add(value_bytes(item))
        }),
        Value::Map(map) => map.iter().fold(0, |sum: usize, (key, value)| sum.saturating_add(entry_bytes(key, value))),
    }
}

/// A snapshot, as records name it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SnapshotName {
    /// `sha256:` and 64 hexadecimal digits.
    pub digest: String,
    /// Counts the snapshots of the state directory.
    pub revision: u64,
}

/// Payload of `policy.snapshot_published`: a new snapshot is live.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SnapshotPublished {
    /// The snapshot that is live now.
    pub snapshot: SnapshotName,
    /// `spec.version` of the policy set; absent from the record if empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// The snapshot that was live before, `None` at the first load.
    pub previous: Option<SnapshotName>,
    /// Where the documents come from, for example `directory:/etc/lictor/policies`.
    pub source: String,
    /// What made the reload happen: `start`, `watch`, `poll`, `signal` …
    pub trigger: String,
    /// Number of documents in the snapshot.
    pub documents: u64,
    /// Number of rules in the snapshot.
    pub rules: u64,
    /// Documents that are new, as `Kind/name`.
    pub added: Vec<String>,
    /// Documents whose content changed.
    pub changed: Vec<String>,
    /// Documents that are gone.
    pub removed: Vec<String>,
}

/// Why documents were refused, once per place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReloadFinding {
    /// Stable code of the finding.
    pub code: String,
    /// What is wrong, without an excerpt of the document.
    pub message: String,
    /// `file:line:column`, as far as known; empty if the finding has no place.
    pub place: String,
}

/// Payload of `policy.reload_failed`: documents were refused and the last good snapshot stays live.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReloadFailed {
    /// Where the documents come from.
    pub source: String,
    /// What made the reload happen.
    pub trigger: String,
    /// One sentence: why the reload was refused.
    pub reason: String,
    /// What was found, errors first.
    pub findings: Vec<ReloadFinding>,
    /// Number of findings, also of those left out of `findings`.
    pub findings_total: u64,
    /// The snapshot that stays live, `None` if none is.
    pub kept: Option<SnapshotName>,
}

/// An event that was made elsewhere, with its id, and only has to be recorded: what the outbox of the store holds.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadyEvent {
    /// Its id, by which repetitions are recognised.
    pub id: uuid::Uuid,
    /// Its type.
    pub kind: EventType,
    /// Digest of the snapshot that it was decided under; may be empty.
    pub snapshot: Text,
    /// Its payload, an object.
    pub payload: serde_json::Value,
}

/// What a control record says.
#[derive(Debug)]
#[non_exhaustive]
pub enum ControlBody {
    /// An event that was made elsewhere.
    Ready(ReadyEvent),
    /// `policy.snapshot_published`.
    SnapshotPublished(SnapshotPublished),
    /// `policy.reload_failed`.
    ReloadFailed(ReloadFailed),
}

/// A record from the control plane. It is never dropped: publishing it fails, or it reaches the journal.
#[derive(Debug)]
pub struct ControlRecord {
    /// When it happened.
    pub at: Timestamp,
    /// Who caused it, for example `system` or `uid:1000`.
    pub actor: Text,
    /// Tenant that it concerns; `None` where it concerns all.
    pub tenant: Option<Text>,
    /// Correlates records across systems; `None` to use the event's own id.
    pub correlation_id: Option<Text>,
    /// What it says.
    pub body: ControlBody,
}
