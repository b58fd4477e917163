use super::*;
use crate::approval::target::Target;
use crate::decide::action_hash;
use crate::ir::plan_hash;
use crate::model::{Action, Input, Observation, Origin, Resource};

fn attributes(json: &str) -> Attributes {
    Attributes::try_from(&serde_json::from_str(json).unwrap()).unwrap()
}

fn subject() -> Subject {
    Subject {
        kind: "agent".into(),
        id: "agent-7".into(),
        roles: vec!["clerk".into(), "reader".into()],
        properties: attributes(r#"{"team": "a", "level": {"x": 1, "y": 2}}"#),
        on_behalf_of: "ann".into(),
    }
}

fn plan() -> Plan {
    let from_search =
        Input { path: "/to".into(), origin: Origin::Step { step_id: "find".into(), output_path: "/iban".into() } };
    Plan {
        request_id: "r-1".into(),
        tenant_id: "acme".into(),
        subject: subject(),
        ordering: Ordering::Dag,
        steps: vec![
            Step { step_id: "find".into(), action: "mail.search".into(), ..Step::default() },
            Step {
                step_id: "pay".into(),
                action: "bank.transfer".into(),
                params: attributes(r#"{"amount": 12, "to": "DE1"}"#),
                depends_on: vec!["find".into()],
                inputs: vec![from_search],
                ..Step::default()
            },
        ],
        intent_summary: "pay".into(),
        user_messages: vec!["pay it".into(), "now".into()],
        observations: vec![Observation { step_id: "find".into(), output: Value::Bool(true) }],
        labels: vec![("a".into(), "1".into()), ("b".into(), "2".into())],
        run_id: "run".into(),
        correlation_id: "corr".into(),
        snapshot: "sha256:1".into(),
        audience: "runtime".into(),
    }
}

fn request() -> Request {
    Request {
        request_id: "r-1".into(),
        tenant_id: "acme".into(),
        subject: subject(),
        action: Action { name: "refund".into(), properties: attributes(r#"{"fast": true}"#) },
        resource: Resource { kind: "order".into(), id: "9".into(), properties: attributes(r#"{"eur": 3}"#) },
        context: attributes(r#"{"cost_cents": 300}"#),
        run_id: "run".into(),
        correlation_id: "corr".into(),
        snapshot: "sha256:1".into(),
        explain: false,
        want_action_hash: false,
    }
}

/// The hash of asking for `target`, where nothing else is said than its own hash.
fn of(target: Target) -> Sha256Digest {
    let target_hash = match &target {
        Target::Plan(plan) => plan_hash(plan).unwrap(),
        Target::Action(request) => action_hash(request),
    };
    target.body_hash(around(&target_hash))
}

fn around(target_hash: &str) -> Around<'_> {
    Around {
        tenant: "acme",
        target_hash,
        requested_by: "ann",
        justification: "why",
        ttl_seconds: Some(60),
        webhook_endpoints: &[],
        correlation_id: "",
    }
}

fn of_plan(change: impl FnOnce(&mut Plan)) -> Sha256Digest {
    let mut plan = plan();
    change(&mut plan);
    of(Target::Plan(Box::new(plan)))
}

fn of_action(change: impl FnOnce(&mut Request)) -> Sha256Digest {
    let mut request = request();
    change(&mut request);
    of(Target::Action(Box::new(request)))
}

type Change<T> = (&'static str, fn(&mut T));

#[test]
fn each_member_of_a_plan_counts() {
    let changes: &[Change<Plan>] = &[
        ("tenant_id", |plan| plan.tenant_id = "other".into()),
        ("subject.type", |plan| plan.subject.kind = "user".into()),
        ("subject.id", |plan| plan.subject.id = "agent-8".into()),
        ("subject.roles", |plan| plan.subject.roles = vec!["clerk".into()]),
        ("order of subject.roles", |plan| plan.subject.roles.reverse()),
        ("subject.properties", |plan| plan.subject.properties = attributes(r#"{"team": "b"}"#)),
        ("no subject.properties", |plan| plan.subject.properties = Attributes::default()),
        ("subject.on_behalf_of", |plan| plan.subject.on_behalf_of = "eve".into()),
        ("ordering", |plan| {
            plan.ordering = Ordering::Sequential;
            plan.steps[1].depends_on.clear();
        }),
        ("a step", |plan| plan.steps[0].description = "look".into()),
        ("a hashed argument", |plan| plan.steps[1].params = attributes(r#"{"amount": 13, "to": "DE1"}"#)),
        ("a preview", |plan| plan.steps[1].params = attributes(r#"{"amount": 12, "to": "DE2"}"#)),
        ("intent_summary", |plan| plan.intent_summary = "steal".into()),
        ("user_messages", |plan| plan.user_messages = vec!["pay it now".into()]),
        ("observations", |plan| plan.observations[0].output = Value::Bool(false)),
        ("labels", |plan| plan.labels[0].1 = "2".into()),
        ("run_id", |plan| plan.run_id = "run-2".into()),
        ("correlation_id", |plan| plan.correlation_id = "corr-2".into()),
        ("snapshot", |plan| plan.snapshot = "sha256:2".into()),
        ("audience", |plan| plan.audience = "other".into()),
    ];
    let same = of_plan(|_| {});
    for (what, change) in changes {
        assert_ne!(of_plan(change), same, "{what}");
    }
}

#[test]
fn each_member_of_an_action_counts() {
    let changes: &[Change<Request>] = &[
        ("tenant_id", |request| request.tenant_id = "other".into()),
        ("subject.type", |request| request.subject.kind = "user".into()),
        ("subject.id", |request| request.subject.id = "agent-8".into()),
        ("subject.roles", |request| request.subject.roles.clear()),
        ("subject.properties", |request| request.subject.properties = attributes(r#"{"team": "b"}"#)),
        ("subject.on_behalf_of", |request| request.subject.on_behalf_of = "eve".into()),
        ("action.name", |request| request.action.name = "steal".into()),
        ("action.properties", |request| request.action.properties = attributes("{}")),
        ("resource.type", |request| request.resource.kind = "cart".into()),
        ("resource.id", |request| request.resource.id = "8".into()),
        ("resource.properties", |request| request.resource.properties = attributes("{}")),
        ("context", |request| request.context = attributes(r#"{"cost_cents": 301}"#)),
        ("run_id", |request| request.run_id = "run-2".into()),
        ("correlation_id", |request| request.correlation_id = "corr-2".into()),
        ("snapshot", |request| request.snapshot = "sha256:2".into()),
        ("explain", |request| request.explain = true),
    ];
    let same = of_action(|_| {});
    for (what, change) in changes {
        assert_ne!(of_action(change), same, "{what}");
    }
}

#[test]
fn each_member_around_the_target_counts() {
    let endpoints = [Text::const_new("ops")];
    let changes: [(&str, Around<'_>); 7] = [
        ("tenant", Around { tenant: "other", ..around("h") }),
        ("target_hash", around("g")),
        ("requested_by", Around { requested_by: "eve", ..around("h") }),
        ("justification", Around { justification: "", ..around("h") }),
        ("ttl_seconds", Around { ttl_seconds: None, ..around("h") }),
        ("webhook_endpoints", Around { webhook_endpoints: &endpoints, ..around("h") }),
        ("correlation_id", Around { correlation_id: "corr", ..around("h") }),
    ];
    let target = Target::Plan(Box::new(plan()));
    let same = target.body_hash(around("h"));
    for (what, changed) in changes {
        assert_ne!(target.body_hash(changed), same, "{what}");
    }
}

#[test]
fn what_means_the_same_is_the_same() {
    let changes: &[Change<Plan>] = &[
        ("request_id", |plan| plan.request_id = "r-2".into()),
        ("order of keys", |plan| {
            plan.subject.properties = attributes(r#"{"level": {"y": 2, "x": 1}, "team": "a"}"#);
            plan.steps[1].params = attributes(r#"{"to": "DE1", "amount": 12}"#);
        }),
        ("order of labels", |plan| plan.labels.reverse()),
        ("order of the steps of a DAG", |plan| plan.steps.reverse()),
    ];
    for (what, change) in changes {
        assert_eq!(of_plan(change), of_plan(|_| {}), "{what}");
    }
    let echoed = of_action(|request| {
        request.request_id = "r-2".into();
        request.want_action_hash = true;
    });
    assert_eq!(echoed, of_action(|_| {}));
}
