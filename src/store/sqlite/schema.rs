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
    let mut statement =
        conn.prepare("SELECT version, CAST(checksum AS BLOB) AS checksum FROM _sqlx_migrations ORDER BY version")?;
    let rows = statement.query_map([], |row| Ok((row.get("version")?, row.get("checksum")?)))?;
    rows.collect()
}

fn run(conn: &Connection, step: &Step, checksum: &[u8]) -> Result<(), rusqlite::Error> {
    conn.execute_batch(step.sql)?;
    let sql = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
               VALUES (?1, ?2, TRUE, ?3, 0)";
    conn.execute(sql, params![step.version, step.name, checksum]).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::open;

    #[test]
    fn several_that_start_at_once_find_it_done_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lictor.db");
        std::fs::write(&path, "").unwrap();
        std::thread::scope(|scope| {
            let starts: Vec<_> =
                (0..4).map(|_| scope.spawn(|| update(&path, &mut open::plain(&path).unwrap()))).collect();
            for start in starts {
                start.join().unwrap().unwrap();
            }
        });
        let conn = open::plain(&path).unwrap();
        let steps = done(&conn).unwrap();
        assert_eq!(steps.iter().map(|(version, _)| *version).collect::<Vec<_>>(), [1, newest(SQLITE)]);
    }

    #[test]
    fn what_was_run_otherwise_is_refused_and_nothing_is_run() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lictor.db");
        std::fs::write(&path, "").unwrap();
        let mut conn = open::plain(&path).unwrap();
        update(&path, &mut conn).unwrap();
        let last = newest(SQLITE);
        for (version, message) in [(last, "step 2 was run in another form"), (7, "has schema 7")] {
            let sql = "UPDATE _sqlx_migrations SET checksum = x'00', version = ?1 WHERE version = ?2";
            assert_eq!(conn.execute(sql, [version, last]).unwrap(), 1);
            let refused = update(&path, &mut conn).unwrap_err().to_string();
            assert!(refused.contains(message) && refused.contains("lictor.db"), "{refused}");
        }
        assert_eq!(done(&conn).unwrap().len(), SQLITE.len());
    }
}
