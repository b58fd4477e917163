//! Opening the file: its settings, a look at its health, its schema.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions as _, SqlitePool};

use super::errors;
use crate::store::error::StoreError;
use crate::store::migrate;
use crate::store::options::StoreOptions;

/// Pages of the write-ahead log before they are copied to the database: fewer pauses than SQLite's 1000, 16 MiB of log.
const CHECKPOINT_PAGES: u32 = 4_000;
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
        .pragma("wal_autocheckpoint", CHECKPOINT_PAGES.to_string())
        .disable_statement_logging()
}

/// The connection that writes.
pub(super) async fn writer(path: &Path, options: &StoreOptions) -> Result<SqliteConnection, StoreError> {
    let mut settings = settings(path).journal_mode(SqliteJournalMode::Wal);
    if let Some(bytes) = options.max_bytes {
        settings = settings.pragma("max_page_count", (bytes / 4_096).max(1).to_string());
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
    open.and_then(|file| file.metadata())
        .map(|metadata| metadata.len())
        .map_err(|error| StoreError::unavailable(format!("cannot open `{}`: {error}", path.display())))
}
