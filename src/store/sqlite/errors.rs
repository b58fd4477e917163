//! What SQLite's result codes mean to a caller. <https://www.sqlite.org/rescode.html>

use std::path::Path;

use crate::store::error::StoreError;

/// What an error means. It is sure that nothing was committed.
pub(super) fn classify(path: &Path, error: &sqlx::Error) -> StoreError {
    let Some(code) = code(error) else {
        return match error {
            sqlx::Error::PoolTimedOut => StoreError::Busy { reason: "no connection became free".to_owned() },
            sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. } | sqlx::Error::Encode(_) => {
                StoreError::invalid(error)
            }
            other => StoreError::unavailable(other),
        };
    };
    let reason = error.as_database_error().map_or_else(String::new, |error| error.message().to_owned());
    // The low byte is the primary code.
    match code & 0xff {
        13 => StoreError::Full {
            reason: format!(
                "{reason}: `{}` may not grow. Make room on its disk, or raise `store.maxBytes` where that is reached and start \
                 again",
                path.display()
            ),
        },
        5 | 6 => StoreError::Busy { reason },
        11 | 26 => StoreError::Corrupt { path: path.to_owned(), reason },
        // Constraint, mismatch, too big, range and plain errors of a statement.
        1 | 18 | 19 | 20 | 25 => StoreError::Invalid { reason },
        _ => StoreError::Unavailable { reason: format!("{reason} (SQLite code {code}) on {}", path.display()) },
    }
}

/// Whether the whole transaction may have been rolled back with the statement, or the connection is of no more use.
pub(super) fn ends_transaction(error: &sqlx::Error) -> bool {
    // FULL, IOERR, NOMEM, BUSY, INTERRUPT, CORRUPT, NOTADB; <https://www.sqlite.org/lang_transaction.html>
    code(error).is_none_or(|code| matches!(code & 0xff, 13 | 10 | 7 | 5 | 9 | 11 | 26)) && !is_ours(error)
}

/// Errors that were made of what a row holds, with which SQLite has nothing to do.
fn is_ours(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. } | sqlx::Error::Encode(_))
}

fn code(error: &sqlx::Error) -> Option<i64> {
    error.as_database_error()?.code()?.parse().ok()
}
