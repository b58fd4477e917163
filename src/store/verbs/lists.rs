//! Lists, newest first, page by page.

use super::approvals::{add_target, columns, read};
use super::{Conn, Outcome};
use crate::model::{Approval, ApprovalQuery, ApprovalStatus, HistoryQuery, HistoryRow, Page};
use crate::store::sql::{Param, Row};

macro_rules! wanted {
    ($table:literal) => {
        concat!(
            "SELECT ",
            columns!(),
            " FROM ",
            $table,
            " WHERE tenant_id = ?1 AND (?2 = '' OR created_by = ?2) \
             AND (?3 = '' OR EXISTS (SELECT 1 FROM approval_voter WHERE approval_id = id AND principal = ?3)) \
             AND created_at >= ?4 AND created_at < ?5 AND (created_at < ?6 OR (created_at = ?6 AND id < ?7))"
        )
    };
}

/// Approvals.
pub(in crate::store) async fn approvals(conn: &mut Conn<'_>, query: &ApprovalQuery) -> Outcome<Page<Approval>> {
    // Names of a closed set, which need no parameters.
    let statuses: Vec<String> = query.statuses.iter().map(|status| format!("'{}'", status.as_str())).collect();
    let statuses =
        if statuses.is_empty() { String::new() } else { format!(" AND status IN ({})", statuses.join(", ")) };
    let mut sql = format!("{}{statuses}", wanted!("approval"));
    if query.include_archived {
        sql = format!("{sql} UNION ALL {}{statuses}", wanted!("approval_archive"));
    }
    sql.push_str(" ORDER BY created_at DESC, id DESC LIMIT ?8");
    let (at, id) = query.after.as_ref().map_or((i64::MAX, ""), |after| (after.created_at.as_micros(), &after.id));
    let params = [
        (&query.tenant_id).into(),
        (&query.created_by).into(),
        (&query.approver).into(),
        Param::Int(query.from.map_or(i64::MIN, |from| from.as_micros())),
        Param::Int(query.to.map_or(i64::MAX, |to| to.as_micros())),
        Param::Int(at),
        id.into(),
        one_more(query.limit),
    ];
    let mut page = page(conn.all(&sql, &params, read).await?, query.limit);
    if query.with_target {
        for approval in &mut page.items {
            add_target(conn, approval).await?;
        }
    }
    Ok(page)
}

/// Rows of history.
pub(in crate::store) async fn history(conn: &mut Conn<'_>, query: &HistoryQuery) -> Outcome<Page<HistoryRow>> {
    let after = query.after.as_ref();
    let params = [
        (&query.tenant_id).into(),
        (&query.approval_id).into(),
        (&query.actor).into(),
        Param::Int(query.from.map_or(i64::MIN, |from| from.as_micros())),
        Param::Int(query.to.map_or(i64::MAX, |to| to.as_micros())),
        Param::Int(after.map_or(i64::MAX, |after| after.at.as_micros())),
        after.map_or("", |after| &after.approval_id).into(),
        Param::Int(after.map_or(0, |after| i64::try_from(after.version).unwrap_or(i64::MAX))),
        one_more(query.limit),
    ];
    let rows = conn
        .all(
            "SELECT approval_id, version, tenant_id, from_status, to_status, actor, reason, at FROM approval_history \
             WHERE tenant_id = ?1 AND (?2 = '' OR approval_id = ?2) AND (?3 = '' OR actor = ?3) \
             AND at >= ?4 AND at < ?5 AND (at < ?6 OR (at = ?6 AND (approval_id < ?7 \
             OR (approval_id = ?7 AND version < ?8)))) \
             ORDER BY at DESC, approval_id DESC, version DESC LIMIT ?9",
            &params,
            history_row,
        )
        .await?;
    Ok(page(rows, query.limit))
}

fn history_row(row: &Row<'_>) -> Outcome<HistoryRow> {
    let from_status = match row.opt_text("from_status")? {
        Some(_) => Some(row.named("from_status", ApprovalStatus::parse)?),
        None => None,
    };
    Ok(HistoryRow {
        approval_id: row.text("approval_id")?,
        tenant_id: row.text("tenant_id")?,
        version: row.number("version")?,
        from_status,
        to_status: row.named("to_status", ApprovalStatus::parse)?,
        actor: row.text("actor")?,
        reason: row.string("reason")?,
        at: row.time("at")?,
    })
}

/// One more than wanted, to see whether there is more.
pub(super) fn one_more(limit: u32) -> Param<'static> {
    Param::Int(i64::from(limit).saturating_add(1))
}

/// The wanted ones of `items`, which are one more if there are more.
pub(super) fn page<T>(mut items: Vec<T>, limit: u32) -> Page<T> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = items.len() > limit;
    items.truncate(limit);
    Page { items, more }
}
