//! Which node and which call comes after which.

use super::*;

/// `b` takes its text from `a`, which it does not name in `depends_on`; `c` waits for `b`.
fn taking() -> Plan {
    let mut b = step("b", r#"{"to": "bob"}"#, &[]);
    let origin = Origin::Step { step_id: "a".into(), output_path: "".into() };
    b.inputs = vec![Input { path: "/body".into(), origin }];
    let steps = vec![step("a", r#"{"to": "ann"}"#, &[]), b, step("c", r#"{"to": "eve"}"#, &["b"])];
    Plan { ordering: Ordering::Dag, steps, ..Plan::default() }
}

#[test]
fn a_node_comes_after_the_one_whose_output_it_takes() {
    let plan = taking();
    let bare = nodes(&plan);
    assert_eq!(of_nodes(&plan, &bare).rewired, ["b"], "nothing holds it back");
    // An edge does, with the content as it was planned or left to the node, and so does a number.
    let mut wired = bare.clone();
    wired[1].depends_on = vec!["a".into()];
    assert!(of_nodes(&plan, &wired).success, "{:?}", of_nodes(&plan, &wired));
    wired[2].depends_on = vec!["b".into(), "a".into()];
    assert_eq!(of_nodes(&plan, &wired).rewired, ["c"], "an edge that neither `depends_on` nor an input asks for");
    let mut numbered = bare.clone();
    numbered.iter_mut().zip(0..).for_each(|(node, seq)| node.seq = Some(seq));
    assert!(of_nodes(&plan, &numbered).success);
    numbered[0].seq = Some(1);
    assert_eq!(of_nodes(&plan, &numbered).reordered, ["b"]);
    // The way may lead through others; a circle is none.
    let mut through = taking();
    through.steps[1].depends_on = vec!["c".into()];
    through.steps[2].depends_on = vec!["a".into()];
    assert!(of_nodes(&through, &nodes(&through)).success);
    through.steps[2].depends_on = vec!["b".into()];
    assert_eq!(of_nodes(&through, &nodes(&through)).rewired, ["b"]);
}

#[test]
fn a_call_comes_after_the_one_whose_output_it_takes() {
    let plan = taking();
    let made = calls(&plan);
    assert!(of_calls(&plan, &made).success);
    let mut turned = made.clone();
    turned[0].seq = 7;
    assert_eq!(kinds(&of_calls(&plan, &turned)), [DeviationKind::OutOfOrder]);
    turned[0].seq = 1;
    assert_eq!(kinds(&of_calls(&plan, &turned)), [DeviationKind::OutOfOrder], "at once is not after");
    for ordering in [Ordering::Dag, Ordering::Sequential] {
        let mut plan = plan.clone();
        plan.ordering = ordering;
        plan.steps[2].depends_on.clear();
        let mut failed = made.clone();
        failed[0].outcome = ExecutionOutcome::Failed;
        let found = of_calls(&plan, &failed);
        assert_eq!((found.success, kinds(&found)), (false, vec![DeviationKind::DependencyNotRun]));
        assert!(found.deviations[0].message.ends_with("takes an input from \"a\", which failed"), "{found:?}");
        failed[0].outcome = ExecutionOutcome::NotRun;
        assert_eq!(kinds(&of_calls(&plan, &failed)), [DeviationKind::DependencyNotRun]);
        // Done at the second attempt, before or after it was needed.
        failed[0].outcome = ExecutionOutcome::Failed;
        failed.insert(1, made[0].clone());
        failed.iter_mut().zip(0..).for_each(|(call, seq)| call.seq = seq);
        assert!(of_calls(&plan, &failed).success);
        failed[1].seq = 9;
        assert!(kinds(&of_calls(&plan, &failed)).contains(&DeviationKind::OutOfOrder));
    }
}

#[test]
fn the_order_of_a_sequence_must_be_shown() {
    let plan = sequence();
    let mut bare = nodes(&plan);
    bare.iter_mut().for_each(|node| node.seq = None);
    let found = of_nodes(&plan, &bare);
    assert_eq!((found.success, kinds(&found)), (false, vec![DeviationKind::OrderUnknown]));
    // By the calls, in whatever order the nodes are listed; or by edges, all of them.
    bare.reverse();
    let mut made = calls(&plan);
    assert!(verify_dag(&plan, &bare, &made, Binding::None, &Schemas::none()).success);
    made.swap(1, 2);
    made.iter_mut().zip(0..).for_each(|(call, seq)| call.seq = seq);
    assert!(!verify_dag(&plan, &bare, &made, Binding::None, &Schemas::none()).success);
    for (node, before) in bare.iter_mut().zip(["2", "1", "0"]) {
        node.depends_on = vec![before.into()];
    }
    assert!(of_nodes(&plan, &bare).success);
    bare[1].depends_on.clear();
    assert!(!of_nodes(&plan, &bare).success);
    // One step has no order.
    let one = Plan { steps: vec![plan.steps[0].clone()], ..Plan::default() };
    let node = DagNode { seq: None, ..nodes(&one).remove(0) };
    assert!(of_nodes(&one, &[node]).success);
}

#[test]
fn a_sequence_is_run_in_its_order() {
    let plan = sequence();
    let mut turned = calls(&plan);
    turned[0].seq = 9;
    let found = of_calls(&plan, &turned);
    assert_eq!(kinds(&found), [DeviationKind::OutOfOrder]);
    assert_eq!(found.reordered, ["0"]);
    // Calls without numbers are in the order of the list.
    turned.iter_mut().for_each(|call| call.seq = 0);
    assert!(of_calls(&plan, &turned).success);
    turned.swap(1, 2);
    assert!(!of_calls(&plan, &turned).success);
}
