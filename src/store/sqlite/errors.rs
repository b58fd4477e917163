//! What SQLite's result codes mean to a caller. <https://www.sqlite.org/rescode.html>

use std::path::Path;

use crate::store::error::StoreError;
use crate::store::sql::SqlError;

/// What an error means. It is sure that nothing was committed.
pub(super) fn classify(path: &Path, error: &SqlError) -> StoreError {
    let SqlError::Sqlite(rusqlite::Error::SqliteFailure(code, message)) = error else {
        return StoreError::invalid(error);
    };
    let reason = message.clone().unwrap_or_else(|| code.to_string());
    // The low byte is the primary code.
    match code.extended_code & 0xff {
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
        _ => StoreError::Unavailable {
            reason: format!("{reason} (SQLite code {}) on {}", code.extended_code, path.display()),
        },
    }
}
