use proptest::prelude::*;

use super::*;
use crate::ir::canonical::tests::values;
use crate::ir::refusal::Refused;
use crate::model::{Attributes, Input, Observation, Origin, Value};

/// `tests/cases/ir/hash`: plans with their canonical form and hashes, or what of them is refused. `LICTOR_UPDATE_CASES=1`
/// writes what came out.
#[test]
fn the_published_cases() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases/ir/hash");
    let mut count = 0;
    for entry in std::fs::read_dir(directory).expect("cases") {
        let path = entry.expect("an entry").path();
        let text = std::fs::read_to_string(&path).expect("a case");
        let (given, expected) = text.split_once("expected:\n").unwrap_or((&text, ""));
        let case: serde_json::Value = serde_yaml::from_str(given).expect("YAML");
        let mut findings = crate::diag::Findings::default();
        let source = crate::diag::Sources::default().add("plan", "");
        let plan = crate::policy::read_plan(source, &printable(&case["plan"]), &mut findings);
        assert!(!findings.has_errors(), "{}: {findings:?}", path.display());
        let plan = plan.expect("a plan");
        let hashes = plan_hashes(&plan);
        let outcome = match plan_canonical(&plan) {
            Ok(canonical) => {
                assert_eq!(hashes.ir_hash, sha256_text(canonical.as_bytes()));
                serde_json::json!({"canonical": canonical, "ir_hash": hashes.ir_hash, "step_hashes": hashes.step_hashes})
            }
            Err(refusals) => {
                refusals.iter().map(|refusal| (refusal.path.clone(), refusal.reason.to_string())).collect()
            }
        };
        if std::env::var_os("LICTOR_UPDATE_CASES").is_some() {
            let yaml = serde_yaml::to_string(&serde_json::json!({"expected": outcome})).expect("YAML");
            std::fs::write(&path, format!("{given}{yaml}")).expect("written");
        } else {
            let expected: serde_json::Value = serde_yaml::from_str(expected).expect("YAML");
            assert_eq!(outcome, expected, "{}", path.display());
        }
        count += 1;
    }
    assert!(count >= 5, "{count} cases");
}

/// The JSON of `value`, in which what YAML would not take as it stands is escaped.
fn printable(value: &serde_json::Value) -> String {
    let escaped = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{fffe}' | '\u{ffff}');
    let json = value.to_string();
    json.chars().map(|c| if escaped(c) { format!("\\u{:04x}", u32::from(c)) } else { c.to_string() }).collect()
}

fn attributes(json: &str) -> Attributes {
    Attributes::try_from(&serde_json::from_str(json).expect("JSON")).expect("attributes")
}

fn from_step(path: &str, step_id: &str, output_path: &str) -> Input {
    Input { path: path.into(), origin: Origin::Step { step_id: step_id.into(), output_path: output_path.into() } }
}

fn step() -> Step {
    Step {
        step_id: "send".into(),
        action: "mail.send".into(),
        provider: "mail.v1".into(),
        resource: "mailbox:alice".into(),
        params: attributes(r#"{"to": "bob@example.com", "body": "preview", "cc": []}"#),
        constraints: attributes(r#"{"environment": "dev"}"#),
        idempotency_key: "send-1".into(),
        budget_cents: Some(0),
        depends_on: vec!["read".into(), "find".into(), "read".into()],
        inputs: vec![
            from_step("/body", "read", "/text"),
            Input { path: "/to".into(), origin: Origin::User { quote: "".into() } },
            Input { path: "/cc".into(), origin: Origin::Constant },
            from_step("/body", "find", ""),
            from_step("/body", "read", "/text"),
        ],
        description: "Sends it.\nOnce.".into(),
    }
}

fn sequence(steps: Vec<Step>) -> Plan {
    Plan { steps, ..Plan::default() }
}

#[test]
fn the_canonical_form_of_a_full_step() {
    let expected = concat!(
        r#"{"action":"mail.send","budget_cents":0,"constraints":{"environment":"dev"},"depends_on":["find","read"],"#,
        r#""description":"Sends it.\nOnce.","idempotency_key":"send-1","inputs":["#,
        r#"{"path":"/body","step":{"step_id":"find"}},"#,
        r#"{"path":"/body","step":{"output_path":"/text","step_id":"read"}},"#,
        r#"{"constant":{},"path":"/cc"},{"path":"/to","user":{}}],"#,
        r#""params":{"cc":[],"to":"bob@example.com"},"provider":"mail.v1","resource":"mailbox:alice","step_id":"send"}"#,
    );
    assert_eq!(step_canonical(&step()), Ok(expected.to_owned()));
    // printf '%s' '…' | sha256sum
    assert_eq!(
        step_hash(&step()),
        Ok("sha256:d008e0fd7482153310b219c7c5039434b5aa67581ec3574582141efcae1bf6c9".into())
    );
    let plan = Plan { ordering: Ordering::Dag, ..sequence(vec![step()]) };
    let whole = format!(r#"{{"ordering":"DAG","steps":[{expected}],"tenant":"default"}}"#);
    assert_eq!(plan_canonical(&plan), Ok(whole));
    let hashes = plan_hashes(&plan);
    assert_eq!(hashes.ir_hash, "sha256:b6890d56a34e3b01a8291e6b1fc40770d25a701e26422aa9f05b6235c41d13fe");
    assert_eq!(hashes.step_hashes, [step_hash(&step()).expect("a hash")]);
}

#[test]
fn empty_things_are_the_same_as_absent_ones() {
    assert_eq!(step_canonical(&Step::default()), Ok("{}".into()));
    assert_eq!(plan_canonical(&Plan::default()), Ok(r#"{"ordering":"SEQUENTIAL","tenant":"default"}"#.into()));
    let named = Plan { tenant_id: "default".into(), ..Plan::default() };
    assert_eq!(plan_hash(&named), plan_hash(&Plan::default()));
    // A budget of nothing is said, and inside params every value counts.
    let free = Step { budget_cents: Some(0), ..Step::default() };
    assert_ne!(step_hash(&free), step_hash(&Step::default()));
    let null = Step { params: attributes(r#"{"a": null}"#), ..Step::default() };
    assert_eq!(step_canonical(&null), Ok(r#"{"params":{"a":null}}"#.into()));
}

#[test]
fn what_is_bound_to_an_output_is_not_hashed() {
    let with = |params: &str, paths: &[&str]| {
        let inputs = paths.iter().map(|path| from_step(path, "a", "")).collect();
        let step = Step { params: attributes(params), inputs, ..Step::default() };
        let text = step_canonical(&step).expect("canonical");
        let (_, params) = text.split_once(r#"}}]"#).or_else(|| text.split_once(r#"}]"#)).expect("inputs");
        params.trim_start_matches(r#","params":"#).trim_end_matches('}').to_owned()
    };
    let whole = |params: &str, paths: &[&str]| with(params, paths);
    assert_eq!(whole(r#"{"a": 1, "b": 2}"#, &["/a"]), r#"{"b":2"#);
    assert_eq!(whole(r#"{"b": 2}"#, &["/a"]), r#"{"b":2"#);
    assert_eq!(whole(r#"{"a": 1}"#, &["/a"]), "");
    assert_eq!(whole(r#"{"a": 1}"#, &[""]), "");
    assert_eq!(whole(r#"{"a": {"b": 1}}"#, &["/a/b"]), "");
    assert_eq!(whole(r#"{"a": {}}"#, &["/a/b"]), "");
    assert_eq!(whole(r#"{"a": {"b": 1, "c": {}}}"#, &["/a/b"]), r#"{"a":{"c":{"#);
    assert_eq!(whole(r#"{"a": [1, 2, 3]}"#, &["/a/0"]), r#"{"a":[null,2,3]"#);
    assert_eq!(whole(r#"{"a": [1, 2, 3]}"#, &["/a/2", "/a/1"]), r#"{"a":[1]"#);
    assert_eq!(whole(r#"{"a": [{"to": 1, "n": 2}]}"#, &["/a/0/to"]), r#"{"a":[{"n":2}]"#);
    assert_eq!(whole(r#"{"a/b": 1, "c": 2}"#, &["/a~1b"]), r#"{"c":2"#);
}

#[test]
fn refusals_name_their_place() {
    let bad = Step {
        step_id: "a\u{202e}b".into(),
        action: "mail\u{7}send".into(),
        params: Attributes::from_entries(vec![
            ("n".into(), Value::List(Box::new([Value::Number(1.0), Value::Number(9_007_199_254_740_992.0)]))),
            ("a/b".into(), Value::String("x\u{1}".into())),
            ("nan".into(), Value::Number(f64::NAN)),
            ("key\u{85}".into(), Value::Null),
            ("fine".into(), Value::String("\r\n\té\u{a0}".into())),
        ])
        .expect("unique"),
        budget_cents: Some(i64::MAX),
        depends_on: vec!["ok".into(), "\n".into()],
        inputs: vec![Input { path: "/x\u{0}".into(), origin: Origin::User { quote: "\u{1b}".into() } }],
        description: "line\nline".into(),
        ..Step::default()
    };
    let hashes = plan_hashes(&sequence(vec![step(), bad]));
    let paths: Vec<&str> = hashes.refusals.iter().map(|refusal| refusal.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "steps[1].action",
            "steps[1].budget_cents",
            "steps[1].depends_on[1]",
            "steps[1].inputs[0].path",
            "steps[1].inputs[0].user.quote",
            "steps[1].params/a~1b",
            "steps[1].params/key\u{fffd}",
            "steps[1].params/n/1",
            "steps[1].params/nan",
            "steps[1].step_id",
        ]
    );
    assert_eq!(hashes.ir_hash, "");
    assert!(!hashes.step_hashes[0].is_empty() && hashes.step_hashes[1].is_empty());
    assert_eq!(hashes.refusals[0].reason, Refused::InId('\u{7}'));
    assert_eq!(hashes.refusals[5].reason, Refused::Control('\u{1}'));
    assert!(hashes.refusals[7].reason.to_string().contains("9007199254740992 is beyond 2^53 - 1"));
}

#[test]
fn a_preview_is_no_content_and_refuses_nothing() {
    let preview = Step {
        params: attributes(r#"{"body": "\u0001"}"#),
        inputs: vec![from_step("/body", "a", "")],
        ..Step::default()
    };
    assert!(step_hash(&preview).is_ok());
}

#[test]
fn deep_values_are_refused_and_not_walked() {
    let mut value = Value::Null;
    for _ in 0..40 {
        value = Value::List(Box::new([value]));
    }
    let params = Attributes::from_entries(vec![("a".into(), value)]).expect("unique");
    let refusals = step_hash(&Step { params, ..Step::default() }).expect_err("too deep");
    assert_eq!(refusals.len(), 1);
    assert_eq!(refusals[0].reason, Refused::TooDeep);
    assert_eq!(refusals[0].path.matches('/').count(), 32);
}

#[test]
fn the_dag_is_hashed_by_id() {
    let node = |id: &str, hash: &str, depends_on: &[&str]| DagNode {
        ir_step_id: id.into(),
        ir_step_hash: hash.into(),
        depends_on: depends_on.iter().map(|id| (*id).into()).collect(),
        ..DagNode::default()
    };
    let nodes = [node("2", "a", &["10", "1"]), node("10", "b", &[])];
    // printf '%s' '[{"depends_on":[],"ir_step_hash":"b","ir_step_id":"10"},{"depends_on":["1","10"],"ir_step_hash":"a",
    // "ir_step_id":"2"}]' | sha256sum, on one line
    assert_eq!(dag_hash(&nodes), "sha256:a7715a7933ec8b4732153bbe0be1ead4d07ef82669b4ddacdbcc55971d87fe6e");
    assert_eq!(dag_hash(&[node("10", "b", &[]), node("2", "a", &["1", "10"])]), dag_hash(&nodes));
    assert_ne!(dag_hash(&[node("10", "b", &[]), node("2", "a", &["1"])]), dag_hash(&nodes));
}

fn ids() -> impl Strategy<Value = Text> {
    "[a-d]{0,2}".prop_map(Text::from)
}

fn maps() -> impl Strategy<Value = Attributes> {
    prop::collection::hash_map("[a-c/~]{0,2}", values(), 0..4).prop_map(|map| {
        let entries = map.into_iter().map(|(key, value)| (key.into(), value)).collect();
        Attributes::from_entries(entries).expect("unique keys")
    })
}

fn inputs() -> impl Strategy<Value = Input> {
    let origin = prop_oneof![
        Just(Origin::Constant),
        ids().prop_map(|quote| Origin::User { quote }),
        (ids(), "(/[a-c])?").prop_map(|(step_id, path)| Origin::Step { step_id, output_path: path.into() }),
    ];
    ("(/[a-c0]){1,2}", origin).prop_map(|(path, origin)| Input { path: path.into(), origin })
}

fn steps() -> impl Strategy<Value = Step> {
    (
        (ids(), ids(), ids(), ids(), ids(), ids()),
        (
            maps(),
            maps(),
            prop::option::of(0_i64..3),
            prop::collection::vec(ids(), 0..3),
            prop::collection::vec(inputs(), 0..3),
        ),
    )
        .prop_map(
            |(
                (step_id, action, provider, resource, key, description),
                (params, constraints, budget_cents, depends_on, inputs),
            )| {
                Step {
                    step_id,
                    action,
                    provider,
                    resource,
                    params,
                    constraints,
                    idempotency_key: key,
                    budget_cents,
                    depends_on,
                    inputs,
                    description,
                }
            },
        )
}

/// The step as a plain reading of the rules makes it, through serde_json and another canonical writer.
fn naive(step: &Step) -> serde_json::Value {
    let mut out = serde_json::Map::new();
    for (name, text) in [
        ("action", &step.action),
        ("provider", &step.provider),
        ("resource", &step.resource),
        ("idempotency_key", &step.idempotency_key),
        ("step_id", &step.step_id),
        ("description", &step.description),
    ] {
        if !text.is_empty() {
            out.insert(name.into(), text.as_str().into());
        }
    }
    if let Some(cents) = step.budget_cents {
        out.insert("budget_cents".into(), cents.into());
    }
    let json = |map: &Attributes| serde_json::to_value(map).expect("JSON");
    if !step.constraints.is_empty() {
        out.insert("constraints".into(), json(&step.constraints));
    }
    let mut params = json(&step.params);
    for input in &step.inputs {
        if matches!(input.origin, Origin::Step { .. }) {
            remove(&mut params, &input.path);
        }
    }
    if params.as_object().is_some_and(|map| !map.is_empty()) {
        out.insert("params".into(), params);
    }
    if !step.depends_on.is_empty() {
        let ids: std::collections::BTreeSet<&str> = step.depends_on.iter().map(Text::as_str).collect();
        out.insert("depends_on".into(), serde_json::to_value(ids).expect("JSON"));
    }
    let mut inputs: Vec<&Input> = step.inputs.iter().collect();
    inputs.sort_by_key(|input| match &input.origin {
        Origin::Constant => (input.path.clone(), 0, Text::default(), Text::default()),
        Origin::Step { step_id, output_path } => (input.path.clone(), 1, step_id.clone(), output_path.clone()),
        Origin::User { quote } => (input.path.clone(), 2, quote.clone(), Text::default()),
    });
    inputs.dedup();
    if !inputs.is_empty() {
        let list: Vec<serde_json::Value> = inputs
            .into_iter()
            .map(|input| {
                let mut object = serde_json::json!({"path": input.path.as_str()});
                match &input.origin {
                    Origin::Constant => object["constant"] = serde_json::json!({}),
                    Origin::User { quote } if quote.is_empty() => object["user"] = serde_json::json!({}),
                    Origin::User { quote } => object["user"] = serde_json::json!({"quote": quote.as_str()}),
                    Origin::Step { step_id, output_path } => {
                        let mut from = serde_json::Map::new();
                        for (name, text) in [("step_id", step_id), ("output_path", output_path)] {
                            if !text.is_empty() {
                                from.insert(name.into(), text.as_str().into());
                            }
                        }
                        object["step"] = from.into();
                    }
                }
                object
            })
            .collect();
        out.insert("inputs".into(), list.into());
    }
    out.into()
}

/// Removes what `pointer` names, which names keys of maps only, and the maps that are left empty above it.
fn remove(params: &mut serde_json::Value, pointer: &str) {
    let Some((parent, last)) = pointer.rsplit_once('/') else { return };
    if let Some(map) = params.pointer_mut(parent).and_then(serde_json::Value::as_object_mut) {
        map.remove(last);
        if map.is_empty() && !parent.is_empty() {
            remove(params, parent);
        }
    }
}

fn has_list_under_bound(step: &Step) -> bool {
    step.params.iter().any(|(_, value)| matches!(value, Value::List(_)))
        || step.inputs.iter().any(|input| input.path.contains('0'))
}

proptest! {
    #[test]
    fn a_plain_reading_of_the_rules_gives_the_same(step in steps()) {
        prop_assume!(!has_list_under_bound(&step));
        if let Ok(canonical) = step_canonical(&step) {
            prop_assert_eq!(canonical, serde_json_canonicalizer::to_string(&naive(&step)).expect("canonical"));
        }
    }

    #[test]
    fn what_is_not_content_never_changes_the_hash(steps in prop::collection::vec(steps(), 0..4), text in "[a-z]{1,9}") {
        let plan = sequence(steps);
        let other = Plan {
            request_id: text.as_str().into(),
            intent_summary: text.as_str().into(),
            user_messages: vec![text.as_str().into()],
            observations: vec![Observation { step_id: "a".into(), output: Value::Null }],
            labels: vec![(text.as_str().into(), "x".into())],
            run_id: text.as_str().into(),
            correlation_id: text.as_str().into(),
            snapshot: text.as_str().into(),
            audience: text.as_str().into(),
            ..plan.clone()
        };
        prop_assert_eq!(plan_hashes(&plan), plan_hashes(&other));
    }

    #[test]
    fn order_of_keys_inputs_and_dependencies_never_matters(step in steps()) {
        let mut shuffled = step.clone();
        shuffled.params = reversed(&step.params);
        shuffled.constraints = reversed(&step.constraints);
        shuffled.depends_on.reverse();
        shuffled.inputs.reverse();
        if let Ok(hash) = step_hash(&step) {
            prop_assert_eq!(step_hash(&shuffled), Ok(hash));
        }
    }

    #[test]
    fn the_list_order_is_content_in_a_sequence_only(a in steps(), b in steps()) {
        let (Ok(of_a), Ok(of_b)) = (step_hash(&a), step_hash(&b)) else { return Ok(()) };
        let there = sequence(vec![a.clone(), b.clone()]);
        let back = sequence(vec![b.clone(), a.clone()]);
        prop_assert_eq!(plan_hash(&there) == plan_hash(&back), of_a == of_b);
        prop_assume!(a.step_id != b.step_id);
        let dag = |plan: Plan| plan_hash(&Plan { ordering: Ordering::Dag, ..plan });
        prop_assert_ne!(dag(there.clone()), plan_hash(&there));
        prop_assert_eq!(dag(there), dag(back));
    }

    #[test]
    fn every_change_of_content_changes_the_hash(a in steps(), b in steps()) {
        let (Ok(of_a), Ok(of_b)) = (step_canonical(&a), step_canonical(&b)) else { return Ok(()) };
        prop_assert_eq!(step_hash(&a) == step_hash(&b), of_a == of_b);
        for change in changes(&a) {
            prop_assert_ne!(step_hash(&change), step_hash(&a), "{:?}", change);
        }
    }
}

fn reversed(map: &Attributes) -> Attributes {
    let turned = |value: &Value| match value {
        Value::Map(map) => Value::Map(reversed(map)),
        other => other.clone(),
    };
    let entries = map.iter().rev().map(|(key, value)| (key.clone(), turned(value))).collect();
    Attributes::from_entries(entries).expect("unique keys")
}

/// One change of each field.
fn changes(step: &Step) -> Vec<Step> {
    let longer = |text: &Text| Text::from(format!("{text}x"));
    let mut depends_on = step.depends_on.clone();
    depends_on.push("zz".into());
    let mut inputs = step.inputs.clone();
    inputs.push(Input { path: "/zz".into(), origin: Origin::Constant });
    let with = |map: &Attributes| {
        let more = map.iter().cloned().chain([("zz".into(), Value::Null)]).collect();
        Attributes::from_entries(more).expect("unique keys")
    };
    vec![
        Step { step_id: longer(&step.step_id), ..step.clone() },
        Step { action: longer(&step.action), ..step.clone() },
        Step { provider: longer(&step.provider), ..step.clone() },
        Step { resource: longer(&step.resource), ..step.clone() },
        Step { idempotency_key: longer(&step.idempotency_key), ..step.clone() },
        Step { description: longer(&step.description), ..step.clone() },
        Step { budget_cents: Some(step.budget_cents.map_or(0, |cents| cents + 1)), ..step.clone() },
        Step { params: with(&step.params), ..step.clone() },
        Step { constraints: with(&step.constraints), ..step.clone() },
        Step { depends_on, ..step.clone() },
        Step { inputs, ..step.clone() },
    ]
}
