//! Opening the file: its settings, a look at its health, its schema.

use std::fs::{Metadata, OpenOptions};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::{errors, schema};
use crate::store::error::StoreError;
use crate::store::options::StoreOptions;

/// Pages of the write-ahead log before they are copied to the database: fewer pauses than SQLite's 1000, 16 MiB of log.
const CHECKPOINT_PAGES: i64 = 4_000;
/// The same at least, where the room is small.
const LEAST_CHECKPOINT_PAGES: i64 = 16;
/// Bytes of a page.
const PAGE: i64 = 4_096;
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
        set(&conn)?;
        Ok(conn)
    };
    open().map_err(|error: rusqlite::Error| errors::classify(path, &error.into()))
}

/// Pages of the log before they are copied, and most pages of the database: together no more than `max_bytes`.
fn room(max_bytes: Option<u64>) -> (i64, Option<i64>) {
    let Some(bytes) = max_bytes else { return (CHECKPOINT_PAGES, None) };
    let pages = i64::try_from(bytes).unwrap_or(i64::MAX) / PAGE;
    let log = (pages / 4).clamp(LEAST_CHECKPOINT_PAGES, CHECKPOINT_PAGES);
    (log, Some(pages.saturating_sub(log).max(1)))
}

/// The connection that writes.
pub(super) fn writer(path: &Path, options: &StoreOptions) -> Result<Connection, StoreError> {
    let (log, pages) = room(options.max_bytes);
    connect(path, |conn| {
        conn.pragma_update(None, "journal_mode", "WAL")?;
        conn.pragma_update(None, "wal_autocheckpoint", log)?;
        // A log that a long read or a large commit has made longer is cut when it is begun anew.
        conn.pragma_update_and_check(None, "journal_size_limit", log.saturating_mul(PAGE), |_| Ok(()))?;
        match pages {
            Some(pages) => conn.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(())),
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
    let metadata = open
        .and_then(|file| file.metadata())
        .map_err(|error| StoreError::unavailable(format!("cannot open `{}`: {error}", path.display())))?;
    check_private(path, &metadata)?;
    let log = path.with_file_name(format!("{}-wal", path.file_name().unwrap_or_default().to_string_lossy()));
    if let Ok(metadata) = log.metadata() {
        check_private(&log, &metadata)?;
    }
    Ok(metadata.len())
}

/// Refuses a file that other users may write to.
fn check_private(path: &Path, metadata: &Metadata) -> Result<(), StoreError> {
    let (owner, own, mode) = (metadata.uid(), rustix::process::geteuid().as_raw(), metadata.mode() & 0o7777);
    let exposed = |why| Err(StoreError::Exposed { path: path.to_owned(), why });
    let shown = path.display();
    if owner != own {
        return exposed(format!(
            "belongs to user {owner} and not to user {own}, which lictor runs as; see who wrote it, and run `chown {own} {shown}`"
        ));
    }
    if mode & 0o022 != 0 {
        return exposed(format!(
            "has mode {mode:04o}, so that other users may write to it; see that nobody did, and run `chmod 0600 {shown}`"
        ));
    }
    Ok(())
}
