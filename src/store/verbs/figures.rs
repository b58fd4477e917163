//! Figures for metrics.

use super::{Conn, Outcome};
use crate::store::Figures;

/// Counts what waits.
pub(in crate::store) async fn figures(conn: &mut Conn<'_>) -> Outcome<Figures> {
    let figures = conn
        .one(
            "SELECT (SELECT COUNT(*) FROM approval WHERE status IN ('PENDING', 'ESCALATED')) AS open, \
             (SELECT COUNT(*) FROM outbox) AS outbox, \
             (SELECT MIN(at) FROM outbox) AS oldest, \
             (SELECT COUNT(*) FROM delivery WHERE state = 'PENDING') AS pending, \
             (SELECT COUNT(*) FROM delivery WHERE state = 'DEAD') AS dead",
            &[],
            |row| {
                Ok(Figures {
                    open_approvals: row.number("open")?,
                    outbox: row.number("outbox")?,
                    oldest_event: row.opt_time("oldest")?,
                    pending_deliveries: row.number("pending")?,
                    dead_deliveries: row.number("dead")?,
                })
            },
        )
        .await?;
    Ok(figures.unwrap_or_default())
}
