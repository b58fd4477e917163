//! Events: the record of what was decided and of what changed.
//!
//! A worker stamps every decision with a ticket and hands an owned record to a bounded lock-free ring
//! ([`Recorder`]); one writer thread gives sequence numbers, chains the lines and appends them to the journal
//! ([`EventLog`]); exporters read the journal at their own pace ([`Exporter`]). `docs/events.md` describes what is
//! recorded and what is claimed of it.

mod audit;
mod awaited;
mod catalogue;
mod chain;
mod clock;
mod cloudevents;
mod control;
mod dag_payload;
mod dag_record;
mod encoder;
mod end_mark;
mod error;
mod export;
mod files;
mod find;
mod gap;
mod journal;
mod json;
mod ledger;
mod line;
mod log;
mod lost;
mod mask;
mod options;
mod payload;
mod plan_payload;
mod plan_queue;
mod plan_record;
mod reader;
mod record;
mod recorder;
mod recovery;
mod rendered;
mod ring;
mod seal;
mod segment;
mod sequence;
mod state;
mod stats;
mod sync;
mod tail;
mod trust;
mod writer;

pub use audit::{AuditFinding, AuditReport, GapSummary, audit, audit_keyed_from};
pub use awaited::Pending;
pub use catalogue::{EventType, Severity};
pub use chain::ChainKey;
pub use clock::{Machine, Surroundings};
pub use cloudevents::{NotAnEvent, sequence_of, to_cloud_event};
pub use control::Ack;
pub use dag_record::DagRecord;
pub use encoder::SCHEMA_VERSION;
pub use error::EventError;
pub use export::{Delivered, Exporter, NamedExporter, StdoutExporter};
pub use find::find_events;
pub use gap::{GapReason, JournalFault};
pub use log::{EventLog, Recovery};
pub use options::{EventOptions, journal_dir};
pub use plan_queue::PlanEvent;
pub use plan_record::PlanRecord;
pub use reader::Batch;
pub use record::{
    ControlBody, ControlRecord, DecisionRecord, ReadyEvent, ReloadFailed, ReloadFinding, SnapshotName,
    SnapshotPublished,
};
pub use recorder::{MAX_WORKERS, NotQueued, Recorder};
pub use stats::{DropReason, ExporterStats, Stats};
pub use tail::JournalTail;

#[cfg(test)]
mod tests;
