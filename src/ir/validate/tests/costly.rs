//! Schemas that whoever wrote them may have meant to be costly.

use serde_json::{Value as Json, json};

use super::*;

/// A catalogue whose one action has this schema, as an import from a server of others may make it.
fn catalogue(schema: &Json) -> String {
    let document = json!({
        "apiVersion": "lictor.dev/v1", "kind": "ActionCatalog", "metadata": {"name": "hostile"},
        "spec": {"actions": [{"name": "call", "tier": 0, "paramsSchema": schema}]},
    });
    document.to_string()
}

/// What loading it finds.
fn errors(schema: &Json) -> Vec<String> {
    let source = SourceText { name: "c.yaml".into(), layer: Layer::Organisation, text: catalogue(schema).into() };
    load(&[source]).findings.iter().map(|finding| finding.message.to_string()).collect()
}

fn call(params: Json) -> Plan {
    plan(vec![step("a", "call", "", params)])
}

/// A schema whose rows are compared with `count` constants.
fn one_of(count: usize) -> Json {
    let constants: Vec<Json> = (0..count).map(|number| json!({"const": number})).collect();
    json!({"type": "object", "properties": {"rows": {"type": "array", "items": {"anyOf": constants}}}})
}

fn both(schema: &Json, plan: &Plan) -> (Option<Validation>, Validation) {
    let snapshot = snapshot(&[(Layer::Organisation, &catalogue(schema))]);
    let limits = Limits::default();
    let brief = validate_briefly(Some(&snapshot), plan, Timestamp::default(), &limits);
    (brief, validate(Some(&snapshot), plan, Timestamp::default(), &limits))
}

#[test]
fn a_small_plan_that_is_dear_to_check_is_given_up_where_others_wait() {
    let rows: Vec<u32> = vec![99; 2_000];
    let (brief, full) = both(&one_of(100), &call(json!({"rows": rows})));
    assert!(brief.is_none());
    assert_eq!((full.status, codes(&full)), (ValidationStatus::Pass, vec![]));
    let (brief, full) = both(&one_of(100), &call(json!({"rows": [1, 2, 3]})));
    assert_eq!(brief.map(|answer| answer.status), Some(ValidationStatus::Pass));
    assert_eq!(full.status, ValidationStatus::Pass);
}

#[test]
fn saying_what_is_wrong_has_its_own_price() {
    // Cheap enough to see that something is wrong, and to say what; dear enough to go where nobody waits.
    let rows: Vec<u32> = vec![100; 20];
    let (brief, full) = both(&one_of(50), &call(json!({"rows": rows})));
    assert!(brief.is_none());
    assert_eq!(full.violations.len(), 20);
    assert_eq!(codes(&full)[0], (ViolationCode::InvalidParams, "steps[0].params/rows/0"));
    // Too many pairs of branches and rows to make a problem of each.
    let rows: Vec<u32> = vec![1_000; 2_000];
    let (_, full) = both(&one_of(800), &call(json!({"rows": rows})));
    assert_eq!(codes(&full), [(ViolationCode::InvalidParams, "steps[0].params")]);
    assert!(full.violations[0].message.contains("too large for it to be said where"), "{}", full.violations[0].message);
}

#[test]
fn what_would_take_too_long_is_refused() {
    let rows: Vec<u32> = vec![1; 16_000];
    let (brief, full) = both(&one_of(2_000), &call(json!({"rows": rows})));
    assert!(brief.is_none());
    assert_eq!(
        (full.status, codes(&full)),
        (ValidationStatus::Reject, vec![(ViolationCode::InvalidParams, "steps[0].params")])
    );
    assert!(full.violations[0].message.contains("costs more than"), "{}", full.violations[0].message);
    // The text counts where a pattern explodes.
    let schema = json!({"properties": {"text": {"pattern": "(a|b)*a(a|b){5000}$"}}});
    let (brief, full) = both(&schema, &call(json!({"text": "ab".repeat(8_000)})));
    assert!(brief.is_none());
    assert_eq!(full.status, ValidationStatus::Reject);
}

/// The budget is the plan's: many steps share it.
#[test]
fn the_steps_of_a_plan_share_the_budget() {
    let rows: Vec<u32> = vec![1; 1_000];
    let steps = |count| plan((0..count).map(|n| step(&format!("s{n}"), "call", "", json!({"rows": rows}))).collect());
    let (_, few) = both(&one_of(500), &steps(3));
    assert_eq!(codes(&few), []);
    let (_, many) = both(&one_of(500), &steps(40));
    assert!(!many.violations.is_empty() && many.violations.len() < 40, "{}", many.violations.len());
}

#[test]
fn schemas_that_are_costly_for_any_parameters_are_not_loaded() {
    let nested =
        (0..25).fold(json!({"type": "object"}), |below, _| json!({"anyOf": [below], "unevaluatedProperties": false}));
    assert!(errors(&nested)[0].contains("would cost too much"), "{:?}", errors(&nested));
    let patterns: serde_json::Map<_, _> =
        (0..65).map(|number| (format!("p{number}"), json!({"pattern": format!("^{number}")}))).collect();
    assert!(errors(&json!({"properties": patterns}))[0].contains("patterns"));
    let huge: serde_json::Map<_, _> =
        (0..64).map(|number| (format!("p{number}"), json!({"pattern": format!("{number}.{{5000}}")}))).collect();
    assert!(errors(&json!({"properties": huge}))[0].contains("too big"));
    assert_eq!(errors(&one_of(100)), Vec::<String>::new());
}
