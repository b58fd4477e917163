//! The mark of a store, and what follows where it is not the one that is expected.

use std::time::SystemTime;

use super::{Conn, Outcome, meta};
use crate::model::{Timestamp, new_id};
use crate::store::mark::{Expected, Mark};

/// What the database says of itself, without the latest time.
pub(in crate::store) async fn mark(conn: &mut Conn<'_>) -> Outcome<Mark> {
    let epoch = meta::epoch(conn).await?;
    let lineage =
        conn.one("SELECT value FROM store_meta WHERE name = 'lineage'", &[], |row| row.number("value")).await?;
    Ok(Mark { epoch, lineage, committed: None })
}

/// Gives the database a lineage where it has none. It can be used without one, for example where there is no room for it.
pub(in crate::store) async fn begin_lineage(conn: &mut Conn<'_>) {
    let begun = conn
        .run(
            "INSERT INTO store_meta (name, value) VALUES ('lineage', ?1) ON CONFLICT (name) DO NOTHING",
            &[random().into()],
        )
        .await;
    if let Err(error) = begun {
        tracing::warn!(%error, "the store cannot be given a number; copies of it are told by their epoch alone");
    }
}

/// Another lineage, which begins with an epoch.
pub(in crate::store) async fn renew_lineage(conn: &mut Conn<'_>) -> Outcome<()> {
    conn.run(
        "INSERT INTO store_meta (name, value) VALUES ('lineage', ?1) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        &[random().into()],
    )
    .await
    .map(drop)
}

/// Why the database with the mark `found` must not be used, if it must not. One that holds no approvals, in which nothing
/// could run again, begins an epoch above all that was seen, and `found` becomes its mark.
pub(in crate::store) async fn refused(
    conn: &mut Conn<'_>,
    expected: &Expected,
    found: &mut Mark,
    place: &str,
) -> Outcome<Option<String>> {
    let Some(why) = expected.mark.gainsays(found) else { return Ok(None) };
    if conn.one("SELECT 1 AS one FROM approval_history LIMIT 1", &[], |_| Ok(())).await?.is_some() {
        return Ok(Some(why));
    }
    conn.run("BEGIN", &[]).await?;
    meta::raise_epoch(conn, expected.mark.epoch, &expected.owner).await?;
    let begun = mark(conn).await?;
    conn.run("COMMIT", &[]).await?;
    tracing::warn!(
        "the store in {place} holds no approvals, and is not the one that was there before: {why}; the approvals of that one \
         are gone, and its receipts and grants end with the epoch {}, which begins now. To have them back, stop the server \
         and run `lictor restore --from FILE`",
        begun.epoch
    );
    *found = Mark { committed: None, ..begun };
    Ok(None)
}

/// A number of 62 random bits.
fn random() -> i64 {
    let (_, low) = new_id(Timestamp::from_system(SystemTime::now())).as_u64_pair();
    i64::try_from(low >> 2 & (u64::MAX >> 2)).unwrap_or(i64::MAX)
}
