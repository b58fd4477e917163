//! The payloads of the `ir.approval_*` events.

use serde_json::{Map, Value, json};

#[cfg(test)]
mod tests;

use super::machine::Happening;
use crate::event::EventType;
use crate::model::{Approval, HistoryRow, RedemptionMode, Text, Timestamp, WebhookEvent};

impl Happening {
    /// What webhooks are told, event by event of [`event_types`](Self::event_types).
    pub(super) const fn webhook_events(self) -> &'static [WebhookEvent] {
        match self {
            Self::Created => &[WebhookEvent::Created],
            Self::AutoApproved => &[WebhookEvent::Created, WebhookEvent::Approved],
            Self::Added => &[WebhookEvent::Added],
            Self::Approved => &[WebhookEvent::Approved],
            Self::Rejected => &[WebhookEvent::Rejected],
            Self::Escalated => &[WebhookEvent::Escalated],
            Self::Expired => &[WebhookEvent::Expired],
            Self::Cancelled => &[WebhookEvent::Cancelled],
            // Only the end of it is worth a message.
            Self::Redeemed => &[],
            Self::Consumed => &[WebhookEvent::Consumed],
        }
    }

    /// The types of its events, in order.
    pub(super) const fn event_types(self) -> &'static [EventType] {
        match self {
            Self::Created => &[EventType::IrApprovalCreated],
            Self::AutoApproved => &[EventType::IrApprovalCreated, EventType::IrApprovalApproved],
            Self::Added => &[EventType::IrApprovalAdded],
            Self::Approved => &[EventType::IrApprovalApproved],
            Self::Rejected => &[EventType::IrApprovalRejected],
            Self::Escalated => &[EventType::IrApprovalEscalated],
            Self::Expired => &[EventType::IrApprovalExpired],
            Self::Cancelled => &[EventType::IrApprovalCancelled],
            Self::Redeemed | Self::Consumed => &[EventType::IrApprovalConsumed],
        }
    }
}

/// The payload of an event of `kind`, which tells of the change that `row` remembers and that led to `approval`.
pub(super) fn payload(kind: EventType, approval: &Approval, row: &HistoryRow) -> Value {
    let mut members = common(approval);
    let mut put = |name: &str, value: Value| drop(members.insert(name.to_owned(), value));
    put("status", approval.status.as_str().into());
    match kind {
        EventType::IrApprovalCreated => {
            put("ttl_seconds", ttl_seconds(approval).into());
            put("expires_at", time(approval.expires_at));
            put("created_by", approval.created_by.as_str().into());
            put("created_at", time(approval.created_at));
            put("tier", approval.tier.into());
            put("required_level", approval.required_level.into());
            put("requested_by", approval.requested_by.as_str().into());
            put("on_behalf_of", approval.on_behalf_of.as_str().into());
            put("cost_cents", approval.cost_cents.into());
            put("snapshot", approval.snapshot.as_str().into());
            put("policies", texts(&approval.progress.settled.policies));
            put("actions", texts(&approval.progress.settled.actions));
        }
        EventType::IrApprovalConsumed => consumed(approval, &mut put),
        EventType::IrApprovalExpired => {
            put("expired_at", time(row.at));
            put("created_at", time(approval.created_at));
            put("expires_at", time(approval.expires_at));
            put("ttl_seconds", ttl_seconds(approval).into());
            put("was_consumed", false.into());
            put("steps_consumed", redeemed(approval).into());
        }
        EventType::IrApprovalAdded | EventType::IrApprovalApproved => {
            let votes = approval.progress.stages.iter().flat_map(|stage| &stage.approvals);
            if let Some(vote) = votes.filter(|vote| vote.principal == row.actor).max_by_key(|vote| vote.at) {
                put("approver", vote.principal.as_str().into());
                put("level", vote.level.into());
                put("notes", vote.notes.as_str().into());
            }
            put("required_level", approval.required_level.into());
            put("approved_at", time(row.at));
        }
        EventType::IrApprovalRejected => {
            put("rejected_by", row.actor.as_str().into());
            put("rejected_at", time(row.at));
        }
        EventType::IrApprovalEscalated => {
            put("required_level", approval.required_level.into());
            put("escalated_at", time(row.at));
            put("escalates_at", approval.escalates_at.map_or(Value::Null, time));
        }
        EventType::IrApprovalCancelled => {
            put("cancelled_by", row.actor.as_str().into());
            put("cancelled_at", time(row.at));
        }
        _ => {}
    }
    put("from_status", row.from_status.map_or(Value::Null, |status| status.as_str().into()));
    put("reason", row.reason.as_str().into());
    Value::Object(members)
}

fn consumed(approval: &Approval, put: &mut impl FnMut(&str, Value)) {
    let redemption = approval.progress.redemption.as_ref();
    let Some((redemption, last)) = redemption.and_then(|all| Some((all, all.redeemed.last()?))) else { return };
    let since = last.at.as_micros().saturating_sub(approval.created_at.as_micros()) / 1_000_000;
    put("consumed_by", last.principal.as_str().into());
    put("consumed_at", time(last.at));
    put("time_to_consume_seconds", since.into());
    put("was_expired", false.into());
    put("grant_id", last.grant_id.as_str().into());
    put("mode", mode(redemption.mode).into());
    if redemption.mode == RedemptionMode::Stepwise {
        put("step_id", last.step_id.as_str().into());
        put("step_hash", last.step_hash.as_str().into());
        put("remaining", u64::from(approval.progress.settled.steps).saturating_sub(redeemed(approval)).into());
    }
}

/// The payload of `ir.approval_invalid`: what the caller said, and the true reason. Of the approval only the id is told,
/// and only where it is of the caller's tenant.
pub(super) fn invalid(
    tenant: &str,
    target_hash: &str,
    reason: &str,
    detail: &str,
    actor: &Text,
    at: Timestamp,
    approval: Option<&Approval>,
) -> Value {
    let id = approval.filter(|approval| approval.tenant_id == tenant).map(|approval| approval.id.as_str());
    json!({
        "tenant_id": tenant,
        "ir_hash": target_hash,
        "reason": reason,
        "attempted_by": actor.as_str(),
        "attempted_at": at.to_string(),
        "approval_id": id,
        "detail": detail,
    })
}

fn common(approval: &Approval) -> Map<String, Value> {
    let mut members = Map::new();
    members.insert("approval_id".into(), approval.id.as_str().into());
    members.insert("tenant_id".into(), approval.tenant_id.as_str().into());
    members.insert("ir_hash".into(), approval.target_hash.as_str().into());
    members.insert("target_kind".into(), approval.target_kind.as_str().into());
    members
}

/// The name of a mode in records.
pub(super) const fn mode(mode: RedemptionMode) -> &'static str {
    match mode {
        RedemptionMode::Whole => "WHOLE",
        RedemptionMode::Stepwise => "STEPWISE",
    }
}

fn redeemed(approval: &Approval) -> u64 {
    approval.progress.redemption.as_ref().map_or(0, |redemption| redemption.redeemed.len() as u64)
}

fn ttl_seconds(approval: &Approval) -> i64 {
    approval.expires_at.as_micros().saturating_sub(approval.created_at.as_micros()) / 1_000_000
}

fn time(at: Timestamp) -> Value {
    at.to_string().into()
}

fn texts(texts: &[Text]) -> Value {
    texts.iter().map(|text| Value::from(text.as_str())).collect()
}
