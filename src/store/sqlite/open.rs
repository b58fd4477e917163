//! Opening the file: its settings, a look at its health, its schema.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::{errors, schema};
use crate::store::error::StoreError;
use crate::store::options::StoreOptions;

/// Pages of the write-ahead log before they are copied to the database: fewer pauses than SQLite's 1000, 16 MiB of log.
const CHECKPOINT_PAGES: i64 = 4_000;
/// Largest file that is looked through at start; larger ones would make starting slow.
const CHECKED_BYTES: u64 = 256 << 20;
/// Most statements that a connection keeps ready: more than there are, but for lists, whose text depends on the question.
const STATEMENTS: usize = 64;

fn connect(path: &Path, set: impl FnOnce(&Connection) -> rusqlite::Result<()>) -> Result<Connection, StoreError> {
    let open = || {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let conn = Connection::open_with_flags(path, flags)?;
        conn.busy_timeout(Duration::from_secs(5))?;
        conn.set_prepared_statement_cache_capacity(STATEMENTS);
        // The schema has no foreign keys.
        conn.pragma_update(None, "foreign_keys", false)?;
        conn.pragma_update(None, "synchronous", "FULL")?;
        conn.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
        set(&conn)?;
        Ok(conn)
    };
    open().map_err(|error: rusqlite::Error| errors::classify(path, &error.into()))
}

/// The connection that writes.
pub(super) fn writer(path: &Path, options: &StoreOptions) -> Result<Connection, StoreError> {
    connect(path, |conn| {
        conn.pragma_update(None, "journal_mode", "WAL")?;
        match options.max_bytes {
            Some(bytes) => {
                let pages = i64::try_from(bytes / 4_096).unwrap_or(i64::MAX).max(1);
                conn.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))
            }
            None => Ok(()),
        }
    })
}

/// A connection that only reads.
pub(super) fn reader(path: &Path) -> Result<Connection, StoreError> {
    connect(path, |conn| conn.pragma_update(None, "query_only", true))
}

/// Opens the file, checks it and brings its schema up to date.
pub(super) fn prepare(path: &Path, options: &StoreOptions) -> Result<Connection, StoreError> {
    let bytes = create_private(path)?;
    let mut conn = writer(path, options)?;
    if bytes > 0 && bytes <= CHECKED_BYTES {
        check(path, &conn)?;
    }
    schema::update(path, &mut conn)?;
    Ok(conn)
}

/// A connection to a file that is there, as it is.
pub(super) fn plain(path: &Path) -> Result<Connection, StoreError> {
    connect(path, |_| Ok(()))
}

/// Looks for damage.
pub(super) fn check(path: &Path, conn: &Connection) -> Result<(), StoreError> {
    let verdict = conn.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
    match verdict {
        Ok(verdict) if verdict == "ok" => Ok(()),
        Ok(reason) => Err(StoreError::Corrupt { path: path.to_owned(), reason }),
        Err(error) => Err(errors::classify(path, &error.into())),
    }
}

/// Makes the file where there is none, for its owner only. Gives its size.
fn create_private(path: &Path) -> Result<u64, StoreError> {
    let open = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path);
    open.and_then(|file| file.metadata())
        .map(|metadata| metadata.len())
        .map_err(|error| StoreError::unavailable(format!("cannot open `{}`: {error}", path.display())))
}
