//! Records, journals and a look at what was written.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value as Json;

use crate::event::*;
use crate::model::*;

/// Longest wait for something that surely comes.
pub(super) const LONG: Duration = Duration::from_secs(30);

/// Rules by number: 0 allows, 1 denies, 2 requires approval, 3 warns, 4 audits.
pub(super) fn snapshot() -> Arc<SnapshotLabel> {
    let rule = |rule: &str, effect: Effect, reason: &str| RuleLabel {
        policy: "payments".into(),
        rule: rule.into(),
        layer: Layer::Tenant,
        effect,
        priority: 10,
        reason: reason.into(),
        required_level: (effect == Effect::RequireApproval).then_some(3),
        obligations: if effect == Effect::RequireApproval { vec![notify()].into() } else { Box::default() },
    };
    Arc::new(SnapshotLabel {
        digest: format!("sha256:{}", "5a".repeat(32)).into(),
        revision: 7,
        version: "v1.4.0".into(),
        rules: Box::new([
            rule("small-refunds", Effect::Allow, "refunds up to 50 are routine"),
            rule("no-payouts", Effect::Deny, "payouts are \"closed\""),
            rule("big-refunds", Effect::RequireApproval, "a human looks at big refunds"),
            rule("odd-hours", Effect::Warn, "outside office hours"),
            rule("money-moves", Effect::Audit, "money moves"),
        ]),
        default: DefaultLabel { effect: Effect::Deny, policy_set: "acme".into() },
    })
}

fn notify() -> Obligation {
    let channel = vec![(Text::const_new("channel"), Value::String("finance".into()))];
    Obligation { id: "notify".into(), properties: Attributes::from_entries(channel).unwrap() }
}

/// A decision by one of the rules of [`snapshot`].
pub(super) fn decision(matched: u32) -> Decision {
    let snapshot = snapshot();
    let effect = snapshot.rules[matched as usize].effect;
    let mut decision = Decision::new(snapshot, effect.outcome(), effect, ReasonCode::Policy, Some(matched));
    match effect {
        Effect::Warn => decision.warned.push(matched),
        Effect::Audit => decision.audited.push(matched),
        Effect::Allow | Effect::Deny | Effect::RequireApproval => {}
    }
    decision
}

pub(super) fn request() -> Request {
    let map = |entries: Vec<(&'static str, Value)>| {
        Attributes::from_entries(entries.into_iter().map(|(key, value)| (Text::const_new(key), value)).collect())
            .unwrap()
    };
    Request {
        request_id: "req-1".into(),
        tenant_id: "acme".into(),
        subject: Subject {
            kind: "agent".into(),
            id: "support-7".into(),
            roles: vec!["support".into(), "night".into()],
            properties: map(vec![("team", Value::String("münchen".into()))]),
            on_behalf_of: "user-42".into(),
        },
        action: Action { name: "payment.refund".into(), properties: Attributes::default() },
        resource: Resource { kind: "order".into(), id: "eu/4711".into(), properties: Attributes::default() },
        context: map(vec![
            ("amount", Value::Number(20.5)),
            (
                "params",
                Value::Map(map(vec![("card", Value::String("4111-1111-1111-1111".into())), ("n", Value::Number(3.0))])),
            ),
        ]),
        ..Request::default()
    }
}

pub(super) fn record(ticket: Ticket, decision: Decision) -> Box<DecisionRecord> {
    Box::new(DecisionRecord {
        ticket,
        decided_at: Timestamp::from_micros(1_767_323_045_000_000 + ticket.number as i64),
        evaluation_nanos: 412,
        request: request(),
        decision,
        actor: "uid:1000".into(),
    })
}

/// Takes a ticket and records a decision by rule `matched`.
pub(super) fn decide(recorder: &Recorder, matched: u32) -> Result<Ticket, NotQueued> {
    let ticket = recorder.ticket();
    recorder.record(record(ticket, decision(matched))).map(|()| ticket).map_err(|(why, _)| why)
}

pub(super) fn open(directory: &Path) -> EventLog {
    EventLog::open(EventOptions::new(directory)).unwrap()
}

pub(super) fn published(documents: u64) -> ControlRecord {
    ControlRecord {
        at: Timestamp::from_micros(1_767_323_045_000_000),
        actor: "system".into(),
        tenant: None,
        correlation_id: None,
        body: ControlBody::SnapshotPublished(SnapshotPublished {
            snapshot: SnapshotName { digest: snapshot().digest.to_string(), revision: 7 },
            version: "v1.4.0".to_owned(),
            previous: None,
            source: "directory:policies".to_owned(),
            trigger: "start".to_owned(),
            documents,
            rules: 5,
            added: vec!["Policy/payments".to_owned()],
            changed: Vec::new(),
            removed: Vec::new(),
        }),
    }
}

/// The journal's lines, segment by segment.
pub(super) fn lines(directory: &Path) -> Vec<String> {
    let segments = crate::event::segment::list(&journal_dir(directory)).unwrap();
    let text = segments.iter().map(|segment| std::fs::read_to_string(&segment.path).unwrap()).collect::<String>();
    text.lines().map(str::to_owned).collect()
}

/// The journal's events.
pub(super) fn events(directory: &Path) -> Vec<Json> {
    lines(directory).iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The events of a type.
pub(super) fn of_type(directory: &Path, kind: &str) -> Vec<Json> {
    events(directory).into_iter().filter(|event| event["type"] == kind).collect()
}
