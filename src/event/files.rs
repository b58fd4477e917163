//! Small files beside the journal: written so that a reader sees the old content or the new, never a mixture.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use super::error::EventError;

/// Creates a directory, its parents included, that only its owner may enter. One that exists stays as it is.
pub(super) fn create_private_directory(path: &Path) -> Result<(), EventError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|error| EventError::io("create the directory", path, &error))
}

/// Replaces the content of `path` by `content`, mode 0600, and makes it durable.
pub(super) fn replace(path: &Path, content: &[u8]) -> Result<(), EventError> {
    let staged = path.with_extension("new");
    let write = || {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&staged)?;
        file.write_all(content)?;
        file.sync_all()
    };
    write().map_err(|error| EventError::io("write", &staged, &error))?;
    fs::rename(&staged, path).map_err(|error| EventError::io("replace", path, &error))?;
    match path.parent() {
        Some(directory) => sync_directory(directory),
        None => Ok(()),
    }
}

/// Makes creations, renames and deletions in a directory durable.
pub(super) fn sync_directory(path: &Path) -> Result<(), EventError> {
    File::open(path).and_then(|directory| directory.sync_all()).map_err(|error| EventError::io("sync", path, &error))
}

/// The content of a file, `None` if it does not exist.
pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>, EventError> {
    match fs::read(path) {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(EventError::io("read", path, &error)),
    }
}
