//! Figures for metrics.

use super::{Conn, Outcome};
use crate::model::Timestamp;
use crate::store::Figures;

/// Counts what waits.
pub(in crate::store) async fn figures(conn: &mut Conn<'_>) -> Outcome<Figures> {
    let row = conn
        .one(
            "SELECT (SELECT COUNT(*) FROM approval WHERE status IN ('PENDING', 'ESCALATED')) AS open, \
             (SELECT COUNT(*) FROM outbox) AS outbox, \
             (SELECT MIN(at) FROM outbox) AS oldest, \
             (SELECT COUNT(*) FROM delivery WHERE state = 'PENDING') AS pending, \
             (SELECT COUNT(*) FROM delivery WHERE state = 'DEAD') AS dead",
            &[],
        )
        .await?;
    let Some(row) = row else { return Ok(Figures::default()) };
    Ok(Figures {
        open_approvals: row.number("open")?,
        outbox: row.number("outbox")?,
        oldest_event: row.opt_int("oldest")?.map(Timestamp::from_micros),
        pending_deliveries: row.number("pending")?,
        dead_deliveries: row.number("dead")?,
    })
}
