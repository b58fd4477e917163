mod plan;

use std::sync::Arc;

use proptest::prelude::*;
use prost::Message;

use super::*;
use crate::api::proto::v1;
use crate::api::wire::{to_filled_struct, to_value};
use crate::model::*;

fn text() -> impl Strategy<Value = Text> {
    prop_oneof![4 => "[a-z-]{0,12}", 1 => "\\PC{0,200}"].prop_map(Text::from)
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(Value::Number),
        text().prop_map(Value::String),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|items| Value::List(items.into())),
            prop::collection::btree_map("[a-z]{0,3}", inner, 0..4).prop_map(|map| Value::Map(to_attributes(map))),
        ]
    })
}

fn to_attributes(map: std::collections::BTreeMap<String, Value>) -> Attributes {
    Attributes::from_entries(map.into_iter().map(|(key, value)| (Text::from(key), value)).collect()).unwrap()
}

fn attributes() -> impl Strategy<Value = Attributes> {
    prop::collection::btree_map("[a-z]{0,3}", value(), 0..4).prop_map(to_attributes)
}

fn effect() -> impl Strategy<Value = Effect> {
    prop::sample::select(&Effect::ALL[..])
}

fn rule() -> impl Strategy<Value = RuleLabel> {
    let obligation = (text(), attributes()).prop_map(|(id, properties)| Obligation { id, properties });
    (
        text(),
        text(),
        prop::sample::select(&Layer::ALL[..]),
        effect(),
        any::<i32>(),
        text(),
        prop::option::of(1_u8..6),
        prop::collection::vec(obligation, 0..3),
    )
        .prop_map(|(policy, rule, layer, effect, priority, reason, required_level, obligations)| RuleLabel {
            policy,
            rule,
            layer,
            effect,
            priority,
            reason,
            required_level,
            obligations: obligations.into(),
        })
}

fn explanation() -> impl Strategy<Value = Explanation> {
    let outcome = prop::sample::select(&[RuleOutcome::Matched, RuleOutcome::NotMatched, RuleOutcome::Error][..]);
    let read = (text(), prop::option::of(value())).prop_map(|(path, value)| ExplainedValue { path, value });
    let rule = (rule(), outcome, text(), prop::collection::vec(read, 0..3), text()).prop_map(
        |(label, outcome, clause, values, error)| RuleExplanation {
            policy: label.policy,
            rule: label.rule,
            layer: label.layer,
            effect: label.effect,
            priority: label.priority,
            outcome,
            clause,
            values,
            error,
        },
    );
    (prop::collection::vec(rule, 0..4), any::<bool>()).prop_map(|(rules, truncated)| Explanation { rules, truncated })
}

fn numbers() -> impl Strategy<Value = Vec<u32>> {
    prop::collection::vec(0_u32..4, 0..3)
}

fn decision() -> impl Strategy<Value = Decision> {
    let snapshot =
        (prop_oneof![Just(Text::default()), Just(Text::from("sha256:".to_owned() + &"0f".repeat(32)))], any::<u64>())
            .prop_flat_map(|(digest, revision)| {
                (prop::collection::vec(rule(), 0..4), effect()).prop_map(move |(rules, effect)| SnapshotLabel {
                    digest: digest.clone(),
                    revision,
                    version: Text::default(),
                    rules: rules.into(),
                    default: DefaultLabel { effect, policy_set: Text::default() },
                })
            });
    let outcome = prop::sample::select(&[Outcome::Allow, Outcome::Deny, Outcome::RequireApproval][..]);
    let reason = prop::sample::select(
        &[ReasonCode::Policy, ReasonCode::Default, ReasonCode::NoPolicy, ReasonCode::AuditUnavailable][..],
    );
    (
        outcome,
        effect(),
        reason,
        prop::option::of(0_u32..4),
        [numbers(), numbers(), numbers()],
        prop::option::of(explanation()),
        snapshot,
    )
        .prop_map(|(outcome, effect, reason_code, matched, [agreeing, warned, audited], explanation, snapshot)| {
            Decision {
                outcome,
                effect,
                reason_code,
                matched,
                agreeing: agreeing.into(),
                warned: warned.into(),
                audited: audited.into(),
                errors: Vec::new(),
                explanation: explanation.map(Box::new),
                snapshot: Arc::new(snapshot),
            }
        })
}

fn to_effect(effect: Effect) -> v1::Effect {
    v1::Effect::from_str_name(&format!("EFFECT_{}", effect.as_str().to_uppercase())).unwrap()
}

fn to_explanation(explanation: &Explanation) -> v1::Explanation {
    let rules = explanation
        .rules
        .iter()
        .map(|rule| v1::RuleExplanation {
            policy: rule.policy.to_string(),
            rule: rule.rule.to_string(),
            layer: rule.layer.as_str().into(),
            effect: to_effect(rule.effect).into(),
            priority: rule.priority,
            outcome: match rule.outcome {
                RuleOutcome::Matched => v1::RuleOutcome::Matched,
                RuleOutcome::NotMatched => v1::RuleOutcome::NotMatched,
                RuleOutcome::Error => v1::RuleOutcome::Error,
            }
            .into(),
            clause: rule.clause.to_string(),
            values: rule
                .values
                .iter()
                .map(|read| v1::ExplainedValue {
                    path: read.path.to_string(),
                    value: read.value.as_ref().map(to_value),
                })
                .collect(),
            error: rule.error.to_string(),
        })
        .collect();
    v1::Explanation { rules, truncated: explanation.truncated }
}

/// The answer, field by field, in the plainest way.
fn expected(answer: &Answer<'_>) -> v1::EvaluateResponse {
    let decision = answer.decision;
    let matched = decision.matched_rule();
    let outcome = format!("DECISION_{}", decision.outcome.as_str().to_uppercase());
    let reason = format!("REASON_CODE_{}", decision.reason_code.as_str());
    v1::EvaluateResponse {
        request_id: answer.request.request_id.to_string(),
        decision_id: answer.decision_id.to_string(),
        decision: v1::Decision::from_str_name(&outcome).unwrap().into(),
        allowed: decision.outcome == Outcome::Allow,
        effect: to_effect(decision.effect).into(),
        matched_policy: matched.map_or_else(String::new, |rule| rule.policy.to_string()),
        matched_rule: matched.map_or_else(String::new, |rule| rule.rule.to_string()),
        reason_code: v1::ReasonCode::from_str_name(&reason).unwrap().into(),
        reason: decision.reason().into(),
        warnings: decision
            .warnings()
            .map(|warning| v1::Warning {
                policy: warning.policy.into(),
                rule: warning.rule.into(),
                message: warning.message.into(),
            })
            .collect(),
        requires_audit: decision.requires_audit(),
        required_level: decision.required_level().map(u32::from),
        obligations: decision
            .obliging_rules()
            .flat_map(|rule| {
                rule.obligations.iter().map(|obligation| v1::Obligation {
                    id: obligation.id.to_string(),
                    policy: rule.policy.to_string(),
                    rule: rule.rule.to_string(),
                    properties: (!obligation.properties.is_empty()).then(|| to_filled_struct(&obligation.properties)),
                })
            })
            .collect(),
        action_hash: answer.action_hash.into(),
        snapshot: (!decision.snapshot.digest.is_empty()).then(|| v1::SnapshotRef {
            digest: decision.snapshot.digest.to_string(),
            revision: decision.snapshot.revision,
        }),
        semantics: SEMANTICS,
        correlation_id: answer.correlation_id.into(),
        evaluation_nanos: answer.evaluation_nanos,
        explanation: decision.explanation.as_deref().map(to_explanation),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn prost_reads_what_was_meant(
        decision in decision(), request_id in text(), correlation in "[a-z]{0,9}", hash in "[a-z]{0,9}", id in any::<u128>(),
        evaluation_nanos in any::<u64>(),
    ) {
        let request = Request { request_id, ..Request::default() };
        let answer = Answer {
            request: &request,
            decision: &decision,
            decision_id: uuid::Uuid::from_u128(id),
            correlation_id: &correlation,
            action_hash: &hash,
            evaluation_nanos,
        };
        let mut bytes = vec![0xaa];
        evaluate_response(&mut Writer::new(&mut bytes), &answer);
        let read = v1::EvaluateResponse::decode(&bytes[1..]).unwrap();
        prop_assert_eq!(&read, &expected(&answer));
        // Nothing is written that prost would leave out, and no number is longer than it need be.
        prop_assert!(bytes.len() - 1 <= read.encoded_len());
    }

    #[test]
    fn nested_messages_of_any_length_have_the_right_prefix(length in 0_usize..70_000) {
        let mut bytes = Vec::new();
        Writer::new(&mut bytes).nested(2, |out| out.resize(out.len() + length, 7));
        let mut rest = &bytes[1..];
        prop_assert_eq!(prost::encoding::decode_varint(&mut rest).unwrap(), length as u64);
        prop_assert_eq!(rest.len(), length);
        prop_assert!(rest.iter().all(|byte| *byte == 7));
    }
}
