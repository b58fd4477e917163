//! Loading once, for a program that serves nothing.

use std::path::Path;

use super::findings::Found;
use super::options::ReloadOptions;
use super::sources;
use crate::diag::Severity;
use crate::policy;
use crate::snapshot::Snapshot;

/// The snapshot of the sources as they are, by the rules of a server whose state directory is `state`. Nothing is published
/// or kept; the revision is 0.
///
/// # Errors
/// What is wrong with the files or the documents, in a sentence: a server would refuse them.
pub fn load_once(options: &ReloadOptions, state: &Path) -> Result<Snapshot, String> {
    let read = sources::read(&options.sources, &options.limits, state);
    let loaded = policy::load(&read.texts);
    let is_unreadable = read.findings.iter().any(|finding| finding.severity == Severity::Error);
    if is_unreadable || loaded.findings.has_errors() {
        return Err(Found::new(&loaded.sources, &read.findings, &loaded.findings).errors());
    }
    Ok(Snapshot::build(&loaded.documents, 0))
}
