//! Finds the files of one source without reading them.
//!
//! Files named `*.yaml` or `*.yml` count, in the directory and all below; names that start with a dot do not. A symbolic
//! link is followed only to something inside the source. Of a volume that the kubelet fills, everything is taken from the
//! directory that `..data` points to, resolved once, so that two generations cannot mix.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};

use crate::diag::Finding;

use super::options::SourceLimits;
use super::trust::{self, Volume};

/// The link that the kubelet exchanges to publish a new generation of a volume.
const DATA_LINK: &str = "..data";

/// Only owners may rename and remove what is in the directory.
const STICKY: u32 = 0o1000;

/// A change this close to a scan may be followed by another that leaves the same time stamp.
const TIMESTAMP_DOUBT: Duration = Duration::from_secs(1);

/// A file of documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FoundFile {
    /// Its real path.
    pub(super) real: PathBuf,
    /// The name that people know it by: the path as configured, then as found.
    pub(super) shown: String,
}

/// What was found in the sources.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// The files: sources in the order of the scans, files by the name that is shown.
    pub(super) files: Vec<FoundFile>,
    /// Every directory that was listed, by its real path.
    pub(super) directories: BTreeSet<PathBuf>,
    /// What is wrong.
    pub(super) findings: Vec<Finding>,
    /// Changes with every file, directory, name, size, time, owner and mode.
    pub(super) fingerprint: Sha256,
    /// Whether something changed so recently that an equal fingerprint proves nothing.
    pub(super) is_recent: bool,
}

/// Looks through one source and adds what it finds.
pub(super) fn scan(path: &Path, limits: &SourceLimits, excluded: &Path, into: &mut Scan) {
    let shown = path.display().to_string();
    let root = match fs::canonicalize(path) {
        Ok(root) => root,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let finding = Finding::error("source-missing", format!("policy source `{shown}` does not exist"));
            into.findings.push(finding.help("create it, or name another one with `--policies`"));
            into.fingerprint.update(b"missing");
            return;
        }
        Err(error) => return into.findings.push(unreadable(&shown, &error)),
    };
    let mut walk = Walk {
        limits,
        excluded,
        root: root.clone(),
        directories: BTreeSet::new(),
        files: BTreeMap::new(),
        links: VecDeque::new(),
        scan: into,
    };
    walk.source(&root, &shown);
    let Walk { directories, files, .. } = walk;
    let mut files: Vec<_> = files.into_iter().map(|(real, shown)| FoundFile { real, shown }).collect();
    files.sort_by(|file, other| (&file.shown, &file.real).cmp(&(&other.shown, &other.real)));
    into.files.extend(files);
    into.directories.extend(directories);
}

struct Walk<'a> {
    limits: &'a SourceLimits,
    /// The state directory, whose copies of documents are not documents.
    excluded: &'a Path,
    root: PathBuf,
    /// Directories that were listed, by real path.
    directories: BTreeSet<PathBuf>,
    /// Files by real path, with the name to show.
    files: BTreeMap<PathBuf, String>,
    /// Followed last, so that a file is known by its own name rather than by a link to it.
    links: VecDeque<Link>,
    scan: &'a mut Scan,
}

/// A symbolic link that is still to be followed.
struct Link {
    path: PathBuf,
    shown: String,
    within: Within,
}

/// What an entry of a directory inherits from it.
#[derive(Debug, Clone, Copy)]
struct Within {
    /// Of the directory; that of the source itself is 1.
    depth: usize,
    /// The volume that it belongs to.
    volume: Volume,
    /// Whether the directory has a `..data` link.
    has_generations: bool,
}

impl Within {
    const SOURCE: Self = Self { depth: 0, volume: Volume::Ordinary, has_generations: false };
}

impl Walk<'_> {
    fn source(&mut self, root: &Path, shown: &str) {
        if root == self.excluded {
            let finding = Finding::error("source-is-state", format!("policy source `{shown}` is the state directory"));
            return self.scan.findings.push(finding.help("keep the documents in a directory of their own"));
        }
        match fs::metadata(root) {
            Err(error) => self.scan.findings.push(unreadable(shown, &error)),
            Ok(metadata) if metadata.is_file() => self.single_file(root, shown, &metadata),
            Ok(metadata) if metadata.is_dir() => {
                self.directory(root, shown, Within::SOURCE);
                while let Some(link) = self.links.pop_front() {
                    self.link(link);
                }
            }
            Ok(_) => self.scan.findings.push(not_regular(shown)),
        }
    }

    /// A file that is a source by itself. Whoever can write to its directory can exchange it, unless the sticky bit forbids.
    fn single_file(&mut self, root: &Path, shown: &str, metadata: &Metadata) {
        let parent = root.parent().unwrap_or(root);
        match fs::symlink_metadata(parent) {
            Err(error) => self.scan.findings.push(unreadable(&parent.display().to_string(), &error)),
            Ok(directory) => {
                let is_sticky = directory.mode() & STICKY != 0;
                let finding = trust::check_directory(parent, directory.mode(), Volume::Ordinary);
                self.scan.findings.extend(finding.filter(|_| !is_sticky));
            }
        }
        self.file(root.to_owned(), shown.to_owned(), metadata);
    }

    fn directory(&mut self, path: &Path, shown: &str, parent: Within) {
        if self.directories.contains(path) || path == self.excluded {
            return;
        }
        let depth = parent.depth.saturating_add(1);
        if depth > self.limits.depth {
            let message = format!("directory `{shown}` is nested deeper than {} levels", self.limits.depth);
            return self.scan.findings.push(Finding::error("source-too-deep", message));
        }
        if self.scan.directories.len().saturating_add(self.directories.len()) >= self.limits.directories {
            return self.limit("directories", self.limits.directories);
        }
        let listed = fs::symlink_metadata(path).and_then(|metadata| {
            let names = fs::read_dir(path)?.map(|entry| entry.map(|entry| entry.file_name()));
            Ok((metadata, names.collect::<io::Result<BTreeSet<_>>>()?))
        });
        let (metadata, names) = match listed {
            Ok(listed) => listed,
            Err(error) => return self.scan.findings.push(unreadable(shown, &error)),
        };
        self.note(path, &metadata);
        self.directories.insert(path.to_owned());
        let data_link = path.join(DATA_LINK);
        let has_generations = fs::symlink_metadata(&data_link).is_ok_and(|link| link.is_symlink());
        let volume = if has_generations { Volume::of(path, true) } else { parent.volume };
        let within = Within { depth, volume, has_generations };
        self.scan.findings.extend(trust::check_directory(Path::new(shown), metadata.mode(), volume));
        for name in names {
            if !name.as_bytes().starts_with(b".") {
                let shown = Path::new(shown).join(&name).display().to_string();
                self.entry(path.join(&name), shown, within);
            }
        }
        if has_generations {
            self.generation(path, &data_link, shown, within);
        }
    }

    /// The generation of a volume that `..data` points to now, shown as if its files were in the volume's directory.
    fn generation(&mut self, volume: &Path, data_link: &Path, shown: &str, within: Within) {
        let shown_link = Path::new(shown).join(DATA_LINK).display().to_string();
        match fs::canonicalize(data_link) {
            Err(error) => self.scan.findings.push(unreadable(&shown_link, &error)),
            Ok(generation) if !generation.starts_with(volume) => {
                self.scan.findings.push(outside(&shown_link, &generation));
            }
            Ok(generation) => self.directory(&generation, shown, Within { has_generations: false, ..within }),
        }
    }

    fn entry(&mut self, path: PathBuf, shown: String, within: Within) {
        let metadata = match fs::symlink_metadata(&path) {
            Ok(metadata) => metadata,
            Err(error) => return self.scan.findings.push(unreadable(&shown, &error)),
        };
        if metadata.is_dir() {
            self.directory(&path, &shown, within);
        } else if metadata.is_symlink() {
            self.note(&path, &metadata);
            let leads_into_data = || fs::read_link(&path).is_ok_and(|target| target.starts_with(DATA_LINK));
            if !(within.has_generations && leads_into_data()) {
                self.links.push_back(Link { path, shown, within });
            }
        } else if is_yaml(&path) {
            if metadata.is_file() {
                self.file(path, shown, &metadata);
            } else {
                self.scan.findings.push(not_regular(&shown));
            }
        }
    }

    fn link(&mut self, Link { path, shown, within }: Link) {
        let target = match fs::canonicalize(&path) {
            Ok(target) => target,
            Err(error) => {
                let message = format!("symbolic link `{shown}` cannot be followed: {error}");
                return self.scan.findings.push(if is_yaml(&path) {
                    Finding::error("dangling-link", message).help("remove the link, or create what it points to")
                } else {
                    Finding::warning("dangling-link", message)
                });
            }
        };
        let metadata = match fs::metadata(&target) {
            Ok(metadata) => metadata,
            Err(error) => return self.scan.findings.push(unreadable(&shown, &error)),
        };
        if !metadata.is_dir() && !is_yaml(&path) {
            return;
        }
        if !target.starts_with(&self.root) {
            self.scan.findings.push(outside(&shown, &target));
        } else if target.starts_with(self.excluded) {
            // Copies of documents in the state directory are not documents.
        } else if metadata.is_dir() {
            self.directory(&target, &shown, within);
        } else if metadata.is_file() {
            self.file(target, shown, &metadata);
        } else {
            self.scan.findings.push(not_regular(&shown));
        }
    }

    fn file(&mut self, real: PathBuf, shown: String, metadata: &Metadata) {
        if self.files.contains_key(&real) {
            return;
        }
        if self.scan.files.len().saturating_add(self.files.len()) >= self.limits.files {
            return self.limit("files", self.limits.files);
        }
        self.note(&real, metadata);
        self.files.insert(real, shown);
    }

    /// Reports a limit once, however often it is hit.
    fn limit(&mut self, what: &str, most: usize) {
        let message = format!("the policy sources hold more than {most} {what}");
        if self.scan.findings.iter().all(|finding| finding.message != message) {
            let finding = Finding::error("source-too-large", message);
            self.scan.findings.push(finding.help("name the directory that holds nothing but policies"));
        }
    }

    fn note(&mut self, path: &Path, metadata: &Metadata) {
        let fingerprint = &mut self.scan.fingerprint;
        fingerprint.update(path.as_os_str().as_bytes());
        fingerprint.update([0]);
        for number in [metadata.dev(), metadata.ino(), metadata.size(), metadata.mode().into(), metadata.uid().into()] {
            fingerprint.update(number.to_le_bytes());
        }
        for time in [metadata.mtime(), metadata.mtime_nsec(), metadata.ctime(), metadata.ctime_nsec()] {
            fingerprint.update(time.to_le_bytes());
        }
        self.scan.is_recent |= is_recent(metadata);
    }
}

fn is_recent(metadata: &Metadata) -> bool {
    let changed = u64::try_from(metadata.ctime()).map(Duration::from_secs).unwrap_or_default();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    // A time in the future, from another host's clock, proves nothing either.
    now.saturating_sub(TIMESTAMP_DOUBT) <= changed.saturating_add(Duration::from_secs(1))
}

fn is_yaml(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml")
}

fn unreadable(shown: &str, error: &io::Error) -> Finding {
    Finding::error("source-unreadable", format!("cannot read `{shown}`: {error}"))
}

fn not_regular(shown: &str) -> Finding {
    Finding::error("not-a-file", format!("`{shown}` is neither a file nor a directory"))
}

fn outside(shown: &str, target: &Path) -> Finding {
    let message = format!("symbolic link `{shown}` leads out of its policy source, to `{}`", target.display());
    Finding::error("link-outside-source", message)
        .help("copy the files into the source, or configure the place that it points to as a source of its own")
}
