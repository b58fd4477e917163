//! The epoch and the clock.

use super::{Conn, Outcome, mark};
use crate::model::Timestamp;
use crate::store::sql::nonsense;

/// The epoch, from 1.
pub(in crate::store) async fn epoch(conn: &mut Conn<'_>) -> Outcome<u64> {
    let epoch = conn.one("SELECT value FROM store_meta WHERE name = 'epoch'", &[], |row| row.number("value")).await?;
    epoch.ok_or_else(|| nonsense("epoch", "nothing"))
}

/// Raises the epoch above what it is and above `floor`, and gives it. What waits was committed before a restore: deliveries
/// are taken back, and `owner` looks for all events in its journal.
pub(in crate::store) async fn raise_epoch(conn: &mut Conn<'_>, floor: u64, owner: &str) -> Outcome<u64> {
    let floor = super::approvals::signed("epoch", floor)?;
    // Written before it is read: of two servers that raise it at once each begins its own.
    conn.run(
        "UPDATE store_meta SET value = CASE WHEN value < ?1 THEN ?1 ELSE value END + 1 WHERE name = 'epoch'",
        &[floor],
    )
    .await?;
    let next = epoch(conn).await?;
    mark::renew_lineage(conn).await?;
    conn.run("UPDATE outbox SET owner = ?1, after_sequence = 0, claimed_until = 0", &[owner.into()]).await?;
    conn.run(
        "UPDATE delivery SET state = 'DEAD', last_error = 'the store was restored from a backup' WHERE state = 'PENDING'",
        &[],
    )
    .await?;
    Ok(next)
}

/// The latest time that is committed in this epoch. With an epoch the clock begins anew, so that one that has once been
/// far ahead can be left behind.
pub(in crate::store) async fn last_time(conn: &mut Conn<'_>) -> Outcome<Timestamp> {
    let sql = "SELECT MAX(at) AS at FROM \
               (SELECT MAX(updated_at) AS at FROM approval WHERE epoch = (SELECT value FROM store_meta WHERE name = 'epoch') \
                UNION ALL SELECT MAX(updated_at) FROM approval_archive \
                WHERE epoch = (SELECT value FROM store_meta WHERE name = 'epoch')) AS times";
    let last = conn.one(sql, &[], |row| row.opt_time("at")).await?;
    Ok(last.flatten().unwrap_or_default())
}

/// PostgreSQL's time.
pub(in crate::store) async fn clock(conn: &mut Conn<'_>) -> Outcome<Timestamp> {
    let sql = "SELECT (EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::BIGINT AS now";
    conn.one(sql, &[], |row| row.time("now")).await?.ok_or_else(|| nonsense("now", "nothing"))
}
