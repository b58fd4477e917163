//! Which keys there were before: of those that are gone nobody can check the receipts any more, which is worth saying once.

use std::fs;
use std::path::Path;

use super::error::KeyError;
use crate::state_dir::write_durably;

/// Longest record that is read, in bytes.
const MAX_BYTES: u64 = 64 * 1024;

/// Notes the ids `now` of the keys that verify at `path`, one a line. Gives those that were noted before and are not
/// `present` any more, be it as keys whose time is over.
///
/// # Errors
/// Where the file cannot be read or written.
pub(super) fn missing(path: &Path, now: &[String], present: &[String]) -> Result<Vec<String>, KeyError> {
    let failed = |action| move |source| KeyError::Io { action, path: path.to_owned(), source };
    let before = match fs::metadata(path) {
        Ok(metadata) if metadata.len() <= MAX_BYTES => fs::read_to_string(path).map_err(failed("read"))?,
        // Something else: it is written anew.
        Ok(_) => String::new(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(failed("examine")(error)),
    };
    let noted = || before.lines().filter(|line| !line.is_empty());
    if noted().eq(now.iter().map(String::as_str)) {
        return Ok(Vec::new());
    }
    let text: String = now.iter().map(|id| format!("{id}\n")).collect();
    write_durably(path, text.as_bytes()).map_err(failed("write"))?;
    Ok(noted().filter(|id| !present.iter().any(|known| known == id)).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_gone_is_said_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("receipt-keys");
        let ids = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        for (now, present, gone) in [
            (&["a"][..], &["a"][..], &[][..]),
            (&["a", "b"], &["a", "b"], &[]),
            (&["b"], &["a", "b"], &[]),
            (&["c"], &["c"], &["b"]),
            (&["c"], &["c"], &[]),
            (&["c", "d"], &["c", "d"], &[]),
            (&["d"], &["d"], &["c"]),
        ] {
            assert_eq!(missing(&path, &ids(now), &ids(present)).unwrap(), ids(gone), "{now:?}");
        }
    }
}
