//! One event of each type about approvals, as it is written to the journal and as `docs/events.md` says.
//! `LICTOR_UPDATE_CASES=1` writes the files anew.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value as Json;

use super::*;
use crate::approval::machine::tests::{EPOCH, approval, at, vote, voter};
use crate::approval::machine::{
    self, Ask, Redeeming, StepCall, Transition, approve, cancel, escalate, expire, first_row, redeem, reject,
};
use crate::event::{ControlBody, ControlRecord, EventLog, EventOptions, ReadyEvent};
use crate::model::{ApprovalStatus, Attributes, Escalation, Plan, Stage, Step};

/// An approval with everything that a payload can tell of.
fn full(status: ApprovalStatus) -> Approval {
    let mut approval = approval(status);
    approval.cost_cents = Some(1_250);
    approval.progress.settled.policies = vec!["bank".into(), "money".into()];
    approval.progress.settled.actions = vec!["mail.search".into(), "bank.transfer".into()];
    approval.progress.settled.escalation = Some(Escalation { after_seconds: 300, level: 4 });
    approval
}

fn redeemed(approval: &Approval, step: Option<&str>) -> Transition {
    let steps = ["find", "pay", "tell"].map(|id| Step { step_id: id.into(), ..Step::default() });
    let plan = Plan { steps: steps.into(), ..Plan::default() };
    let params = Attributes::default();
    let ask = Ask {
        tenant: "acme",
        target_hash: &approval.target_hash,
        step: step.map(|step_id| StepCall { step_id, params: &params }),
        key_hash: Text::default(),
        principal: "cn:runtime".into(),
    };
    match redeem(approval, Some(&plan), &ask, &|_, _| None, at(75), EPOCH).expect("redeemed") {
        Redeeming::New(transition) => *transition,
        Redeeming::Replayed(redeemed) => panic!("nothing was redeemed before: {redeemed:?}"),
    }
}

/// A life's events, by the name of the case: the type's, and what is special about it.
fn all() -> Vec<(String, EventType, Json, Text, Timestamp)> {
    let mut told = Vec::new();
    let mut tell = |happening: Happening, approval: &Approval, row: &HistoryRow, of: &str| {
        for kind in happening.event_types() {
            let payload = payload(*kind, approval, row);
            told.push((format!("{}{of}", kind.as_str()), *kind, payload, row.actor.clone(), row.at));
        }
    };
    let pending = Approval { version: 1, ..full(ApprovalStatus::Pending) };
    tell(Happening::Created, &pending, &first_row(&pending, "tier 2 needs approval".to_owned()), "");

    let mut two = pending.clone();
    two.progress.stages.push(Stage { level: 3, quorum: 1, approvals: Vec::new() });
    let ann = machine::Vote { notes: "looks right".to_owned(), ..vote() };
    let mut transitions = vec![
        (approve(&two, &voter("jwt:idp#ann", 3), &ann, at(20), EPOCH), ""),
        (approve(&pending, &voter("jwt:idp#ann", 4), &ann, at(20), EPOCH), ""),
        (reject(&pending, &voter("jwt:idp#ann", 3), &ann, at(20), EPOCH), ""),
        (escalate(&pending, "worker:escalation", at(300), EPOCH), ""),
        (expire(&pending, "worker:expiry", at(3_600), EPOCH), ""),
        (cancel(&pending, &"cn:runtime".into(), "not needed any more", at(30), EPOCH), ""),
    ];
    let approved = full(ApprovalStatus::Approved);
    transitions.push((Ok(redeemed(&approved, None)), ""));
    transitions.push((Ok(redeemed(&approved, Some("find"))), ".step"));
    for (transition, of) in transitions {
        let Transition { approval, history, happening, .. } = transition.expect("a transition");
        tell(happening.expect("something happens"), &approval, &history.expect("a row"), of);
    }
    let auto = Approval { version: 1, resolved_at: Some(at(0)), ..full(ApprovalStatus::AutoApproved) };
    let row = first_row(&auto, "costs no more than the policy lets pass".to_owned());
    let of_auto = payload(EventType::IrApprovalApproved, &auto, &row);
    let kind = EventType::IrApprovalApproved;
    told.push((format!("{}.auto", kind.as_str()), kind, of_auto, row.actor.clone(), row.at));

    let actor = Text::from("cn:runtime");
    let refused = machine::Refused::UsedUp.to_string();
    let kind = EventType::IrApprovalInvalid;
    let invalid = invalid("acme", &approved.target_hash, "already_consumed", &refused, &actor, at(80), Some(&approved));
    told.push((kind.as_str().to_owned(), kind, invalid, actor, at(80)));
    told
}

/// What the journal in a new folder holds once these have been published.
fn journalled(events: &[(String, EventType, Json, Text, Timestamp)]) -> Vec<Json> {
    let folder = tempfile::tempdir().unwrap();
    let mut options = EventOptions::new(folder.path());
    options.producer = "lictor/0.1.0".to_owned();
    let journal = options.journal_dir();
    let log = EventLog::open(options).unwrap();
    for (number, (_, kind, payload, actor, time)) in events.iter().enumerate() {
        let ready = ReadyEvent {
            id: uuid::Uuid::from_u128(0x019b_7ca9_8c88_7aa9_9555_aaaa_5555_0000 + number as u128),
            kind: *kind,
            snapshot: "sha256:bb".into(),
            payload: payload.clone(),
        };
        let record = ControlRecord {
            at: *time,
            actor: actor.clone(),
            tenant: Some("acme".into()),
            correlation_id: Some("c".into()),
            body: ControlBody::Ready(ready),
        };
        log.publish(record).unwrap().wait(Duration::from_secs(30)).unwrap();
    }
    log.close(Duration::from_secs(30)).unwrap();
    let segment = std::fs::read_dir(journal).unwrap().map(|entry| entry.unwrap().path());
    let segments = segment.filter(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
    let text: String = segments.map(|path| std::fs::read_to_string(path).unwrap()).collect();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn case(name: &str) -> PathBuf {
    root().join("tests/cases/events").join(format!("{name}.json"))
}

#[test]
fn each_type_is_written_as_ever() {
    let events = all();
    let lines = journalled(&events);
    assert_eq!(lines.len(), events.len());
    for ((name, kind, ..), line) in events.iter().zip(&lines) {
        assert_eq!(line["type"], kind.as_str());
        let actual = format!("{line:#}\n");
        if std::env::var_os("LICTOR_UPDATE_CASES").is_some() {
            std::fs::write(case(name), &actual).unwrap();
        }
        let expected = std::fs::read_to_string(case(name)).unwrap_or_default();
        assert_eq!(actual, expected, "the event `{name}` is not what tests/cases/events/{name}.json says");
    }
    let told: BTreeSet<&str> = events.iter().map(|(_, kind, ..)| kind.as_str()).collect();
    let of_approvals = EventType::ALL.iter().map(|kind| kind.as_str()).filter(|name| name.starts_with("ir.approval_"));
    assert_eq!(told, of_approvals.collect());
}

/// The names of members in backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split('`').skip(1).step_by(2).map(|word| word.trim_end_matches("[]"));
    words.filter(|word| word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'))
}

#[test]
fn payloads_have_the_members_that_the_page_names() {
    let page = std::fs::read_to_string(root().join("docs/events.md")).unwrap();
    let (_, section) = page.split_once("**All about an approval**: ").expect("the section");
    let (common, rest) = section.split_once("\n\n").unwrap();
    let common: BTreeSet<&str> = quoted(common).collect();
    for (name, kind, payload, ..) in all() {
        let row = rest.lines().find(|line| line.starts_with(&format!("| `{}` |", kind.as_str())));
        let row = row.unwrap_or_else(|| panic!("no row for {}", kind.as_str()));
        let (_, besides) = row[2..].split_once(" | ").unwrap();
        let (always, sometimes) = besides.split_once("; sometimes ").unwrap_or((besides, ""));
        let mut needed: BTreeSet<&str> = quoted(always).collect();
        if kind != EventType::IrApprovalInvalid {
            needed.extend(&common);
        }
        let found: BTreeSet<&str> = payload.as_object().unwrap().keys().map(String::as_str).collect();
        let sometimes: BTreeSet<&str> = quoted(sometimes).collect();
        assert!(needed.is_subset(&found), "{name} lacks {:?}", needed.difference(&found));
        let known: BTreeSet<&str> = needed.union(&sometimes).copied().collect();
        assert!(found.is_subset(&known), "the page does not name {:?} of {name}", found.difference(&known));
    }
}
