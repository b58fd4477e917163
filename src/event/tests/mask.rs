//! Masked values never reach the disk.

use std::fs;

use super::support::*;
use crate::event::*;
use crate::model::{Attributes, Text, Value};

fn map(entries: Vec<(&str, Value)>) -> Attributes {
    Attributes::from_entries(entries.into_iter().map(|(key, value)| (Text::from(key), value)).collect()).unwrap()
}

/// Records one decision whose attributes hold `secret-…` in many places, masks them, and gives the event.
fn masked(directory: &std::path::Path, tenant: &str) -> serde_json::Value {
    let mut options = EventOptions::new(directory);
    let paths = ["context.card", "context.params.card", "context.a.b.c", "context.people.name", "context.all"];
    let others = ["subject.properties.email", "resource.properties.owner", "action.properties.note", "context.missing"];
    options.mask = paths.iter().chain(&others).map(|path| (*path).to_owned()).collect();
    let log = EventLog::open(options).unwrap();
    let recorder = log.recorder(0);
    let secret = |name: &str| Value::String(format!("secret-{name}").into());
    let mut record = record(recorder.ticket(), decision(1));
    record.request.tenant_id = tenant.into();
    record.request.context = map(vec![
        ("card", secret("same")),
        ("params", Value::Map(map(vec![("card", secret("same")), ("open", Value::Bool(true))]))),
        ("a.b", Value::Map(map(vec![("c", secret("dotted"))]))),
        ("people", Value::List(Box::new([Value::Map(map(vec![("name", secret("one"))])), Value::Null]))),
        ("all", Value::Map(map(vec![("number", Value::Number(4711.25)), ("text", secret("deep"))]))),
    ]);
    record.request.subject.properties = map(vec![("email", secret("mail"))]);
    record.request.resource.properties = map(vec![("owner", secret("owner"))]);
    record.request.action.properties = map(vec![("note", secret("note"))]);
    record.decision.errors = vec![(0, "cannot compare `secret-deep` with 1".into()), (1, "no such attribute".into())];
    recorder.record(record).unwrap();
    log.close(LONG).unwrap();
    of_type(directory, "policy.evaluated").pop().unwrap()
}

#[test]
fn no_clear_value_reaches_the_disk_and_equal_values_stay_equal() {
    let directory = tempfile::tempdir().unwrap();
    let event = masked(directory.path(), "acme");
    for entry in fs::read_dir(journal_dir(directory.path())).unwrap() {
        let content = fs::read(entry.unwrap().path()).unwrap();
        let text = String::from_utf8_lossy(&content);
        assert!(!text.contains("secret-") && !text.contains("4711.25"), "{text}");
    }
    let context = &event["payload"]["inputs"]["context"];
    let card = &context["card"]["masked"];
    assert!(card.as_str().is_some_and(|hash| hash.strip_prefix("hmac-sha256:").is_some_and(|hex| hex.len() == 64)));
    assert_eq!(&context["params"]["card"]["masked"], card);
    assert_ne!(&context["all"]["masked"], card);
    assert_eq!(context["params"]["open"], true);
    let errors = &event["payload"]["result"]["errors"];
    assert!(errors[0]["error"].as_str().unwrap().contains("withheld"));
    assert_eq!(errors[1]["error"], "no such attribute");

    // The key is kept, so that the same value is told again later; but not across tenants.
    assert_eq!(masked(directory.path(), "acme")["payload"]["inputs"]["context"]["card"]["masked"], *card);
    assert_ne!(masked(directory.path(), "other")["payload"]["inputs"]["context"]["card"]["masked"], *card);
    use std::os::unix::fs::PermissionsExt;
    let key = directory.path().join("keys/mask.key");
    assert_eq!(fs::metadata(key).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn paths_that_no_record_has_are_refused() {
    for path in
        ["context.*", "context.params.*", "context.", "subject.id", "params.card", "context..a", "resource.properties."]
    {
        let directory = tempfile::tempdir().unwrap();
        let mut options = EventOptions::new(directory.path());
        options.mask = vec![path.to_owned()];
        assert!(matches!(EventLog::open(options), Err(EventError::MaskPath { .. })), "{path}");
    }
}

#[test]
fn a_root_is_masked_as_a_whole() {
    let directory = tempfile::tempdir().unwrap();
    let mut options = EventOptions::new(directory.path());
    options.mask = vec!["context".to_owned(), "resource.properties".to_owned()];
    let log = EventLog::open(options).unwrap();
    decide(&log.recorder(0), 1).unwrap();
    log.close(LONG).unwrap();
    let event = of_type(directory.path(), "policy.evaluated").pop().unwrap();
    let context = event["payload"]["inputs"]["context"].as_object().unwrap();
    assert_eq!(context.keys().collect::<Vec<_>>(), ["masked"]);
}
