//! Events that were committed with the change that they tell of, and wait for the journal.

use crate::event::EventType;
use crate::model::{Text, Timestamp, new_id};

/// An event on its way to the journal.
#[derive(Debug, Clone, PartialEq)]
pub struct OutboxEvent {
    /// UUIDv7; the event's id in the journal. Made by [`OutboxEvent::new`].
    pub id: uuid::Uuid,
    /// Its type.
    pub kind: EventType,
    /// Tenant that it concerns.
    pub tenant_id: Text,
    /// Who caused it.
    pub actor: Text,
    /// Correlates records across systems; empty to use the event's own id.
    pub correlation_id: Text,
    /// Digest of the snapshot that it was decided under; may be empty.
    pub snapshot: Text,
    /// When it happened.
    pub at: Timestamp,
    /// A JSON object.
    pub payload: serde_json::Value,
}

impl OutboxEvent {
    /// An event with a new id.
    #[must_use]
    pub fn new(kind: EventType, tenant_id: impl Into<Text>, actor: impl Into<Text>, at: Timestamp) -> Self {
        Self {
            id: new_id(at),
            kind,
            tenant_id: tenant_id.into(),
            actor: actor.into(),
            correlation_id: Text::default(),
            snapshot: Text::default(),
            at,
            payload: serde_json::Value::Object(serde_json::Map::new()),
        }
    }
}

/// An event that this instance has claimed and shall journal.
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimedEvent {
    /// The event.
    pub event: OutboxEvent,
    /// Last sequence number of the claimer's journal when it was claimed: if the event is in that journal, it is behind it.
    pub after_sequence: u64,
}
