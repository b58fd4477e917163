//! Room for starting: a file of the state directory that is given up where the disk is full, so that a server starts as it
//! would have gone on running: it decides, and what it cannot write is dropped or refused.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Bytes that a start needs and that are kept for it.
const BYTES: u64 = 1 << 20;
/// How many are written at once.
const PIECE: usize = 64 << 10;

fn path_of(state_dir: &Path) -> PathBuf {
    state_dir.join("reserve")
}

/// Gives up the reserve where there is hardly any room beside it. To be called before anything is written.
pub fn release(state_dir: &Path) {
    let path = path_of(state_dir);
    let Ok(volume) = rustix::fs::statvfs(state_dir) else { return };
    if volume.f_bavail.saturating_mul(volume.f_frsize) >= BYTES || !path.exists() {
        return;
    }
    match fs::remove_file(&path) {
        Ok(()) => tracing::error!(
            "the disk of `{}` is full; its reserve was given up so that the server can start. What cannot be recorded is \
             dropped or refused until there is room",
            state_dir.display()
        ),
        Err(error) => tracing::error!(%error, "the disk of `{}` is full", state_dir.display()),
    }
}

/// Keeps as much of the reserve as there is room for.
pub fn keep(state_dir: &Path) {
    let path = path_of(state_dir);
    if let Err(error) = fill(&path)
        && error.kind() != ErrorKind::StorageFull
        && error.kind() != ErrorKind::QuotaExceeded
    {
        tracing::warn!(%error, "cannot keep the reserve `{}`; a server does not start on a full disk", path.display());
    }
}

fn fill(path: &Path) -> std::io::Result<()> {
    let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    // Written, and not the same throughout: nothing that a file system could leave out.
    let piece: Vec<u8> = (0..PIECE).map(|at| u8::try_from(at.wrapping_mul(31) % 251).unwrap_or(0)).collect();
    let mut bytes = file.metadata()?.len();
    while bytes < BYTES {
        file.write_all(&piece)?;
        bytes = bytes.saturating_add(PIECE as u64);
    }
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_kept_and_stays_as_large_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        for _ in 0..2 {
            keep(folder.path());
            assert_eq!(fs::metadata(path_of(folder.path())).unwrap().len(), BYTES);
        }
        // There is room beside it.
        release(folder.path());
        assert!(path_of(folder.path()).exists());
        release(&folder.path().join("not there"));
    }
}
