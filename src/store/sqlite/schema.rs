//! Bringing the schema up to date. What was run is noted in the table that sqlx's migrator keeps in PostgreSQL.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior, params};
use sha2::{Digest as _, Sha384};

use super::errors;
use crate::store::error::StoreError;
use crate::store::migrate::{SQLITE, Step, newest};

const TABLE: &str = "CREATE TABLE IF NOT EXISTS _sqlx_migrations (\
                     version BIGINT PRIMARY KEY, description TEXT NOT NULL, \
                     installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, success BOOLEAN NOT NULL, \
                     checksum BLOB NOT NULL, execution_time BIGINT NOT NULL)";

/// Runs the steps that were not run yet, all or none. Of several that start at the same time one runs them, and the others
/// wait and find them done.
pub(super) fn update(path: &Path, conn: &mut Connection) -> Result<(), StoreError> {
    let failed = |error: rusqlite::Error| errors::classify(path, &error.into());
    let transaction = conn.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    transaction.execute_batch(TABLE).map_err(failed)?;
    let done = done(&transaction).map_err(failed)?;
    let known = newest(SQLITE);
    let found = done.last().map_or(0, |(version, _)| *version);
    if found > known {
        return Err(StoreError::NewerSchema { place: path.display().to_string(), found, known });
    }
    for step in SQLITE {
        let checksum = Sha384::digest(step.sql);
        match done.iter().find(|(version, _)| *version == step.version) {
            Some((_, noted)) if noted.as_slice() == checksum.as_slice() => {}
            Some(_) => {
                return Err(StoreError::invalid(format!(
                    "the schema in {}: step {} was run in another form than this program's",
                    path.display(),
                    step.version
                )));
            }
            None => run(&transaction, step, &checksum).map_err(failed)?,
        }
    }
    transaction.commit().map_err(failed)
}

/// Numbers and checksums of the steps that were run, ascending.
fn done(conn: &Connection) -> Result<Vec<(i64, Vec<u8>)>, rusqlite::Error> {
    let mut statement = conn.prepare("SELECT version, checksum FROM _sqlx_migrations ORDER BY version")?;
    let rows = statement.query_map([], |row| Ok((row.get("version")?, row.get("checksum")?)))?;
    rows.collect()
}

fn run(conn: &Connection, step: &Step, checksum: &[u8]) -> Result<(), rusqlite::Error> {
    conn.execute_batch(step.sql)?;
    let sql = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
               VALUES (?1, ?2, TRUE, ?3, 0)";
    conn.execute(sql, params![step.version, step.name, checksum]).map(drop)
}
