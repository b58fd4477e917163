//! Events that wait for the journal.

use uuid::Uuid;

use super::approvals::signed;
use super::{Conn, Moment, Outcome};
use crate::event::EventType;
use crate::store::outbox::{ClaimedEvent, OutboxEvent};
use crate::store::sql::{Param, Row, nonsense};

/// How long an event is left to the instance that claimed it, in microseconds. An instance that is away for longer may
/// have journalled it all the same, so that it is long.
pub(in crate::store) const LEASE_MICROS: i64 = 300_000_000;

/// Adds events, in order.
pub(in crate::store) async fn add(conn: &mut Conn<'_>, events: &[OutboxEvent]) -> Outcome<()> {
    for event in events {
        let mut buffer = Uuid::encode_buffer();
        let id: &str = event.id.hyphenated().encode_lower(&mut buffer);
        let payload = event.payload.to_string();
        conn.run(
            "INSERT INTO outbox (id, kind, tenant_id, actor, correlation_id, snapshot, at, payload) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            &[
                id.into(),
                event.kind.as_str().into(),
                (&event.tenant_id).into(),
                (&event.actor).into(),
                (&event.correlation_id).into(),
                (&event.snapshot).into(),
                event.at.into(),
                payload.as_str().into(),
            ],
        )
        .await?;
    }
    Ok(())
}

/// Claims the oldest events that nobody has, for the instance `owner`, whose journal ends at `sequence`.
pub(in crate::store) async fn claim(
    conn: &mut Conn<'_>,
    owner: &str,
    sequence: u64,
    limit: u32,
    moment: Moment,
) -> Outcome<Vec<ClaimedEvent>> {
    macro_rules! claim {
        ($lock:literal) => {
            concat!(
                "UPDATE outbox SET owner = ?1, after_sequence = ?2, claimed_until = ?3 WHERE position IN (\
                 SELECT position FROM outbox WHERE claimed_until <= ?4 AND (owner IS NULL OR owner <> ?1) \
                 ORDER BY position LIMIT ?5",
                $lock,
                ") RETURNING position, id, kind, tenant_id, actor, correlation_id, snapshot, at, payload, after_sequence"
            )
        };
    }
    let sql = if conn.is_postgres() { claim!(" FOR UPDATE SKIP LOCKED") } else { claim!("") };
    let until = moment.now.as_micros().saturating_add(LEASE_MICROS);
    let params =
        [owner.into(), signed("sequence", sequence)?, Param::Int(until), moment.now.into(), Param::Int(limit.into())];
    Ok(in_order(conn.all(sql, &params, read).await?))
}

/// What the instance `owner` has claimed and not marked.
pub(in crate::store) async fn claimed(conn: &mut Conn<'_>, owner: &str, limit: u32) -> Outcome<Vec<ClaimedEvent>> {
    let found = conn
        .all(
            "SELECT position, id, kind, tenant_id, actor, correlation_id, snapshot, at, payload, after_sequence \
             FROM outbox WHERE owner = ?1 ORDER BY position LIMIT ?2",
            &[owner.into(), Param::Int(limit.into())],
            read,
        )
        .await?;
    Ok(in_order(found))
}

/// Keeps what `owner` has claimed from being claimed by others.
pub(in crate::store) async fn hold(conn: &mut Conn<'_>, owner: &str, moment: Moment) -> Outcome<u64> {
    let until = moment.now.as_micros().saturating_add(LEASE_MICROS);
    conn.run("UPDATE outbox SET claimed_until = ?2 WHERE owner = ?1", &[owner.into(), Param::Int(until)]).await
}

/// Forgets events that `owner` has claimed and that are durable in its journal.
pub(in crate::store) async fn mark(conn: &mut Conn<'_>, owner: &str, ids: &[Uuid]) -> Outcome<()> {
    for id in ids {
        let mut buffer = Uuid::encode_buffer();
        let id: &str = id.hyphenated().encode_lower(&mut buffer);
        conn.run("DELETE FROM outbox WHERE id = ?1 AND owner = ?2", &[id.into(), owner.into()]).await?;
    }
    Ok(())
}

/// An event with its place; `None` for one of a type that only a newer server knows, which is left to that server.
type Placed = Option<(i64, ClaimedEvent)>;

/// In the order in which they were added.
fn in_order(found: Vec<Placed>) -> Vec<ClaimedEvent> {
    let mut placed: Vec<(i64, ClaimedEvent)> = found.into_iter().flatten().collect();
    placed.sort_by_key(|(position, _)| *position);
    placed.into_iter().map(|(_, event)| event).collect()
}

fn read(row: &Row<'_>) -> Outcome<Placed> {
    let position = row.int("position")?;
    let id = row.text("id")?;
    let name = row.text("kind")?;
    let Some(kind) = EventType::parse(&name) else {
        tracing::debug!(kind = %name, "left an event to a newer server");
        return Ok(None);
    };
    let event = OutboxEvent {
        id: Uuid::parse_str(&id).map_err(|_| nonsense("id", &id))?,
        kind,
        tenant_id: row.text("tenant_id")?,
        actor: row.text("actor")?,
        correlation_id: row.text("correlation_id")?,
        snapshot: row.text("snapshot")?,
        at: row.time("at")?,
        payload: row.json("payload")?,
    };
    Ok(Some((position, ClaimedEvent { event, after_sequence: row.number("after_sequence")? })))
}
