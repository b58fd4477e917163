//! What to load, how it is watched, and the limits on it.

use std::path::PathBuf;
use std::time::Duration;

use crate::model::Layer;

/// A directory or a single file of documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicySource {
    /// Where it is. May itself be a symbolic link: whoever configures it vouches for where it points.
    pub path: PathBuf,
    /// The layer of all documents in it.
    pub layer: Layer,
}

/// Limits on what is read. A limit that is hit is an error that names it, and the reload is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceLimits {
    /// Most files of documents, over all sources.
    pub files: usize,
    /// Most directories, over all sources. Each takes one inotify watch.
    pub directories: usize,
    /// Deepest sub-directory; those of the source itself are depth 1.
    pub depth: usize,
    /// Largest file, in bytes.
    pub file_bytes: u64,
    /// Most bytes in all files together.
    pub total_bytes: u64,
}

impl Default for SourceLimits {
    fn default() -> Self {
        Self { files: 4_096, directories: 1_024, depth: 16, file_bytes: 4 << 20, total_bytes: 64 << 20 }
    }
}

/// How documents are loaded and watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReloadOptions {
    /// Where the documents are.
    pub sources: Vec<PolicySource>,
    /// Whether a reload from some policies to none is let through.
    pub allow_empty: bool,
    /// Whether the file system is asked to tell of changes. Where not, only [`poll`](Self::poll) finds them.
    pub watch: bool,
    /// How often the files are compared with those of the last load, as a net below watching.
    pub poll: Duration,
    /// The same where the file system was asked and cannot tell of changes, for example because the inotify limits of the
    /// host are used up. The shorter of the two counts.
    pub poll_unwatched: Duration,
    /// How long the files must rest after a change before they are loaded.
    pub settle: Duration,
    /// How long a load is put off at most while the files keep changing.
    pub settle_max: Duration,
    /// How long a snapshot that is no longer resident stays in memory, so that no request is the last to hold it and has
    /// to free it.
    pub grace: Duration,
    /// Limits on what is read.
    pub limits: SourceLimits,
}

impl Default for ReloadOptions {
    fn default() -> Self {
        Self {
            sources: Vec::new(),
            allow_empty: false,
            watch: true,
            poll: Duration::from_secs(30),
            poll_unwatched: Duration::from_secs(5),
            settle: Duration::from_millis(150),
            settle_max: Duration::from_secs(2),
            grace: Duration::from_secs(10),
            limits: SourceLimits::default(),
        }
    }
}
