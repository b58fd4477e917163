//! Bringing the schema up to date, under a lock of the database.

use sqlx::SqlSafeStr as _;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::postgres::PgConnection;

use super::errors;
use crate::store::error::StoreError;
use crate::store::migrate::{POSTGRES, Step, newest};

/// Runs the steps that were not run yet. `place` is server and database.
pub(super) async fn update(conn: &mut PgConnection, place: &str) -> Result<(), StoreError> {
    let step = |step: &Step| {
        Migration::new(step.version, step.name.into(), MigrationType::Simple, step.sql.into_sql_str(), false)
    };
    let migrator = Migrator::with_migrations(POSTGRES.iter().map(step).collect());
    let known = newest(POSTGRES);
    migrator.run_direct(None, conn, false).await.map_err(|error| match error {
        MigrateError::VersionMissing(found) if found > known => {
            StoreError::NewerSchema { place: place.to_owned(), found, known }
        }
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
            errors::classify(place, &error.into())
        }
        other => StoreError::invalid(format!("the schema in {place}: {other}")),
    })
}
