//! What the hash and the answer must not depend on, and what they must.

use proptest::prelude::*;

use super::*;
use crate::model::Text;

/// Attributes of small trees.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        (-1_000_000i32..1_000_000).prop_map(|number| Value::Number(f64::from(number) / 8.0)),
        "[a-zé\\n\"]{0,6}".prop_map(|text| Value::String(text.into())),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(|items| Value::List(items.into())),
            attributes_of(inner).prop_map(Value::Map),
        ]
    })
}

fn attributes_of(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Attributes> {
    proptest::collection::btree_map("[a-d]{1,2}", value, 0..4).prop_map(|entries| {
        Attributes::from_entries(entries.into_iter().map(|(key, value)| (Text::from(key), value)).collect()).unwrap()
    })
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let one = (attributes_of(value()), attributes_of(value()), proptest::option::of(0i64..1_000), any::<bool>());
    proptest::collection::vec(one, 1..6).prop_map(|steps| {
        let of =
            |(index, (params, constraints, budget_cents, is_transfer)): (usize, (Attributes, Attributes, _, bool))| {
                let base = if is_transfer { transfer(&format!("s{index}")) } else { search(&format!("s{index}")) };
                Step { params, constraints, budget_cents, ..base }
            };
        steps.into_iter().enumerate().map(of).collect()
    })
}

fn reversed(attributes: &Attributes) -> Attributes {
    let of = |value: &Value| match value {
        Value::Map(map) => Value::Map(reversed(map)),
        other => other.clone(),
    };
    let entries = attributes.iter().rev().map(|(key, value)| (key.clone(), of(value))).collect();
    Attributes::from_entries(entries).unwrap()
}

/// Rules of every kind that read arguments, and sinks.
const READERS: &str = r#"
apiVersion: lictor.dev/v1
kind: ActionCatalog
metadata: {name: readers}
spec:
  actions:
    - {name: read, tier: 0, labels: [strangers]}
    - name: act
      tier: 1
      parameters: {"/a": {labels: [target]}, "/b/c": {labels: [target]}}
      countPaths: ["/a", "/b"]
      paramsSchema: {properties: {a: {type: [string, array, object]}, b: {maxItems: 2}}}
---
apiVersion: lictor.dev/v1
kind: RiskPolicy
metadata: {name: readers}
spec:
  approvalTier: 2
  bulk: {above: 1, tier: 2, unknownTier: 1}
  tiers:
    - {name: t, when: 'step.params.a == "a" || has(step.params.b.c)', tier: 2}
  plan:
    - {name: p, when: 'ir.steps.exists(s, has(s.params.c) && s.params.c.d == s.params.a)', effect: escalate}
    - {name: q, when: 'ir.steps.exists(s, s.params.size() > 2)', effect: reject}
    - {name: r, when: 'ir.steps.map(s, s.params) == [] || "d" in ir.steps[0].params', effect: escalate}
  flows:
    - {name: f, from: strangers, to: target, effect: escalate}
---
apiVersion: lictor.dev/v1
kind: Policy
metadata: {name: readers}
spec:
  rules:
    - {name: approvals, effect: require_approval, actions: [act], when: '!has(context.params.a) || context.params.a == "b"'}
    - {name: denials, effect: deny, when: 'context.params.b[0] == true || context.params.exists(k, k == "cc")'}
    - {name: listed, effect: deny, conditions: [{field: context.params.d, operator: contains, value: a}]}
    - {name: whole, effect: warn, when: 'context.params == {"a": 1}'}
"#;

/// What an answer says, apart from where in the list a step stands.
fn summary(validation: &Validation) -> (ValidationStatus, u8, Option<u8>, Text, Vec<(ViolationCode, Text)>) {
    let mut violations: Vec<_> =
        validation.violations.iter().map(|violation| (violation.code, violation.step_id.clone())).collect();
    violations.sort();
    (validation.status, validation.risk_tier, validation.required_level, validation.ir_hash.clone(), violations)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_no_content_changes_nothing(steps in steps(), request_id in "[a-z]{1,8}", when in 0i64..4_000_000_000_000_000) {
        let snapshot = snapshot(&[(Layer::Organisation, GOVERNANCE)]);
        let limits = Limits::default();
        let plan = plan(steps);
        let mut other = plan.clone();
        other.request_id = request_id.clone().into();
        other.correlation_id = request_id.clone().into();
        other.intent_summary = request_id.clone().into();
        other.labels = vec![("a".into(), request_id.into())];
        for step in &mut other.steps {
            step.params = reversed(&step.params);
            step.constraints = reversed(&step.constraints);
        }
        let first = validate(Some(&snapshot), &plan, Timestamp::default(), &limits);
        let second = validate(Some(&snapshot), &other, Timestamp::from_micros(when), &limits);
        prop_assert!(!first.ir_hash.is_empty());
        prop_assert_eq!(summary(&first), summary(&second));
        let hashes = |answer: &Validation| answer.steps.iter().map(|step| step.step_hash.clone()).collect::<Vec<_>>();
        prop_assert_eq!(hashes(&first), hashes(&second));
        // Computed fields are no part of a plan, so that validating the same plan twice gives the same hash.
        prop_assert_eq!(&first.ir_hash, &validate(Some(&snapshot), &plan, Timestamp::default(), &limits).ir_hash);
    }

    #[test]
    fn a_change_of_content_changes_the_hash(steps in steps(), at in any::<prop::sample::Index>(), field in 0usize..9) {
        let snapshot = snapshot(&[(Layer::Organisation, GOVERNANCE)]);
        let before = plan(steps);
        let mut after = before.clone();
        let step = at.get_mut(&mut after.steps);
        match field {
            0 => step.action.push('x'),
            1 => step.provider.push('x'),
            2 => step.resource.push('x'),
            3 => step.idempotency_key.push('x'),
            4 => step.step_id.push('x'),
            5 => step.description.push('x'),
            6 => step.budget_cents = Some(step.budget_cents.unwrap_or(0) + 1),
            7 => step.params = params(serde_json::json!({"an": "other", "x": step.params.len()})),
            _ => after.tenant_id = "another".into(),
        }
        let hash = |plan: &Plan| validate(Some(&snapshot), plan, Timestamp::default(), &Limits::default()).ir_hash;
        prop_assert_ne!(hash(&before), hash(&after));
    }

    #[test]
    fn previews_change_nothing(
        all in proptest::collection::vec(attributes_of(value()), 1..4),
        bound in proptest::collection::vec(prop_oneof![
            3 => "/[a-d]{1,2}", 2 => "/[a-d]/[a-d]", 1 => "/[a-d]/[0-2]", 1 => "/[a-d]/[0-2]/[a-d]",
        ], 1..4),
    ) {
        use crate::model::{bound_paths, without_previews};
        let snapshot = snapshot(&[(Layer::Organisation, READERS)]);
        let mut steps = vec![step("s", "read", "", serde_json::json!({}))];
        for (index, params) in all.iter().enumerate() {
            let from = |path: &String| Input {
                path: path.as_str().into(),
                origin: Origin::Step { step_id: "s".into(), output_path: "".into() },
            };
            let base = step(&format!("s{index}"), "act", "", serde_json::json!({}));
            steps.push(Step { params: params.clone(), inputs: bound.iter().map(from).collect(), ..base });
        }
        let with = plan(steps);
        let mut without = with.clone();
        for step in &mut without.steps {
            if let Some(params) = without_previews(&step.params, &bound_paths(&step.clone())) {
                step.params = params;
            }
        }
        let mut changed = without.clone();
        for step in changed.steps.iter_mut().filter(|step| !step.inputs.is_empty()) {
            let mut entries: Vec<_> = step.params.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
            for path in bound.iter().filter(|path| path.rfind('/') == Some(0)) {
                if !entries.iter().any(|(key, _)| key == &path[1..]) {
                    entries.push((path[1..].into(), Value::String("a".into())));
                }
            }
            step.params = Attributes::from_entries(entries).unwrap();
        }
        let answer = |plan: &Plan| validate(Some(&snapshot), plan, Timestamp::default(), &Limits::default());
        let (with, without, changed) = (answer(&with), answer(&without), answer(&changed));
        prop_assert_eq!(summary(&with), summary(&without));
        prop_assert_eq!(summary(&with), summary(&changed));
        let messages = |answer: &Validation| answer.violations.iter().map(|v| v.message.clone()).collect::<Vec<_>>();
        prop_assert_eq!(messages(&with), messages(&without));
        prop_assert_eq!(messages(&with), messages(&changed));
    }

    #[test]
    fn the_order_of_a_dag_says_nothing(steps in steps(), seed in any::<u64>()) {
        let snapshot = snapshot(&[(Layer::Organisation, GOVERNANCE)]);
        let mut before = Plan { ordering: Ordering::Dag, ..plan(steps) };
        for index in 1..before.steps.len() {
            if seed & (1 << index) != 0 {
                before.steps[index].depends_on = vec![before.steps[index / 2].step_id.clone()];
            }
        }
        let mut after = before.clone();
        let count = after.steps.len();
        for index in 0..count {
            let other = usize::try_from(seed.rotate_left(u32::try_from(index).unwrap() * 7) % count as u64).unwrap();
            after.steps.swap(index, other);
        }
        let answer = |plan: &Plan| validate(Some(&snapshot), plan, Timestamp::default(), &Limits::default());
        prop_assert_eq!(summary(&answer(&before)), summary(&answer(&after)));
    }

    #[test]
    fn validating_anything_ends_in_an_answer(
        texts in proptest::collection::vec("\\PC{0,8}|[\\x00-\\x20a\u{202e}]{0,4}", 8),
        number in any::<f64>(),
        cents in any::<Option<i64>>(),
        dag in any::<bool>(),
    ) {
        let text = |index: usize| Text::from(texts[index].as_str());
        let number = if number.is_finite() { number } else { 0.0 };
        let origin = Origin::Step { step_id: text(0), output_path: text(1) };
        let step = Step {
            step_id: text(0),
            action: text(2),
            provider: text(3),
            resource: text(4),
            params: Attributes::from_entries(vec![(text(5), Value::Number(number))]).unwrap(),
            idempotency_key: text(6),
            budget_cents: cents,
            depends_on: vec![text(0), text(7)],
            inputs: vec![Input { path: text(5), origin }],
            ..Step::default()
        };
        let ordering = if dag { Ordering::Dag } else { Ordering::Sequential };
        let answer = validated(&Plan { ordering, ..plan(vec![step.clone(), step]) });
        prop_assert_eq!(answer.status, ValidationStatus::Reject);
        prop_assert_eq!(answer.steps.len(), 2);
    }
}
