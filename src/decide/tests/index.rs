//! The index against a full scan: it may spare work and must change no answer.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::decide;
use crate::condition::Bindings;
use crate::model::{Action, Attributes, Decision, Effect, Layer, Request, Resource, Subject, Timestamp, Value};
use crate::policy::{self, Loaded, SourceText};
use crate::snapshot::Snapshot;

fn candidates(snapshot: &Snapshot, request: &Request) -> Vec<u32> {
    snapshot.candidates(&Bindings::of_request(request, Timestamp::default())).collect()
}

/// A rule: its layer, effect, priority, patterns and condition, the latter two as written.
#[derive(Debug, Clone)]
struct Rule {
    layer: Layer,
    effect: Effect,
    priority: i32,
    patterns: &'static str,
    condition: String,
}

const PATTERNS: &[&str] = &[
    "",
    "",
    "actions: [pay], ",
    "actions: [pay, \"read.*\"], ",
    "subjects: {roles: [dev]}, ",
    "subjects: {roles: [\"team/*\", ops]}, ",
    "resources: {ids: [\"eu/*\", \"**/2\"]}, ",
    "resources: {ids: [\"**u*\"]}, ",
];

/// Attributes that conditions read; the second lies in a map.
const PATHS: &[&str] = &["context.k", "context.m.k", "subject.properties.k", "subject.type", "tenant"];

/// Constants, as CEL and YAML write them.
const CONSTANTS: &[&str] = &["'x'", "'y'", "''", "'1'", "1.0", "0.0", "-0.0", "2", "true", "false", "null", "'agent'"];

fn condition() -> impl Strategy<Value = String> {
    let path = || proptest::sample::select(PATHS);
    let constant = || proptest::sample::select(CONSTANTS);
    let constants = || proptest::collection::vec(constant(), 0..4).prop_map(|all| all.join(", "));
    let cel = prop_oneof![
        6 => (path(), constant()).prop_map(|(path, value)| format!("{path} == {value}")),
        1 => (path(), constant()).prop_map(|(path, value)| format!("{value} == {path}")),
        1 => (path(), constant()).prop_map(|(path, value)| format!("{path} != {value}")),
        3 => (path(), constants()).prop_map(|(path, values)| format!("{path} in [{values}]")),
        2 => constant().prop_map(|value| format!("has(context.k) && context.k == {value}")),
        2 => constant().prop_map(|value| format!("has(context.m.k) && context.m.k == {value}")),
        2 => constant().prop_map(|value| format!("has(context.m) && has(context.m.k) && context.m.k == {value}")),
        2 => proptest::sample::select(&["dev", "ops", "x"][..]).prop_map(|role| format!("'{role}' in subject.roles")),
        1 => (path(), constant()).prop_map(|(path, value)| format!("{path} == {value} || context.k == 'x'")),
    ];
    let further =
        proptest::sample::select(&["", " && context.n < 5.0", " && context.absent == 1.0", " && context.k == 'x'"][..]);
    let cel = (cel, further).prop_map(|(cel, further)| format!("when: \"({cel}){further}\""));
    let operator = proptest::sample::select(&["==", "==", "!=", "contains"][..]);
    let list = prop_oneof![
        (path(), operator, constant())
            .prop_map(|(path, operator, value)| format!("{{field: {path}, operator: \"{operator}\", value: {value}}}")),
        (path(), constants()).prop_map(|(path, values)| format!("{{field: {path}, operator: in, value: [{values}]}}")),
        constants().prop_map(|values| format!("{{field: subject.roles, operator: in, value: [{values}]}}")),
        path().prop_map(|path| format!("{{field: {path}, operator: exists}}")),
    ];
    let list =
        proptest::collection::vec(list, 1..3).prop_map(|entries| format!("conditions: [{}]", entries.join(", ")));
    prop_oneof![6 => cel.clone(), 2 => list.clone(), 1 => (cel, list).prop_map(|(cel, list)| format!("{cel}, {list}"))]
}

fn rule() -> impl Strategy<Value = Rule> {
    let layer = proptest::sample::select(&Layer::ALL[..]);
    let effect = proptest::sample::select(&Effect::ALL[..]);
    let condition = condition().prop_filter("types must fit", |condition| {
        let rule = Rule {
            layer: Layer::System,
            effect: Effect::Warn,
            priority: 0,
            patterns: "",
            condition: condition.clone(),
        };
        !load(&[rule]).findings.has_errors()
    });
    (layer, effect, -1..2i32, proptest::sample::select(PATTERNS), condition).prop_map(
        |(layer, effect, priority, patterns, condition)| Rule { layer, effect, priority, patterns, condition },
    )
}

fn attribute() -> impl Strategy<Value = Option<Value>> {
    let text = |text: &str| Value::String(text.into());
    let scalar = proptest::sample::select(vec![
        text("x"),
        text("y"),
        text(""),
        text("1"),
        Value::Number(1.0),
        Value::Number(0.0),
        Value::Number(-0.0),
        Value::Number(2.0),
        Value::Bool(true),
        Value::Bool(false),
        Value::Null,
    ]);
    let few = proptest::collection::vec(scalar.clone(), 0..4);
    let many = (scalar.clone(), 60..70usize).prop_map(|(last, count)| {
        let mut items = vec![Value::Bool(false); count];
        items.push(last);
        items
    });
    let list = prop_oneof![3 => few, 1 => many].prop_map(|items| Value::List(items.into()));
    let map = scalar.clone().prop_map(|value| Value::Map(attributes([("k", value)])));
    prop_oneof![2 => Just(None), 8 => scalar.prop_map(Some), 2 => list.prop_map(Some), 2 => map.prop_map(Some)]
}

fn attributes<const N: usize>(entries: [(&str, Value); N]) -> Attributes {
    Attributes::from_entries(entries.into_iter().map(|(key, value)| (key.into(), value)).collect()).unwrap()
}

fn optional(key: &str, value: Option<Value>) -> Attributes {
    value.map_or_else(Attributes::default, |value| attributes([(key, value)]))
}

fn request() -> impl Strategy<Value = Request> {
    let context = (attribute(), attribute(), proptest::option::of(-9..9i8)).prop_map(|(k, m, n)| {
        let n = n.map(|n| Value::Number(f64::from(n)));
        let entries = [("k", k), ("m", m), ("n", n)].into_iter().filter_map(|(key, value)| Some((key.into(), value?)));
        Attributes::from_entries(entries.collect()).unwrap()
    });
    let roles = proptest::sample::subsequence(&["dev", "ops", "team/red", "x"][..], 0..=3);
    let action = proptest::sample::select(&["pay", "read.all"][..]);
    let resource = proptest::sample::select(&["eu/1", "us/2", ""][..]);
    let kind = proptest::sample::select(&["agent", "x", ""][..]);
    let tenant = proptest::sample::select(&["", "x", "1"][..]);
    (context, attribute(), roles, action, resource, kind, tenant).prop_map(
        |(context, property, roles, action, resource, kind, tenant)| Request {
            subject: Subject {
                id: "s".into(),
                kind: kind.into(),
                roles: roles.into_iter().map(Into::into).collect(),
                properties: optional("k", property),
                ..Subject::default()
            },
            action: Action { name: action.into(), ..Action::default() },
            resource: Resource { id: resource.into(), ..Resource::default() },
            tenant_id: tenant.into(),
            context,
            explain: true,
            ..Request::default()
        },
    )
}

fn snapshot(rules: &[Rule]) -> Snapshot {
    let loaded = load(rules);
    assert!(!loaded.findings.has_errors(), "{:?}", loaded.findings);
    Snapshot::build(&loaded.documents, 1)
}

fn load(rules: &[Rule]) -> Loaded {
    let texts = Layer::ALL.into_iter().filter_map(|layer| {
        let of_layer = || rules.iter().enumerate().filter(|(_, rule)| rule.layer == layer);
        of_layer().next()?;
        let name = layer.as_str();
        let mut text =
            format!("apiVersion: lictor.dev/v1\nkind: Policy\nmetadata: {{name: {name}}}\nspec:\n  rules:\n");
        for (n, Rule { effect, priority, patterns, condition, .. }) in of_layer() {
            let effect = effect.as_str();
            writeln!(text, "    - {{name: r{n}, effect: {effect}, priority: {priority}, {patterns}{condition}}}")
                .unwrap();
        }
        Some(SourceText { name: name.into(), layer, text: text.into() })
    });
    policy::load(&texts.collect::<Vec<_>>())
}

/// What a decision says, but for the explanation.
fn said(decision: &Decision) -> impl PartialEq + std::fmt::Debug {
    let Decision { outcome, effect, reason_code, matched, agreeing, warned, audited, errors, .. } = decision;
    let observers = (agreeing.clone(), warned.clone(), audited.clone());
    (*outcome, *effect, *reason_code, *matched, observers, errors.clone())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn the_index_changes_no_answer(
        rules in proptest::collection::vec(rule(), 1..60),
        requests in proptest::collection::vec(request(), 8),
    ) {
        let snapshot = snapshot(&rules);
        let decisions: Vec<Decision> = requests.iter().map(|request| decide(&snapshot, request)).collect();
        for request in &requests {
            let candidates: Vec<u32> = candidates(&snapshot, request);
            prop_assert!(candidates.is_sorted_by(|one, next| one < next), "{:?}", candidates);
        }
        let scanned = snapshot.without_index();
        for (request, decision) in requests.iter().zip(&decisions) {
            let expected = decide(&scanned, request);
            prop_assert_eq!(said(decision), said(&expected));
            prop_assert!(decision.explanation == expected.explanation, "explanations differ");
        }
    }
}

/// A rule whose condition demands a value is looked at where its attribute is missing only if its condition may fail then.
#[test]
fn what_is_missing_is_looked_at_where_it_may_fail() {
    let rules = |condition: &dyn Fn(usize) -> String| {
        let rule = |n| Rule {
            layer: Layer::Organisation,
            effect: Effect::Deny,
            priority: 0,
            patterns: "",
            condition: condition(n),
        };
        snapshot(&(0..100).map(rule).collect::<Vec<_>>())
    };
    let failing = rules(&|n| format!("when: \"context.k == '{n}'\""));
    let guarded = rules(&|n| format!("when: \"has(context.k) && context.k == '{n}'\""));
    let listed = rules(&|n| format!("conditions: [{{field: context.k, operator: in, value: ['{n}']}}]"));
    let deep = rules(&|n| format!("when: \"has(context.m.k) && context.m.k == '{n}'\""));
    let text = |text: &str| Value::String(text.into());
    for (snapshot, context, expected) in [
        (&failing, attributes([("k", text("7"))]), 1),
        (&failing, attributes([("k", Value::Number(7.0))]), 0),
        (&failing, attributes([("k", Value::Null)]), 0),
        (&failing, Attributes::default(), 100),
        (&guarded, attributes([("k", text("7"))]), 1),
        (&guarded, Attributes::default(), 0),
        (&listed, attributes([("k", text("7"))]), 1),
        (&listed, attributes([("k", Value::List([text("7"), text("8"), text("7")].into()))]), 2),
        (&listed, attributes([("k", Value::List(vec![text("7"); 65].into()))]), 100),
        (&listed, Attributes::default(), 0),
        (&deep, attributes([("m", Value::Map(attributes([("k", text("7"))])))]), 1),
        // The map on the way is not asked for, so that the conditions fail.
        (&deep, Attributes::default(), 100),
        (&deep, attributes([("m", text("7"))]), 100),
    ] {
        let request = Request { context, ..Request::default() };
        assert_eq!(candidates(&snapshot, &request).len(), expected, "{:?}", request.context);
    }
}

/// Ten thousand rules that differ in one dimension: a request looks at the one that it concerns.
#[test]
fn the_index_is_flat_in_each_dimension() {
    const RULES: usize = 10_000;
    let text = |rule: &dyn Fn(usize) -> String| {
        let mut text = "apiVersion: lictor.dev/v1\nkind: Policy\nmetadata: {name: p}\nspec:\n  rules:\n".to_owned();
        for n in 0..RULES {
            writeln!(text, "    - {{name: r{n}, effect: allow, {}}}", rule(n)).unwrap();
        }
        text
    };
    let tenants: String = (0..RULES)
        .map(|n| {
            format!(
                "---\napiVersion: lictor.dev/v1\nkind: Policy\nmetadata: {{name: p{n}}}\nspec:\n  tenants: [t{n}]\n  rules: [{{name: r, effect: allow}}]\n"
            )
        })
        .collect();
    let base = Request {
        subject: Subject { id: "s".into(), roles: vec!["x".into(), "role-77".into()], ..Subject::default() },
        action: Action { name: "act.n77.run".into(), ..Action::default() },
        resource: Resource { id: "eu/77/4711".into(), ..Resource::default() },
        tenant_id: "t77".into(),
        context: attributes([("account", Value::String("account-77".into())), ("number", Value::Number(77.0))]),
        ..Request::default()
    };
    for (dimension, text) in [
        ("role", text(&|n| format!("subjects: {{roles: [role-{n}]}}"))),
        ("action", text(&|n| format!("actions: [act.n{n}.run]"))),
        ("action prefix", text(&|n| format!("actions: [\"act.n{n}.*\"]"))),
        ("action suffix", text(&|n| format!("actions: [\"*.n{n}.run\"]"))),
        ("resource prefix", text(&|n| format!("resources: {{ids: [\"eu/{n}/**\"]}}"))),
        (
            "same action, resource prefix",
            text(&|n| format!("actions: [act.n77.run], resources: {{ids: [\"eu/{n}/**\"]}}")),
        ),
        ("tenant", tenants),
        ("value", text(&|n| format!("actions: [act.n77.run], when: \"context.account == 'account-{n}'\""))),
        ("number", text(&|n| format!("conditions: [{{field: context.number, operator: \"==\", value: {n}}}]"))),
        ("one of two values", text(&|n| format!("when: \"has(context.number) && context.number in [{n}, {n}.5]\""))),
        ("element", text(&|n| format!("when: \"'role-{n}' in subject.roles\""))),
    ] {
        let loaded =
            policy::load(&[SourceText { name: dimension.into(), layer: Layer::Organisation, text: text.into() }]);
        assert!(!loaded.findings.has_errors());
        let snapshot = Snapshot::build(&loaded.documents, 1);
        assert!(decide(&snapshot, &base).allowed(), "{dimension}");
        let count = candidates(&snapshot, &base).len();
        assert!(count <= 2, "{dimension}: {count}");
    }
}
