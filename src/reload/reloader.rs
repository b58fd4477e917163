//! One attempt to load, from the files to the swap. Starting up is the same attempt as every later one.

use std::collections::{BTreeSet, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use crate::diag::Severity;
use crate::model::{SEMANTICS, Timestamp};
use crate::policy::{self, DocumentSet, Loaded, SourceText};
use crate::snapshot::{Holder, MAX_RESIDENTS, Snapshot};
use crate::state_dir::StateDir;

use super::archive::{Archive, ArchiveError, Candidate};
use super::documents::{self, Changes, DocumentEntry};
use super::findings::Found;
use super::memory;
use super::options::ReloadOptions;
use super::report::{Outcome, Publication, Refusal, RefusalReason, ReloadEvents, ReportedFinding, SnapshotId, Trigger};
use super::retired::Retired;
use super::sources::{self, Look, SourceTexts};
use super::status::StatusReader;

/// What turns texts into documents: [`policy::load`], but for tests of what happens should it fail.
type Loader = fn(&[SourceText]) -> Loaded;

/// Loads documents and publishes them, one attempt at a time.
pub struct Reloader {
    pub(super) options: ReloadOptions,
    /// The state directory, which is never a source.
    pub(super) excluded: PathBuf,
    load: Loader,
    archive: Archive,
    holder: Arc<Holder>,
    events: Box<dyn ReloadEvents>,
    pub(super) status: StatusReader,
    /// What the last attempt saw.
    last: LastAttempt,
    retired: Retired,
    has_restored: bool,
}

/// What the last attempt saw, so that nothing is done twice for the same files.
#[derive(Debug, Default)]
struct LastAttempt {
    /// What the files looked like from outside; `None` where an equal look proves nothing.
    fingerprint: Option<[u8; 32]>,
    /// The texts, and what came of them; `None` where trying again may have another outcome.
    settled: Option<([u8; 32], Outcome)>,
    /// The last refusal since the last success.
    refusal: Option<Arc<Refusal>>,
}

/// What an attempt ends with if it does not publish.
enum Stop {
    Unchanged(SnapshotId),
    /// Why, in a word and a sentence; what is wrong, as far as records keep it, and how much that is in all.
    Refused(RefusalReason, String, Vec<ReportedFinding>, usize),
}

/// Documents that may be published.
struct Checked {
    documents: DocumentSet,
    digest: String,
    entries: Vec<DocumentEntry>,
    warnings: usize,
}

impl Reloader {
    /// A reloader of `options.sources` into `holder`, with its durable snapshots in `state`.
    ///
    /// # Errors
    /// If the durable snapshots of the state directory cannot be read.
    pub fn new(
        options: ReloadOptions,
        state: &StateDir,
        holder: Arc<Holder>,
        events: Box<dyn ReloadEvents>,
    ) -> Result<Self, ArchiveError> {
        let archive = Archive::open(state.snapshots())?;
        let retired = Retired::new(options.grace);
        Ok(Self {
            options,
            excluded: state.path().to_owned(),
            load: policy::load,
            archive,
            holder,
            events,
            status: StatusReader::default(),
            last: LastAttempt::default(),
            retired,
            has_restored: false,
        })
    }

    #[cfg(test)]
    pub(super) fn with_loader(mut self, load: Loader) -> Self {
        self.load = load;
        self
    }

    /// Reads how loading stands.
    #[must_use]
    pub fn status(&self) -> StatusReader {
        self.status.clone()
    }

    /// Loads for the first time. What is wrong is recorded and logged like at any later time; nothing is live then.
    pub fn first_load(&mut self) -> Outcome {
        self.attempt(Trigger::Start)
    }

    /// What the sources look like from outside.
    pub(super) fn look(&self) -> Look {
        sources::look(&self.options.sources, &self.options.limits, &self.excluded)
    }

    /// Whether the files may be others than those of the last attempt, or that attempt may go another way now.
    pub(super) fn may_differ(&self, look: &Look) -> bool {
        self.last.settled.is_none()
            || self.last.fingerprint.is_none()
            || look.trusted_fingerprint() != self.last.fingerprint
    }

    /// Loads the documents and publishes them if they are good and not live already.
    pub fn attempt(&mut self, trigger: Trigger) -> Outcome {
        let now = Timestamp::from_system(SystemTime::now());
        let read = sources::read(&self.options.sources, &self.options.limits, &self.excluded);
        self.last.fingerprint = read.fingerprint;
        let identity = read.identity();
        let is_asked_for = matches!(trigger, Trigger::Start | Trigger::Request);
        if let Some((known, outcome)) = &self.last.settled
            && *known == identity
            && !is_asked_for
        {
            return outcome.clone();
        }
        let load = || self.check(read).and_then(|(checked, texts)| self.publish(checked, &texts, trigger, now));
        let result =
            memory::apart(load).unwrap_or_else(|error| Err(internal(&format!("no thread to load on: {error}"))));
        let outcome = match result {
            Ok(publication) => Outcome::Published(Arc::new(publication)),
            Err(Stop::Unchanged(snapshot)) => Outcome::Unchanged(snapshot),
            Err(Stop::Refused(reason, message, findings, findings_total)) => {
                let (kept, sources) = (self.status.live(), self.source_names());
                let refusal = Refusal { at: now, trigger, reason, message, findings, findings_total, kept, sources };
                Outcome::Refused(Arc::new(refusal))
            }
        };
        self.conclude(outcome, identity, is_asked_for, now)
    }

    /// Tells everybody what came of an attempt.
    fn conclude(&mut self, outcome: Outcome, identity: [u8; 32], is_asked_for: bool, now: Timestamp) -> Outcome {
        self.status.note(&outcome, now);
        let recovered_from = self.last.refusal.take();
        match &outcome {
            Outcome::Published(publication) => {
                log_publication(publication);
                self.events.published(publication);
            }
            Outcome::Unchanged(snapshot) => {
                if recovered_from.is_some() {
                    tracing::info!(digest = snapshot.digest, "the documents are those of the live snapshot again");
                }
            }
            Outcome::Refused(refusal) => {
                // Polling finds the same full disk again and again; one record says it.
                let is_known = recovered_from.is_some_and(|known| known.is_same_as(refusal));
                if is_asked_for || !is_known {
                    log_refusal(refusal);
                    self.events.refused(refusal);
                }
                self.last.refusal = Some(refusal.clone());
            }
        }
        let may_go_another_way = matches!(&outcome, Outcome::Refused(refusal)
            if matches!(refusal.reason, RefusalReason::Storage | RefusalReason::Internal));
        self.last.settled = (!may_go_another_way).then(|| (identity, outcome.clone()));
        outcome
    }

    /// Checks what was read, up to the question whether it is anything new.
    fn check(&self, read: SourceTexts) -> Result<(Checked, Vec<SourceText>), Stop> {
        // The loader must not panic; should it, the last good snapshot stays live and later changes still get through.
        let loaded = catch_unwind(AssertUnwindSafe(|| (self.load)(&read.texts)));
        let Ok(Loaded { sources, documents, findings, .. }) = loaded else {
            return Err(internal("checking the documents failed; this is a defect, please report it"));
        };
        let found = Found::new(&sources, &read.findings, &findings);
        found.log();
        let is_unreadable = read.findings.iter().any(|finding| finding.severity == Severity::Error);
        if is_unreadable || findings.has_errors() {
            let reason = if is_unreadable { RefusalReason::Sources } else { RefusalReason::Documents };
            return Err(Stop::Refused(reason, found.errors(), found.reported(), found.total()));
        }
        let digest = Snapshot::digest_of(&documents);
        if let Some(live) = self.status.live().filter(|live| live.digest == digest) {
            return Err(Stop::Unchanged(live));
        }
        let entries = documents::entries(&documents);
        let warnings = read.findings.len().saturating_add(findings.count(Severity::Warning));
        if let Some(what) = self.emptied(&entries).filter(|_| !self.options.allow_empty) {
            let message = format!(
                "{what} no policy any more; restore the files, or set `policies.allowEmpty: true` to let it through"
            );
            return Err(Stop::Refused(RefusalReason::NoPolicies, message, Vec::new(), 0));
        }
        Ok((Checked { documents, digest, entries, warnings }, read.texts))
    }

    /// What held policies in the snapshot before and holds none in `entries`: a layer, or all of them. A lost mount of one
    /// layer would otherwise lift all that the layer forbids. A snapshot whose manifest is lost may have held some.
    fn emptied(&self, entries: &[DocumentEntry]) -> Option<String> {
        let (_, before) = self.previous()?;
        let now = layers_with_policies(entries);
        let Some(before) = before else {
            return now.is_empty().then(|| "the sources hold".to_owned());
        };
        // A layer without a source was taken out by configuration, which is as deliberate as it gets.
        let has_source = |layer: &&str| self.options.sources.iter().any(|source| source.layer.as_str() == *layer);
        let before = layers_with_policies(&before);
        let lost: Vec<&str> = before.difference(&now).copied().filter(has_source).collect();
        match lost.as_slice() {
            _ if now.is_empty() && !before.is_empty() => Some("the sources hold".to_owned()),
            [] => None,
            lost => Some(format!("the sources of layer {} hold", lost.join(" and "))),
        }
    }

    /// The snapshot that is live, or after a start the last one of the state directory; with its documents, if known.
    fn previous(&self) -> Option<(SnapshotId, Option<Vec<DocumentEntry>>)> {
        if let Some(live) = &self.status.status().live {
            return Some((live.snapshot.clone(), Some(live.documents.clone())));
        }
        let last = self.archive.last()?;
        let snapshot = SnapshotId { digest: last.digest.clone(), revision: last.revision };
        let entries = self.archive.manifest(&last.digest).map(|manifest| manifest.documents);
        Some((snapshot, entries.ok()))
    }

    /// Builds the snapshot, makes its documents durable and swaps it in, in this order.
    fn publish(
        &mut self,
        checked: Checked,
        texts: &[SourceText],
        trigger: Trigger,
        now: Timestamp,
    ) -> Result<Publication, Stop> {
        let previous = self.previous();
        let revision = self.archive.revision_for(&checked.digest).map_err(|error| storage(&error))?;
        let built = catch_unwind(AssertUnwindSafe(|| {
            (Snapshot::build(&checked.documents, revision), Snapshot::canonical_form(&checked.documents))
        }));
        let Ok((snapshot, canonical)) = built else {
            return Err(internal("building the snapshot failed; this is a defect, please report it"));
        };
        let version = snapshot.label().version.to_string();
        let candidate = Candidate {
            digest: &checked.digest,
            version: &version,
            canonical: &canonical,
            documents: &checked.entries,
            texts,
            now,
        };
        let residents = self.holder.load().iter().map(|resident| resident.digest().to_owned()).collect::<HashSet<_>>();
        self.archive.store(&candidate, revision, &residents).map_err(|error| storage(&error))?;
        let left = self.holder.publish(Arc::new(snapshot));
        self.retired.push(left, Instant::now());
        let (previous, documents_before) = previous.map_or((None, None), |(id, entries)| (Some(id), entries));
        Ok(Publication {
            at: now,
            trigger,
            snapshot: SnapshotId { digest: checked.digest, revision },
            semantics: SEMANTICS,
            version,
            previous,
            changes: Changes::between(&documents_before.unwrap_or_default(), &checked.entries),
            documents: checked.entries,
            sources: self.source_names(),
            warnings: checked.warnings,
        })
    }

    fn source_names(&self) -> Vec<String> {
        let name = |source: &super::PolicySource| format!("{}:{}", source.layer.as_str(), source.path.display());
        self.options.sources.iter().map(name).collect()
    }

    /// Makes the last snapshots of the state directory resident again, so that pins of runs that outlived a restart
    /// resolve. Those whose meaning would be another under this version of the engine, or whose texts do not give their
    /// digest any more, are left out. Gives the number restored. Does its work once.
    pub fn restore_residents(&mut self) -> usize {
        if std::mem::replace(&mut self.has_restored, true) {
            return 0;
        }
        let mut seen: HashSet<String> = self.holder.load().iter().map(|known| known.digest().to_owned()).collect();
        let mut restored = Vec::new();
        for revision in self.archive.history() {
            if seen.len() >= MAX_RESIDENTS {
                break;
            }
            if revision.semantics != SEMANTICS || seen.contains(&revision.digest) {
                continue;
            }
            match self.rebuild(&revision.digest, revision.revision) {
                Ok(snapshot) => {
                    seen.insert(revision.digest.clone());
                    restored.push(Arc::new(snapshot));
                }
                Err(problem) => {
                    tracing::warn!(
                        digest = revision.digest,
                        problem,
                        "a former snapshot cannot be made resident again"
                    );
                }
            }
        }
        let count = restored.len();
        if count > 0 {
            let left = self.holder.restore(restored);
            self.retired.push(left, Instant::now());
        }
        count
    }

    fn rebuild(&self, digest: &str, revision: u64) -> Result<Snapshot, String> {
        let manifest = self.archive.manifest(digest).map_err(|error| error.to_string())?;
        let texts = self.archive.texts(&manifest).map_err(|error| error.to_string())?;
        let rebuilt = catch_unwind(AssertUnwindSafe(|| {
            let loaded = (self.load)(&texts);
            let is_same = !loaded.findings.has_errors() && Snapshot::digest_of(&loaded.documents) == digest;
            is_same.then(|| Snapshot::build(&loaded.documents, revision))
        }));
        rebuilt.ok().flatten().ok_or_else(|| "its source texts do not give its digest".to_owned())
    }

    /// Frees snapshots that no request can hold any more. Gives whether one was freed, and whether some are still waiting.
    pub(super) fn release_retired(&mut self) -> (bool, bool) {
        let waited = self.retired.len();
        self.retired.release(Instant::now());
        (self.retired.len() < waited, self.retired.len() > 0)
    }
}

fn layers_with_policies(entries: &[DocumentEntry]) -> BTreeSet<&str> {
    let policies = entries.iter().filter(|entry| entry.name.kind == "Policy");
    policies.map(|entry| entry.name.layer.as_str()).collect()
}

fn storage(error: &ArchiveError) -> Stop {
    Stop::Refused(RefusalReason::Storage, error.to_string(), Vec::new(), 0)
}

fn internal(message: &str) -> Stop {
    Stop::Refused(RefusalReason::Internal, message.to_owned(), Vec::new(), 0)
}

fn log_publication(publication: &Publication) {
    let Publication { snapshot, version, trigger, changes, warnings, .. } = publication;
    tracing::info!(
        digest = snapshot.digest,
        revision = snapshot.revision,
        version,
        trigger = trigger.as_str(),
        policies = publication.policies(),
        rules = publication.rules(),
        added = changes.added.len(),
        changed = changes.changed.len(),
        removed = changes.removed.len(),
        warnings,
        "a snapshot is live"
    );
}

fn log_refusal(refusal: &Refusal) {
    let kept = refusal.kept.as_ref().map_or("none", |kept| kept.digest.as_str());
    let reason = refusal.reason.as_str();
    tracing::error!(reason, trigger = refusal.trigger.as_str(), kept, "reload refused: {}", refusal.message);
}
