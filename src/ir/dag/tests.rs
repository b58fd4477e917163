mod costly;
mod in_order;
mod redeemed;
mod schemas;

use proptest::prelude::*;

use super::*;
use crate::ir::hash::{plan_hash, step_hash};
use crate::model::{Attributes, Compared, ExecutionOutcome, HashMismatch, Input, Ordering, Origin};

type ChangeNode = fn(&mut DagNode);
type ChangeCalls = fn(&mut Vec<Execution>);

fn attributes(json: &str) -> Attributes {
    Attributes::try_from(&serde_json::from_str(json).expect("JSON")).expect("attributes")
}

fn step(id: &str, params: &str, depends_on: &[&str]) -> Step {
    Step {
        step_id: id.into(),
        action: "mail.send".into(),
        resource: "mailbox".into(),
        params: attributes(params),
        idempotency_key: format!("key-{id}").into(),
        depends_on: depends_on.iter().map(|id| (*id).into()).collect(),
        ..Step::default()
    }
}

/// `c` waits for `a` and `b`, and takes the body of its message from `a`.
fn dag() -> Plan {
    let mut c = step("c", r#"{"to": "eve"}"#, &["b", "a"]);
    let origin = Origin::Step { step_id: "a".into(), output_path: "/text".into() };
    c.inputs = vec![Input { path: "/body".into(), origin }];
    let steps = vec![step("a", r#"{"to": "ann"}"#, &[]), step("b", r#"{"to": "bob"}"#, &[]), c];
    Plan { ordering: Ordering::Dag, steps, ..Plan::default() }
}

fn sequence() -> Plan {
    let steps = ["ann", "bob", "eve", "joe"].iter().map(|to| step("", &format!(r#"{{"to": "{to}"}}"#), &[])).collect();
    Plan { steps, ..Plan::default() }
}

fn nodes(plan: &Plan) -> Vec<DagNode> {
    let node = |(i, step): (usize, &Step)| DagNode {
        ir_step_id: if step.step_id.is_empty() { i.to_string().into() } else { step.step_id.clone() },
        ir_step_hash: step_hash(step).expect("a hash"),
        content: Some(step.clone()),
        depends_on: step.depends_on.clone(),
        seq: (plan.ordering == Ordering::Sequential).then_some(i as u64),
    };
    plan.steps.iter().enumerate().map(node).collect()
}

fn calls(plan: &Plan) -> Vec<Execution> {
    let call = |(seq, step): (u64, &Step)| Execution {
        seq,
        step_id: step.step_id.clone(),
        action: step.action.clone(),
        resource: step.resource.clone(),
        params: filled(step),
        outcome: ExecutionOutcome::Done,
    };
    (0..).zip(&plan.steps).map(call).collect()
}

/// The arguments of `step`, with something at each open key.
fn filled(step: &Step) -> Attributes {
    let mut params = serde_json::to_value(&step.params).expect("JSON");
    for input in step.inputs.iter().filter(|input| matches!(input.origin, Origin::Step { .. })) {
        params[input.path.trim_start_matches('/')] = "as it came".into();
    }
    attributes(&params.to_string())
}

fn of_nodes(plan: &Plan, nodes: &[DagNode]) -> DagVerification {
    verify_dag(plan, nodes, &[], Binding::None, &Schemas::none())
}

fn of_calls(plan: &Plan, calls: &[Execution]) -> DagVerification {
    verify_dag(plan, &[], calls, Binding::None, &Schemas::none())
}

fn kinds(found: &DagVerification) -> Vec<DeviationKind> {
    found.deviations.iter().map(|deviation| deviation.kind).collect()
}

#[test]
fn a_dag_that_is_the_plan() {
    for plan in [dag(), sequence(), Plan::default()] {
        let found = of_nodes(&plan, &nodes(&plan));
        assert!(found.success, "{found:?}");
        assert_eq!(found.compared, Compared::Content);
        assert_eq!(found.bound_to, BoundTo::None);
        assert_eq!(found.ir_hash, plan_hash(&plan).expect("a hash"));
        assert_eq!(found.dag_hash, dag_hash(&nodes(&plan)));
    }
}

#[test]
fn missing_extra_and_duplicate_nodes() {
    let plan = dag();
    let mut changed = nodes(&plan);
    let removed = changed.remove(1);
    changed.push(DagNode { ir_step_id: "z".into(), ..removed });
    let found = of_nodes(&plan, &changed);
    assert_eq!((found.missing_steps, found.extra_nodes), (vec!["b".into()], vec!["z".into()]));
    assert!(!found.success);
    // A wrong node is not excused by a right one of the same id.
    let mut changed = nodes(&plan);
    let wrong = DagNode { ir_step_hash: changed[1].ir_step_hash.clone(), content: None, ..changed[0].clone() };
    changed.insert(0, wrong.clone());
    changed.push(wrong);
    let found = of_nodes(&plan, &changed);
    assert_eq!(found.duplicates, ["a"]);
    assert_eq!(found.hash_mismatches.len(), 2);
    assert!(!of_nodes(&plan, &[]).success);
    assert_eq!(of_nodes(&plan, &[]).missing_steps, ["a", "b", "c"]);
    assert!(!of_nodes(&Plan::default(), &nodes(&plan)).success);
}

#[test]
fn malformed_nodes() {
    let plan = dag();
    let cases: [(ChangeNode, &str); 6] = [
        (|node| node.ir_step_id = "".into(), "`ir_step_id` is missing"),
        (|node| node.ir_step_id = "a\u{7}".into(), "`ir_step_id` holds a character"),
        (|node| node.ir_step_hash = "".into(), "`ir_step_hash` is missing"),
        (|node| node.ir_step_hash = "69720b93".into(), "`ir_step_hash` is not `sha256:`"),
        (|node| node.content.as_mut().expect("content").step_id = "b".into(), "`content.step_id` is \"b\""),
        (|node| node.content.as_mut().expect("content").description = "\u{1}".into(), "content.description: "),
    ];
    for (change, reason) in cases {
        let mut changed = nodes(&plan);
        change(&mut changed[0]);
        let found = of_nodes(&plan, &changed);
        assert!(!found.success);
        let first = found.malformed.first().expect(reason);
        assert!(first.index == 0 && first.reason.starts_with(reason), "{reason}: {found:?}");
    }
    let mut changed = nodes(&plan);
    changed[1].seq = Some(0);
    let found = of_nodes(&plan, &changed);
    assert_eq!(found.malformed.iter().map(|node| node.index).collect::<Vec<_>>(), [0, 2]);
}

#[test]
fn the_content_counts_and_not_what_a_node_declares() {
    let plan = dag();
    let expected = step_hash(&plan.steps[0]).expect("a hash");
    let mut changed = nodes(&plan);
    let content = changed[0].content.as_mut().expect("content");
    content.params = attributes(r#"{"to": "mallory", "cc": 1}"#);
    content.budget_cents = Some(1);
    let actual = step_hash(content).expect("a hash");
    let changed_paths = ["/budget_cents", "/params/cc", "/params/to"].map(str::to_owned).to_vec();
    let mismatch =
        HashMismatch { step_id: "a".into(), expected: expected.clone(), actual: actual.clone(), changed_paths };
    assert_eq!(of_nodes(&plan, &changed).hash_mismatches, [mismatch]);

    // The right content under a wrong hash is a node that contradicts itself.
    let mut contradicting = nodes(&plan);
    contradicting[0].ir_step_hash = actual.clone();
    let mismatch = HashMismatch { step_id: "a".into(), expected, actual, changed_paths: Vec::new() };
    assert_eq!(of_nodes(&plan, &contradicting).hash_mismatches, [mismatch]);

    // What is bound to an output may be there or not.
    let mut preview = nodes(&plan);
    preview[2].content.as_mut().expect("content").params = attributes(r#"{"body": "x", "to": "eve"}"#);
    assert!(of_nodes(&plan, &preview).success);
}

#[test]
fn without_content_only_declared_hashes_are_compared_and_it_says_so() {
    let plan = dag();
    let mut declared = nodes(&plan);
    declared[0].content = None;
    assert_eq!(of_nodes(&plan, &declared).compared, Compared::Mixed);
    declared.iter_mut().for_each(|node| node.content = None);
    let found = of_nodes(&plan, &declared);
    assert!(found.success);
    assert_eq!(found.compared, Compared::DeclaredHashes);
}

#[test]
fn content_may_leave_to_the_node_what_the_node_says() {
    let plan = dag();
    let mut bare = nodes(&plan);
    for node in &mut bare {
        let content = node.content.as_mut().expect("content");
        content.step_id = "".into();
        content.depends_on.clear();
    }
    assert!(of_nodes(&plan, &bare).success);
    bare[2].depends_on.pop();
    assert!(!of_nodes(&plan, &bare).success);
}

#[test]
fn rewired_nodes() {
    let plan = dag();
    let mut changed = nodes(&plan);
    changed[2].depends_on = vec!["a".into()];
    changed[1].depends_on = vec!["a".into()];
    assert_eq!(of_nodes(&plan, &changed).rewired, ["b", "c"]);
    let mut same = nodes(&plan);
    same[2].depends_on = vec!["a".into(), "b".into(), "a".into()];
    assert!(of_nodes(&plan, &same).success);
    // A sequence may be a chain, but not another one.
    let plan = sequence();
    let mut chain = nodes(&plan);
    chain[1].depends_on = vec!["0".into()];
    chain[3].depends_on = vec!["2".into(), "0".into()];
    assert!(of_nodes(&plan, &chain).success);
    chain[1].depends_on = vec!["2".into()];
    chain[2].depends_on = vec!["nobody".into()];
    assert_eq!(of_nodes(&plan, &chain).rewired, ["1", "2"]);
}

#[test]
fn reordered_nodes() {
    let plan = sequence();
    let mut turned = nodes(&plan);
    let first = turned.remove(0);
    turned.push(first);
    turned.iter_mut().for_each(|node| node.seq = None);
    assert_eq!(of_nodes(&plan, &turned).reordered, ["0"]);
    // Where nodes are numbered, the list says nothing.
    for (node, seq) in turned.iter_mut().zip([1, 2, 3, 0]) {
        node.seq = Some(seq);
    }
    assert!(of_nodes(&plan, &turned).success);
    turned[0].seq = Some(2);
    assert_eq!(of_nodes(&plan, &turned).reordered, ["2"]);
    // In a DAG a node comes after those that it waits for.
    let plan = dag();
    let mut numbered = nodes(&plan);
    for (node, seq) in numbered.iter_mut().zip([1, 0, 2]) {
        node.seq = Some(seq);
    }
    assert!(of_nodes(&plan, &numbered).success);
    numbered[2].seq = Some(1);
    assert_eq!(of_nodes(&plan, &numbered).reordered, ["c"]);
}

#[test]
fn bound_to_what_was_validated() {
    let plan = dag();
    let hash = plan_hash(&plan).expect("a hash");
    let verify = |binding, calls: &[Execution]| verify_dag(&plan, &nodes(&plan), calls, binding, &Schemas::none());
    let status = ValidationStatus::Pass;
    let found = verify(Binding::Receipt { ir_hash: &hash, status }, &calls(&plan));
    assert!(found.success && found.bound_to == BoundTo::Receipt, "{found:?}");
    let found = verify(Binding::Approval { ir_hash: &hash, redemption: None }, &[]);
    assert!(found.success && found.bound_to == BoundTo::Approval);
    for other in ["sha256:0", ""] {
        assert_eq!(kinds(&verify(Binding::Receipt { ir_hash: other, status }, &[])), [DeviationKind::PlanChanged]);
    }
    // What waits for approval, or was refused, is not authorised: not to be compiled either, and each call of it is named.
    for status in [ValidationStatus::Escalate, ValidationStatus::Reject] {
        let unauthorised = Binding::Receipt { ir_hash: &hash, status };
        let found = verify(unauthorised, &[]);
        assert!(!found.success && kinds(&found) == [DeviationKind::NotAuthorised], "{found:?}");
        assert_eq!(found.deviations[0].execution_seq, None);
        let mut made = calls(&plan);
        made[1].outcome = ExecutionOutcome::Refused;
        let found = verify(unauthorised, &made);
        let seqs: Vec<_> = found.deviations.iter().filter(|d| d.kind == DeviationKind::NotAuthorised).collect();
        assert_eq!(seqs.iter().map(|deviation| deviation.execution_seq).collect::<Vec<_>>(), [Some(0), Some(2)]);
        // Where no call has a number, its place in the list is its number.
        made.iter_mut().for_each(|call| call.seq = 0);
        let found = verify(unauthorised, &made);
        let seqs: Vec<_> = found.deviations.iter().filter(|d| d.kind == DeviationKind::NotAuthorised).collect();
        assert_eq!(seqs.iter().map(|deviation| deviation.execution_seq).collect::<Vec<_>>(), [Some(1), Some(3)]);
        made[2].resource = "other".into();
        let binding = Binding::Receipt { ir_hash: &hash, status: ValidationStatus::Pass };
        let changed = verify(binding, &made);
        let changed = changed.deviations.iter().find(|found| found.kind == DeviationKind::ChangedResource).unwrap();
        assert_eq!(changed.execution_seq, Some(3));
    }
}

#[test]
fn a_plan_of_which_nothing_can_be_proved() {
    let mut plan = dag();
    plan.steps[1].step_id = "a".into();
    plan.steps[2].description = "\u{1}".into();
    let found = of_nodes(&plan, &[]);
    assert_eq!(kinds(&found), [DeviationKind::PlanInvalid, DeviationKind::PlanInvalid]);
    assert_eq!(found.ir_hash, "");
}

#[test]
fn calls_that_are_the_plan() {
    for plan in [dag(), sequence(), Plan::default()] {
        assert!(of_calls(&plan, &calls(&plan)).success);
    }
    let plan = dag();
    let mut other = calls(&plan);
    // Independent steps in another order, an open argument filled in, an attempt that failed, another that was refused.
    other[0].seq = 1;
    other[1].seq = 0;
    other[2].params = attributes(r#"{"to": "eve", "body": {"any": "thing"}}"#);
    for call in &mut other {
        call.seq += 10;
    }
    let failed = Execution { outcome: ExecutionOutcome::Failed, seq: 1, ..other[0].clone() };
    let refused = Execution { outcome: ExecutionOutcome::Refused, seq: 2, action: "x".into(), ..other[1].clone() };
    let unknown = Execution { outcome: ExecutionOutcome::NotRun, seq: 2, step_id: "zz".into(), ..other[1].clone() };
    other.extend([failed, refused, unknown]);
    let found = of_calls(&plan, &other);
    assert!(found.success, "{found:?}");
    // The same where the executor keeps no ids.
    other.iter_mut().for_each(|call| call.step_id = "".into());
    let found = of_calls(&plan, &other);
    assert!(found.success, "{found:?}");
}

#[test]
fn calls_that_deviate() {
    let cases: [(ChangeCalls, DeviationKind, DeviationKind); 7] = [
        (|calls| calls[0].action = "mail.delete".into(), DeviationKind::ChangedAction, DeviationKind::UnplannedCall),
        (|calls| calls[0].resource = "other".into(), DeviationKind::ChangedResource, DeviationKind::UnplannedCall),
        (
            |calls| calls[0].params = attributes(r#"{"to": "mallory"}"#),
            DeviationKind::ChangedParams,
            DeviationKind::UnplannedCall,
        ),
        (|calls| calls.push(calls[0].clone()), DeviationKind::RepeatedCall, DeviationKind::UnplannedCall),
        (
            |calls| calls.push(Execution { outcome: ExecutionOutcome::Failed, seq: 9, ..calls[0].clone() }),
            DeviationKind::RepeatedCall,
            DeviationKind::UnplannedCall,
        ),
        (
            |calls| {
                calls.push(Execution { step_id: "zz".into(), params: attributes(r#"{"a": 1}"#), ..calls[0].clone() });
            },
            DeviationKind::UnplannedCall,
            DeviationKind::UnplannedCall,
        ),
        (|calls| calls[2].seq = 0, DeviationKind::OutOfOrder, DeviationKind::OutOfOrder),
    ];
    let plan = dag();
    for (change, named, unnamed) in cases {
        let mut changed = calls(&plan);
        changed.iter_mut().for_each(|call| call.seq += 1);
        change(&mut changed);
        let found = of_calls(&plan, &changed);
        assert!(!found.success && kinds(&found).contains(&named), "{named:?}: {found:?}");
        changed.iter_mut().for_each(|call| call.step_id = "".into());
        let found = of_calls(&plan, &changed);
        assert!(!found.success && kinds(&found).contains(&unnamed), "{unnamed:?}: {found:?}");
    }
}

#[test]
fn steps_that_did_not_run_are_told_apart() {
    let plan = sequence();
    let mut some = calls(&plan);
    some[1].outcome = ExecutionOutcome::Refused;
    some[2].outcome = ExecutionOutcome::NotRun;
    some.pop();
    for named in [true, false] {
        let mut some = some.clone();
        if named {
            for (i, call) in some.iter_mut().enumerate() {
                call.step_id = i.to_string().into();
            }
        }
        let found = of_calls(&plan, &some);
        assert!(!found.success && found.deviations.is_empty(), "{found:?}");
        assert_eq!((found.refused, found.not_run), (vec!["1".into()], vec!["2".into(), "3".into()]));
    }
    let plan = dag();
    let mut without = calls(&plan);
    without.remove(0);
    let found = of_calls(&plan, &without);
    assert_eq!(kinds(&found), [DeviationKind::DependencyNotRun]);
    assert_eq!(found.not_run, ["a"]);
}

/// A call that only an open step accounts for gets it, whichever call comes first.
#[test]
fn open_steps_are_given_to_the_calls_that_need_them() {
    let open = |paths: &[&str], params: &str| Step {
        inputs: paths
            .iter()
            .map(|path| Input {
                path: (*path).into(),
                origin: Origin::Step { step_id: "x".into(), output_path: "".into() },
            })
            .collect(),
        ..step("", params, &[])
    };
    let steps = vec![
        open(&["/to", "/body"], "{}"),
        open(&["/body"], r#"{"to": "ann"}"#),
        step("", r#"{"to": "ann", "body": "hi"}"#, &[]),
    ];
    let plan = Plan { steps, ..Plan::default() };
    let call = |params: &str| Execution {
        action: "mail.send".into(),
        resource: "mailbox".into(),
        params: attributes(params),
        ..Execution::default()
    };
    let (exact, ann, bob) = (
        call(r#"{"to": "ann", "body": "hi"}"#),
        call(r#"{"to": "ann", "body": "you"}"#),
        call(r#"{"to": "bob", "body": "you"}"#),
    );
    let accounts = |calls: &[&Execution]| {
        let calls: Vec<Execution> = calls.iter().map(|call| (*call).clone()).collect();
        kinds(&of_calls(&plan, &calls)).iter().filter(|kind| **kind == DeviationKind::UnplannedCall).count()
    };
    assert_eq!(accounts(&[&exact, &ann, &bob]), 0);
    assert_eq!(accounts(&[&bob, &ann, &exact]), 0);
    assert_eq!(accounts(&[&ann, &bob, &exact]), 0);
    assert_eq!(accounts(&[&ann, &ann, &exact]), 0);
    assert_eq!(accounts(&[&bob, &bob, &exact]), 1);
    assert_eq!(accounts(&[&ann, &ann, &ann]), 1);
}

/// A DAG whose steps wait for earlier ones only.
fn dags() -> impl Strategy<Value = Plan> {
    prop::collection::vec((0_u8..4, prop::collection::vec(any::<prop::sample::Index>(), 0..3)), 1..12).prop_map(|all| {
        let mut plan = Plan { ordering: Ordering::Dag, ..Plan::default() };
        for (i, (content, before)) in all.into_iter().enumerate() {
            let before: Vec<String> =
                before.into_iter().filter(|_| i > 0).map(|index| format!("s{}", index.index(i))).collect();
            let before: Vec<&str> = before.iter().map(String::as_str).collect();
            plan.steps.push(step(&format!("s{i}"), &format!(r#"{{"n": {content}}}"#), &before));
        }
        plan
    })
}

proptest! {
    #[test]
    fn permuting_independent_nodes_changes_nothing(
        (plan, shuffled) in dags().prop_flat_map(|plan| { let nodes = nodes(&plan); (Just(plan), Just(nodes).prop_shuffle()) })
    ) {
        let found = of_nodes(&plan, &nodes(&plan));
        prop_assert!(found.success);
        prop_assert_eq!(of_nodes(&plan, &shuffled), found);
        // Steps in another order are the same plan, too.
        let mut turned = plan.clone();
        turned.steps.reverse();
        prop_assert!(of_nodes(&turned, &shuffled).success);
        prop_assert_eq!(plan_hash(&turned), plan_hash(&plan));
    }

    #[test]
    fn any_change_of_a_node_is_found(plan in dags(), which in any::<prop::sample::Index>(), change in 0_u8..9) {
        let mut changed = nodes(&plan);
        let node = which.get_mut(&mut changed);
        let content = node.content.as_mut().expect("content");
        match change {
            0 => content.action = "mail.delete".into(),
            1 => content.provider = "other".into(),
            2 => content.resource = "other".into(),
            3 => content.params = attributes(r#"{"n": 99}"#),
            4 => content.constraints = attributes(r#"{"environment": "prod"}"#),
            5 => content.idempotency_key = "other".into(),
            6 => content.budget_cents = Some(1),
            7 => content.description = "other".into(),
            _ => node.depends_on.push("zz".into()),
        }
        let id = node.ir_step_id.clone();
        let found = of_nodes(&plan, &changed);
        prop_assert!(!found.success);
        if change < 8 {
            prop_assert_eq!(found.hash_mismatches.len(), 1);
            prop_assert_eq!(&found.hash_mismatches[0].step_id, &id);
            prop_assert_eq!(found.hash_mismatches[0].changed_paths.len(), 1);
        } else {
            prop_assert_eq!(found.rewired, [id]);
        }
    }

    #[test]
    fn calls_are_a_multiset(plan in dags(), seed in any::<u64>()) {
        let mut made = calls(&plan);
        // By content alone, the order within a DAG being free where nothing waits.
        made.iter_mut().for_each(|call| call.step_id = "".into());
        let unplanned = |found: &DagVerification| kinds(found).contains(&DeviationKind::UnplannedCall);
        prop_assert!(!unplanned(&of_calls(&plan, &made)));
        let one_more = made[usize::try_from(seed % made.len() as u64).expect("small")].clone();
        made.push(one_more);
        prop_assert!(unplanned(&of_calls(&plan, &made)));
        made.pop();
        let gone = made.pop().expect("a call");
        let found = of_calls(&plan, &made);
        prop_assert!(!found.success && !unplanned(&found), "{:?} {:?}", gone, found);
    }
}
