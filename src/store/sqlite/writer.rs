//! The one writer: what waits is executed in one transaction and made durable by one fsync, and each caller gets its own
//! answer.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU8;
use std::sync::atomic::Ordering::{AcqRel, Acquire};
use std::time::Duration;

use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection as _, Executor as _};
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::JoinHandle;

use super::{Time, errors, open};
use crate::store::error::StoreError;
use crate::store::options::StoreOptions;
use crate::store::sql::Conn;
use crate::store::telemetry::StoreMetrics;
use crate::store::verbs::Moment;
use crate::store::write::{Write, Written};

/// Most writes that wait.
const MAX_WAITING: usize = 1_024;
/// Most writes of one transaction.
const MAX_GROUP: usize = 128;

type Answer = Result<Written, StoreError>;

/// A write that waits.
struct Job {
    write: Write,
    /// Whether it still waits, was begun, or was given up by its caller.
    stage: Arc<AtomicU8>,
    answer: oneshot::Sender<Answer>,
}

const WAITING: u8 = 0;
const BEGUN: u8 = 1;
const GIVEN_UP: u8 = 2;

/// The way to the task that writes.
#[derive(Debug)]
pub(super) struct Writer {
    jobs: mpsc::Sender<Job>,
    wait: Duration,
    task: Mutex<Option<JoinHandle<()>>>,
    close: Arc<tokio::sync::Notify>,
}

impl Writer {
    pub(super) fn start(
        path: &Path,
        conn: SqliteConnection,
        options: &StoreOptions,
        time: Arc<Time>,
        metrics: Arc<StoreMetrics>,
    ) -> Self {
        let (jobs, inbox) = mpsc::channel(MAX_WAITING);
        let close = Arc::new(tokio::sync::Notify::new());
        let task = Task { path: path.to_owned(), options: options.clone(), conn: Some(conn), time, metrics };
        let task = tokio::spawn(task.run(inbox, close.clone()));
        Self { jobs, wait: options.wait, task: Mutex::new(Some(task)), close }
    }

    /// Queues a write and waits until it is durable or has failed.
    pub(super) async fn write(&self, write: Write) -> Answer {
        let stage = Arc::new(AtomicU8::new(WAITING));
        let (answer, mut answered) = oneshot::channel();
        let job = Job { write, stage: stage.clone(), answer };
        self.jobs.try_send(job).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => {
                StoreError::Busy { reason: format!("{MAX_WAITING} writes wait already") }
            }
            mpsc::error::TrySendError::Closed(_) => closed(),
        })?;
        if let Ok(answer) = tokio::time::timeout(self.wait, &mut answered).await {
            return answer.unwrap_or_else(|_| Err(lost()));
        }
        if stage.compare_exchange(WAITING, GIVEN_UP, AcqRel, Acquire).is_ok() {
            return Err(StoreError::Busy { reason: format!("waited for {} ms to be written", self.wait.as_millis()) });
        }
        // It was begun: only its answer tells whether it happened.
        match tokio::time::timeout(self.wait, answered).await {
            Ok(answer) => answer.unwrap_or_else(|_| Err(lost())),
            Err(_) => Err(StoreError::Uncertain { reason: "the disk does not answer".to_owned() }),
        }
    }

    /// Writes what waits, then closes the file.
    pub(super) async fn close(&self) {
        self.close.notify_one();
        if let Some(task) = self.task.lock().await.take() {
            let _ = task.await;
        }
    }
}

fn closed() -> StoreError {
    StoreError::unavailable("it is closed")
}

/// The task ended with the write in hand.
fn lost() -> StoreError {
    StoreError::Uncertain { reason: "the server is stopping".to_owned() }
}

/// What the task owns.
struct Task {
    path: PathBuf,
    options: StoreOptions,
    /// `None` after a failure that leaves it in an unknown state.
    conn: Option<SqliteConnection>,
    time: Arc<Time>,
    metrics: Arc<StoreMetrics>,
}

impl Task {
    async fn run(mut self, mut inbox: mpsc::Receiver<Job>, close: Arc<tokio::sync::Notify>) {
        let mut group = Vec::new();
        let mut closing = false;
        loop {
            let taken = tokio::select! {
                biased;
                taken = inbox.recv_many(&mut group, MAX_GROUP) => taken,
                () = close.notified(), if !closing => {
                    // Nothing new gets in; what waits is still taken.
                    inbox.close();
                    closing = true;
                    continue;
                }
            };
            if taken == 0 {
                break;
            }
            group.retain(|job| job.stage.compare_exchange(WAITING, BEGUN, AcqRel, Acquire).is_ok());
            self.settle(&mut group).await;
        }
        if let Some(conn) = self.conn.take()
            && let Err(error) = conn.close().await
        {
            tracing::warn!(%error, "the store was not closed in order");
        }
    }

    /// Executes a group and answers its callers.
    async fn settle(&mut self, group: &mut Vec<Job>) {
        if group.is_empty() {
            return;
        }
        let answers = match self.commit(group).await {
            Ok(answers) => answers,
            // One of them ended the transaction of all: each gets one of its own.
            Err(StoreError::Uncertain { reason }) => {
                group.iter().map(|_| Err(StoreError::Uncertain { reason: reason.clone() })).collect()
            }
            Err(_) if group.len() > 1 => {
                let mut answers = Vec::with_capacity(group.len());
                for job in group.iter() {
                    let answer = self.commit(std::slice::from_ref(job)).await;
                    answers.push(answer.and_then(|mut answers| answers.pop().unwrap_or_else(|| Err(lost()))));
                }
                answers
            }
            Err(error) => vec![Err(error)],
        };
        for (job, answer) in group.drain(..).zip(answers) {
            // A caller that went away has no use for it.
            let _ = job.answer.send(answer);
        }
    }

    /// Executes a group in one transaction. An error means that nothing of it was committed.
    async fn commit(&mut self, group: &[Job]) -> Result<Vec<Answer>, StoreError> {
        if self.conn.is_none() {
            self.conn = Some(open::writer(&self.path, &self.options).await?);
        }
        let Some(conn) = self.conn.as_mut() else { return Err(closed()) };
        let moment = Moment { now: self.time.now() };
        let outcome = execute(conn, group, moment, &self.path).await;
        match outcome {
            Ok(answers) => {
                let done = group.iter().zip(&answers).filter(|(_, answer)| answer.is_ok());
                let epoch = self.time.epoch();
                if let Some(latest) = done.filter_map(|(job, _)| job.write.latest_time(epoch)).max() {
                    self.time.commit(latest);
                }
                self.metrics.group(group.len());
                Ok(answers)
            }
            Err(failure) => {
                // Where the transaction is over by itself this fails, which is as good.
                if conn.execute("ROLLBACK").await.is_err() && conn.ping().await.is_err() {
                    self.conn = None;
                }
                Err(failure.meaning(&self.path))
            }
        }
    }
}

/// Why a group was not committed.
enum Failure {
    /// Before the end: nothing of it was.
    Before(sqlx::Error),
    /// At the end.
    Committing(sqlx::Error),
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::Before(error)
    }
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

async fn execute(
    conn: &mut SqliteConnection,
    group: &[Job],
    moment: Moment,
    path: &Path,
) -> Result<Vec<Answer>, Failure> {
    conn.execute("BEGIN IMMEDIATE").await?;
    let alone = group.len() == 1;
    let mut answers = Vec::with_capacity(group.len());
    for job in group {
        if !alone {
            conn.execute("SAVEPOINT one").await?;
        }
        match job.write.apply(&mut Conn::Sqlite(conn), moment).await {
            Ok(written) => answers.push(Ok(written)),
            Err(error) if alone || errors::ends_transaction(&error) => return Err(error.into()),
            Err(error) => {
                conn.execute("ROLLBACK TO one").await?;
                answers.push(Err(errors::classify(path, &error)));
            }
        }
        if !alone {
            conn.execute("RELEASE one").await?;
        }
    }
    conn.execute("COMMIT").await.map_err(Failure::Committing)?;
    Ok(answers)
}
