//! The wire contract: one event of each type, as it has always been written. `LICTOR_UPDATE_CASES=1` writes the files anew.

use std::path::PathBuf;

use serde_json::Value as Json;

use super::plans;
use super::support::*;
use crate::event::encoder::Encoder;
use crate::event::gap::{Gap, GapReason};
use crate::event::*;
use crate::model::*;

fn encoder() -> Encoder {
    Encoder::new("lictor/0.1.0", false, None, crate::event::chain::GENESIS, 1, 0x2aa_5555_aaaa_5555_aaaa)
}

const BOOT: BootId = BootId::from_bits(0x123_4567);

/// All events that the catalogue knows: of decisions, of the control plane and of the writer itself.
fn all_events() -> Vec<String> {
    let (mut encoder, mut out) = (encoder(), Vec::new());
    for rule in [2, 1, 3, 4, 0] {
        let mut record = record(Ticket { boot: BOOT, worker: 3, number: u64::from(rule) + 1 }, decision(rule));
        if rule == 2 {
            record.decision.errors.push((1, "no such attribute `context.region`".into()));
        }
        encoder.decision(&mut out, &record);
    }
    encoder.control(&mut out, &published(4));
    let failed = ReloadFailed {
        source: "directory:policies".to_owned(),
        trigger: "watch".to_owned(),
        reason: "1 of 4 documents has an error".to_owned(),
        findings: vec![ReloadFinding {
            code: "unknown-field".to_owned(),
            message: "unknown field `efect`".to_owned(),
            place: "policies/payments.yaml:7:5".to_owned(),
        }],
        findings_total: 1,
        kept: Some(SnapshotName { digest: snapshot().digest.to_string(), revision: 7 }),
    };
    let control = ControlRecord { body: ControlBody::ReloadFailed(failed), ..published(0) };
    encoder.control(&mut out, &control);
    let gap = Gap::of_ranges(BOOT, 3, GapReason::RingFull, vec![(15, 20), (23, 23)]);
    encoder.gap(&mut out, &gap, Timestamp::from_micros(1_767_323_046_000_001));
    let ticket = Ticket { boot: BOOT, worker: 3, number: 24 };
    for status in [ValidationStatus::Pass, ValidationStatus::Escalate, ValidationStatus::Reject] {
        encoder.validation(&mut out, &plans::validated(status, ticket));
    }
    for success in [true, false] {
        encoder.verification(&mut out, &plans::verified(success, ticket));
    }
    String::from_utf8(out).unwrap().lines().map(str::to_owned).collect()
}

fn case(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/cases/events").join(format!("{name}.json"))
}

fn assert_golden(name: &str, actual: &Json) {
    let actual = format!("{actual:#}\n");
    if std::env::var_os("LICTOR_UPDATE_CASES").is_some() {
        std::fs::create_dir_all(case(name).parent().unwrap()).unwrap();
        std::fs::write(case(name), &actual).unwrap();
    }
    let expected = std::fs::read_to_string(case(name)).unwrap_or_default();
    assert_eq!(actual, expected, "the event `{name}` is not what tests/cases/events/{name}.json says");
}

#[test]
fn each_type_is_written_as_ever() {
    let events = all_events();
    // Those of approvals come ready from the store; their payloads are the room `approval`'s, and tested there.
    for kind in EventType::ALL.into_iter().filter(|kind| !kind.as_str().starts_with("ir.approval_")) {
        let line = events
            .iter()
            .find(|line| serde_json::from_str::<Json>(line).unwrap()["type"] == kind.as_str())
            .unwrap_or_else(|| panic!("no event of type {}", kind.as_str()));
        assert_golden(kind.as_str(), &serde_json::from_str(line).unwrap());
    }
}

#[test]
fn a_cloud_event_is_written_as_ever() {
    let line = all_events().swap_remove(0);
    let event: Json = serde_json::from_slice(&to_cloud_event(line.as_bytes()).unwrap()).unwrap();
    assert_golden("cloudevent", &event);
    assert!(to_cloud_event(b"{}").is_err());
    let extension = |name: &str| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    assert!(event.as_object().unwrap().keys().all(|name| extension(name) && name.len() <= 20));
}

#[test]
fn meta_and_hash_come_last_and_the_hash_is_that_of_the_line() {
    use sha2::{Digest, Sha256};
    let mut previous = [0_u8; 32];
    for line in all_events() {
        let event: Json = serde_json::from_str(&line).unwrap();
        let (last, meta) = event.as_object().unwrap().iter().next_back().unwrap();
        assert_eq!(last, "meta");
        assert_eq!(meta.as_object().unwrap().keys().next_back().unwrap(), "hash");
        let (before, _) = line.rsplit_once(",\"hash\":").unwrap();
        let hash: [u8; 32] = Sha256::new().chain_update(previous).chain_update(before).finalize().into();
        let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(meta["hash"], hex);
        assert_eq!(meta["prev"], previous.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
        assert_eq!(sequence_of(line.as_bytes()), meta["sequence"].as_u64());
        previous = hash;
    }
}

#[test]
fn the_order_and_number_of_events_of_a_decision() {
    let types = |decision: Decision| -> Vec<String> {
        let mut out = Vec::new();
        encoder().decision(&mut out, &record(Ticket { boot: BOOT, worker: 0, number: 1 }, decision));
        let text = String::from_utf8(out).unwrap();
        text.lines()
            .map(|line| serde_json::from_str::<Json>(line).unwrap()["type"].as_str().unwrap().to_owned())
            .collect()
    };
    let by_default = |effect: Effect, code: ReasonCode| {
        let mut decision = decision(0);
        (decision.effect, decision.outcome, decision.reason_code, decision.matched) =
            (effect, effect.outcome(), code, None);
        decision
    };
    let mut denied_with_both = decision(1);
    denied_with_both.warned.push(3);
    denied_with_both.audited.push(4);
    let cases: [(Decision, &[&str]); 9] = [
        (decision(0), &["policy.evaluated"]),
        (decision(1), &["policy.evaluated", "policy.denied"]),
        (decision(2), &["policy.evaluated", "policy.approval_required"]),
        (decision(3), &["policy.evaluated", "policy.warning_triggered"]),
        (decision(4), &["policy.evaluated", "policy.audit_required"]),
        (denied_with_both, &["policy.evaluated", "policy.denied", "policy.warning_triggered", "policy.audit_required"]),
        (by_default(Effect::Warn, ReasonCode::Default), &["policy.evaluated", "policy.warning_triggered"]),
        (by_default(Effect::Audit, ReasonCode::Default), &["policy.evaluated", "policy.audit_required"]),
        (by_default(Effect::Deny, ReasonCode::NoPolicy), &["policy.evaluated", "policy.denied"]),
    ];
    for (decision, expected) in cases {
        assert_eq!(types(decision.clone()), expected, "{decision:?}");
    }
}

#[test]
fn the_correlation_is_the_requests_or_its_id_or_the_decisions() {
    let ticket = Ticket { boot: BOOT, worker: 0, number: 9 };
    for (correlation, request_id) in [("trace-1", "req-1"), ("", "req-1"), ("", "")] {
        let mut record = record(ticket, decision(0));
        record.request.correlation_id = correlation.into();
        record.request.request_id = request_id.into();
        let id = ticket.decision_id(record.decided_at).to_string();
        let mut out = Vec::new();
        encoder().decision(&mut out, &record);
        let event: Json = serde_json::from_slice(&out).unwrap();
        let expected = [correlation, request_id, &id].into_iter().find(|text| !text.is_empty()).unwrap();
        assert_eq!(event["meta"]["correlation_id"], expected);
        assert_eq!(event["payload"]["decision_id"], id);
    }
}

proptest::proptest! {
    #[test]
    fn any_text_of_a_caller_gives_a_line_that_verifies(texts in proptest::collection::vec(".*", 8)) {
        let mut record = record(Ticket { boot: BOOT, worker: 1, number: 5 }, decision(3));
        let request = &mut record.request;
        let fields = [
            &mut request.request_id, &mut request.tenant_id, &mut request.subject.id, &mut request.action.name,
            &mut request.resource.id, &mut request.correlation_id, &mut record.actor,
        ];
        for (field, text) in fields.into_iter().zip(&texts) {
            *field = text.as_str().into();
        }
        record.request.context = Attributes::from_entries(vec![(texts[7].as_str().into(), Value::String(texts[0].as_str().into()))]).unwrap();
        let mut out = Vec::new();
        encoder().decision(&mut out, &record);
        for line in out.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let parsed = crate::event::line::Line::parse(line).unwrap();
            proptest::prop_assert_eq!(parsed.verify(None), crate::event::line::Verified::Plain);
            proptest::prop_assert_eq!(sequence_of(line), Some(parsed.sequence));
            let event: Json = serde_json::from_slice(line).unwrap();
            proptest::prop_assert_eq!(event["payload"]["agent_id"].as_str(), Some(texts[2].as_str()));
        }
    }
}

/// What the encoder remembers of snapshots and rules never shows: a line is the one that a new encoder writes.
#[test]
fn what_is_rendered_once_is_what_is_rendered_anew() {
    let label = |revision: u64, rules: u32| {
        let example = snapshot();
        let rule = &example.rules[0];
        let numbered =
            |n| RuleLabel { rule: format!("r{n}").into(), reason: format!("{revision}/{n}").into(), ..rule.clone() };
        let label = SnapshotLabel {
            digest: example.digest.clone(),
            revision,
            version: format!("v1.{revision}.0").into(),
            rules: (0..rules).map(numbered).collect(),
            default: DefaultLabel { effect: Effect::Deny, policy_set: "acme".into() },
        };
        std::sync::Arc::new(label)
    };
    // More snapshots and rules than are remembered, seen in turn.
    let labels: Vec<_> =
        [3, 600, 0, 1, 256, 257].into_iter().enumerate().map(|(n, rules)| label(n as u64, rules)).collect();
    let mut remembering = encoder();
    let (mut number, mut head) = (0, crate::event::chain::GENESIS);
    for round in 0..600_u32 {
        for label in &labels {
            let matched = (round * 7).checked_rem(label.rules.len() as u32);
            let mut decision = Decision::new(label.clone(), Outcome::Allow, Effect::Allow, ReasonCode::Policy, matched);
            match round % 5 {
                0 => (decision.outcome, decision.effect) = (Outcome::Deny, Effect::Deny),
                1 => decision.reason_code = ReasonCode::AuditUnavailable,
                2 => decision.warned.push(0),
                _ => {}
            }
            number += 1;
            let record = record(Ticket { boot: BOOT, worker: 3, number }, decision);
            let (mut remembered, mut anew) = (Vec::new(), Vec::new());
            let mut fresh =
                Encoder::new("lictor/0.1.0", false, None, head, remembering.next_sequence(), 0x2aa_5555_aaaa_5555_aaaa);
            remembering.decision(&mut remembered, &record);
            fresh.decision(&mut anew, &record);
            assert_eq!(String::from_utf8(remembered), String::from_utf8(anew));
            head = fresh.head();
        }
    }
}
