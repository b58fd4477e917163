//! What a message says.
//!
//! The members and their order are the predecessor's, and then what a receiver would miss: `correlation_id` and the tenant
//! in every one, what is to be approved, and when it happened. Nothing that the asking agent wrote as free text is in
//! it: a receiver may show a message to people who decide.

use serde_json::{Map, Value};
use uuid::fmt::Hyphenated;

use crate::model::{self, Approval, Text, Timestamp, WebhookEvent};
use crate::snapshot::Snapshot;
use crate::store::NewDelivery;

/// The messages that tell the endpoints `names` of `event`, which has just changed `approval` to what it is, each endpoint
/// once. Endpoints that do not take the event get none; one that no document defines gets one all the same, so that it
/// shows as a dead letter instead of being lost silently.
pub fn deliveries<'n>(
    snapshot: Option<&Snapshot>,
    names: impl IntoIterator<Item = &'n Text>,
    event: WebhookEvent,
    approval: &Approval,
    event_id: &str,
    at: Timestamp,
) -> Vec<NewDelivery> {
    let mut told: Vec<&Text> = Vec::new();
    for name in names {
        let endpoint = snapshot.and_then(|snapshot| snapshot.endpoints().get(name));
        if !told.contains(&name) && endpoint.is_none_or(|endpoint| endpoint.takes(event, &approval.tenant_id)) {
            told.push(name);
        }
    }
    if told.is_empty() {
        return Vec::new();
    }
    let payload = payload(event, approval, event_id, at);
    let delivery = |endpoint: &Text| NewDelivery {
        id: new_id(at),
        endpoint: endpoint.clone(),
        tenant_id: approval.tenant_id.clone(),
        approval_id: approval.id.clone(),
        approval_version: approval.version,
        event_id: event_id.into(),
        event_type: Text::const_new(event.event_type()),
        payload: payload.clone(),
        not_before: at,
    };
    told.into_iter().map(delivery).collect()
}

/// The body that tells of `event`, which has just changed `approval` to what it is.
#[must_use]
pub fn payload(event: WebhookEvent, approval: &Approval, event_id: &str, at: Timestamp) -> Vec<u8> {
    let mut members = Map::new();
    let mut put = |name: &str, value: Value| drop(members.insert(name.to_owned(), value));
    put("event", event.body_name().into());
    put("request_id", approval.id.as_str().into());
    put("correlation_id", approval.correlation_id.as_str().into());
    put("status", approval.status.as_str().to_ascii_lowercase().into());
    match event {
        WebhookEvent::Added | WebhookEvent::Approved => {
            let votes = approval.progress.stages.iter().flat_map(|stage| &stage.approvals);
            if let Some(last) = votes.max_by_key(|vote| vote.at) {
                put("approver_id", last.principal.as_str().into());
                put("level", last.level.into());
            }
        }
        WebhookEvent::Rejected => put("rejector_id", approval.progress.resolved_by.as_str().into()),
        WebhookEvent::Escalated => put("escalate_to", format!("level-{}", approval.required_level).into()),
        WebhookEvent::Cancelled => put("cancelled_by", approval.progress.resolved_by.as_str().into()),
        WebhookEvent::Created | WebhookEvent::Expired | WebhookEvent::Consumed | WebhookEvent::Test => {}
    }
    put("required_level", approval.required_level.into());
    put("expires_at", approval.expires_at.to_string().into());
    put("tenant_id", approval.tenant_id.as_str().into());
    put("target_kind", approval.target_kind.as_str().to_ascii_lowercase().into());
    put("target_hash", approval.target_hash.as_str().into());
    put("tier", approval.tier.into());
    put("cost_cents", approval.cost_cents.into());
    put("requested_by", approval.requested_by.as_str().into());
    put("event_id", event_id.into());
    put("event_type", event.event_type().into());
    put("occurred_at", at.to_string().into());
    text(members)
}

/// The body of a message that only tries an endpoint.
#[must_use]
pub fn test_payload(correlation_id: &str, at: Timestamp) -> Vec<u8> {
    let event = WebhookEvent::Test;
    let mut members = Map::new();
    for (name, value) in [
        ("event", event.body_name()),
        ("correlation_id", correlation_id),
        ("event_type", event.event_type()),
        ("occurred_at", &at.to_string()),
    ] {
        members.insert(name.to_owned(), value.into());
    }
    text(members)
}

/// A new id of a message of the time `at`: UUIDv7, so that ids sort by age.
#[must_use]
pub fn new_id(at: Timestamp) -> Text {
    Text::from(&*model::new_id(at).hyphenated().encode_lower(&mut [0; Hyphenated::LENGTH]))
}

fn text(members: Map<String, Value>) -> Vec<u8> {
    Value::Object(members).to_string().into_bytes()
}
