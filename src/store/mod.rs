//! The durable store: approvals, their history, and what is to be told of them, behind verbs of the domain.
//!
//! [`Store`] is a handle to one of two back ends: an embedded SQLite file, whose one writer commits what waits together,
//! or a PostgreSQL server that several servers share. It is dumb and atomic: it loads a row, and commits a change that was
//! made from it together with its row of history, its events and its deliveries, if the row has not changed since. What
//! may change into what is the room `approval`'s to say.
//!
//! Every call is bounded in time and fails closed with a [`StoreError`]. No decision ever waits for the store.

mod change;
mod delivery;
mod error;
mod mark;
mod migrate;
mod options;
mod outbox;
#[cfg(feature = "postgres")]
mod postgres;
mod queues;
mod sql;
#[cfg(feature = "sqlite")]
mod sqlite;
mod telemetry;
mod verbs;
mod write;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::time::Instant;

use tokio::sync::Notify;

pub use change::{ApprovalChange, Changed, Created, Due, NewApproval};
pub use delivery::{AttemptOutcome, Delivery, DeliveryClaim, DeliveryQuery, DeliveryState, NewDelivery};
pub use error::StoreError;
pub use mark::{Expected, Mark};
pub use options::{Clock, Elapsed, Place, StoreOptions};
pub use outbox::{ClaimedEvent, OutboxEvent};
pub use telemetry::StoreMetrics;

use crate::model::{Approval, ApprovalQuery, HistoryQuery, HistoryRow, Page, Sha256Digest, Text, Timestamp};
#[cfg(feature = "postgres")]
use sql::Conn;
use verbs::{approvals, due, figures, lists, mark as mark_verbs};
use write::{Write, Written};

/// What waits in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Figures {
    /// Approvals that wait for people.
    pub open_approvals: u64,
    /// Events that wait for the journal.
    pub outbox: u64,
    /// When the oldest of them happened.
    pub oldest_event: Option<Timestamp>,
    /// Deliveries that wait for an attempt.
    pub pending_deliveries: u64,
    /// Deliveries that failed for good.
    pub dead_deliveries: u64,
}

/// What a backup holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    /// The epoch in which it was made.
    pub epoch: u64,
    /// Approvals that wait for people.
    pub open_approvals: u64,
    /// Events that wait for the journal.
    pub outbox: u64,
}

/// What a restore did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// The epoch that begins with it.
    pub epoch: u64,
    /// Approvals that waited for people and are expired.
    pub open_approvals: u64,
    /// Where the file is that was in place before.
    pub kept: Option<std::path::PathBuf>,
}

/// Copies an embedded store to the new file `to`, as it is committed at one moment. A server may use it meanwhile.
///
/// # Errors
/// There is no store, `to` exists or cannot be written, or the store is damaged. `to` is then not there.
#[cfg(feature = "sqlite")]
pub async fn backup(path: &std::path::Path, to: &std::path::Path) -> Result<Backup, StoreError> {
    sqlite::backup::backup(path, to).await
}

/// Puts the backup `from` in the place of the embedded store of `options`, which nobody may use meanwhile, and begins an
/// epoch above `floor` and above all that either has seen, as [`Store::raise_epoch`] says. The file that was there is kept.
///
/// # Errors
/// `from` is not a backup, is damaged or newer than this program, or a file cannot be written. The store is then as before.
#[cfg(feature = "sqlite")]
pub async fn restore(
    options: &StoreOptions,
    from: &std::path::Path,
    floor: u64,
    owner: &str,
) -> Result<Restored, StoreError> {
    match &options.place {
        Place::Sqlite(path) => sqlite::backup::restore(path, from, floor, owner, options).await,
        Place::Postgres { .. } => {
            Err(StoreError::Url { reason: "a PostgreSQL database is restored by its own tools".to_owned() })
        }
    }
}

/// The durable store. Cheap to clone; all clones are the same store.
#[derive(Debug, Clone)]
pub struct Store(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    backend: Backend,
    metrics: Arc<StoreMetrics>,
    /// The epoch as last read, 0 before the first time.
    epoch: AtomicU64,
    /// Told when events were added here.
    added: Notify,
}

#[derive(Debug)]
enum Backend {
    #[cfg(feature = "sqlite")]
    Sqlite(sqlite::Database),
    #[cfg(feature = "postgres")]
    Postgres(postgres::Database),
}

/// Reads with one connection, in bounded time, and counts it. `$conn` is a `&mut Conn` in `$work`, which owns what it uses.
macro_rules! read {
    ($self:ident, $name:literal, |$conn:ident| $work:expr) => {{
        let start = Instant::now();
        let outcome = match &$self.0.backend {
            #[cfg(feature = "sqlite")]
            Backend::Sqlite(database) => database.read(move |$conn| sqlite::ready($work)).await,
            #[cfg(feature = "postgres")]
            Backend::Postgres(database) => {
                let reading = async {
                    let mut reader = database.reader().await?;
                    let $conn = &mut Conn::Postgres(&mut reader);
                    $work.await.map_err(|error| database.classify(&error))
                };
                database.bounded(reading).await
            }
        };
        $self.count($name, start, outcome)
    }};
}
use read;

impl Store {
    /// Opens the store. Must run inside a tokio runtime, whose tasks it uses.
    ///
    /// An embedded database is open afterwards. A PostgreSQL server that cannot be reached is no error: the store answers
    /// [`StoreError::Unavailable`] until it can.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], [`StoreError::Replaced`], [`StoreError::Exposed`], [`StoreError::NewerSchema`], [`StoreError::Url`], or whatever keeps the embedded database
    /// from being opened.
    pub async fn open(options: StoreOptions) -> Result<Self, StoreError> {
        let metrics = Arc::new(StoreMetrics::default());
        let (backend, epoch) = match &options.place {
            #[cfg(feature = "sqlite")]
            Place::Sqlite(path) => {
                let (database, found) = sqlite::Database::open(path, &options, metrics.clone()).await?;
                (Backend::Sqlite(database), found.epoch)
            }
            #[cfg(feature = "postgres")]
            Place::Postgres { url, password } => {
                let database = postgres::Database::open(url, password.as_ref(), &options).await?;
                let epoch = database.epoch().unwrap_or(0);
                (Backend::Postgres(database), epoch)
            }
            #[allow(unreachable_patterns)]
            other => {
                let reason = format!("this program was built without what {other:?} needs");
                return Err(StoreError::Url { reason });
            }
        };
        Ok(Self(Arc::new(Inner { backend, metrics, epoch: AtomicU64::new(epoch), added: Notify::new() })))
    }

    /// What it counts of itself.
    #[must_use]
    pub fn metrics(&self) -> Arc<StoreMetrics> {
        self.0.metrics.clone()
    }

    /// Commits what waits and closes it. Calls that come later fail.
    pub async fn close(&self) {
        match &self.0.backend {
            #[cfg(feature = "sqlite")]
            Backend::Sqlite(database) => database.close().await,
            #[cfg(feature = "postgres")]
            Backend::Postgres(database) => database.close().await,
        }
    }

    /// The store's time: what is due, what has expired and every time that is written goes by it. PostgreSQL's clock, or the
    /// injected one; as long as that is behind what is committed, time goes on from there by the monotonic clock.
    ///
    /// # Errors
    /// The store cannot be reached.
    pub async fn now(&self) -> Result<Timestamp, StoreError> {
        match &self.0.backend {
            #[cfg(feature = "sqlite")]
            Backend::Sqlite(database) => Ok(database.now()),
            #[cfg(feature = "postgres")]
            Backend::Postgres(database) => {
                let start = Instant::now();
                let outcome = database.now().await;
                self.count("now", start, outcome)
            }
        }
    }

    /// The epoch, from 1: raised when the store is restored from a backup, so that what was created before is expired. As
    /// last read; `None` as long as the store could never be reached.
    #[must_use]
    pub fn epoch(&self) -> Option<u64> {
        #[cfg(feature = "postgres")]
        if let Backend::Postgres(database) = &self.0.backend
            && let Some(epoch) = database.epoch()
        {
            self.0.epoch.fetch_max(epoch, Release);
        }
        Some(self.0.epoch.load(Acquire)).filter(|epoch| *epoch > 0)
    }

    /// Reads how far the store has come. Where a PostgreSQL server suddenly shows an older database or another one, the store
    /// can no longer be used until that one is there again or its epoch has been raised.
    ///
    /// # Errors
    /// The store cannot be reached, or is no longer the one that it was.
    pub async fn read_mark(&self) -> Result<Mark, StoreError> {
        let mut mark = read!(self, "mark", |conn| mark_verbs::mark(conn))?;
        match &self.0.backend {
            #[cfg(feature = "sqlite")]
            Backend::Sqlite(database) => mark.committed = Some(database.time().committed()),
            #[cfg(feature = "postgres")]
            Backend::Postgres(database) => database.still_is(&mark)?,
        }
        self.note_epoch(mark.epoch);
        Ok(mark)
    }

    /// How far the machine's clock is behind the time of the embedded store; nothing where it is not, or the clock is
    /// PostgreSQL's.
    #[must_use]
    pub fn clock_behind(&self) -> std::time::Duration {
        match &self.0.backend {
            #[cfg(feature = "sqlite")]
            Backend::Sqlite(database) => database.time().clock_behind(),
            #[cfg(feature = "postgres")]
            Backend::Postgres(_) => std::time::Duration::ZERO,
        }
    }

    /// Ends the epoch, because the store was restored from a backup: raises it above what it is and above `floor`, so that
    /// everything that was created before is expired; takes back deliveries that wait, because they tell of a state that is
    /// no longer; and gives the events that wait to the instance `owner`, whose journal may hold them. Gives the new epoch.
    ///
    /// # Errors
    /// The store cannot be reached.
    pub async fn raise_epoch(&self, floor: u64, owner: &str) -> Result<u64, StoreError> {
        let epoch = self.count_of(Write::RaiseEpoch { floor, owner: owner.into() }).await?;
        self.note_epoch(epoch);
        Ok(epoch)
    }

    // Approvals.

    /// Creates an approval, once for each idempotency key of a tenant and creator.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn create_approval(&self, new: NewApproval) -> Result<Created, StoreError> {
        match self.write(Write::Create(Box::new(new))).await? {
            Written::Created(created) => {
                if let Created::OtherEpoch { epoch } = created {
                    self.note_epoch(epoch);
                }
                Ok(created)
            }
            _ => Err(wrong_answer()),
        }
    }

    /// Changes an approval, if it has not changed since it was loaded.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn change_approval(&self, change: ApprovalChange) -> Result<Changed, StoreError> {
        match self.write(Write::Change(Box::new(change))).await? {
            Written::Changed(changed) => Ok(changed),
            _ => Err(wrong_answer()),
        }
    }

    /// An approval of a tenant, archived ones too.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn approval(&self, tenant: &str, id: &str) -> Result<Option<Approval>, StoreError> {
        #[cfg(feature = "sqlite")]
        if let Backend::Sqlite(database) = &self.0.backend
            && let Some(approval) = database.recent(tenant, id)
        {
            return Ok(Some(approval));
        }
        let (tenant, id) = (Text::from(tenant), Text::from(id));
        read!(self, "approval", |conn| approvals::by_id(conn, &tenant, &id))
    }

    /// The approval whose token has this SHA-256, of any tenant, archived ones too: who calls must compare the tenant.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn approval_by_token(&self, hash: &Sha256Digest) -> Result<Option<Approval>, StoreError> {
        #[cfg(feature = "sqlite")]
        if let Backend::Sqlite(database) = &self.0.backend
            && let Some(approval) = database.recent_by_token(hash)
        {
            return Ok(Some(approval));
        }
        let hash = *hash;
        read!(self, "approval_by_token", |conn| approvals::by_token(conn, &hash))
    }

    /// The versions of approvals, of any tenant: who waits for a change compares them. Those that are gone are left out.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn versions(&self, ids: &[Text]) -> Result<Vec<(Text, u64)>, StoreError> {
        let ids = ids.to_vec();
        read!(self, "versions", |conn| approvals::versions(conn, &ids))
    }

    /// Approvals of a tenant, newest first.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn list_approvals(&self, query: &ApprovalQuery) -> Result<Page<Approval>, StoreError> {
        let query = query.clone();
        read!(self, "list_approvals", |conn| lists::approvals(conn, &query))
    }

    /// Rows of history of a tenant, newest first.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn list_history(&self, query: &HistoryQuery) -> Result<Page<HistoryRow>, StoreError> {
        let query = query.clone();
        read!(self, "list_history", |conn| lists::history(conn, &query))
    }

    /// Claims approvals that are due, the longest overdue first, for half a minute. Of several workers each gets others.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn due_approvals(&self, due: Due, limit: u32) -> Result<Vec<Approval>, StoreError> {
        match self.write(Write::ClaimDue { due, limit }).await? {
            Written::Approvals(approvals) => Ok(approvals),
            _ => Err(wrong_answer()),
        }
    }

    /// When the next approval expires or goes to others, as far as is known now; `None` if none ever will.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        read!(self, "next_due", |conn| due::next(conn))
    }

    /// Moves approvals in a final state that last changed before `before` out of the way of the others. They stay readable.
    /// Gives their number, at most `limit`.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn archive_resolved(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        self.count_of(Write::Archive { before, limit }).await
    }

    /// Counts what waits.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn figures(&self) -> Result<Figures, StoreError> {
        read!(self, "figures", |conn| figures::figures(conn))
    }

    async fn write(&self, write: Write) -> Result<Written, StoreError> {
        let (name, start, adds_events) = (write.name(), Instant::now(), write.adds_events());
        let outcome = match &self.0.backend {
            #[cfg(feature = "sqlite")]
            Backend::Sqlite(database) => database.write(write).await,
            #[cfg(feature = "postgres")]
            Backend::Postgres(database) => database.write(write).await,
        };
        if adds_events {
            self.0.added.notify_one();
        }
        self.count(name, start, outcome)
    }

    async fn count_of(&self, write: Write) -> Result<u64, StoreError> {
        match self.write(write).await? {
            Written::Count(count) => Ok(count),
            _ => Err(wrong_answer()),
        }
    }

    fn note_epoch(&self, epoch: u64) {
        self.0.epoch.fetch_max(epoch, Release);
    }

    fn count<T>(&self, name: &'static str, start: Instant, outcome: Result<T, StoreError>) -> Result<T, StoreError> {
        let code = outcome.as_ref().map_or_else(StoreError::code, |_| "ok");
        self.0.metrics.operation(name, code, start.elapsed());
        outcome
    }
}

/// Each write answers in kind; this is what the compiler cannot see.
fn wrong_answer() -> StoreError {
    StoreError::invalid("the answer to another question")
}
