//! The embedded back end: one file, one thread that writes and commits what waits together, threads that read beside it.

pub(super) mod backup;
mod errors;
mod open;
mod queue;
mod readers;
mod recent;
mod schema;
mod time;
mod writer;

use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use rusqlite::Connection;

use super::error::StoreError;
use super::mark::Mark;
use super::options::StoreOptions;
use super::sql::{Conn, SqlError};
use super::telemetry::StoreMetrics;
use super::verbs::{mark, meta};
use super::write::{Write, Written};
use crate::model::{Approval, Sha256Digest, Timestamp};
pub(super) use time::Time;

/// An open database file.
pub(super) struct Database {
    readers: readers::Readers,
    writer: writer::Writer,
    recent: Arc<recent::Recent>,
    time: Arc<Time>,
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database").field("time", &self.time).finish_non_exhaustive()
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
    ) -> Result<(Self, Mark), StoreError> {
        let (path, options) = (path.to_owned(), options.clone());
        blocking(move || {
            let mut conn = open::prepare(&path, &options)?;
            let place = path.display().to_string();
            let begun = ready(begin(&mut conn, &options, &place)).map_err(|error| errors::classify(&path, &error));
            let found = begun?.map_err(|why| StoreError::Replaced { place, why })?;
            let time = Arc::new(Time::new(&options, found.epoch, found.committed.unwrap_or_default()));
            let readers = readers::Readers::start(&path, options.wait)?;
            let recent = Arc::<recent::Recent>::default();
            let writer = writer::Writer::start(&path, conn, &options, time.clone(), recent.clone(), metrics)?;
            Ok((Self { readers, writer, recent, time }, found))
        })
        .await
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

    /// An approval of a tenant, where it is known without reading.
    pub(super) fn recent(&self, tenant: &str, id: &str) -> Option<Approval> {
        self.recent.by_id(tenant, id)
    }

    /// The approval with this token, where it is known without reading.
    pub(super) fn recent_by_token(&self, hash: &Sha256Digest) -> Option<Approval> {
        self.recent.by_token(hash)
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

/// The mark of the database, or why it is not the one that is expected. Nobody else has the file: claims are those of an
/// instance that has ended, and are taken back.
async fn begin(conn: &mut Connection, options: &StoreOptions, place: &str) -> Result<Result<Mark, String>, SqlError> {
    let mut conn = Conn::Sqlite(conn);
    mark::begin_lineage(&mut conn).await;
    let committed = Some(meta::last_time(&mut conn).await?);
    let mut found = Mark { committed, ..mark::mark(&mut conn).await? };
    if let Some(expected) = &options.expected
        && let Some(why) = mark::refused(&mut conn, expected, &mut found, place).await?
    {
        return Ok(Err(why));
    }
    for sql in [
        "UPDATE approval SET claimed_until = 0 WHERE claimed_until > 0",
        "UPDATE delivery SET claimed_until = 0 WHERE claimed_until > 0",
    ] {
        conn.run(sql, &[]).await?;
    }
    Ok(Ok(found))
}
