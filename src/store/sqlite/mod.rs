//! The embedded back end: one file, one thread that writes and commits what waits together, threads that read beside it.

pub(super) mod backup;
mod errors;
mod open;
mod queue;
mod readers;
mod schema;
mod writer;

use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering::Acquire;
use std::task::{Context, Poll, Waker};

use rusqlite::Connection;

use super::error::StoreError;
use super::options::{Clock, StoreOptions};
use super::sql::{Conn, SqlError};
use super::telemetry::StoreMetrics;
use super::verbs::meta;
use super::write::{Write, Written};
use crate::model::Timestamp;

/// An open database file.
pub(super) struct Database {
    readers: readers::Readers,
    writer: writer::Writer,
    time: Arc<Time>,
}

/// The store's time: the injected clock, but never below what is committed.
pub(super) struct Time {
    clock: Clock,
    committed: AtomicI64,
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database").field("committed", &self.time.committed).finish_non_exhaustive()
    }
}

impl Time {
    fn now(&self) -> Timestamp {
        (self.clock)().max(Timestamp::from_micros(self.committed.load(Acquire)))
    }
}

/// The outcome of verbs over the embedded database, whose statements never wait for anything that would wake them.
pub(super) fn ready<T>(verbs: impl Future<Output = Result<T, SqlError>>) -> Result<T, SqlError> {
    match pin!(verbs).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => Err(SqlError::Nonsense("a statement that waits".to_owned())),
    }
}

/// Runs what blocks beside the runtime's own threads.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(error) => Err(StoreError::unavailable(error)),
    }
}

impl Database {
    /// Opens the file, makes it where there is none, and brings its schema up to date.
    pub(super) async fn open(
        path: &Path,
        options: &StoreOptions,
        metrics: Arc<StoreMetrics>,
    ) -> Result<(Self, u64), StoreError> {
        let (path, options) = (path.to_owned(), options.clone());
        blocking(move || {
            let mut conn = open::prepare(&path, &options)?;
            let begun = ready(begin(&mut conn)).map_err(|error| errors::classify(&path, &error));
            let (epoch, committed) = begun?;
            let time =
                Arc::new(Time { clock: options.clock.clone(), committed: AtomicI64::new(committed.as_micros()) });
            let readers = readers::Readers::start(&path, options.wait)?;
            let writer = writer::Writer::start(&path, conn, &options, time.clone(), metrics)?;
            Ok((Self { readers, writer, time }, epoch))
        })
        .await
    }

    pub(super) fn now(&self) -> Timestamp {
        self.time.now()
    }

    pub(super) async fn write(&self, write: Write) -> Result<Written, StoreError> {
        self.writer.write(write).await
    }

    /// Reads, in bounded time.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&mut Conn<'_>) -> Result<T, SqlError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.readers.read(read).await
    }

    /// Commits what waits and closes the file.
    pub(super) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// The epoch, and the latest time that is committed. Nobody else has the file: claims are those of an instance that has
/// ended, and are taken back.
async fn begin(conn: &mut Connection) -> Result<(u64, Timestamp), SqlError> {
    let mut conn = Conn::Sqlite(conn);
    for sql in [
        "UPDATE approval SET claimed_until = 0 WHERE claimed_until > 0",
        "UPDATE delivery SET claimed_until = 0 WHERE claimed_until > 0",
    ] {
        conn.run(sql, &[]).await?;
    }
    Ok((meta::epoch(&mut conn).await?, meta::last_time(&mut conn).await?))
}
