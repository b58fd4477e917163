//! Durable snapshots: the files below `snapshots/` in the state directory.
//!
//! | file | holds |
//! |---|---|
//! | `HEAD` | the greatest revision, and which digest each of the last revisions stood for, newest first |
//! | `<digest>.json` | the canonical form of the documents: its SHA-256 is the digest |
//! | `<digest>.manifest.json` | the documents by name, hash and number of rules, and the source texts by name and hash |
//! | `sources/<sha256>.yaml` | a source text as its author wrote it: its SHA-256 is its name |
//!
//! Everything that a revision needs is durable before `HEAD` names it, and `HEAD` before the snapshot goes live. `HEAD` is
//! replaced by renaming, so that a crash leaves the old or the new one; files that no `HEAD` names are swept up.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::model::{Layer, SEMANTICS, Timestamp};
use crate::policy::SourceText;
use crate::state_dir::{TEMPORARY_SUFFIX, write_all_durably, write_durably};

use super::documents::{DocumentEntry, hex_sha256};

/// Revisions whose files are kept, residents apart.
const KEPT_REVISIONS: usize = 256;

/// Revisions beyond the kept ones that wait for the next sweep, so that not every reload sweeps.
const SWEEP_EVERY: usize = 32;

/// Version of the files' layout.
const FORMAT: u32 = 1;

/// Why the archive cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveError {
    /// The operating system refused something.
    #[error("cannot {action} `{}`: {source}", path.display())]
    Io {
        /// What was tried, for example `write`.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What came back.
        source: io::Error,
    },
    /// A file does not hold what it must.
    #[error("`{}` {problem}; restore `snapshots/` of the state directory from a backup", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// No revision is left to give.
    #[error("the state directory has used up its revisions")]
    NoRevisionLeft,
}

/// One revision of the state directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revision {
    /// Counts the snapshots of this state directory.
    pub revision: u64,
    /// `sha256:` and 64 hexadecimal digits.
    pub digest: String,
    /// The engine's meaning of documents when it was published.
    pub semantics: u32,
    /// When it was published, RFC 3339.
    pub published_at: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Head {
    format: u32,
    revision: u64,
    /// Newest first.
    history: Vec<Revision>,
}

/// What a snapshot was made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest {
    /// Version of the policy set.
    pub(super) version: String,
    /// The documents.
    pub(super) documents: Vec<DocumentEntry>,
    /// The texts that they were written in.
    sources: Vec<ArchivedSource>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct ArchivedSource {
    name: String,
    layer: String,
    sha256: String,
}

/// A snapshot on its way into the archive.
#[derive(Debug)]
pub(super) struct Candidate<'a> {
    pub(super) digest: &'a str,
    pub(super) version: &'a str,
    pub(super) canonical: &'a [u8],
    pub(super) documents: &'a [DocumentEntry],
    pub(super) texts: &'a [SourceText],
    pub(super) now: Timestamp,
}

/// The durable snapshots of a state directory.
#[derive(Debug)]
pub(super) struct Archive {
    root: PathBuf,
    head: Head,
    /// Revisions whose files are kept.
    pub(super) kept_revisions: usize,
}

impl Archive {
    /// Opens the archive in `root`, which exists, and sweeps up what a crash left.
    pub(super) fn open(root: PathBuf) -> Result<Self, ArchiveError> {
        let sources = root.join("sources");
        match fs::DirBuilder::new().mode(0o700).create(&sources) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(failed("create", &sources)(error));
            }
            _ => {}
        }
        let head_path = root.join("HEAD");
        let head = match fs::read(&head_path) {
            Ok(bytes) => parse_head(&head_path, &bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => begin(&root, &head_path)?,
            Err(error) => return Err(failed("read", &head_path)(error)),
        };
        let archive = Self { root, head, kept_revisions: KEPT_REVISIONS };
        archive.sweep();
        Ok(archive)
    }

    /// The last revision, if there is any.
    pub(super) fn last(&self) -> Option<&Revision> {
        self.head.history.first()
    }

    /// The kept revisions, newest first.
    pub(super) fn history(&self) -> &[Revision] {
        &self.head.history
    }

    /// The revision that a snapshot of `digest` gets: that of the last one if it is the same, else the next.
    pub(super) fn revision_for(&self, digest: &str) -> Result<u64, ArchiveError> {
        match self.last() {
            Some(last) if last.digest == digest => Ok(last.revision),
            _ => self.head.revision.checked_add(1).ok_or(ArchiveError::NoRevisionLeft),
        }
    }

    /// Makes `candidate` durable as `revision`. `residents` are the digests whose files are kept whatever their age.
    pub(super) fn store(
        &mut self,
        candidate: &Candidate<'_>,
        revision: u64,
        residents: &HashSet<String>,
    ) -> Result<(), ArchiveError> {
        let mut sources = Vec::new();
        let mut files = BTreeMap::new();
        for text in candidate.texts {
            let sha256 = hex_sha256(text.text.as_bytes());
            files.insert(self.source_path(&sha256), text.text.as_bytes());
            sources.push(ArchivedSource { name: text.name.to_string(), layer: text.layer.as_str().to_owned(), sha256 });
        }
        keep(&self.root.join("sources"), files)?;
        let manifest = to_json(&Manifest {
            version: candidate.version.to_owned(),
            documents: candidate.documents.to_vec(),
            sources,
        });
        let canonical = (self.canonical_path(candidate.digest)?, candidate.canonical);
        let manifest = (self.manifest_path(candidate.digest)?, manifest.as_slice());
        keep(&self.root, BTreeMap::from([canonical, manifest]))?;
        self.advance(candidate, revision, residents)
    }

    /// Names `candidate` in `HEAD`.
    fn advance(
        &mut self,
        candidate: &Candidate<'_>,
        revision: u64,
        residents: &HashSet<String>,
    ) -> Result<(), ArchiveError> {
        let mut head = self.head.clone();
        let is_known =
            head.history.first().is_some_and(|last| last.revision == revision && last.semantics == SEMANTICS);
        if is_known {
            return Ok(());
        }
        head.history.retain(|known| known.revision != revision);
        let entry = Revision {
            revision,
            digest: candidate.digest.to_owned(),
            semantics: SEMANTICS,
            published_at: candidate.now.to_string(),
        };
        head.history.insert(0, entry);
        head.revision = revision;
        let overflows = head.history.len() > self.kept_revisions.saturating_add(SWEEP_EVERY);
        if overflows {
            forget_old(&mut head.history, self.kept_revisions, residents);
        }
        let path = self.root.join("HEAD");
        write_durably(&path, &to_json(&head)).map_err(failed("write", &path))?;
        self.head = head;
        if overflows {
            self.sweep();
        }
        Ok(())
    }

    /// What the snapshot of `digest` was made of.
    pub(super) fn manifest(&self, digest: &str) -> Result<Manifest, ArchiveError> {
        let path = self.manifest_path(digest)?;
        let bytes = fs::read(&path).map_err(failed("read", &path))?;
        serde_json::from_slice(&bytes).map_err(|error| corrupt(&path, format!("is not a manifest: {error}")))
    }

    /// The source texts that the snapshot of `digest` was made of, each checked against its hash.
    pub(super) fn texts(&self, manifest: &Manifest) -> Result<Vec<SourceText>, ArchiveError> {
        let mut texts = Vec::new();
        for source in &manifest.sources {
            let path = self.source_path(&source.sha256);
            if !is_hex_sha256(&source.sha256) {
                return Err(corrupt(&path, "is named by a manifest and is no hash".to_owned()));
            }
            let bytes = fs::read(&path).map_err(failed("read", &path))?;
            if hex_sha256(&bytes) != source.sha256 {
                return Err(corrupt(&path, "does not have the hash in its name".to_owned()));
            }
            let text = String::from_utf8(bytes).map_err(|_| corrupt(&path, "is not UTF-8".to_owned()))?;
            let layer = Layer::ALL.into_iter().find(|layer| layer.as_str() == source.layer);
            let layer = layer.ok_or_else(|| corrupt(&path, format!("has the unknown layer `{}`", source.layer)))?;
            texts.push(SourceText { name: source.name.as_str().into(), layer, text: text.into() });
        }
        Ok(texts)
    }

    /// Removes files that `HEAD` does not need. What cannot be removed waits for the next time.
    fn sweep(&self) {
        let mut needed = HashSet::from([self.root.join("HEAD"), self.root.join("sources")]);
        let mut is_complete = true;
        for revision in &self.head.history {
            needed.extend(self.canonical_path(&revision.digest));
            needed.extend(self.manifest_path(&revision.digest));
            match self.manifest(&revision.digest) {
                Ok(manifest) => needed.extend(manifest.sources.iter().map(|source| self.source_path(&source.sha256))),
                Err(error) => {
                    tracing::warn!(%error, revision = revision.revision, "the manifest of a kept snapshot is unreadable");
                    is_complete = false;
                }
            }
        }
        // Without a manifest it is unknown which texts its snapshot needs.
        let swept = if is_complete { vec![self.root.clone(), self.root.join("sources")] } else { Vec::new() };
        for directory in swept {
            for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
                let path = entry.path();
                if is_ours(&path) && !needed.contains(&path) {
                    let _ = fs::remove_file(&path);
                }
            }
        }
    }

    fn source_path(&self, sha256: &str) -> PathBuf {
        self.root.join("sources").join(format!("{sha256}.yaml"))
    }

    fn canonical_path(&self, digest: &str) -> Result<PathBuf, ArchiveError> {
        Ok(self.root.join(format!("{}.json", self.hex(digest)?)))
    }

    fn manifest_path(&self, digest: &str) -> Result<PathBuf, ArchiveError> {
        Ok(self.root.join(format!("{}.manifest.json", self.hex(digest)?)))
    }

    fn hex<'a>(&self, digest: &'a str) -> Result<&'a str, ArchiveError> {
        hex_of(digest).ok_or_else(|| corrupt(&self.root.join("HEAD"), format!("names `{digest}`, which is no digest")))
    }
}

/// Writes content-addressed files of `directory` unless they are there. Those that are there are compared, so that damage
/// heals. Durable afterwards, also where a crash interrupted an earlier attempt.
fn keep(directory: &Path, files: BTreeMap<PathBuf, &[u8]>) -> Result<(), ArchiveError> {
    let is_new = |path: &Path, bytes: &[u8]| !fs::read(path).is_ok_and(|known| known == bytes);
    let files = files.into_iter().filter(|(path, bytes)| is_new(path, bytes));
    let files: Vec<_> = files.filter_map(|(path, bytes)| Some((path.file_name()?.to_owned(), bytes))).collect();
    write_all_durably(directory, &files).map_err(failed("write to", directory))
}

/// The hexadecimal digits of a digest, which become a file name.
fn hex_of(digest: &str) -> Option<&str> {
    digest.strip_prefix("sha256:").filter(|hex| is_hex_sha256(hex))
}

fn is_hex_sha256(hex: &str) -> bool {
    hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f'))
}

/// Whether a file has one of the names that the archive gives; others are left alone.
fn is_ours(path: &Path) -> bool {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return false };
    if name.starts_with('.') && name.ends_with(TEMPORARY_SUFFIX) {
        return true;
    }
    let stem = [".manifest.json", ".json", ".yaml"].iter().find_map(|ending| name.strip_suffix(ending));
    stem.is_some_and(is_hex_sha256)
}

/// Drops the oldest revisions, apart from the newest one of each resident snapshot.
fn forget_old(history: &mut Vec<Revision>, kept: usize, residents: &HashSet<String>) {
    let mut position = 0_usize;
    let mut seen = HashSet::new();
    history.retain(|revision| {
        position = position.saturating_add(1);
        let is_first_of_its_digest = seen.insert(revision.digest.clone());
        position <= kept || (is_first_of_its_digest && residents.contains(&revision.digest))
    });
}

fn parse_head(path: &Path, bytes: &[u8]) -> Result<Head, ArchiveError> {
    let head: Head =
        serde_json::from_slice(bytes).map_err(|error| corrupt(path, format!("cannot be understood: {error}")))?;
    if head.format != FORMAT {
        return Err(corrupt(path, format!("has the format {}, this program knows {FORMAT}", head.format)));
    }
    let is_sound = head.history.iter().all(|entry| entry.revision <= head.revision && hex_of(&entry.digest).is_some());
    if !is_sound {
        return Err(corrupt(path, "names a revision that cannot be".to_owned()));
    }
    Ok(head)
}

/// Begins a new archive. Refuses where snapshots are kept already, because revisions never repeat.
fn begin(root: &Path, head_path: &Path) -> Result<Head, ArchiveError> {
    let entries = fs::read_dir(root).map_err(failed("list", root))?;
    let is_used = entries.flatten().any(|entry| entry.file_name().to_string_lossy().ends_with(".manifest.json"));
    if is_used {
        return Err(corrupt(head_path, "is missing although snapshots are kept beside it".to_owned()));
    }
    let head = Head { format: FORMAT, revision: 0, history: Vec::new() };
    write_durably(head_path, &to_json(&head)).map_err(failed("write", head_path))?;
    Ok(head)
}

/// Plain data has a JSON form.
fn to_json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec_pretty(value).unwrap_or_default()
}

fn failed<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> ArchiveError + 'a {
    move |source| ArchiveError::Io { action, path: path.to_owned(), source }
}

fn corrupt(path: &Path, problem: String) -> ArchiveError {
    ArchiveError::Corrupt { path: path.to_owned(), problem }
}
