//! The epoch and the clock.

use super::{Conn, Outcome};
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
    let next = epoch(conn).await?.max(floor).saturating_add(1);
    let value = super::approvals::signed("epoch", next)?;
    conn.run("UPDATE store_meta SET value = $1 WHERE name = 'epoch'", &[value]).await?;
    conn.run("UPDATE outbox SET owner = $1, after_sequence = 0, claimed_until = 0", &[owner.into()]).await?;
    conn.run(
        "UPDATE delivery SET state = 'DEAD', last_error = 'the store was restored from a backup' WHERE state = 'PENDING'",
        &[],
    )
    .await?;
    Ok(next)
}

/// The latest time that is committed.
pub(in crate::store) async fn last_time(conn: &mut Conn<'_>) -> Outcome<Timestamp> {
    let last = conn.one("SELECT MAX(at) AS at FROM approval_history", &[], |row| row.opt_time("at")).await?;
    Ok(last.flatten().unwrap_or_default())
}

/// PostgreSQL's time.
pub(in crate::store) async fn clock(conn: &mut Conn<'_>) -> Outcome<Timestamp> {
    let sql = "SELECT (EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::BIGINT AS now";
    conn.one(sql, &[], |row| row.time("now")).await?.ok_or_else(|| nonsense("now", "nothing"))
}
