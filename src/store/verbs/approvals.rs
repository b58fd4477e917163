//! One approval: creating, loading, changing.

use super::known::{Known, Surroundings};
use super::{Conn, Moment, Outcome, deliveries, meta, outbox};
use crate::model::{Approval, ApprovalStatus, HistoryRow, Progress, Sha256Digest, TargetKind, Text, Timestamp};
use crate::store::change::{ApprovalChange, Changed, Created, NewApproval};
use crate::store::sql::{Param, Row, nonsense};

/// All columns but the target's.
macro_rules! columns {
    () => {
        "id, tenant_id, version, status, target_kind, target_hash, tier, required_level, snapshot, policy, \
         requested_by, on_behalf_of, created_by, justification, cost_cents, correlation_id, created_at, updated_at, \
         escalates_at, expires_at, resolved_at, consumed_at, token_hash, key_hash, body_hash, epoch, \
         webhook_endpoints, progress"
    };
}
pub(super) use columns;

/// Creations in flight that a count of those that wait may miss. From so many below the limit on they are made one by one.
const IN_FLIGHT: u64 = 64;

/// See [`NewApproval`].
pub(in crate::store) async fn create(
    conn: &mut Conn<'_>,
    new: &NewApproval,
    moment: Moment,
    known: Option<&mut Known>,
) -> Outcome<Created> {
    let approval = &new.approval;
    let at_most = known.as_ref().and_then(|known| known.at_most(approval));
    let mut surroundings = match at_most {
        Some(known) if known.epoch == approval.epoch && known.refuse(new).is_none() => known,
        _ => surroundings(conn, approval).await?,
    };
    if surroundings.epoch != approval.epoch {
        return Ok(Created::OtherEpoch { epoch: surroundings.epoch });
    }
    if approval.status.is_open() {
        if conn.is_postgres() && surroundings.is_near(new) {
            conn.run("SELECT pg_advisory_xact_lock(?1)", &[Param::Int(key_of(&approval.tenant_id))]).await?;
            surroundings = self::surroundings(conn, approval).await?;
        }
        if let Some(refused) = surroundings.refuse(new) {
            // Asking again for what is there is not asking for more.
            return Ok(match by_key(conn, approval).await? {
                Some(existing) => Created::Existing(Box::new(existing)),
                None => refused,
            });
        }
    }
    // The key's index tells whether it was used before.
    if insert(conn, approval).await? == 0 {
        return used_before(conn, approval).await;
    }
    if insert_target(conn, approval).await? == 0 {
        conn.run("DELETE FROM approval WHERE id = ?1", &[(&approval.id).into()]).await?;
        return used_before(conn, approval).await;
    }
    history(conn, &new.history).await?;
    outbox::add(conn, &new.events).await?;
    deliveries::add(conn, &new.deliveries, moment).await?;
    if let Some(known) = known {
        known.created(approval, surroundings);
    }
    Ok(Created::New)
}

/// A lock's number, the same for the same text in every process.
fn key_of(text: &str) -> i64 {
    use sha2::Digest as _;
    let digest = sha2::Sha256::digest(text.as_bytes());
    digest.first_chunk::<8>().map_or(0, |bytes| i64::from_be_bytes(*bytes))
}

impl Surroundings {
    fn is_near(&self, new: &NewApproval) -> bool {
        self.own.saturating_add(IN_FLIGHT) >= new.max_open.into()
            || self.every.saturating_add(IN_FLIGHT) >= new.max_open_of_tenant.into()
    }

    fn refuse(&self, new: &NewApproval) -> Option<Created> {
        if self.own >= new.max_open.into() {
            Some(Created::TooManyOpen { open: self.own, of_tenant: false })
        } else if self.every >= new.max_open_of_tenant.into() {
            Some(Created::TooManyOpen { open: self.every, of_tenant: true })
        } else {
            None
        }
    }
}

async fn surroundings(conn: &mut Conn<'_>, approval: &Approval) -> Outcome<Surroundings> {
    let found = conn
        .one(
            "SELECT (SELECT value FROM store_meta WHERE name = 'epoch') AS epoch, \
             COUNT(CASE WHEN created_by = ?2 THEN 1 END) AS own, COUNT(*) AS every FROM approval \
             WHERE tenant_id = ?1 AND status IN ('PENDING', 'ESCALATED')",
            &[(&approval.tenant_id).into(), (&approval.created_by).into()],
            |row| {
                Ok(Surroundings { epoch: row.number("epoch")?, own: row.number("own")?, every: row.number("every")? })
            },
        )
        .await?;
    found.ok_or_else(|| nonsense("epoch", "nothing"))
}

/// Where its creator has used its key before.
async fn used_before(conn: &mut Conn<'_>, approval: &Approval) -> Outcome<Created> {
    match by_key(conn, approval).await? {
        Some(existing) => Ok(Created::Existing(Box::new(existing))),
        None => Err(nonsense("id", format!("{}, which another approval has", approval.id))),
    }
}

async fn by_key(conn: &mut Conn<'_>, approval: &Approval) -> Outcome<Option<Approval>> {
    macro_rules! with_key {
        ($table:literal) => {
            concat!(
                "SELECT ",
                columns!(),
                " FROM ",
                $table,
                " WHERE tenant_id = ?1 AND created_by = ?2 AND key_hash = ?3"
            )
        };
    }
    let params = [(&approval.tenant_id).into(), (&approval.created_by).into(), (&approval.key_hash).into()];
    first_of(conn, &[with_key!("approval"), with_key!("approval_archive")], &params).await
}

/// Adds the target, unless the key was archived. Asked here and not before the approval is added: that waits for whoever
/// archives the one of the same key right now, and this sees what they did.
async fn insert_target(conn: &mut Conn<'_>, approval: &Approval) -> Outcome<u64> {
    conn.run(
        "INSERT INTO approval_target (approval_id, target, view) SELECT ?1, ?2, ?3 WHERE NOT EXISTS \
         (SELECT 1 FROM approval_archive WHERE tenant_id = ?4 AND created_by = ?5 AND key_hash = ?6)",
        &[
            (&approval.id).into(),
            approval.target.as_slice().into(),
            approval.view.as_slice().into(),
            (&approval.tenant_id).into(),
            (&approval.created_by).into(),
            (&approval.key_hash).into(),
        ],
    )
    .await
}

async fn insert(conn: &mut Conn<'_>, approval: &Approval) -> Outcome<u64> {
    let endpoints = json(&approval.webhook_endpoints)?;
    let progress = json(&approval.progress)?;
    let sql = concat!(
        "INSERT INTO approval (",
        columns!(),
        ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, \
         ?22, ?23, ?24, ?25, ?26, ?27, ?28) ON CONFLICT DO NOTHING"
    );
    let params = [
        (&approval.id).into(),
        (&approval.tenant_id).into(),
        signed("version", approval.version)?,
        approval.status.as_str().into(),
        approval.target_kind.as_str().into(),
        (&approval.target_hash).into(),
        Param::Int(approval.tier.into()),
        Param::Int(approval.required_level.into()),
        (&approval.snapshot).into(),
        (&approval.policy).into(),
        (&approval.requested_by).into(),
        (&approval.on_behalf_of).into(),
        (&approval.created_by).into(),
        approval.justification.as_str().into(),
        Param::OptInt(approval.cost_cents),
        (&approval.correlation_id).into(),
        approval.created_at.into(),
        approval.updated_at.into(),
        approval.escalates_at.into(),
        approval.expires_at.into(),
        approval.resolved_at.into(),
        approval.consumed_at.into(),
        (&approval.token_hash).into(),
        (&approval.key_hash).into(),
        (&approval.body_hash).into(),
        signed("epoch", approval.epoch)?,
        endpoints.as_str().into(),
        progress.as_str().into(),
    ];
    conn.run(sql, &params).await
}

/// See [`ApprovalChange`].
pub(in crate::store) async fn change(conn: &mut Conn<'_>, change: &ApprovalChange, moment: Moment) -> Outcome<Changed> {
    /// The time by which a live approval is measured: the database's own, or the one that is given. The token only where it
    /// is new, because writing it writes its index.
    macro_rules! update {
        ($token:literal, $now:literal) => {
            concat!(
                "UPDATE approval SET version = ?3, status = ?4, required_level = ?5, updated_at = ?6, \
                 escalates_at = ?7, resolved_at = ?8, consumed_at = ?9, progress = ?10, claimed_until = 0",
                $token,
                " WHERE id = ?1 AND tenant_id = ?2 AND version = ?3 - 1 AND (?11 = 0 OR (expires_at > ",
                $now,
                " AND epoch = (SELECT value FROM store_meta WHERE name = 'epoch'))) AND ?12 <= ",
                $now
            )
        };
    }
    let approval = &change.approval;
    if approval.version != change.expected_version.saturating_add(1) {
        return Err(nonsense("version", format!("{} after {}", approval.version, change.expected_version)));
    }
    let progress = json(&approval.progress)?;
    let mut params = vec![
        (&approval.id).into(),
        (&approval.tenant_id).into(),
        signed("version", approval.version)?,
        approval.status.as_str().into(),
        Param::Int(approval.required_level.into()),
        approval.updated_at.into(),
        approval.escalates_at.into(),
        approval.resolved_at.into(),
        approval.consumed_at.into(),
        progress.as_str().into(),
        Param::Int(change.only_while_live.into()),
        Param::Int(change.only_after.map_or(i64::MIN, Timestamp::as_micros)),
    ];
    if !conn.is_postgres() {
        params.push(moment.now.into());
    }
    let is_new_token = change.history.is_none();
    if is_new_token {
        params.push((&approval.token_hash).into());
    }
    let sql = match (conn.is_postgres(), is_new_token) {
        (false, false) => update!("", "?13"),
        (false, true) => update!(", token_hash = ?14", "?13"),
        (true, false) => update!("", "(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::BIGINT"),
        (true, true) => update!(", token_hash = ?13", "(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::BIGINT"),
    };
    if conn.run(sql, &params).await? == 0 {
        return why_not(conn, change, moment).await;
    }
    if let Some(row) = &change.history {
        history(conn, row).await?;
    }
    if let Some(voter) = &change.voter {
        conn.run(
            "INSERT INTO approval_voter (approval_id, principal) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
            &[(&approval.id).into(), voter.into()],
        )
        .await?;
    }
    outbox::add(conn, &change.events).await?;
    deliveries::add(conn, &change.deliveries, moment).await?;
    Ok(Changed::Done)
}

/// Why a change wrote nothing.
async fn why_not(conn: &mut Conn<'_>, change: &ApprovalChange, moment: Moment) -> Outcome<Changed> {
    let found = conn
        .one(
            "SELECT version, expires_at, epoch, (SELECT value FROM store_meta WHERE name = 'epoch') AS current \
             FROM approval WHERE id = ?1 AND tenant_id = ?2",
            &[(&change.approval.id).into(), (&change.approval.tenant_id).into()],
            |row| Ok((row.number::<u64>("version")?, row.time("expires_at")?, row.int("epoch")? < row.int("current")?)),
        )
        .await?;
    Ok(match found {
        None => Changed::Missing,
        Some((version, ..)) if version != change.expected_version => Changed::Conflict,
        Some((_, expires_at, is_over)) if change.only_while_live => {
            let now = if conn.is_postgres() { meta::clock(conn).await? } else { moment.now };
            if is_over || expires_at <= now { Changed::Expired } else { Changed::TooEarly }
        }
        Some(_) => Changed::TooEarly,
    })
}

async fn history(conn: &mut Conn<'_>, row: &HistoryRow) -> Outcome<()> {
    conn.run(
        "INSERT INTO approval_history (approval_id, version, tenant_id, from_status, to_status, actor, reason, at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        &[
            (&row.approval_id).into(),
            signed("version", row.version)?,
            (&row.tenant_id).into(),
            Param::OptText(row.from_status.map(ApprovalStatus::as_str)),
            row.to_status.as_str().into(),
            (&row.actor).into(),
            row.reason.as_str().into(),
            row.at.into(),
        ],
    )
    .await?;
    Ok(())
}

/// An approval of a tenant, wherever it is.
pub(in crate::store) async fn by_id(conn: &mut Conn<'_>, tenant: &str, id: &str) -> Outcome<Option<Approval>> {
    let hot = concat!("SELECT ", columns!(), " FROM approval WHERE id = ?1 AND tenant_id = ?2");
    let old = concat!("SELECT ", columns!(), " FROM approval_archive WHERE id = ?1 AND tenant_id = ?2");
    first_of(conn, &[hot, old], &[id.into(), tenant.into()]).await
}

/// The approval whose token has this hash, of any tenant, wherever it is.
pub(in crate::store) async fn by_token(conn: &mut Conn<'_>, hash: &Sha256Digest) -> Outcome<Option<Approval>> {
    let hot = concat!("SELECT ", columns!(), " FROM approval WHERE token_hash = ?1");
    let old = concat!("SELECT ", columns!(), " FROM approval_archive WHERE token_hash = ?1");
    first_of(conn, &[hot, old], &[hash.into()]).await
}

async fn first_of(conn: &mut Conn<'_>, statements: &[&str], params: &[Param<'_>]) -> Outcome<Option<Approval>> {
    for sql in statements {
        if let Some(mut approval) = conn.one(sql, params, read).await? {
            add_target(conn, &mut approval).await?;
            return Ok(Some(approval));
        }
    }
    Ok(None)
}

/// Adds the target and what the approver sees.
pub(super) async fn add_target(conn: &mut Conn<'_>, approval: &mut Approval) -> Outcome<()> {
    let sql = "SELECT target, view FROM approval_target WHERE approval_id = ?1";
    let found = conn.one(sql, &[(&approval.id).into()], |row| Ok((row.bytes("target")?, row.bytes("view")?))).await?;
    let missing = || nonsense("approval_id", format!("no target for {}", approval.id));
    (approval.target, approval.view) = found.ok_or_else(missing)?;
    Ok(())
}

/// An approval without its target.
pub(super) fn read(row: &Row<'_>) -> Outcome<Approval> {
    Ok(Approval {
        id: row.text("id")?,
        tenant_id: row.text("tenant_id")?,
        version: row.number("version")?,
        status: row.named("status", ApprovalStatus::parse)?,
        target_kind: row.named("target_kind", TargetKind::parse)?,
        target_hash: row.text("target_hash")?,
        target: Vec::new(),
        view: Vec::new(),
        tier: row.number("tier")?,
        required_level: row.number("required_level")?,
        snapshot: row.text("snapshot")?,
        policy: row.text("policy")?,
        requested_by: row.text("requested_by")?,
        on_behalf_of: row.text("on_behalf_of")?,
        created_by: row.text("created_by")?,
        justification: row.string("justification")?,
        cost_cents: row.opt_int("cost_cents")?,
        correlation_id: row.text("correlation_id")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
        escalates_at: row.opt_time("escalates_at")?,
        expires_at: row.time("expires_at")?,
        resolved_at: row.opt_time("resolved_at")?,
        consumed_at: row.opt_time("consumed_at")?,
        token_hash: row.digest("token_hash")?,
        key_hash: row.digest("key_hash")?,
        body_hash: row.digest("body_hash")?,
        epoch: row.number("epoch")?,
        webhook_endpoints: row.json::<Vec<Text>>("webhook_endpoints")?,
        progress: row.json::<Progress>("progress")?,
    })
}

fn json(value: &impl serde::Serialize) -> Outcome<String> {
    serde_json::to_string(value).map_err(|error| nonsense("progress", error))
}

/// A number that the databases hold as a signed one.
pub(super) fn signed(name: &str, number: u64) -> Outcome<Param<'static>> {
    i64::try_from(number).map(Param::Int).map_err(|_| nonsense(name, number))
}

/// The versions of approvals that have not been archived.
pub(in crate::store) async fn versions(conn: &mut Conn<'_>, ids: &[Text]) -> Outcome<Vec<(Text, u64)>> {
    let wanted = json(&ids)?;
    let sql = if conn.is_postgres() {
        "SELECT id, version FROM approval WHERE id IN (SELECT json_array_elements_text(?1::json))"
    } else {
        "SELECT id, version FROM approval WHERE id IN (SELECT value FROM json_each(?1))"
    };
    conn.all(sql, &[wanted.as_str().into()], |row| Ok((row.text("id")?, row.number("version")?))).await
}
