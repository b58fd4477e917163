//! How the store is set up.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::error::StoreError;
use super::mark::Expected;
use crate::config::Secret;
use crate::model::Timestamp;

/// A clock. PostgreSQL has its own; the embedded store uses this one, never below what is committed.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// A monotonic clock: the time that has passed since some moment of this process.
pub type Elapsed = Arc<dyn Fn() -> Duration + Send + Sync>;

/// How the store is set up.
#[derive(Clone)]
#[non_exhaustive]
pub struct StoreOptions {
    /// Where it is.
    pub place: Place,
    /// Longest time that a call waits for its turn, and again for its answer.
    pub wait: Duration,
    /// Most connections to PostgreSQL.
    pub connections: u32,
    /// Most bytes of the embedded database, `None` for as many as the disk has.
    pub max_bytes: Option<u64>,
    /// The clock of the embedded store.
    pub clock: Clock,
    /// By which the embedded store's time goes on as long as its clock is behind what is committed.
    pub elapsed: Elapsed,
    /// What the store should be; anything is accepted if not given.
    pub expected: Option<Expected>,
}

/// Where a store is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A file of the embedded database.
    Sqlite(PathBuf),
    /// A database of a PostgreSQL server.
    Postgres {
        /// `postgres://[user@]host[:port]/database`, or with `?host=/directory` for a Unix socket.
        url: String,
        /// The password, where it is not in the surroundings (`PGPASSWORD`, `.pgpass`).
        password: Option<Secret>,
    },
}

impl Place {
    /// Reads a URL: `sqlite:PATH` or `sqlite://PATH`, relative paths below `state_dir`, or `postgres://…`.
    ///
    /// ```
    /// use std::path::Path;
    /// use lictor::store::Place;
    /// let place = Place::parse("sqlite:lictor.db", None, Path::new("/var/lib/lictor")).unwrap();
    /// assert_eq!(place, Place::Sqlite("/var/lib/lictor/lictor.db".into()));
    /// assert!(Place::parse("mysql://db/lictor", None, Path::new("/")).is_err());
    /// ```
    ///
    /// # Errors
    /// [`StoreError::Url`] with what to write instead.
    pub fn parse(url: &str, password: Option<Secret>, state_dir: &Path) -> Result<Self, StoreError> {
        let refuse = |reason: &str| StoreError::Url { reason: reason.to_owned() };
        if let Some(rest) = url.strip_prefix("sqlite:") {
            let path = rest.strip_prefix("//").unwrap_or(rest);
            if path.is_empty() || path.contains(['?', '#']) || path == ":memory:" {
                return Err(refuse("write `sqlite:PATH`, with a path and nothing behind it"));
            }
            if !cfg!(feature = "sqlite") {
                return Err(refuse("this program was built without the feature `sqlite`"));
            }
            return Ok(Self::Sqlite(state_dir.join(path)));
        }
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            if has_password(url) {
                return Err(refuse(
                    "it holds a password; leave it out and write `store.password: {file: PATH}` or `{env: NAME}`",
                ));
            }
            if !cfg!(feature = "postgres") {
                return Err(refuse("this program was built without the feature `postgres`"));
            }
            return Ok(Self::Postgres { url: url.to_owned(), password });
        }
        Err(refuse("write `sqlite:PATH` or `postgres://USER@HOST/DATABASE`"))
    }
}

/// Whether a URL holds a password.
fn has_password(url: &str) -> bool {
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    let (authority, query) = rest.split_once('?').unwrap_or((rest, ""));
    let authority = authority.split('/').next().unwrap_or_default();
    let in_authority = authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'));
    in_authority || query.split('&').any(|pair| pair.starts_with("password="))
}

impl StoreOptions {
    /// The defaults for a store at `place`: 5 s of patience, 16 connections, the machine's clock.
    #[must_use]
    pub fn new(place: Place) -> Self {
        let start = Instant::now();
        Self {
            place,
            wait: Duration::from_secs(5),
            connections: 16,
            max_bytes: None,
            clock: Arc::new(|| Timestamp::from_system(SystemTime::now())),
            elapsed: Arc::new(move || start.elapsed()),
            expected: None,
        }
    }
}
