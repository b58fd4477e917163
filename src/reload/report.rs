//! What came of an attempt to load, and who is told.

use std::fmt;
use std::sync::Arc;

use crate::diag::{Finding, Severity, Sources};
use crate::model::Timestamp;

use super::documents::{Changes, DocumentEntry};

/// Hears of every snapshot that goes live and of every attempt that is refused.
///
/// Must be lossless: a call returns only when the event is certain to be recorded, or has been logged as unrecordable. It
/// may block; only the reload thread waits for it.
pub trait ReloadEvents: Send {
    /// A snapshot has gone live.
    fn published(&mut self, publication: &Publication);

    /// An attempt was refused, and what was live stays live. Not called again for the same refusal found by polling.
    fn refused(&mut self, refusal: &Refusal);
}

/// What made a load happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Trigger {
    /// The program started.
    Start,
    /// The file system told of a change.
    Watch,
    /// The files were found to have changed.
    Poll,
    /// Somebody asked for it, for example with SIGHUP.
    Request,
}

impl Trigger {
    /// The name in records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Watch => "watch",
            Self::Poll => "poll",
            Self::Request => "request",
        }
    }
}

/// A snapshot, by digest and revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotId {
    /// `sha256:` and 64 hexadecimal digits.
    pub digest: String,
    /// Counts the snapshots of the state directory.
    pub revision: u64,
}

/// A snapshot has gone live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    /// When.
    pub at: Timestamp,
    /// What made it happen.
    pub trigger: Trigger,
    /// The snapshot.
    pub snapshot: SnapshotId,
    /// The engine's meaning of documents.
    pub semantics: u32,
    /// Version of the policy set, empty if none is given.
    pub version: String,
    /// The snapshot before it: the one that was live, or after a start the last one of the state directory. The same one
    /// if the program was started again with the same documents.
    pub previous: Option<SnapshotId>,
    /// Its documents.
    pub documents: Vec<DocumentEntry>,
    /// What differs from `previous`; everything is new if that is not known.
    pub changes: Changes,
    /// Where the documents come from.
    pub sources: Vec<String>,
    /// Number of warnings about the documents.
    pub warnings: usize,
}

impl Publication {
    /// Number of policies, disabled ones included.
    #[must_use]
    pub fn policies(&self) -> usize {
        self.documents.iter().filter(|entry| entry.name.kind == "Policy").count()
    }

    /// Number of rules, disabled ones included.
    #[must_use]
    pub fn rules(&self) -> u64 {
        self.documents.iter().fold(0, |sum, entry| sum.saturating_add(entry.rules))
    }
}

/// Why an attempt was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RefusalReason {
    /// A file or directory cannot be read, or must not be believed.
    Sources,
    /// A document is wrong.
    Documents,
    /// Policies are live and the new documents hold none.
    NoPolicies,
    /// The documents cannot be made durable.
    Storage,
    /// Loading failed in a way that it must not.
    Internal,
}

impl RefusalReason {
    /// The name in records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sources => "sources",
            Self::Documents => "documents",
            Self::NoPolicies => "no_policies",
            Self::Storage => "storage",
            Self::Internal => "internal",
        }
    }
}

/// An attempt was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// When.
    pub at: Timestamp,
    /// What made it happen.
    pub trigger: Trigger,
    /// Why, for programs.
    pub reason: RefusalReason,
    /// Why, in a sentence.
    pub message: String,
    /// What is wrong, errors first; at most [`MAX_REPORTED`].
    pub findings: Vec<ReportedFinding>,
    /// Number of findings, also of those left out.
    pub findings_total: usize,
    /// The snapshot that stays live, if one is.
    pub kept: Option<SnapshotId>,
    /// Where the documents come from.
    pub sources: Vec<String>,
}

impl Refusal {
    /// Whether `other` says the same of the same files.
    pub(super) fn is_same_as(&self, other: &Self) -> bool {
        (self.reason, &self.message, &self.findings, self.findings_total, &self.kept)
            == (other.reason, &other.message, &other.findings, other.findings_total, &other.kept)
    }
}

/// Most findings that a [`Refusal`] keeps.
pub const MAX_REPORTED: usize = 64;

/// A finding with its place resolved, without an excerpt of the document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportedFinding {
    /// Stable code.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
    /// `file:line:column`, if it has a place in a document.
    pub place: Option<String>,
}

impl ReportedFinding {
    /// `finding`, whose place is in `sources`.
    #[must_use]
    pub fn new(sources: &Sources, finding: &Finding) -> Self {
        let place = finding.span.and_then(|span| {
            let name = &sources.get(span.source)?.name;
            let at = sources.position(span)?;
            Some(format!("{name}:{}:{}", at.line, at.column))
        });
        Self {
            code: finding.code,
            severity: finding.severity,
            message: finding.message.clone(),
            help: finding.help.clone(),
            place,
        }
    }
}

impl fmt::Display for ReportedFinding {
    /// `policies/a.yaml:3:5: unknown field `efect` (did you mean `effect`?)`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        f.write_str(&self.message)?;
        match &self.help {
            Some(help) => write!(f, " ({help})"),
            None => Ok(()),
        }
    }
}

/// What came of an attempt.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Outcome {
    /// A new snapshot is live.
    Published(Arc<Publication>),
    /// The documents are those of the live snapshot.
    Unchanged(SnapshotId),
    /// What was live stays live.
    Refused(Arc<Refusal>),
}

impl Outcome {
    /// Whether the documents on disk are the live ones now.
    #[must_use]
    pub fn is_good(&self) -> bool {
        !matches!(self, Self::Refused(_))
    }
}
