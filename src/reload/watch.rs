//! Asks the file system to tell of changes.
//!
//! Every directory that takes part is watched by itself, and the parent of every source, where the source may be replaced
//! or come back. The set of watches is made anew from a fresh look at the sources *before* they are read, so that each
//! change is either read or told of.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use notify::event::{AccessKind, AccessMode, EventKind};
use notify::{Config, Event, RecommendedWatcher, RecursiveMode, Watcher};

use super::mailbox::Mailbox;
use super::options::PolicySource;

/// The watches that are set.
pub(super) struct Watch {
    /// Stops watching when dropped.
    _watcher: RecommendedWatcher,
    directories: BTreeSet<PathBuf>,
}

impl Watch {
    /// Watches `directories` and what `sources` hang on. Changes are noted in `mailbox`; those below `excluded` are not.
    pub(super) fn new(
        sources: &[PolicySource],
        directories: &BTreeSet<PathBuf>,
        excluded: &Path,
        mailbox: &Arc<Mailbox>,
    ) -> notify::Result<Self> {
        let relevance = Relevance::new(sources, directories, excluded);
        let anchors = relevance.anchors();
        let mailbox = mailbox.clone();
        let handler = move |event: notify::Result<Event>| {
            // An error, too, may stand for changes that were not told of.
            if event.is_ok_and(|event| !relevance.concerns(&event)) {
                return;
            }
            mailbox.note_change();
        };
        let mut watcher = RecommendedWatcher::new(handler, Config::default().with_follow_symlinks(false))?;
        for directory in directories {
            match watcher.watch(directory, RecursiveMode::NonRecursive) {
                // It went away since it was seen, which its parent's watch tells of.
                Err(error) if is_gone(&error) => {}
                result => result?,
            }
        }
        for anchor in anchors.difference(directories) {
            match watcher.watch(anchor, RecursiveMode::NonRecursive) {
                // One may enter a directory that one may not list. Polling finds a source that is replaced there.
                Err(error) if is_gone(&error) || is_denied(&error) => {}
                result => result?,
            }
        }
        Ok(Self { _watcher: watcher, directories: directories.clone() })
    }

    /// Whether exactly `directories` are watched.
    pub(super) fn covers(&self, directories: &BTreeSet<PathBuf>) -> bool {
        self.directories == *directories
    }
}

fn is_gone(error: &notify::Error) -> bool {
    match &error.kind {
        notify::ErrorKind::PathNotFound => true,
        notify::ErrorKind::Io(error) => {
            matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory)
        }
        _ => false,
    }
}

fn is_denied(error: &notify::Error) -> bool {
    matches!(&error.kind, notify::ErrorKind::Io(error) if error.kind() == std::io::ErrorKind::PermissionDenied)
}

/// Which events matter.
struct Relevance {
    /// Directories that take part.
    directories: BTreeSet<PathBuf>,
    /// Paths that the sources hang on: configured and resolved.
    roots: Vec<PathBuf>,
    excluded: PathBuf,
}

impl Relevance {
    fn new(sources: &[PolicySource], directories: &BTreeSet<PathBuf>, excluded: &Path) -> Self {
        let mut roots = Vec::new();
        for source in sources {
            let configured = std::path::absolute(&source.path).unwrap_or_else(|_| source.path.clone());
            roots.extend(std::fs::canonicalize(&source.path));
            // The directories on the way without their links, as events name them.
            let parent = configured.parent().and_then(|parent| parent.canonicalize().ok());
            roots.extend(parent.zip(configured.file_name()).map(|(parent, name)| parent.join(name)));
            roots.push(configured);
        }
        Self { directories: directories.clone(), roots, excluded: excluded.to_owned() }
    }

    /// The nearest existing directory above each root, where it can be replaced or come back.
    fn anchors(&self) -> BTreeSet<PathBuf> {
        let above = |root: &PathBuf| root.ancestors().skip(1).find(|path| path.is_dir()).map(Path::to_owned);
        self.roots.iter().filter_map(above).collect()
    }

    fn concerns(&self, event: &Event) -> bool {
        match event.kind {
            // Our own reading, among others.
            EventKind::Access(AccessKind::Close(AccessMode::Write)) => {}
            EventKind::Access(_) => return false,
            _ => {}
        }
        event.paths.is_empty() || event.paths.iter().any(|path| self.concerns_path(path))
    }

    fn concerns_path(&self, path: &Path) -> bool {
        let is_excluded = || path.starts_with(&self.excluded);
        let is_above = self.roots.iter().any(|root| root.starts_with(path));
        if is_above || self.directories.contains(path) {
            return !is_excluded() || self.directories.contains(path);
        }
        let name = path.file_name().map(OsStr::as_encoded_bytes).unwrap_or_default();
        // A file that is itself a source may be a link into a volume, and change with the volume's `..data`.
        if name.starts_with(b"..") {
            return !is_excluded();
        }
        // Editors and tools keep hidden files beside those that they write.
        !name.starts_with(b".") && path.parent().is_some_and(|parent| self.directories.contains(parent))
    }
}

#[cfg(test)]
mod tests;
