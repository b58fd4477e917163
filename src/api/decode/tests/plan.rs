//! `ValidateIRRequest` and `VerifyDagRequest`.

use proptest::prelude::*;
use prost::Message;

use crate::api::decode::{Binding, DecodedDag, Fault, Malformed, validate_ir_request, verify_dag_request};
use crate::api::proto::v1;
use crate::api::to_plan_request;
use crate::model::*;

fn text() -> impl Strategy<Value = Text> {
    prop_oneof![4 => "[a-z0-9.-]{0,12}", 1 => "\\PC{0,40}"].prop_map(Text::from)
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
            map_of(inner).prop_map(Value::Map),
        ]
    })
}

fn map_of(values: impl Strategy<Value = Value>) -> impl Strategy<Value = Attributes> {
    prop::collection::btree_map("[a-z]{0,3}", values, 0..4).prop_map(|map| {
        Attributes::from_entries(map.into_iter().map(|(key, value)| (Text::from(key), value)).collect()).unwrap()
    })
}

fn input() -> impl Strategy<Value = Input> {
    let origin = prop_oneof![
        text().prop_map(|quote| Origin::User { quote }),
        Just(Origin::Constant),
        (text(), text()).prop_map(|(step_id, output_path)| Origin::Step { step_id, output_path }),
    ];
    (text(), origin).prop_map(|(path, origin)| Input { path, origin })
}

fn step() -> impl Strategy<Value = Step> {
    (
        [text(), text(), text(), text(), text(), text()],
        [map_of(value()).boxed(), map_of(value()).boxed()],
        prop::option::of(any::<i64>()),
        prop::collection::vec(text(), 0..3),
        prop::collection::vec(input(), 0..3),
    )
        .prop_map(|(texts, [params, constraints], budget_cents, depends_on, inputs)| {
            let [step_id, action, provider, resource, idempotency_key, description] = texts;
            Step {
                step_id,
                action,
                provider,
                resource,
                params,
                constraints,
                idempotency_key,
                budget_cents,
                depends_on,
                inputs,
                description,
            }
        })
}

fn id() -> impl Strategy<Value = Text> {
    "[a-z0-9-]{0,20}".prop_map(Text::from)
}

fn plan() -> impl Strategy<Value = Plan> {
    (
        [id(), id(), id(), id(), id(), id()],
        [id(), id(), id()],
        any::<bool>(),
        prop::collection::vec(step(), 0..4),
        (text(), prop::collection::vec(text(), 0..3)),
        prop::collection::vec((id(), value()), 0..3),
        prop::collection::btree_map("[a-z]{0,4}", "[a-z]{0,4}", 0..3),
    )
        .prop_map(
            |(ids, [kind, subject, role], dag, steps, (intent_summary, user_messages), observations, labels)| {
                let [request_id, tenant_id, run_id, correlation_id, snapshot, audience] = ids;
                Plan {
                    request_id,
                    tenant_id,
                    subject: Subject { kind, id: subject, roles: vec![role], ..Subject::default() },
                    ordering: if dag { Ordering::Dag } else { Ordering::Sequential },
                    steps,
                    intent_summary,
                    user_messages,
                    observations: observations
                        .into_iter()
                        .map(|(step_id, output)| Observation { step_id, output })
                        .collect(),
                    labels: labels.into_iter().map(|(key, value)| (Text::from(key), Text::from(value))).collect(),
                    run_id,
                    correlation_id,
                    snapshot,
                    audience,
                }
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn a_plan_arrives_as_it_was_sent(plan in plan()) {
        let bytes = to_plan_request(&plan).encode_to_vec();
        let decoded = validate_ir_request(&bytes, &Limits::default()).unwrap();
        prop_assert_eq!(decoded.violations, []);
        prop_assert_eq!(decoded.plan, plan);
    }

    #[test]
    fn refuses_the_bytes_that_prost_refuses(
        plan in plan(), changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = to_plan_request(&plan).encode_to_vec();
        for (index, byte) in changes {
            if !bytes.is_empty() {
                let index = index.index(bytes.len());
                bytes[index] = byte;
            }
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len() + 1));
        }
        let ours = validate_ir_request(&bytes, &Limits::default());
        prop_assert!(ours.is_err() || v1::ValidateIrRequest::decode(&*bytes).is_ok(), "{:?}", ours);
    }

    #[test]
    fn survives_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let plan = validate_ir_request(&bytes, &Limits::default());
        prop_assert!(plan.is_err() || v1::ValidateIrRequest::decode(&*bytes).is_ok());
        let dag = verify_dag_request(&bytes, &Limits::default());
        prop_assert!(dag.is_err() || v1::VerifyDagRequest::decode(&*bytes).is_ok());
    }
}

fn one_step(step: v1::Step) -> v1::ValidateIrRequest {
    v1::ValidateIrRequest { steps: vec![step], ..Default::default() }
}

fn params(kind: Option<prost_types::value::Kind>) -> Option<prost_types::Struct> {
    Some(prost_types::Struct { fields: [("a".to_owned(), prost_types::Value { kind })].into() })
}

fn faults(request: &v1::ValidateIrRequest) -> Vec<(String, &'static str)> {
    let decoded = validate_ir_request(&request.encode_to_vec(), &Limits::default()).unwrap();
    decoded.violations.into_iter().map(|violation| (violation.field, violation.fault.as_str())).collect()
}

#[test]
fn what_has_no_canonical_form_is_named_with_its_path() {
    use prost_types::value::Kind;
    let base = v1::ValidateIrRequest::default;
    let nested = (0..40).fold(Kind::BoolValue(true), |inner, _| Kind::StructValue(params(Some(inner)).unwrap()));
    let deep = format!("steps[0].constraints{}", ".a".repeat(32));
    let subject = v1::Subject { roles: vec!["a\u{202e}".into()], ..Default::default() };
    let cases = [
        (
            one_step(v1::Step { params: params(Some(Kind::NumberValue(f64::NAN))), ..Default::default() }),
            "steps[0].params.a",
            "NUMBER_NOT_FINITE",
        ),
        (one_step(v1::Step { params: params(None), ..Default::default() }), "steps[0].params.a", "UNSET_VALUE"),
        (one_step(v1::Step { constraints: params(Some(nested)), ..Default::default() }), deep.as_str(), "TOO_DEEP"),
        (
            one_step(v1::Step { inputs: vec![v1::StepInput::default()], ..Default::default() }),
            "steps[0].inputs[0]",
            "MISSING_FIELD",
        ),
        (v1::ValidateIrRequest { tenant_id: "a\nb".into(), ..base() }, "tenant_id", "FORBIDDEN_CHARACTER"),
        (v1::ValidateIrRequest { request_id: "r".repeat(129), ..base() }, "request_id", "FIELD_TOO_LONG"),
        (v1::ValidateIrRequest { subject: Some(subject), ..base() }, "subject.roles[0]", "FORBIDDEN_CHARACTER"),
        (v1::ValidateIrRequest { ordering: 7, ..base() }, "ordering", "UNKNOWN_ENUM_VALUE"),
        (v1::ValidateIrRequest { hash_scheme: 2, ..base() }, "hash_scheme", "UNKNOWN_ENUM_VALUE"),
        (
            v1::ValidateIrRequest { observations: vec![v1::Observation::default()], ..base() },
            "observations[0]",
            "MISSING_FIELD",
        ),
    ];
    for (request, path, reason) in cases {
        assert_eq!(faults(&request), [(path.to_owned(), reason)]);
    }
    // A map as protobuf has it cannot hold a key twice; its bytes can.
    let label = v1::ValidateIrRequest { labels: [("k".to_owned(), "v".to_owned())].into(), ..base() }.encode_to_vec();
    let decoded = validate_ir_request(&label.repeat(2), &Limits::default()).unwrap();
    assert_eq!((decoded.violations[0].field.as_str(), decoded.violations[0].fault), ("labels.k", Fault::DuplicateKey));
}

#[test]
fn what_is_wrong_with_the_plan_itself_is_read_as_it_is() {
    let step = v1::Step {
        step_id: "a\u{1}".into(),
        action: String::new(),
        provider: "p".repeat(5_000),
        budget_cents: Some(-5),
        depends_on: vec!["nobody".into()],
        ..Default::default()
    };
    assert_eq!(faults(&one_step(step.clone())), []);
    let plan = validate_ir_request(&one_step(step).encode_to_vec(), &Limits::default()).unwrap().plan;
    assert_eq!((plan.steps[0].step_id.as_str(), plan.steps[0].budget_cents), ("a\u{1}", Some(-5)));
}

#[test]
fn a_message_full_of_empty_steps_does_not_fill_the_memory() {
    let limits = Limits::default();
    let steps = |count| v1::ValidateIrRequest { steps: vec![v1::Step::default(); count], ..Default::default() };
    for (sent, kept) in [(999, 999), (10_000, 10_000), (400_000, 16_000)] {
        let bytes = steps(sent).encode_to_vec();
        assert_eq!(validate_ir_request(&bytes, &limits).unwrap().plan.steps.len(), kept);
    }
    let many = v1::Step { depends_on: vec![String::new(); 20_000], ..Default::default() };
    assert_eq!(faults(&one_step(many)), [("steps[0].depends_on".to_owned(), "FIELD_TOO_LONG")]);
}

#[test]
fn the_last_of_several_origins_counts() {
    let input = |origin| v1::StepInput { path: "/a".into(), origin: Some(origin) };
    let user = v1::step_input::Origin::User(v1::UserOrigin { quote: "q".into() });
    let constant = v1::step_input::Origin::Constant(v1::ConstantOrigin {});
    let source = v1::StepOrigin { step_id: "s".into(), output_path: "/b".into() };
    let both = [input(user).encode_to_vec(), input(constant).encode_to_vec()].concat();
    let both = [both, input(v1::step_input::Origin::Step(source)).encode_to_vec()].concat();
    let mut message = Vec::new();
    prost::encoding::bytes::encode(10, &both, &mut message);
    let mut request = Vec::new();
    prost::encoding::bytes::encode(5, &message, &mut request);
    let plan = validate_ir_request(&request, &Limits::default()).unwrap().plan;
    let origin = Origin::Step { step_id: "s".into(), output_path: "/b".into() };
    assert_eq!(plan.steps[0].inputs, [Input { path: "/a".into(), origin }]);
    let theirs = v1::ValidateIrRequest::decode(&*request).unwrap();
    assert_eq!(theirs.steps, to_plan_request(&plan).steps);
}

fn dag(message: &v1::VerifyDagRequest) -> Result<DecodedDag, Malformed> {
    verify_dag_request(&message.encode_to_vec(), &Limits::default())
}

#[test]
fn a_dag_arrives_as_it_was_sent() {
    let step = v1::Step { step_id: "a".into(), action: "mail.send".into(), ..Default::default() };
    let node = v1::DagNode {
        ir_step_id: "a".into(),
        ir_step_hash: "sha256:0".into(),
        content: Some(step.clone()),
        depends_on: vec!["b".into()],
        seq: Some(0),
    };
    let execution = v1::Execution {
        seq: 3,
        step_id: "a".into(),
        action: "mail.send".into(),
        resource: "r".into(),
        params: params(Some(prost_types::value::Kind::BoolValue(true))),
        outcome: v1::ExecutionOutcome::Refused.into(),
    };
    let message = v1::VerifyDagRequest {
        tenant_id: "acme".into(),
        ordering: v1::Ordering::Dag.into(),
        steps: vec![step],
        nodes: vec![node],
        executions: vec![execution],
        correlation_id: "c".into(),
        request_id: "r".into(),
        binding: Some(v1::verify_dag_request::Binding::Receipt("ey.J.x".into())),
    };
    let decoded = dag(&message).unwrap();
    assert_eq!(decoded.violations, []);
    let expected = Step { step_id: "a".into(), action: "mail.send".into(), ..Step::default() };
    assert_eq!(decoded.plan.steps, std::slice::from_ref(&expected));
    assert_eq!((decoded.plan.tenant(), decoded.plan.ordering), ("acme", Ordering::Dag));
    assert_eq!((decoded.plan.correlation_id.as_str(), decoded.plan.request_id.as_str()), ("c", "r"));
    assert_eq!(decoded.binding, Binding::Receipt("ey.J.x".into()));
    let node = DagNode {
        ir_step_id: "a".into(),
        ir_step_hash: "sha256:0".into(),
        content: Some(expected),
        depends_on: vec!["b".into()],
        seq: Some(0),
    };
    assert_eq!(decoded.nodes, [node]);
    assert_eq!((decoded.executions[0].seq, decoded.executions[0].outcome), (3, ExecutionOutcome::Refused));
    assert_eq!(decoded.executions[0].params.len(), 1);
}

#[test]
fn an_execution_says_what_became_of_it() {
    for (outcome, reason) in [(0, "MISSING_FIELD"), (9, "UNKNOWN_ENUM_VALUE")] {
        let execution = v1::Execution { outcome, ..Default::default() };
        let message = v1::VerifyDagRequest { executions: vec![execution], ..Default::default() };
        let decoded = dag(&message).unwrap();
        let found: Vec<_> =
            decoded.violations.iter().map(|found| (found.field.as_str(), found.fault.as_str())).collect();
        assert_eq!(found, [("executions[0].outcome", reason)]);
    }
    let steps = vec![v1::Step::default(); 1_001];
    let decoded = dag(&v1::VerifyDagRequest { steps, ..Default::default() }).unwrap();
    assert_eq!(decoded.violations[0].field, "steps");
}
