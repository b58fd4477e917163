//! What webhooks are to be told.

use super::approvals::signed;
use super::lists::{one_more, page};
use super::{Conn, Moment, Outcome};
use crate::model::{Page, Text, Timestamp};
use crate::store::delivery::{AttemptOutcome, Delivery, DeliveryClaim, DeliveryQuery, DeliveryState, NewDelivery};
use crate::store::sql::{Param, Row, nonsense};

macro_rules! columns {
    () => {
        "id, endpoint, tenant_id, approval_id, approval_version, event_id, event_type, payload, state, attempts, \
         created_at, next_at, attempted_at, last_status, last_error"
    };
}

/// Queues deliveries.
pub(in crate::store) async fn add(conn: &mut Conn<'_>, deliveries: &[NewDelivery], moment: Moment) -> Outcome<()> {
    for new in deliveries {
        let sql = concat!(
            "INSERT INTO delivery (",
            columns!(),
            ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'PENDING', 0, ?9, ?10, NULL, NULL, '')"
        );
        let params = [
            (&new.id).into(),
            (&new.endpoint).into(),
            (&new.tenant_id).into(),
            (&new.approval_id).into(),
            signed("approval_version", new.approval_version)?,
            (&new.event_id).into(),
            (&new.event_type).into(),
            new.payload.as_slice().into(),
            moment.now.into(),
            new.not_before.into(),
        ];
        conn.run(sql, &params).await?;
    }
    Ok(())
}

/// Claims deliveries whose time has come, the longest overdue first. Nobody else gets them before the lease ends. Of
/// those about one approval to one endpoint only the oldest that waits, by the approval's version: they arrive in order,
/// whichever replica's clock made their ids.
pub(in crate::store) async fn claim(
    conn: &mut Conn<'_>,
    claim: &DeliveryClaim,
    moment: Moment,
) -> Outcome<Vec<Delivery>> {
    let busy = serde_json::to_string(&claim.busy).map_err(|error| nonsense("busy", error))?;
    macro_rules! claim {
        ($busy:literal) => {
            concat!(
                "UPDATE delivery SET claimed_until = ?2 WHERE state = 'PENDING' AND claimed_until <= ?1 AND id IN (\
                 SELECT id FROM (SELECT id, next_at, ROW_NUMBER() OVER (PARTITION BY endpoint ORDER BY next_at, id) AS place \
                 FROM delivery WHERE state = 'PENDING' AND next_at <= ?1 AND claimed_until <= ?1 \
                 AND (approval_id = '' OR NOT EXISTS (SELECT 1 FROM delivery AS older WHERE older.state = 'PENDING' \
                 AND older.approval_id = delivery.approval_id AND older.endpoint = delivery.endpoint \
                 AND (older.approval_version, older.id) < (delivery.approval_version, delivery.id))) \
                 AND endpoint NOT IN (",
                $busy,
                ")) AS ready WHERE place <= ?3 ORDER BY next_at, id LIMIT ?4) RETURNING ",
                columns!()
            )
        };
    }
    let sql = if conn.is_postgres() {
        claim!("SELECT json_array_elements_text(?5::json)")
    } else {
        claim!("SELECT value FROM json_each(?5)")
    };
    let until = moment.now.as_micros().saturating_add(claim.lease_micros);
    let params = [
        moment.now.into(),
        Param::Int(until),
        Param::Int(claim.per_endpoint.into()),
        Param::Int(claim.limit.into()),
        busy.as_str().into(),
    ];
    let mut claimed = conn.all(sql, &params, read).await?;
    claimed.sort_by(|one, other| {
        (one.message.not_before, &one.message.id).cmp(&(other.message.not_before, &other.message.id))
    });
    Ok(claimed)
}

/// Notes what came of attempt number `attempts` + 1. Whether the delivery still waited for that.
pub(in crate::store) async fn finish(
    conn: &mut Conn<'_>,
    id: &str,
    attempts: u32,
    outcome: &AttemptOutcome,
    moment: Moment,
) -> Outcome<bool> {
    let (state, next, status, error) = match outcome {
        AttemptOutcome::Delivered { status } => (DeliveryState::Delivered, moment.now, Some(*status), ""),
        AttemptOutcome::Retry { at, status, error } => (DeliveryState::Pending, *at, *status, error.as_str()),
        AttemptOutcome::Dead { status, error } => (DeliveryState::Dead, moment.now, *status, error.as_str()),
    };
    let written = conn
        .run(
            "UPDATE delivery SET state = ?3, attempts = attempts + 1, next_at = ?4, attempted_at = ?5, \
             last_status = ?6, last_error = ?7, claimed_until = 0 \
             WHERE id = ?1 AND attempts = ?2 AND state = 'PENDING'",
            &[
                id.into(),
                Param::Int(attempts.into()),
                state.as_str().into(),
                next.into(),
                moment.now.into(),
                Param::OptInt(status.map(i64::from)),
                error.into(),
            ],
        )
        .await?;
    Ok(written > 0)
}

/// Queues a delivery that ended anew. `None` if there is no such delivery of the tenant that has ended.
pub(in crate::store) async fn redeliver(
    conn: &mut Conn<'_>,
    tenant: &str,
    id: &str,
    moment: Moment,
) -> Outcome<Option<Delivery>> {
    let sql = concat!(
        "UPDATE delivery SET state = 'PENDING', attempts = 0, next_at = ?3, claimed_until = 0 \
         WHERE id = ?1 AND tenant_id = ?2 AND state <> 'PENDING' RETURNING ",
        columns!()
    );
    conn.one(sql, &[id.into(), tenant.into(), moment.now.into()], read).await
}

/// One delivery of a tenant.
pub(in crate::store) async fn by_id(conn: &mut Conn<'_>, tenant: &str, id: &str) -> Outcome<Option<Delivery>> {
    let sql = concat!("SELECT ", columns!(), " FROM delivery WHERE id = ?1 AND tenant_id = ?2");
    conn.one(sql, &[id.into(), tenant.into()], read).await
}

/// Deliveries, newest first.
pub(in crate::store) async fn list(conn: &mut Conn<'_>, query: &DeliveryQuery) -> Outcome<Page<Delivery>> {
    let sql = concat!(
        "SELECT ",
        columns!(),
        " FROM delivery WHERE (?1 = '' OR tenant_id = ?1) AND (?2 = '' OR endpoint = ?2) \
         AND (?3 = '' OR approval_id = ?3) AND (?4 = '' OR state = ?4) AND (?5 = '' OR id < ?5) \
         ORDER BY id DESC LIMIT ?6"
    );
    let params = [
        (&query.tenant_id).into(),
        (&query.endpoint).into(),
        (&query.approval_id).into(),
        query.state.map_or("", DeliveryState::as_str).into(),
        (&query.after).into(),
        one_more(query.limit),
    ];
    Ok(page(conn.all(sql, &params, read).await?, query.limit))
}

/// When the next attempt may begin, `None` if nothing waits.
pub(in crate::store) async fn next(conn: &mut Conn<'_>) -> Outcome<Option<Timestamp>> {
    let sql = "SELECT MIN(CASE WHEN claimed_until > next_at THEN claimed_until ELSE next_at END) AS at \
               FROM delivery WHERE state = 'PENDING'";
    Ok(conn.one(sql, &[], |row| row.opt_time("at")).await?.flatten())
}

/// Gives claims back without counting an attempt.
pub(in crate::store) async fn release(conn: &mut Conn<'_>, ids: &[Text]) -> Outcome<u64> {
    let mut released = 0_u64;
    for id in ids {
        let sql = "UPDATE delivery SET claimed_until = 0 WHERE id = ?1 AND state = 'PENDING'";
        released = released.saturating_add(conn.run(sql, &[id.into()]).await?);
    }
    Ok(released)
}

/// Forgets what ended in `state` before `before`. Gives the number.
pub(in crate::store) async fn prune(
    conn: &mut Conn<'_>,
    state: DeliveryState,
    before: Timestamp,
    limit: u32,
) -> Outcome<u64> {
    conn.run(
        "DELETE FROM delivery WHERE id IN (SELECT id FROM delivery WHERE state = ?3 AND state <> 'PENDING' \
         AND COALESCE(attempted_at, created_at) < ?1 ORDER BY id LIMIT ?2)",
        &[before.into(), Param::Int(limit.into()), state.as_str().into()],
    )
    .await
}

fn read(row: &Row<'_>) -> Outcome<Delivery> {
    let message = NewDelivery {
        id: row.text("id")?,
        endpoint: row.text("endpoint")?,
        tenant_id: row.text("tenant_id")?,
        approval_id: row.text("approval_id")?,
        approval_version: row.number("approval_version")?,
        event_id: row.text("event_id")?,
        event_type: row.text("event_type")?,
        payload: row.bytes("payload")?,
        not_before: row.time("next_at")?,
    };
    let last_status = match row.opt_int("last_status")? {
        Some(status) => Some(u16::try_from(status).map_err(|_| nonsense("last_status", status))?),
        None => None,
    };
    Ok(Delivery {
        message,
        state: row.named("state", DeliveryState::parse)?,
        attempts: row.number("attempts")?,
        created_at: row.time("created_at")?,
        attempted_at: row.opt_time("attempted_at")?,
        last_status,
        last_error: row.string("last_error")?,
    })
}
