use super::*;
use crate::model::Value;

fn attributes(json: &serde_json::Value) -> Attributes {
    Attributes::try_from(json.as_object().unwrap()).unwrap()
}

fn request(context: &serde_json::Value) -> Request {
    Request {
        subject: Subject {
            kind: "agent".into(),
            id: "support-7".into(),
            roles: vec!["support".into()],
            ..Subject::default()
        },
        action: Action { name: "payment.refund".into(), ..Action::default() },
        resource: Resource { kind: "order".into(), id: "eu/4711".into(), ..Resource::default() },
        context: attributes(context),
        ..Request::default()
    }
}

#[test]
fn is_the_hash_of_the_canonical_form() {
    // sha256sum of {"action":{"name":"payment.refund"},"context":{"amount":20,"items":["b",{"a":null,"z":1.5}]},
    // "resource":{"id":"eu/4711","type":"order"},"subject":{"id":"support-7","roles":["support"],"type":"agent"},
    // "tenant":"default"} without blanks and line breaks.
    let expected = "sha256:e33e748b2b2529b3a861a8bf9587a45536bd027544b35eb4667dc31a29ce7e25";
    let one = serde_json::json!({"amount": 20, "items": ["b", {"a": null, "z": 1.5}]});
    let other = serde_json::json!({"items": ["b", {"z": 1.5, "a": null}], "amount": 20.0});
    assert_eq!(action_hash(&request(&one)), expected);
    assert_eq!(action_hash(&request(&other)), expected);
}

#[test]
fn covers_what_is_asked_and_nothing_else() {
    let base = || request(&serde_json::json!({"amount": 20}));
    let hash = action_hash(&base());
    type Change = fn(&mut Request);
    let covered: [Change; 11] = [
        |request| request.tenant_id = "acme".into(),
        |request| request.subject.kind = "user".into(),
        |request| request.subject.id = "support-8".into(),
        |request| request.subject.roles.clear(),
        |request| request.subject.on_behalf_of = "ann".into(),
        |request| request.subject.properties = attributes(&serde_json::json!({"level": 1})),
        |request| request.action.name = "payment.payout".into(),
        |request| request.action.properties = attributes(&serde_json::json!({"dry": true})),
        |request| request.resource = Resource::default(),
        |request| *request.context.get_mut("amount").unwrap() = Value::Number(21.0),
        |request| *request.context.get_mut("amount").unwrap() = Value::String("20".into()),
    ];
    for (number, change) in covered.iter().enumerate() {
        let mut request = base();
        change(&mut request);
        assert_ne!(action_hash(&request), hash, "change {number}");
    }
    let not_covered: [Change; 7] = [
        |request| request.tenant_id = "default".into(),
        |request| request.request_id = "r".into(),
        |request| request.correlation_id = "c".into(),
        |request| request.run_id = "run".into(),
        |request| request.snapshot = "sha256:0".into(),
        |request| request.explain = true,
        |request| request.want_action_hash = true,
    ];
    for (number, change) in not_covered.iter().enumerate() {
        let mut request = base();
        change(&mut request);
        assert_eq!(action_hash(&request), hash, "change {number}");
    }
}

#[test]
fn values_inside_attributes_count_even_if_empty() {
    let hash = |json: serde_json::Value| action_hash(&request(&json));
    assert_ne!(hash(serde_json::json!({"note": ""})), hash(serde_json::json!({})));
    assert_ne!(hash(serde_json::json!({"note": null})), hash(serde_json::json!({})));
    assert_eq!(hash(serde_json::json!({"n": -0.0})), hash(serde_json::json!({"n": 0})));
}
