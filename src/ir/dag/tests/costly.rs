//! Audits of calls that name no step, where many steps may be meant.

use super::*;

/// Steps that each leave another part of ten arguments open.
fn patterns(count: usize) -> Plan {
    let step = |number: usize| {
        let is_open = |bit: &usize| (number >> bit) & 1 == 0;
        let literal = (0..10).filter(|bit| !is_open(bit)).map(|bit| format!(r#""p{bit}": {bit}"#));
        let mut step = step(&format!("s{number}"), &format!("{{{}}}", literal.collect::<Vec<_>>().join(",")), &["r"]);
        let origin = || Origin::Step { step_id: "r".into(), output_path: "".into() };
        let open = (0..10).filter(is_open);
        step.inputs = open.map(|bit| Input { path: format!("/p{bit}").into(), origin: origin() }).collect();
        step
    };
    let mut steps = vec![Step { action: "mail.read".into(), ..step(0) }];
    steps[0] = Step { step_id: "r".into(), inputs: Vec::new(), depends_on: Vec::new(), ..steps[0].clone() };
    steps.extend((0..count).map(step));
    Plan { ordering: Ordering::Dag, steps, ..Plan::default() }
}

/// The audit of `plan`, as far as its steps go, followed by `more` calls that fit many of them. None names its step.
fn audit(plan: &Plan, more: usize) -> DagVerification {
    let mut made = calls(plan);
    let all = made.iter().max_by_key(|call| call.params.len()).expect("a call").params.clone();
    let (next, last) = (made.len() as u64, made.last().expect("a call").clone());
    made.extend((next..next + more as u64).map(|seq| Execution { seq, params: all.clone(), ..last.clone() }));
    made.iter_mut().for_each(|call| call.step_id = Text::default());
    verify_dag(plan, &[], &made, Binding::None, &Schemas::none())
}

#[test]
fn many_patterns_are_told_apart() {
    let found = audit(&patterns(60), 0);
    assert!(found.deviations.is_empty() && found.not_run.is_empty(), "{:?}", found.deviations.first());
}

#[test]
fn what_would_take_too_long_is_given_up() {
    let found = audit(&patterns(200), 1_500);
    assert!(!found.success);
    let last = found.deviations.last().expect("a deviation");
    assert_eq!(last.kind, DeviationKind::UnplannedCall);
    assert!(last.message.contains("give it a `step_id`"), "{}", last.message);
}
