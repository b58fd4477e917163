//! What PostgreSQL's SQLSTATEs mean to a caller. <https://www.postgresql.org/docs/current/errcodes-appendix.html>

use crate::store::error::StoreError;
use crate::store::sql::SqlError;

/// What an error means. It is sure that nothing was committed.
pub(super) fn classify(place: &str, error: &SqlError) -> StoreError {
    let reason = || format!("{place}: {error}");
    let SqlError::Postgres(error) = error else { return StoreError::Invalid { reason: reason() } };
    match error {
        sqlx::Error::Database(database) => match database.code().as_deref().unwrap_or_default() {
            "53100" => StoreError::Full { reason: reason() },
            // Too many connections, lock or statement timeout, serialisation failure, deadlock.
            "53300" | "55P03" | "57014" | "40001" | "40P01" => StoreError::Busy { reason: reason() },
            // Data, integrity, syntax and access rule errors; wrong names.
            code if ["22", "23", "42"].iter().any(|class| code.starts_with(class)) => {
                StoreError::Invalid { reason: reason() }
            }
            _ => StoreError::Unavailable { reason: reason() },
        },
        sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. } | sqlx::Error::Encode(_) => {
            StoreError::Invalid { reason: reason() }
        }
        _ => StoreError::Unavailable { reason: reason() },
    }
}

/// Whether the server ended the session, so that an answer to COMMIT may be lost.
pub(super) fn is_shutdown(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.is_some_and(|code| code.starts_with("57P") || code.starts_with("08"))
}
