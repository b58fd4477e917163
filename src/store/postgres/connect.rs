//! Reaching the server, and bringing the schema up to date.

use std::str::FromStr as _;
use std::sync::atomic::Ordering::Release;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, PgPool};

use super::{Shared, errors, schema};
use crate::config::Secret;
use crate::store::StoreOptions;
use crate::store::error::StoreError;
use crate::store::sql::{Conn, SqlError};
use crate::store::verbs::mark;

/// Waits between attempts to reach the server: the first, and the longest.
const RETRY: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));

/// Reads the URL and the password.
pub(super) fn settings(
    url: &str,
    password: Option<&Secret>,
    options: &StoreOptions,
) -> Result<PgConnectOptions, StoreError> {
    let refuse = |reason: String| StoreError::Url { reason };
    let mut settings = PgConnectOptions::from_str(url).map_err(|error| refuse(error.to_string()))?;
    if let Some(password) = password {
        let bytes = password.read().map_err(|error| refuse(format!("`store.password`: {error}")))?;
        let text = String::from_utf8(bytes).map_err(|_| refuse("`store.password` is not UTF-8".to_owned()))?;
        settings = settings.password(&text);
    }
    let millis = options.wait.as_millis().to_string();
    Ok(settings
        .application_name("lictor")
        .options([
            ("statement_timeout", millis.as_str()),
            ("lock_timeout", millis.as_str()),
            ("idle_in_transaction_session_timeout", "30000"),
            // What is there already is nothing to tell.
            ("client_min_messages", "warning"),
            ("default_transaction_isolation", "read committed"),
            // A commit is durable when it is answered, whatever the server's default.
            ("synchronous_commit", "on"),
        ])
        .disable_statement_logging())
}

/// Server and database, without user and password.
pub(super) fn place(settings: &PgConnectOptions) -> String {
    let host = settings.get_socket().map_or_else(|| settings.get_host().to_owned(), |path| path.display().to_string());
    let database = settings.get_database().unwrap_or_else(|| settings.get_username());
    format!("postgres {host}:{}/{database}", settings.get_port())
}

pub(super) fn pool(settings: &PgConnectOptions, options: &StoreOptions) -> PgPool {
    PgPoolOptions::new()
        .max_connections(options.connections)
        .acquire_timeout(options.wait)
        .connect_lazy_with(settings.clone())
}

/// Makes the database usable: one attempt.
pub(super) async fn prepare(shared: &Shared, settings: &PgConnectOptions) -> Result<(), StoreError> {
    let classify = |error: sqlx::Error| errors::classify(&shared.place, &error.into());
    // A connection of its own: migrations may take longer than a statement may, and wait for those of another server.
    let settings = settings.clone().options([("statement_timeout", "0"), ("lock_timeout", "0")]);
    let mut conn = match tokio::time::timeout(shared.wait, settings.connect()).await {
        Ok(conn) => conn.map_err(classify)?,
        Err(_) => return Err(StoreError::unavailable(format!("{} does not answer", shared.place))),
    };
    schema::update(&mut conn, &shared.place).await?;
    let failed = |error: SqlError| errors::classify(&shared.place, &error);
    let mut of = Conn::Postgres(&mut conn);
    mark::begin_lineage(&mut of).await;
    let mut found = mark::mark(&mut of).await.map_err(failed)?;
    let expected = shared.expected.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if let Some(expected) = expected {
        let refused = mark::refused(&mut of, &expected, &mut found, &shared.place).await.map_err(failed)?;
        if let Some(why) = refused {
            return Err(StoreError::Replaced { place: shared.place.clone(), why });
        }
    }
    shared.expect(found);
    shared.epoch.store(found.epoch, Release);
    let _ = conn.close().await;
    Ok(())
}

/// Tries until the database is usable.
pub(super) async fn keep_trying(shared: Arc<Shared>, settings: PgConnectOptions) {
    let (mut pause, longest) = RETRY;
    loop {
        tokio::time::sleep(pause).await;
        match prepare(&shared, &settings).await {
            Ok(()) => {
                tracing::info!(store = shared.place, "the store can be used");
                return;
            }
            Err(error) => {
                if error.is_transient() || shared.has_trouble(&error) {
                    tracing::debug!(%error, "the store cannot be used yet");
                } else {
                    // Nothing but somebody's doing changes it: said once.
                    tracing::error!(%error, "the store cannot be used; approvals are refused until it can");
                }
                shared.note(&error);
            }
        }
        pause = pause.saturating_mul(2).min(longest);
    }
}
