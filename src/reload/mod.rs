//! Loading policies while the program runs: sources, watching, settling, checking, durable snapshots, the swap.
//!
//! An attempt reads all sources as of one moment, checks them, and either publishes all of them or nothing. Its steps, in
//! this order: read, parse and check, digest, build, make durable in the state directory, swap, tell. Whatever goes wrong
//! keeps the last good snapshot live, and is logged, recorded and shown by [`ReloadStatus`]. The first load of a process is
//! the same attempt: where it is refused nothing is live and every question is denied.
//!
//! [`Reloader`] makes the attempts. [`Reloader::spawn`] gives it a thread of its own, which watches the sources and polls
//! as a net below that, and a [`ReloadHandle`] to ask for an attempt, for example on SIGHUP.

mod archive;
mod documents;
mod findings;
mod mailbox;
mod memory;
mod once;
mod options;
mod reloader;
mod report;
mod retired;
mod scan;
mod sources;
mod status;
mod thread;
mod trust;
mod watch;

#[cfg(test)]
mod tests;

pub use archive::{ArchiveError, Revision};
pub use documents::{Changes, DocumentEntry, DocumentName};
pub use once::load_once;
pub use options::{PolicySource, ReloadOptions, SourceLimits};
pub use reloader::Reloader;
pub use report::{
    MAX_REPORTED, Outcome, Publication, Refusal, RefusalReason, ReloadEvents, ReportedFinding, SnapshotId, Trigger,
};
pub use status::{Failure, ReloadCounts, ReloadStatus, StatusReader};
pub use thread::ReloadHandle;
