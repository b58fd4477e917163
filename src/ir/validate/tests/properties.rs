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
