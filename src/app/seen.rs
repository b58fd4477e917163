//! What the state directory remembers of the store: so that an older copy or another database in its place is told, and
//! receipts carry the right epoch while the store cannot be reached.

use std::io;
use std::path::{Path, PathBuf};

use crate::model::Timestamp;
use crate::state_dir::write_durably;
use crate::store::Mark;

/// File of the state directory: a number alone, the epoch; or lines of a name and a value.
const FILE: &str = "store-epoch";

/// Why it is not known what the store should be.
#[derive(Debug, thiserror::Error)]
pub enum SeenError {
    /// The file does not hold what is written there.
    #[error(
        "`{}` does not hold the epoch of the store, so that an old copy of the store would not be noticed. Put it back from a \
         backup of the state directory; or run `lictor restore --epoch-only` (with the server's `--config` and `--state`), \
         which writes it anew and lets approvals that are open or unused expire",
        .0.display()
    )]
    Garbage(PathBuf),
    /// The operating system refused something.
    #[error("cannot read `{}`: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What came back.
        source: io::Error,
    },
}

/// What was last noted; `None` where nothing was.
///
/// # Errors
/// The file cannot be read, or holds something else.
pub fn seen(state_dir: &Path) -> Result<Option<Mark>, SeenError> {
    let path = state_dir.join(FILE);
    match std::fs::read_to_string(&path) {
        Ok(text) => parse(&text).map(Some).ok_or(SeenError::Garbage(path)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(SeenError::Garbage(path)),
        Err(source) => Err(SeenError::Io { path, source }),
    }
}

/// Notes how far the store has come.
///
/// # Errors
/// What the operating system says; what was noted before then still is.
pub fn note(state_dir: &Path, mark: &Mark) -> io::Result<()> {
    write_durably(&state_dir.join(FILE), text(mark).as_bytes())
}

fn text(mark: &Mark) -> String {
    let mut text = format!("epoch {}\n", mark.epoch);
    if let Some(lineage) = mark.lineage {
        text.push_str(&format!("lineage {lineage}\n"));
    }
    if let Some(committed) = mark.committed {
        text.push_str(&format!("committed {}\n", committed.as_micros()));
    }
    text
}

fn parse(text: &str) -> Option<Mark> {
    if let Ok(epoch) = text.trim().parse() {
        return (epoch > 0).then_some(Mark { epoch, ..Mark::default() });
    }
    let mut mark = Mark::default();
    for line in text.lines() {
        match line.split_once(' ')? {
            ("epoch", value) => mark.epoch = value.parse().ok()?,
            ("lineage", value) => mark.lineage = Some(value.parse().ok()?),
            ("committed", value) => mark.committed = Some(Timestamp::from_micros(value.parse().ok()?)),
            _ => return None,
        }
    }
    (mark.epoch > 0).then_some(mark)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_noted_is_seen_and_garbage_is_not() {
        let full = Mark { epoch: 3, lineage: Some(7), committed: Some(Timestamp::from_micros(9)) };
        for mark in [full, Mark { lineage: None, ..full }, Mark { committed: None, ..full }] {
            assert_eq!(parse(&text(&mark)), Some(mark));
        }
        assert_eq!(parse("2\n"), Some(Mark { epoch: 2, ..Mark::default() }), "as earlier versions wrote it");
        for garbage in
            ["", "0\n", "two\n", "epoch two\n", "epoch 1\nlineage\n", "lineage 7\n", "-1", "epoch 1\nmore 2\n"]
        {
            assert_eq!(parse(garbage), None, "{garbage:?}");
        }
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(seen(folder.path()).unwrap(), None);
        note(folder.path(), &full).unwrap();
        assert_eq!(seen(folder.path()).unwrap(), Some(full));
        std::fs::write(folder.path().join(FILE), b"\xff\xfe\x00").unwrap();
        assert!(matches!(seen(folder.path()), Err(SeenError::Garbage(_))));
    }
}
