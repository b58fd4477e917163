//! The threads that read.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::queue::{Queue, Refused, Silence, Stage, Threads, answered, closed};
use super::{errors, open};
use crate::store::error::StoreError;
use crate::store::sql::{Conn, SqlError};

/// Threads, each with a connection of its own.
const READERS: usize = 4;
/// Most reads that wait.
const MAX_WAITING: usize = 4_096;

/// What is to be read. Given why it cannot be, where there is no connection.
type Work = Box<dyn FnOnce(Result<&mut Connection, StoreError>) + Send>;

/// A read that waits.
pub(super) struct Job {
    work: Work,
    stage: Stage,
}

/// The way to the threads that read.
pub(super) struct Readers {
    threads: Threads<Job>,
    path: PathBuf,
    wait: Duration,
}

impl Readers {
    pub(super) fn start(path: &Path, wait: Duration) -> Result<Self, StoreError> {
        let works = (0..READERS).map(|_| {
            let path = path.to_owned();
            move |queue: &Queue<Job>| run(&path, queue)
        });
        let threads = Threads::start("lictor-store-r", MAX_WAITING, works.collect())?;
        Ok(Self { threads, path: path.to_owned(), wait })
    }

    /// Reads on one of the threads.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&mut Conn<'_>) -> Result<T, SqlError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, receiver) = oneshot::channel();
        let (stage, path) = (Stage::default(), self.path.clone());
        let work = Box::new(move |conn: Result<&mut Connection, StoreError>| {
            let outcome =
                conn.and_then(|conn| read(&mut Conn::Sqlite(conn)).map_err(|error| errors::classify(&path, &error)));
            // A caller that went away has no use for it.
            let _ = answer.send(outcome);
        });
        self.threads.push(Job { work, stage: stage.clone() }).map_err(|refused| match refused {
            Refused::Full => StoreError::Busy { reason: format!("{MAX_WAITING} reads wait already") },
            Refused::Closed => closed(),
        })?;
        let millis = self.wait.as_millis();
        answered(self.wait, &stage, receiver).await.unwrap_or_else(|silence| {
            Err(match silence {
                Silence::NoTurn => StoreError::Busy { reason: format!("waited for {millis} ms to read") },
                Silence::NoAnswer => StoreError::unavailable(format!("no answer within {millis} ms")),
                Silence::Lost => StoreError::unavailable("the server is stopping"),
            })
        })
    }

    pub(super) async fn close(&self) {
        self.threads.close().await;
    }
}

fn run(path: &Path, queue: &Queue<Job>) {
    let mut conn = None;
    while let Some(Job { work, stage }) = queue.take(1).pop() {
        if !stage.begin() {
            continue;
        }
        let opened = match &mut conn {
            Some(conn) => Ok(conn),
            None => open::reader(path).map(|opened| conn.insert(opened)),
        };
        // The caller of a read that panicked is told that its answer is lost; the thread goes on with the next.
        let _ = catch_unwind(AssertUnwindSafe(|| work(opened)));
    }
}
