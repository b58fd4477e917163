//! Events as CloudEvents 1.0, for destinations that want them so.

use serde_json::{Map, Value, json};

use super::line;

/// Namespace of event types.
const TYPE_PREFIX: &str = "dev.lictor.";

/// Why a line is no event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a record of the journal: {reason}")]
pub struct NotAnEvent {
    reason: String,
}

/// A line of the journal as a CloudEvent in structured JSON form, without a newline.
///
/// `type` is prefixed with `dev.lictor.`, `source` is `//lictor.dev/` and the envelope's source, `subject` is the id of
/// the agent where there is one, `data` is the payload. The members of `meta` become extension attributes, whose names may
/// only hold lower-case letters and digits; those that are null are left out.
///
/// # Errors
/// The line is not an envelope.
pub fn to_cloud_event(line: &[u8]) -> Result<Vec<u8>, NotAnEvent> {
    let failed = |reason: &dyn std::fmt::Display| NotAnEvent { reason: reason.to_string() };
    let mut envelope: Map<String, Value> = serde_json::from_slice(line).map_err(|error| failed(&error))?;
    let mut take = |name: &str| envelope.remove(name).ok_or_else(|| failed(&format!("`{name}` is missing")));
    let (id, kind, source, time) = (take("id")?, take("type")?, take("source")?, take("timestamp")?);
    let (payload, meta) = (take("payload")?, take("meta")?);
    let (Some(kind), Some(source), Value::Object(meta)) = (kind.as_str(), source.as_str(), meta) else {
        return Err(failed(&"`type`, `source` or `meta` is not what it should be"));
    };
    let mut event = Map::new();
    event.insert("specversion".to_owned(), json!("1.0"));
    event.insert("id".to_owned(), id);
    event.insert("source".to_owned(), json!(format!("//lictor.dev/{source}")));
    event.insert("type".to_owned(), json!(format!("{TYPE_PREFIX}{kind}")));
    event.insert("time".to_owned(), time);
    if let Some(subject) = payload.get("agent_id") {
        event.insert("subject".to_owned(), subject.clone());
    }
    event.insert("datacontenttype".to_owned(), json!("application/json"));
    for (name, value) in meta {
        let name: String = name.chars().filter(|c| *c != '_').collect();
        match value {
            Value::Null => {}
            // The `sequence` extension of CloudEvents is a string.
            Value::Number(number) if name == "sequence" => drop(event.insert(name, json!(number.to_string()))),
            value => drop(event.insert(name, value)),
        }
    }
    event.insert("data".to_owned(), payload);
    let event = Value::Object(event);
    serde_json::to_vec(&event).map_err(|error| failed(&error))
}

/// The sequence number of a line of the journal.
#[must_use]
pub fn sequence_of(line: &[u8]) -> Option<u64> {
    line::quick_sequence(line)
}
