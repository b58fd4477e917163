//! The keys that Lictor makes itself, one a file in `keys/` of the state directory.
//!
//! `receipt-<UUIDv7>.pem`: the id holds the time at which the key was made. The newest signs.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use uuid::Uuid;

use super::error::KeyError;
use super::key::PrivateKey;
use crate::model::{Timestamp, new_id};
use crate::state_dir::write_durably;

/// Longest key file that is read, in bytes.
const MAX_KEY_FILE: u64 = 16 * 1024;

/// A key that Lictor made.
#[derive(Debug)]
pub struct KeyFile {
    /// Where it is.
    pub path: PathBuf,
    /// When it was made, in seconds since 1970.
    pub made_at: i64,
    /// The key.
    pub key: PrivateKey,
}

/// The keys in `directory`, oldest first.
///
/// # Errors
/// Where a file cannot be read, is no key, or may be read by others.
pub fn key_files(directory: &Path) -> Result<Vec<KeyFile>, KeyError> {
    names(directory)?.into_iter().map(|(made_at, path)| read(path, made_at)).collect()
}

/// Makes a key in `directory`, which signs from the next time that the keys are read; the others go on verifying until
/// their grace ends. Gives back where it is and its id.
///
/// # Errors
/// Where it cannot be written, or the newest key is of a later time than now.
pub fn rotate(directory: &Path) -> Result<(PathBuf, String), KeyError> {
    let newest = names(directory)?.pop();
    let path = directory.join(format!("receipt-{}.pem", new_id(Timestamp::from_system(SystemTime::now()))));
    if let Some((_, newest)) = newest
        && newest >= path
    {
        return Err(KeyError::ClockBehind(newest));
    }
    let key = PrivateKey::generate()?;
    write_durably(&path, key.to_pem()?.as_bytes()).map_err(|source| KeyError::Io {
        action: "write",
        path: path.clone(),
        source,
    })?;
    Ok((path, key.public().id().to_owned()))
}

/// Key files by the time at which they were made. Other files are left alone.
fn names(directory: &Path) -> Result<Vec<(i64, PathBuf)>, KeyError> {
    let failed = |source| KeyError::Io { action: "list", path: directory.to_owned(), source };
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let id = name.to_str().and_then(|name| name.strip_prefix("receipt-")?.strip_suffix(".pem"));
        if let Some(time) = id.and_then(|id| Uuid::parse_str(id).ok()?.get_timestamp()) {
            let (seconds, _) = time.to_unix();
            found.push((i64::try_from(seconds).unwrap_or(i64::MAX), directory.join(name)));
        }
    }
    found.sort_unstable_by(|(_, a), (_, b)| a.cmp(b));
    Ok(found)
}

fn read(path: PathBuf, made_at: i64) -> Result<KeyFile, KeyError> {
    let failed = |source| KeyError::Io { action: "read", path: path.clone(), source };
    let file = File::open(&path).map_err(failed)?;
    let mode = file.metadata().map_err(failed)?.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(KeyError::Readable { path, mode });
    }
    let mut bytes = Vec::new();
    file.take(MAX_KEY_FILE).read_to_end(&mut bytes).map_err(failed)?;
    let key = PrivateKey::read(&format!("`{}`", path.display()), &bytes)?;
    Ok(KeyFile { path, made_at, key })
}
