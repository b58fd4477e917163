//! The embedded back end: one file, one writer that commits what waits together, readers beside it.

pub(super) mod backup;
mod errors;
mod open;
mod time;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sqlx::SqlitePool;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::Sqlite;

use super::error::StoreError;
use super::mark::Mark;
use super::options::StoreOptions;
use super::telemetry::StoreMetrics;
use super::verbs::{mark, meta};
use super::write::{Write, Written};
use crate::model::Timestamp;
pub(super) use time::Time;

/// An open database file.
#[derive(Debug)]
pub(super) struct Database {
    path: PathBuf,
    readers: SqlitePool,
    writer: writer::Writer,
    time: Arc<Time>,
    wait: Duration,
}

impl Database {
    /// Opens the file, makes it where there is none, and brings its schema up to date.
    pub(super) async fn open(
        path: &Path,
        options: &StoreOptions,
        metrics: Arc<StoreMetrics>,
    ) -> Result<(Self, Mark), StoreError> {
        let mut conn = open::prepare(path, options).await?;
        let failed = |error: sqlx::Error| errors::classify(path, &error);
        let mut of = super::sql::Conn::Sqlite(&mut conn);
        mark::begin_lineage(&mut of).await;
        let committed = meta::last_time(&mut of).await.map_err(failed)?;
        let mut found = Mark { committed: Some(committed), ..mark::mark(&mut of).await.map_err(failed)? };
        if let Some(expected) = &options.expected {
            let place = path.display().to_string();
            let refused = mark::refused(&mut of, expected, &mut found, &place).await.map_err(failed)?;
            if let Some(why) = refused {
                return Err(StoreError::Replaced { place, why });
            }
        }
        // Nobody else has the file: claims are those of an instance that has ended.
        for sql in [
            "UPDATE approval SET claimed_until = 0 WHERE claimed_until > 0",
            "UPDATE delivery SET claimed_until = 0 WHERE claimed_until > 0",
        ] {
            of.run(sql, &[]).await.map_err(failed)?;
        }
        let time = Arc::new(Time::new(options, found.epoch, found.committed.unwrap_or_default()));
        let readers = open::readers(path, options);
        let writer = writer::Writer::start(path, conn, options, time.clone(), metrics);
        Ok((Self { path: path.to_owned(), readers, writer, time, wait: options.wait }, found))
    }

    pub(super) fn now(&self) -> Timestamp {
        self.time.now()
    }

    pub(super) fn time(&self) -> &Time {
        &self.time
    }

    pub(super) async fn write(&self, write: Write) -> Result<Written, StoreError> {
        self.writer.write(write).await
    }

    pub(super) async fn reader(&self) -> Result<PoolConnection<Sqlite>, StoreError> {
        match tokio::time::timeout(self.wait, self.readers.acquire()).await {
            Ok(Ok(conn)) => Ok(conn),
            Ok(Err(sqlx::Error::PoolTimedOut)) | Err(_) => {
                Err(StoreError::Busy { reason: "no connection to read with became free".to_owned() })
            }
            Ok(Err(error)) => Err(self.classify(&error)),
        }
    }

    pub(super) fn classify(&self, error: &sqlx::Error) -> StoreError {
        errors::classify(&self.path, error)
    }

    /// Commits what waits and closes the file.
    pub(super) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}
