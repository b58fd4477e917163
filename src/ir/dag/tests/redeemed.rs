//! Plans that people approved: calls and nodes are what was redeemed.

use super::*;
use crate::ir::call::call_hash;
use crate::model::{Redeemed, Redemption, RedemptionMode, Timestamp};

/// The calls of the plan, with the open body of `c` filled with `text`.
fn calls_with(text: &str) -> Vec<Execution> {
    let mut made = calls(&dag());
    made[2].params = resolved(text);
    made
}

fn resolved(text: &str) -> Attributes {
    attributes(&format!(r#"{{"to": "eve", "body": "{text}"}}"#))
}

fn redemption(mode: RedemptionMode, steps: &[(&str, Attributes)]) -> Redemption {
    let plan = dag();
    let redeemed = steps.iter().map(|(id, params)| {
        let step = plan.steps.iter().find(|step| step.step_id == *id);
        Redeemed {
            step_id: (*id).into(),
            key_hash: Text::default(),
            grant_id: Text::default(),
            step_hash: step.map(|step| call_hash(step, params).expect("a hash")).unwrap_or_default(),
            principal: "runtime".into(),
            at: Timestamp::default(),
        }
    });
    Redemption { mode, redeemed: redeemed.collect() }
}

fn all_steps() -> Redemption {
    let plan = dag();
    let params = |i: usize| plan.steps[i].params.clone();
    redemption(RedemptionMode::Stepwise, &[("a", params(0)), ("b", params(1)), ("c", resolved("hello"))])
}

fn verify(redemption: Option<&Redemption>, nodes: &[DagNode], calls: &[Execution]) -> DagVerification {
    let plan = dag();
    let hash = plan_hash(&plan).expect("a hash");
    verify_dag(&plan, nodes, calls, Binding::Approval { ir_hash: &hash, redemption }, &Schemas::none())
}

fn said(found: &DagVerification) -> Vec<(DeviationKind, &str)> {
    found.deviations.iter().map(|deviation| (deviation.kind, deviation.step_id.as_str())).collect()
}

#[test]
fn calls_are_what_was_redeemed() {
    use DeviationKind::{ChangedParams, NotAuthorised};
    let whole = redemption(RedemptionMode::Whole, &[("", Attributes::default())]);
    let all = all_steps();
    let mut two = all.clone();
    two.redeemed.pop();
    type Case<'a> = (Option<&'a Redemption>, &'a str, &'a [(DeviationKind, &'a str)]);
    let cases: [Case<'_>; 6] = [
        (Some(&all), "hello", &[]),
        (Some(&all), "goodbye", &[(ChangedParams, "c")]),
        (Some(&whole), "hello", &[]),
        (Some(&whole), "goodbye", &[]),
        (Some(&two), "hello", &[(NotAuthorised, "c")]),
        (None, "hello", &[(NotAuthorised, "a"), (NotAuthorised, "b"), (NotAuthorised, "c")]),
    ];
    for (redemption, text, expected) in cases {
        for named in [true, false] {
            let mut made = calls_with(text);
            if !named {
                made.iter_mut().for_each(|call| call.step_id = Text::default());
            }
            let found = verify(redemption, &[], &made);
            assert_eq!(said(&found), expected, "{redemption:?} {text} {named}");
            assert_eq!(found.success, expected.is_empty());
        }
    }
    // Whoever redeems the whole fills the open arguments, and leaves none out.
    let mut made = calls_with("hello");
    made[2].params = attributes(r#"{"to": "eve"}"#);
    for redemption in [&whole, &all] {
        let found = verify(Some(redemption), &[], &made);
        assert_eq!(said(&found), [(ChangedParams, "c")]);
        assert_eq!(found.deviations[0].message, "/body is filled from another step's output, and was not given");
        assert!(!found.success);
    }
    // A call that was not made needs nothing, and other literals are told once.
    let mut made = calls_with("hello");
    made[2].outcome = ExecutionOutcome::Refused;
    assert!(said(&verify(Some(&two), &[], &made)).is_empty());
    made[2].outcome = ExecutionOutcome::Done;
    made[2].params = attributes(r#"{"to": "mallory", "body": "hello"}"#);
    assert_eq!(said(&verify(Some(&all), &[], &made)), [(ChangedParams, "c")]);
}

#[test]
fn nodes_are_what_was_redeemed() {
    let plan = dag();
    let all = all_steps();
    let with = |params: Attributes| {
        let mut compiled = nodes(&plan);
        compiled[2].content.as_mut().expect("content").params = params;
        compiled
    };
    for (nodes, redemption, success) in [
        (nodes(&plan), Some(&all), true),
        (nodes(&plan), None, true),
        (with(resolved("hello")), Some(&all), true),
        (with(resolved("goodbye")), Some(&all), false),
        (with(resolved("goodbye")), None, true),
    ] {
        let found = verify(redemption, &nodes, &[]);
        assert_eq!(found.success, success, "{found:?}");
        let expected: &[_] = if success { &[] } else { &[(DeviationKind::ChangedParams, "c")] };
        assert_eq!(said(&found), expected);
    }
}
