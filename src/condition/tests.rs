//! Tests of the room as a whole: tables of expressions, conditions, problems, and properties.

mod conditions;
mod problems;
mod properties;
mod reasons;
mod step_context;
mod tables;

use crate::model::{Action, Attributes, Request, Resource, Subject, Timestamp, Value};

use super::{Bindings, Budget};

/// 2026-03-14T09:26:53.589793Z, a Saturday.
pub(super) const NOW: Timestamp = Timestamp::from_micros(1_773_480_413_589_793);

/// A request with these attributes as its context.
pub(super) fn request(context: &str) -> Request {
    let attributes = |json: &str| match Value::try_from(&serde_json::from_str::<serde_json::Value>(json).unwrap()) {
        Ok(Value::Map(map)) => map,
        other => panic!("not a map: {other:?}"),
    };
    Request {
        tenant_id: "acme".into(),
        subject: Subject {
            kind: "agent".into(),
            id: "support-7".into(),
            roles: vec!["support".into(), "night".into()],
            properties: attributes(r#"{"team": "blue", "level": 3}"#),
            on_behalf_of: "".into(),
        },
        action: Action { name: "payment.refund".into(), properties: Attributes::default() },
        resource: Resource { kind: "order".into(), id: "eu/4711".into(), properties: attributes(r#"{"open": true}"#) },
        context: attributes(context),
        ..Request::default()
    }
}

pub(super) fn bindings(request: &Request) -> Bindings<'_> {
    Bindings::of_request(request, NOW)
}

pub(super) fn budget() -> Budget {
    Budget { remaining: 1_000_000 }
}
