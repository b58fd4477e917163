//! The one writer: what waits is executed in one transaction and made durable by one fsync, and each caller gets its own
//! answer.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::queue::{Queue, Refused, Silence, Stage, Threads, answered, closed};
use super::recent::{Recent, Withdrawn};
use super::{Time, errors, open, ready};
use crate::store::error::StoreError;
use crate::store::options::StoreOptions;
use crate::store::sql::{Conn, SqlError};
use crate::store::telemetry::StoreMetrics;
use crate::store::verbs::Moment;
use crate::store::verbs::known::Known;
use crate::store::write::{Write, Written};

/// Most writes that wait.
const MAX_WAITING: usize = 1_024;
/// Most writes of one transaction.
const MAX_GROUP: usize = 128;

type Answer = Result<Written, StoreError>;

/// A write that waits.
struct Job {
    write: Write,
    stage: Stage,
    answer: oneshot::Sender<Answer>,
}

/// The way to the thread that writes.
pub(super) struct Writer {
    threads: Threads<Job>,
    wait: Duration,
}

impl Writer {
    pub(super) fn start(
        path: &Path,
        conn: Connection,
        options: &StoreOptions,
        time: Arc<Time>,
        recent: Arc<Recent>,
        metrics: Arc<StoreMetrics>,
    ) -> Result<Self, StoreError> {
        let task = Task {
            path: path.to_owned(),
            options: options.clone(),
            conn: Some(conn),
            time,
            recent,
            metrics,
            known: Known::default(),
        };
        let threads = Threads::start("lictor-store-w", MAX_WAITING, vec![|queue: &Queue<Job>| task.run(queue)])?;
        Ok(Self { threads, wait: options.wait })
    }

    /// Queues a write and waits until it is durable or has failed.
    pub(super) async fn write(&self, write: Write) -> Answer {
        let stage = Stage::default();
        let (answer, receiver) = oneshot::channel();
        self.threads.push(Job { write, stage: stage.clone(), answer }).map_err(|refused| match refused {
            Refused::Full => StoreError::Busy { reason: format!("{MAX_WAITING} writes wait already") },
            Refused::Closed => closed(),
        })?;
        answered(self.wait, &stage, receiver).await.unwrap_or_else(|silence| {
            Err(match silence {
                Silence::NoTurn => {
                    StoreError::Busy { reason: format!("waited for {} ms to be written", self.wait.as_millis()) }
                }
                // It was begun: only its answer tells whether it happened.
                Silence::NoAnswer => StoreError::Uncertain { reason: "the disk does not answer".to_owned() },
                Silence::Lost => lost(),
            })
        })
    }

    /// Writes what waits, then closes the file.
    pub(super) async fn close(&self) {
        self.threads.close().await;
    }
}

/// The thread ended with the write in hand.
fn lost() -> StoreError {
    StoreError::Uncertain { reason: "the server is stopping".to_owned() }
}

/// What the thread owns.
struct Task {
    path: PathBuf,
    options: StoreOptions,
    /// `None` after a failure that leaves it in an unknown state.
    conn: Option<Connection>,
    time: Arc<Time>,
    recent: Arc<Recent>,
    metrics: Arc<StoreMetrics>,
    known: Known,
}

/// A transaction that is durable.
struct Committed {
    /// What came of each write.
    written: Vec<Written>,
    /// What was taken out of the approvals of late.
    withdrawn: Withdrawn,
}

impl Task {
    fn run(mut self, queue: &Queue<Job>) {
        loop {
            let mut group = queue.take(MAX_GROUP);
            if group.is_empty() {
                break;
            }
            group.retain(|job| job.stage.begin());
            self.settle(group);
        }
        if let Some(conn) = self.conn.take()
            && let Err((_, error)) = conn.close()
        {
            tracing::warn!(%error, "the store was not closed in order");
        }
    }

    /// Executes a group and answers its callers.
    fn settle(&mut self, group: Vec<Job>) {
        if group.is_empty() {
            return;
        }
        match self.commit(&group) {
            Ok(committed) => self.answer(group, committed),
            Err(StoreError::Uncertain { reason }) => {
                group.into_iter().for_each(|job| job.fail(StoreError::Uncertain { reason: reason.clone() }));
            }
            // One of them cannot be done, and nothing was: each gets a transaction of its own.
            Err(_) if group.len() > 1 => {
                for job in group {
                    match self.commit(std::slice::from_ref(&job)) {
                        Ok(committed) => self.answer(vec![job], committed),
                        Err(error) => job.fail(error),
                    }
                }
            }
            Err(error) => group.into_iter().for_each(|job| job.fail(error.clone())),
        }
    }

    /// Notes what was written lately and tells the callers.
    fn answer(&self, group: Vec<Job>, committed: Committed) {
        let Committed { written, withdrawn } = committed;
        let (writes, answers): (Vec<_>, Vec<_>) = group.into_iter().map(|job| (job.write, job.answer)).unzip();
        self.recent.committed(writes.into_iter().zip(&written), withdrawn);
        for (answer, written) in answers.into_iter().zip(written) {
            // A caller that went away has no use for it.
            let _ = answer.send(Ok(written));
        }
    }

    /// Executes a group in one transaction. An error means that nothing of it was committed, or that it is uncertain.
    fn commit(&mut self, group: &[Job]) -> Result<Committed, StoreError> {
        let conn = match &mut self.conn {
            Some(conn) => conn,
            None => self.conn.insert(open::writer(&self.path, &self.options)?),
        };
        let moment = Moment { now: self.time.now() };
        match execute(conn, group, moment, &mut self.known, &self.recent) {
            Ok(committed) => {
                let epoch = self.time.epoch();
                if let Some(latest) = group.iter().filter_map(|job| job.write.latest_time(epoch)).max() {
                    self.time.commit(latest);
                }
                self.metrics.group(group.len());
                Ok(committed)
            }
            Err(failure) => {
                self.known.forget();
                // Where the transaction is over by itself there is nothing to roll back.
                if !conn.is_autocommit() && conn.execute_batch("ROLLBACK").is_err() && !conn.is_autocommit() {
                    self.conn = None;
                }
                Err(failure.meaning(&self.path))
            }
        }
    }
}

impl Job {
    fn fail(self, error: StoreError) {
        // A caller that went away has no use for it.
        let _ = self.answer.send(Err(error));
    }
}

/// Why a group was not committed.
enum Failure {
    /// Before the end: nothing of it was.
    Before(SqlError),
    /// At the end.
    Committing(SqlError),
}

impl Failure {
    fn meaning(self, path: &Path) -> StoreError {
        match self {
            Self::Before(error) => errors::classify(path, &error),
            Self::Committing(error) => match errors::classify(path, &error) {
                // The write-ahead log may hold all of it, with only the fsync missing.
                StoreError::Unavailable { reason } => StoreError::Uncertain { reason },
                sure => sure,
            },
        }
    }
}

/// No savepoint between them: what is refused has written nothing, and an error is so rare that the others may be done anew.
fn execute(
    conn: &mut Connection,
    group: &[Job],
    moment: Moment,
    known: &mut Known,
    recent: &Recent,
) -> Result<Committed, Failure> {
    run(conn, "BEGIN IMMEDIATE").map_err(Failure::Before)?;
    let mut written = Vec::with_capacity(group.len());
    for job in group {
        let mut conn = Conn::Sqlite(conn);
        written.push(ready(job.write.apply(&mut conn, moment, Some(known))).map_err(Failure::Before)?);
    }
    let withdrawn = recent.withdraw(group.iter().map(|job| &job.write));
    run(conn, "COMMIT").map_err(Failure::Committing)?;
    Ok(Committed { written, withdrawn })
}

fn run(conn: &Connection, sql: &str) -> Result<(), SqlError> {
    conn.prepare_cached(sql)?.raw_execute()?;
    Ok(())
}
