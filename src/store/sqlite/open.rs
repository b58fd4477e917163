//! Opening the file: its settings, a look at its health, its schema.

use std::fs::{Metadata, OpenOptions};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions as _, SqlitePool};

use super::errors;
use crate::store::error::StoreError;
use crate::store::migrate;
use crate::store::options::StoreOptions;

/// Pages of the write-ahead log before they are copied to the database: fewer pauses than SQLite's 1000, 16 MiB of log.
const CHECKPOINT_PAGES: u64 = 4_000;
/// The same at least, where the room is small.
const LEAST_CHECKPOINT_PAGES: u64 = 16;
/// Bytes of a page.
const PAGE: u64 = 4_096;
/// Largest file that is looked through at start; larger ones would make starting slow.
const CHECKED_BYTES: u64 = 256 << 20;
/// Connections that read.
const READERS: u32 = 4;

fn settings(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(Duration::from_secs(5))
        .foreign_keys(true)
        .synchronous(SqliteSynchronous::Full)
        .disable_statement_logging()
}

/// Pages of the log before they are copied, and most pages of the database: together no more than `max_bytes`.
fn room(max_bytes: Option<u64>) -> (u64, Option<u64>) {
    let Some(bytes) = max_bytes else { return (CHECKPOINT_PAGES, None) };
    let pages = bytes / PAGE;
    let log = (pages / 4).clamp(LEAST_CHECKPOINT_PAGES, CHECKPOINT_PAGES);
    (log, Some(pages.saturating_sub(log).max(1)))
}

/// The connection that writes.
pub(super) async fn writer(path: &Path, options: &StoreOptions) -> Result<SqliteConnection, StoreError> {
    let (log, pages) = room(options.max_bytes);
    // A log that a long read or a large commit has made longer is cut when it is begun anew.
    let mut settings = settings(path)
        .journal_mode(SqliteJournalMode::Wal)
        .pragma("wal_autocheckpoint", log.to_string())
        .pragma("journal_size_limit", log.saturating_mul(PAGE).to_string());
    if let Some(pages) = pages {
        settings = settings.pragma("max_page_count", pages.to_string());
    }
    settings.connect().await.map_err(|error| errors::classify(path, &error))
}

/// The connections that read.
pub(super) fn readers(path: &Path, options: &StoreOptions) -> SqlitePool {
    SqlitePoolOptions::new()
        .max_connections(READERS)
        .acquire_timeout(options.wait)
        .test_before_acquire(false)
        .connect_lazy_with(settings(path).pragma("query_only", "1"))
}

/// Opens the file, checks it and brings its schema up to date.
pub(super) async fn prepare(path: &Path, options: &StoreOptions) -> Result<SqliteConnection, StoreError> {
    let bytes = create_private(path)?;
    let mut conn = writer(path, options).await?;
    if bytes > 0 && bytes <= CHECKED_BYTES {
        check(path, &mut conn).await?;
    }
    let migrator = migrate::sqlite();
    let known = migrate::known(&migrator);
    let place = path.display().to_string();
    migrator
        .run_direct(None, &mut conn, false)
        .await
        .map_err(|error| migrate::failed(error, known, &place, |error| errors::classify(path, &error)))?;
    Ok(conn)
}

/// A connection to a file that is there, as it is.
pub(super) async fn plain(path: &Path) -> Result<SqliteConnection, StoreError> {
    settings(path).connect().await.map_err(|error| errors::classify(path, &error))
}

/// Looks for damage.
pub(super) async fn check(path: &Path, conn: &mut SqliteConnection) -> Result<(), StoreError> {
    let verdict: Result<(String,), sqlx::Error> = sqlx::query_as("PRAGMA quick_check(1)").fetch_one(conn).await;
    match verdict {
        Ok((verdict,)) if verdict == "ok" => Ok(()),
        Ok((reason,)) => Err(StoreError::Corrupt { path: path.to_owned(), reason }),
        Err(error) => Err(errors::classify(path, &error)),
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
