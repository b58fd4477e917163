//! What workers look for: approvals that expire, go to others, or are old.

use super::approvals::{add_target, columns, read};
use super::{Conn, Moment, Outcome};
use crate::model::{Approval, Timestamp};
use crate::store::change::Due;
use crate::store::sql::Param;

/// How long an approval that a worker has claimed is left to it, in microseconds. Then another may try.
const LEASE_MICROS: i64 = 30_000_000;

macro_rules! claim {
    ($which:literal, $order:literal, $lock:literal) => {
        concat!(
            "UPDATE approval SET claimed_until = ?3 WHERE id IN (SELECT id FROM approval WHERE claimed_until <= ?1 AND ",
            $which,
            " ORDER BY ",
            $order,
            " LIMIT ?2",
            $lock,
            ") RETURNING ",
            columns!()
        )
    };
}

macro_rules! expired {
    ($lock:literal) => {
        claim!(
            "status IN ('PENDING', 'ESCALATED', 'APPROVED', 'AUTO_APPROVED') AND expires_at <= ?1",
            "expires_at",
            $lock
        )
    };
}

// Apart from those whose time is over: one statement for both would look at every approval that lives.
macro_rules! of_older_epochs {
    ($lock:literal) => {
        claim!(
            "status IN ('PENDING', 'ESCALATED', 'APPROVED', 'AUTO_APPROVED') AND \
             epoch < (SELECT value FROM store_meta WHERE name = 'epoch')",
            "epoch",
            $lock
        )
    };
}

// An approval escalates once: of an escalated one, `escalates_at` only tells when it should have been decided.
macro_rules! escalating {
    ($lock:literal) => {
        claim!(
            "status = 'PENDING' AND escalates_at IS NOT NULL AND escalates_at <= ?1 AND expires_at > ?1 AND \
             epoch = (SELECT value FROM store_meta WHERE name = 'epoch')",
            "escalates_at",
            $lock
        )
    };
}

macro_rules! old {
    ($lock:literal) => {
        concat!(
            "SELECT id FROM approval WHERE status IN ('REJECTED', 'CONSUMED', 'EXPIRED', 'CANCELLED') \
             AND updated_at < ?1 ORDER BY updated_at LIMIT ?2",
            $lock
        )
    };
}

/// Claims what is due, the longest overdue first. Other workers pass over what is claimed.
pub(in crate::store) async fn claim(
    conn: &mut Conn<'_>,
    due: Due,
    limit: u32,
    moment: Moment,
) -> Outcome<Vec<Approval>> {
    let until = moment.now.as_micros().saturating_add(LEASE_MICROS);
    let statements: &[&str] = match (due, conn.is_postgres()) {
        (Due::Expiry, false) => &[expired!(""), of_older_epochs!("")],
        (Due::Expiry, true) => &[expired!(" FOR UPDATE SKIP LOCKED"), of_older_epochs!(" FOR UPDATE SKIP LOCKED")],
        (Due::Escalation, false) => &[escalating!("")],
        (Due::Escalation, true) => &[escalating!(" FOR UPDATE SKIP LOCKED")],
    };
    let mut approvals: Vec<Approval> = Vec::new();
    for sql in statements {
        let left = i64::from(limit).saturating_sub_unsigned(approvals.len() as u64);
        let params = [moment.now.into(), Param::Int(left), Param::Int(until)];
        approvals.extend(conn.all(sql, &params, read).await?);
    }
    for approval in &mut approvals {
        add_target(conn, approval).await?;
    }
    Ok(approvals)
}

/// When the next approval is due, as far as is known now.
pub(in crate::store) async fn next(conn: &mut Conn<'_>) -> Outcome<Option<Timestamp>> {
    let next = conn
        .one(
            "SELECT MIN(at) AS at FROM (\
             SELECT MIN(expires_at) AS at FROM approval \
             WHERE status IN ('PENDING', 'ESCALATED', 'APPROVED', 'AUTO_APPROVED') \
             UNION ALL SELECT MIN(escalates_at) AS at FROM approval \
             WHERE status = 'PENDING' AND escalates_at IS NOT NULL) AS due",
            &[],
            |row| row.opt_time("at"),
        )
        .await?;
    Ok(next.flatten())
}

/// Moves final approvals that last changed before `before` to the archive. Gives their number.
pub(in crate::store) async fn archive(conn: &mut Conn<'_>, before: Timestamp, limit: u32) -> Outcome<u64> {
    let sql = if conn.is_postgres() { old!(" FOR UPDATE SKIP LOCKED") } else { old!("") };
    let old = conn.all(sql, &[before.into(), Param::Int(limit.into())], |row| row.text("id")).await?;
    let mut moved = 0_u64;
    for id in old {
        let copy = concat!(
            "INSERT INTO approval_archive (",
            columns!(),
            ") SELECT ",
            columns!(),
            " FROM approval WHERE id = ?1"
        );
        conn.run(copy, &[(&id).into()]).await?;
        moved = moved.saturating_add(conn.run("DELETE FROM approval WHERE id = ?1", &[(&id).into()]).await?);
    }
    Ok(moved)
}

#[cfg(all(test, feature = "sqlite"))]
mod tests {
    use super::columns;
    use crate::store::migrate::SQLITE;

    #[test]
    fn workers_look_through_an_index() {
        let conn = rusqlite::Connection::open_in_memory().unwrap();
        SQLITE.iter().for_each(|step| conn.execute_batch(step.sql).unwrap());
        for (sql, index, seeks) in [
            (old!(""), "approval_final", "updated_at<?"),
            (escalating!(""), "approval_escalation", "escalates_at<?"),
            (expired!(""), "approval_expiry", "expires_at<?"),
            (of_older_epochs!(""), "approval_epoch", "epoch<?"),
        ] {
            let mut plan = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let steps = plan.raw_query().mapped(|row| row.get::<_, String>("detail"));
            let steps: Vec<String> = steps.collect::<Result<_, _>>().unwrap();
            let looks = steps.iter().find(|step| step.contains(&format!("approval USING INDEX {index}")));
            assert!(looks.is_some_and(|step| step.contains(seeks)), "it would look at all that live: {steps:?}");
            assert!(!steps.iter().any(|step| step.contains("TEMP B-TREE")), "it would sort them all: {steps:?}");
        }
    }
}
