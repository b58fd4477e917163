//! The back end that several servers share: a pool of connections, one transaction a write.

mod connect;
mod errors;
mod schema;

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::PgPool;
use sqlx::pool::PoolConnection;
use sqlx::postgres::PgConnectOptions;
use sqlx::postgres::Postgres;
use tokio::task::JoinHandle;

use super::error::StoreError;
use super::mark::{Expected, Mark};
use super::sql::{Conn, SqlError};
use super::verbs::{Moment, meta};
use super::write::{Write, Written};
use crate::model::Timestamp;

/// A database of a PostgreSQL server, which may not be reachable yet.
#[derive(Debug)]
pub(super) struct Database {
    shared: Arc<Shared>,
    settings: Box<PgConnectOptions>,
    /// Tries until the database can be used; `None` where the first attempt succeeded.
    connecting: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) pool: PgPool,
    pub(super) place: String,
    pub(super) wait: Duration,
    /// The epoch, 0 until the database can be used.
    pub(super) epoch: AtomicU64,
    /// What the database should be: as noted at the start, then as it was last seen.
    pub(super) expected: Mutex<Option<Expected>>,
    /// Why it cannot be used yet.
    pub(super) trouble: Mutex<String>,
}

impl Database {
    /// Connects. Where the server cannot be reached, goes on trying by itself.
    pub(super) async fn open(
        url: &str,
        password: Option<&crate::config::Secret>,
        options: &super::StoreOptions,
    ) -> Result<Self, StoreError> {
        let settings = connect::settings(url, password, options)?;
        let shared = Arc::new(Shared {
            pool: connect::pool(&settings, options),
            place: connect::place(&settings),
            wait: options.wait,
            epoch: AtomicU64::new(0),
            expected: Mutex::new(options.expected.clone()),
            trouble: Mutex::default(),
        });
        let connecting = match connect::prepare(&shared, &settings).await {
            Ok(()) => None,
            Err(error) if error.is_transient() => {
                tracing::error!(%error, "the store cannot be used yet; approvals are refused until it can");
                shared.note(&error);
                Some(tokio::spawn(connect::keep_trying(shared.clone(), settings.clone())))
            }
            Err(error) => return Err(error),
        };
        Ok(Self { shared, settings: Box::new(settings), connecting: Mutex::new(connecting) })
    }

    /// The epoch, `None` until the database can be used.
    pub(super) fn epoch(&self) -> Option<u64> {
        Some(self.shared.epoch.load(Acquire)).filter(|epoch| *epoch > 0)
    }

    /// Whether a database with this mark is the one that was used until now. Where it is not, it is not used until it is
    /// again, or its epoch has been raised.
    pub(super) fn still_is(&self, found: &Mark) -> Result<(), StoreError> {
        let Some(why) = self.shared.gainsaid(found) else { return Ok(()) };
        let error = StoreError::Replaced { place: self.shared.place.clone(), why };
        tracing::error!(%error, "the database was exchanged while it was in use; approvals are refused");
        self.shared.note(&error);
        self.shared.epoch.store(0, Release);
        let again = tokio::spawn(connect::keep_trying(self.shared.clone(), (*self.settings).clone()));
        if let Some(before) = self.connecting.lock().unwrap_or_else(PoisonError::into_inner).replace(again) {
            before.abort();
        }
        Err(error)
    }

    fn usable(&self) -> Result<(), StoreError> {
        if self.epoch().is_some() {
            return Ok(());
        }
        Err(StoreError::unavailable(self.shared.trouble()))
    }

    pub(super) async fn now(&self) -> Result<Timestamp, StoreError> {
        let mut conn = self.reader().await?;
        let mut conn = Conn::Postgres(&mut conn);
        self.in_time(meta::clock(&mut conn)).await
    }

    pub(super) async fn reader(&self) -> Result<PoolConnection<Postgres>, StoreError> {
        self.usable()?;
        match tokio::time::timeout(self.shared.wait, self.shared.pool.acquire()).await {
            Ok(conn) => conn.map_err(|error| self.classify(&error.into())),
            Err(_) => Err(StoreError::unavailable(format!("{} does not answer", self.shared.place))),
        }
    }

    pub(super) fn classify(&self, error: &SqlError) -> StoreError {
        errors::classify(&self.shared.place, error)
    }

    /// Waits for a connection and for what is read with it.
    pub(super) async fn bounded<T>(
        &self,
        reading: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let limit = self.shared.wait.saturating_mul(2);
        let no_answer = || StoreError::unavailable(format!("no answer within {} ms", limit.as_millis()));
        tokio::time::timeout(limit, reading).await.unwrap_or_else(|_| Err(no_answer()))
    }

    async fn in_time<T>(&self, work: impl Future<Output = Result<T, SqlError>>) -> Result<T, StoreError> {
        match tokio::time::timeout(self.shared.wait, work).await {
            Ok(outcome) => outcome.map_err(|error| self.classify(&error)),
            Err(_) => Err(StoreError::unavailable(format!("{} does not answer", self.shared.place))),
        }
    }

    /// Runs a write in a transaction of its own.
    pub(super) async fn write(&self, write: Write) -> Result<Written, StoreError> {
        use sqlx::Connection as _;
        let mut conn = self.reader().await?;
        let mut transaction = self.in_time(async { Ok(conn.begin().await?) }).await?;
        let work = async {
            let mut conn = Conn::Postgres(&mut transaction);
            let now = if write.reads_clock() { meta::clock(&mut conn).await? } else { Timestamp::default() };
            write.apply(&mut conn, Moment { now }, None).await
        };
        // Dropping an unfinished transaction rolls it back.
        let written = self.in_time(work).await?;
        match tokio::time::timeout(self.shared.wait, transaction.commit()).await {
            Ok(Ok(())) => Ok(written),
            // The server itself says no.
            Ok(Err(error @ sqlx::Error::Database(_))) if !errors::is_shutdown(&error) => {
                Err(self.classify(&error.into()))
            }
            Ok(Err(error)) => Err(StoreError::Uncertain { reason: error.to_string() }),
            Err(_) => Err(StoreError::Uncertain { reason: format!("{} does not answer", self.shared.place) }),
        }
    }

    pub(super) async fn close(&self) {
        let connecting = self.connecting.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = connecting {
            task.abort();
        }
        // Connections that hang must not keep the server from ending.
        let _ = tokio::time::timeout(self.shared.wait, self.shared.pool.close()).await;
    }
}

impl Shared {
    pub(super) fn note(&self, error: &StoreError) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = said(error);
    }

    /// Whether this error has been noted last.
    pub(super) fn has_trouble(&self, error: &StoreError) -> bool {
        self.trouble() == said(error)
    }

    /// Expects the database to be the one with the mark `found`, or a later state of it.
    pub(super) fn expect(&self, found: Mark) {
        let mut expected = self.expected.lock().unwrap_or_else(PoisonError::into_inner);
        let owner = expected.take().map_or_else(|| "".into(), |expected| expected.owner);
        *expected = Some(Expected { mark: found, owner });
    }

    /// Why the database with the mark `found` is not the expected one; `found` is expected from now on where it is.
    fn gainsaid(&self, found: &Mark) -> Option<String> {
        let expected = self.expected.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let why = expected.and_then(|expected| expected.mark.gainsays(found));
        if why.is_none() {
            self.expect(*found);
        }
        why
    }

    fn trouble(&self) -> String {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What a caller is told of it.
fn said(error: &StoreError) -> String {
    match error {
        StoreError::Unavailable { reason } => reason.clone(),
        other => other.to_string(),
    }
}
