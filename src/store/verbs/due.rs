//! What workers look for: approvals that expire, go to others, or are old.

use super::approvals::{add_target, columns, read};
use super::{Conn, Moment, Outcome};
use crate::model::{Approval, Timestamp};
use crate::store::change::Due;
use crate::store::sql::Param;

/// How long an approval that a worker has claimed is left to it, in microseconds. Then another may try.
const LEASE_MICROS: i64 = 30_000_000;

macro_rules! claim {
    ($which:expr, $order:literal, $lock:literal) => {
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

/// The condition of the index `approval_expiry`, word for word.
macro_rules! live {
    () => {
        "(status = 'PENDING' OR status = 'ESCALATED' OR status = 'APPROVED' OR status = 'AUTO_APPROVED')"
    };
}

/// The condition of the index `approval_final`, word for word.
macro_rules! is_final {
    () => {
        "(status = 'REJECTED' OR status = 'CONSUMED' OR status = 'EXPIRED' OR status = 'CANCELLED')"
    };
}

macro_rules! epoch {
    () => {
        "(SELECT value FROM store_meta WHERE name = 'epoch')"
    };
}

macro_rules! expired {
    ($lock:literal) => {
        claim!(concat!(live!(), " AND epoch = ", epoch!(), " AND expires_at <= ?1"), "expires_at", $lock)
    };
}

// Apart from those whose time is over, which the index finds otherwise.
macro_rules! of_older_epochs {
    ($lock:literal) => {
        claim!(concat!(live!(), " AND epoch < ", epoch!()), "epoch", $lock)
    };
}

// An approval escalates once: of an escalated one, `escalates_at` only tells when it should have been decided. With a plus the
// epoch, which all that live share, sends SQLite to no index.
macro_rules! escalating {
    ($lock:literal) => {
        claim!(
            concat!(
                "status = 'PENDING' AND escalates_at IS NOT NULL AND escalates_at <= ?1 AND expires_at > ?1 AND +epoch = ",
                epoch!()
            ),
            "escalates_at",
            $lock
        )
    };
}

macro_rules! old {
    ($lock:literal) => {
        concat!(
            "SELECT id FROM approval WHERE ",
            is_final!(),
            " AND updated_at < ?1 ORDER BY updated_at LIMIT ?2",
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
            concat!(
                "SELECT MIN(at) AS at FROM (SELECT MIN(expires_at) AS at FROM approval WHERE ",
                live!(),
                " AND epoch = ",
                epoch!(),
                " UNION ALL SELECT MIN(expires_at) AS at FROM approval WHERE ",
                live!(),
                " AND epoch < ",
                epoch!(),
                " UNION ALL SELECT MIN(escalates_at) AS at FROM approval \
                 WHERE status = 'PENDING' AND escalates_at IS NOT NULL) AS due"
            ),
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
            (expired!(""), "approval_expiry", "epoch=? AND expires_at<?"),
            (of_older_epochs!(""), "approval_expiry", "epoch<?"),
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
