//! The state directory: everything that one Lictor keeps on disk, and the lock that makes it the only one to do so.
//!
//! Layout: `VERSION` (of this layout), `instance-id`, `lock`, and the directories `journal/`, `snapshots/`, `cursors/` and
//! `keys/`; the socket `lictor.sock` lives here unless configured elsewhere. The directory has mode 0700, belongs to the
//! user that Lictor runs as, and is locked for as long as a [`StateDir`] lives. Rooms that keep files here write them with
//! [`write_durably`].

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::{FlockOperation, OFlags};
use uuid::Uuid;

use crate::model::{Timestamp, new_id};

/// Version of the layout that this program writes. A directory with a greater one is refused.
pub const LAYOUT_VERSION: u32 = 1;

const VERSION_FILE: &str = "VERSION";
const INSTANCE_FILE: &str = "instance-id";
const LOCK_FILE: &str = "lock";
const SUB_DIRECTORIES: [&str; 4] = ["journal", "snapshots", "cursors", "keys"];

/// Names that a directory may already hold when it becomes a state directory: our own, should a first start have been cut
/// short, and the one that every new ext4 volume has.
const HARMLESS: [&str; 2] = [LOCK_FILE, "lost+found"];

/// Longest `VERSION`, `instance-id` or `lock` that is read, in bytes.
const MAX_SMALL_FILE: u64 = 256;

/// Why a state directory cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateDirError {
    /// The operating system refused something.
    #[error("cannot {action} `{}`: {source}", path.display())]
    Io {
        /// What was tried, for example `create`.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What came back.
        source: io::Error,
    },
    /// The path is something else.
    #[error("`{}` is not a directory; name another state directory with `--state`", path.display())]
    NotADirectory {
        /// The path.
        path: PathBuf,
    },
    /// It belongs to another user.
    #[error(
        "`{}` belongs to user {owner} and not to user {own}, which lictor runs as; name a directory that does not exist \
         yet with `--state` (on a mounted volume: a sub-directory), it is created with the right owner",
        path.display()
    )]
    OtherOwner {
        /// The path.
        path: PathBuf,
        /// Who owns it.
        owner: u32,
        /// Who this process runs as.
        own: u32,
    },
    /// Others may write to it.
    #[error(
        "`{}` has mode {mode:04o}, so that other users may write to it; run `chmod 0700 {}`, or name a sub-directory that \
         does not exist yet with `--state`",
        path.display(),
        path.display()
    )]
    Writable {
        /// The path.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It holds something, and not a Lictor's state.
    #[error(
        "`{}` holds other files, for example `{example}`, and no lictor state; name an empty directory with `--state`",
        path.display()
    )]
    NotOurs {
        /// The path.
        path: PathBuf,
        /// A name found in it.
        example: String,
    },
    /// Another process has it.
    #[error("state directory `{}` is in use by {}; stop that process, or name another directory with `--state`",
        path.display(), holder(*pid))]
    InUse {
        /// The path.
        path: PathBuf,
        /// The process, where it could be found out.
        pid: Option<u32>,
    },
    /// A newer Lictor has written it.
    #[error(
        "state directory `{}` has layout version {found}, this program knows up to {LAYOUT_VERSION}; use the newer \
         program, or name another directory with `--state`",
        path.display()
    )]
    Newer {
        /// The path.
        path: PathBuf,
        /// The version found.
        found: u32,
    },
    /// One of its files cannot be understood.
    #[error("`{}` does not hold {expected}; restore it from a backup, or name another state directory with `--state`",
        path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What should be there.
        expected: &'static str,
    },
}

fn holder(pid: Option<u32>) -> String {
    pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
}

/// An opened, checked and locked state directory. Dropping it gives the lock back.
#[derive(Debug)]
pub struct StateDir {
    path: PathBuf,
    instance_id: Uuid,
    _lock: File,
}

impl StateDir {
    /// Opens the state directory at `path`, creating it and what is missing in it.
    ///
    /// # Errors
    /// If it cannot be created or read, belongs to somebody else or may be written by others, holds something else, is in
    /// use, or was written by a newer program.
    pub fn open(path: &Path) -> Result<Self, StateDirError> {
        create_private_directory(path)?;
        let path = fs::canonicalize(path).map_err(failed("resolve", path))?;
        check_private(&path)?;
        if !path.join(LOCK_FILE).exists() {
            // Before a lock file is left in it.
            check_vacant(&path)?;
        }
        let lock = lock(&path)?;
        if read_small(&path.join(VERSION_FILE))?.is_none() {
            check_vacant(&path)?;
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).map_err(failed("make private", &path))?;
        check_version(&path)?;
        let instance_id = instance_id(&path)?;
        for name in SUB_DIRECTORIES {
            let sub_directory = path.join(name);
            create_private_directory(&sub_directory)?;
            check_private(&sub_directory)?;
        }
        Ok(Self { path, instance_id, _lock: lock })
    }

    /// Where it is; absolute, without symbolic links.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Names this state directory among all others, for as long as it exists.
    #[must_use]
    pub fn instance_id(&self) -> Uuid {
        self.instance_id
    }

    /// Where the event journal lives.
    #[must_use]
    pub fn journal(&self) -> PathBuf {
        self.path.join("journal")
    }

    /// Where the documents of snapshots live.
    #[must_use]
    pub fn snapshots(&self) -> PathBuf {
        self.path.join("snapshots")
    }

    /// Where exporters keep how far they have come.
    #[must_use]
    pub fn cursors(&self) -> PathBuf {
        self.path.join("cursors")
    }

    /// Where keys live.
    #[must_use]
    pub fn keys(&self) -> PathBuf {
        self.path.join("keys")
    }

    /// The socket's place, unless configured elsewhere.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.path.join("lictor.sock")
    }
}

/// Writes `bytes` to `path` so that after a crash at any moment it holds either what it held before or all of `bytes`: to
/// a temporary file beside it, synced, renamed over it, the directory synced. Mode 0600.
///
/// # Errors
/// What the operating system says; `path` is then as before.
pub fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let invalid = || io::Error::from(io::ErrorKind::InvalidInput);
    let name = path.file_name().ok_or_else(invalid)?;
    write_all_durably(path.parent().ok_or_else(invalid)?, &[(name.to_owned(), bytes)])
}

/// As [`write_durably`] for several files of one directory, at the cost of few syncs.
///
/// # Errors
/// What the operating system says; each file then holds what it held before or its new bytes.
pub fn write_all_durably(directory: &Path, files: &[(OsString, &[u8])]) -> io::Result<()> {
    let by_file_system = cfg!(target_os = "linux") && files.len() > MOST_SYNCS;
    let mut temporaries = Vec::new();
    let written = files.iter().try_for_each(|(name, bytes)| {
        let (temporary, path) = (temporary_for(&directory.join(name)), directory.join(name));
        let file = write_new(&temporary, bytes)?;
        temporaries.push((temporary, path));
        if by_file_system { Ok(()) } else { file.sync_all() }
    });
    let renamed = written.and_then(|()| {
        if by_file_system {
            sync_file_system(directory)?;
        }
        temporaries.iter().try_for_each(|(temporary, path)| fs::rename(temporary, path))
    });
    if renamed.is_err() {
        for (temporary, _) in &temporaries {
            // Best effort: a full disk should not keep halves of files.
            let _ = fs::remove_file(temporary);
        }
    }
    renamed?;
    sync_directory(directory)
}

/// Most files that are synced one by one; beyond, syncing the whole file system is cheaper.
const MOST_SYNCS: usize = 16;

#[cfg(target_os = "linux")]
fn sync_file_system(directory: &Path) -> io::Result<()> {
    Ok(rustix::fs::syncfs(File::open(directory)?)?)
}

#[cfg(not(target_os = "linux"))]
fn sync_file_system(_: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

fn temporary_for(path: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(TEMPORARY_SUFFIX);
    path.with_file_name(name)
}

/// Makes the names in `directory` durable.
fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// Ending of the temporary files of [`write_durably`]; one that is found after a crash means nothing.
pub const TEMPORARY_SUFFIX: &str = ".tmp";

/// Writes a file that is not there; one that a crash left is removed.
fn write_new(path: &Path, bytes: &[u8]) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    Ok(file)
}

fn failed<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> StateDirError + 'a {
    move |source| StateDirError::Io { action, path: path.to_owned(), source }
}

fn create_private_directory(path: &Path) -> Result<(), StateDirError> {
    if path.exists() {
        return Ok(());
    }
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        fs::create_dir_all(parent).map_err(failed("create", parent))?;
    }
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(failed("create", path)(error)),
        _ => Ok(()),
    }
}

/// Refuses a directory whose contents other users could exchange.
fn check_private(path: &Path) -> Result<(), StateDirError> {
    let metadata = fs::metadata(path).map_err(failed("examine", path))?;
    if !metadata.is_dir() {
        return Err(StateDirError::NotADirectory { path: path.to_owned() });
    }
    let own = rustix::process::geteuid().as_raw();
    check_owner(path, metadata.uid(), own)?;
    let mode = metadata.mode() & 0o7777;
    if mode & 0o022 != 0 {
        return Err(StateDirError::Writable { path: path.to_owned(), mode });
    }
    Ok(())
}

fn check_owner(path: &Path, owner: u32, own: u32) -> Result<(), StateDirError> {
    if owner == own { Ok(()) } else { Err(StateDirError::OtherOwner { path: path.to_owned(), owner, own }) }
}

/// Refuses a directory that somebody keeps other things in: it would be made private, and `--state /etc` is a slip.
fn check_vacant(path: &Path) -> Result<(), StateDirError> {
    for entry in fs::read_dir(path).map_err(failed("list", path))? {
        let name = entry.map_err(failed("list", path))?.file_name();
        let name = name.to_string_lossy();
        let is_harmless = HARMLESS.contains(&&*name) || name.ends_with(TEMPORARY_SUFFIX);
        if !is_harmless {
            return Err(StateDirError::NotOurs { path: path.to_owned(), example: name.into_owned() });
        }
    }
    Ok(())
}

/// Takes the advisory lock, which the operating system gives back however the process ends.
fn lock(directory: &Path) -> Result<File, StateDirError> {
    let path = directory.join(LOCK_FILE);
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(no_follow())
        .open(&path)
        .map_err(failed("open", &path))?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK) => {
            let mut text = String::new();
            let pid = file.take(MAX_SMALL_FILE).read_to_string(&mut text).ok().and_then(|_| text.trim().parse().ok());
            return Err(StateDirError::InUse { path: directory.to_owned(), pid });
        }
        Err(error) => return Err(failed("lock", &path)(error.into())),
    }
    let pid = format!("{}\n", std::process::id());
    file.set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| file.write_all(pid.as_bytes()))
        .map_err(failed("write", &path))?;
    Ok(file)
}

fn check_version(directory: &Path) -> Result<(), StateDirError> {
    let path = directory.join(VERSION_FILE);
    let Some(text) = read_small(&path)? else {
        return write_durably(&path, format!("{LAYOUT_VERSION}\n").as_bytes()).map_err(failed("write", &path));
    };
    match text.trim().parse::<u32>() {
        Ok(found) if found > LAYOUT_VERSION => Err(StateDirError::Newer { path: directory.to_owned(), found }),
        Ok(1..) => Ok(()),
        _ => Err(StateDirError::Corrupt { path, expected: "the version of a state directory" }),
    }
}

fn instance_id(directory: &Path) -> Result<Uuid, StateDirError> {
    let path = directory.join(INSTANCE_FILE);
    if let Some(text) = read_small(&path)? {
        return text.trim().parse().map_err(|_| StateDirError::Corrupt { path, expected: "a UUID" });
    }
    let id = new_id(Timestamp::from_system(SystemTime::now()));
    write_durably(&path, format!("{id}\n").as_bytes()).map_err(failed("write", &path))?;
    Ok(id)
}

/// The text of a small file of ours; `None` where there is none.
fn read_small(path: &Path) -> Result<Option<String>, StateDirError> {
    let file = match OpenOptions::new().read(true).custom_flags(no_follow()).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed("open", path)(error)),
    };
    let mut bytes = Vec::new();
    file.take(MAX_SMALL_FILE).read_to_end(&mut bytes).map_err(failed("read", path))?;
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

/// Flags for opening a file that must not be a symbolic link.
fn no_follow() -> i32 {
    // The bits of open(2) fit an int on every platform that has them.
    i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or(0)
}

#[cfg(test)]
mod tests;
