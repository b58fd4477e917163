//! The engine for programs that embed it: documents in, decisions out, no server.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::decide;
use crate::diag::{Findings, Sources, render_text};
use crate::ir;
use crate::model::{Decision, Limits, Plan, Request, Timestamp, Validation};
use crate::policy::{self, SourceText};
use crate::snapshot::{Holder, Snapshot};

/// Decides in process. Cheap to share behind an `Arc`; deciding never waits, also while [`publish`](Self::publish) runs.
///
/// ```
/// use std::time::SystemTime;
/// use lictor::model::{Action, Layer, Request, Subject, Timestamp};
/// use lictor::policy::SourceText;
///
/// let policy = "
/// apiVersion: lictor.dev/v1
/// kind: Policy
/// metadata: {name: files}
/// spec:
///   rules:
///     - name: read
///       effect: allow
///       actions: [file.read]
/// ";
/// let text = SourceText { name: "files.yaml".into(), layer: Layer::Organisation, text: policy.into() };
/// let engine = lictor::Engine::from_documents(&[text])?;
/// let request = Request {
///     subject: Subject { id: "agent-1".into(), ..Subject::default() },
///     action: Action { name: "file.read".into(), ..Action::default() },
///     ..Request::default()
/// };
/// let decision = engine.evaluate(&request, Timestamp::from_system(SystemTime::now()));
/// assert!(decision.allowed());
/// # Ok::<(), lictor::DocumentsRefused>(())
/// ```
#[derive(Debug)]
pub struct Engine {
    holder: Holder,
    limits: Limits,
    revision: AtomicU64,
}

impl Engine {
    /// An engine over `documents`, with the default limits.
    ///
    /// # Errors
    /// Every error of the documents at once.
    pub fn from_documents(documents: &[SourceText]) -> Result<Self, DocumentsRefused> {
        let engine = Self { holder: Holder::default(), limits: Limits::default(), revision: AtomicU64::new(0) };
        engine.publish(documents)?;
        Ok(engine)
    }

    /// The same engine with other limits.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Replaces the documents. All or nothing: where one is refused, the old ones stay.
    ///
    /// # Errors
    /// Every error of the documents at once.
    pub fn publish(&self, documents: &[SourceText]) -> Result<Arc<Snapshot>, DocumentsRefused> {
        let loaded = policy::load(documents);
        if loaded.findings.has_errors() {
            return Err(DocumentsRefused { sources: loaded.sources, findings: loaded.findings });
        }
        let revision = self.revision.fetch_add(1, Ordering::Relaxed) + 1;
        let snapshot = Arc::new(Snapshot::build(&loaded.documents, revision));
        drop(self.holder.publish(snapshot.clone()));
        Ok(snapshot)
    }

    /// Decides `request` at `now` with the live documents.
    #[must_use]
    pub fn evaluate(&self, request: &Request, now: Timestamp) -> Decision {
        let residents = self.holder.load();
        decide::evaluate(residents.live().map(AsRef::as_ref), request, now, &self.limits)
    }

    /// Validates a whole plan at `now` with the live documents, without receipt or record.
    #[must_use]
    pub fn validate_ir(&self, plan: &Plan, now: Timestamp) -> Validation {
        let residents = self.holder.load();
        ir::validate(residents.live().map(AsRef::as_ref), plan, now, &self.limits)
    }
}

/// Documents that were refused, with every error. Displays as a person would want to read it.
#[derive(Debug, Clone)]
pub struct DocumentsRefused {
    /// The texts that the findings point into.
    pub sources: Sources,
    /// What is wrong.
    pub findings: Findings,
}

impl fmt::Display for DocumentsRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.findings.iter().try_for_each(|finding| writeln!(f, "{}", render_text(&self.sources, finding, false)))
    }
}

impl std::error::Error for DocumentsRefused {}
