//! The schema: numbered steps, the same numbers for both databases, run at start.

use sqlx::SqlSafeStr as _;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};

use super::error::StoreError;

/// Number and name of each step.
macro_rules! steps {
    ($engine:literal) => {
        [(1, "approvals", include_str!(concat!("../../migrations/", $engine, "/0001_approvals.sql")))]
    };
}

#[cfg(feature = "sqlite")]
pub(super) fn sqlite() -> Migrator {
    migrator(&steps!("sqlite"))
}

#[cfg(feature = "postgres")]
pub(super) fn postgres() -> Migrator {
    migrator(&steps!("postgres"))
}

fn migrator(steps: &[(i64, &'static str, &'static str)]) -> Migrator {
    let step = |(version, name, sql): &(i64, &'static str, &'static str)| {
        Migration::new(*version, (*name).into(), MigrationType::Simple, (*sql).into_sql_str(), false)
    };
    Migrator::with_migrations(steps.iter().map(step).collect())
}

/// The newest schema that is known.
pub(super) fn known(migrator: &Migrator) -> i64 {
    migrator.iter().map(|step| step.version).max().unwrap_or(0)
}

/// What an error of the migrator means. `place` is the file, or server and database.
pub(super) fn failed(
    error: MigrateError,
    known: i64,
    place: &str,
    classify: impl FnOnce(sqlx::Error) -> StoreError,
) -> StoreError {
    match error {
        MigrateError::VersionMissing(found) if found > known => {
            StoreError::NewerSchema { place: place.to_owned(), found, known }
        }
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => classify(error),
        other => StoreError::invalid(format!("the schema in {place}: {other}")),
    }
}
