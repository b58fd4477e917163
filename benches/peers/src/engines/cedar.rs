//! Cedar: one policy a rule; role membership through the entity hierarchy; request and entities are ready.

use std::fmt::Write as _;
use std::str::FromStr as _;

use cedar_policy::{Authorizer, Context, Decision, Entities, EntityUid, PolicySet, Request};
use serde_json::json;

use super::Engine;
use crate::work::{Ask, action};

struct Cedar {
    authorizer: Authorizer,
    policies: PolicySet,
    entities: Entities,
    rules: usize,
    request: Request,
}

pub fn load(rules: usize) -> Box<dyn Engine> {
    let mut text = String::new();
    for n in 0..rules {
        let _ = writeln!(
            text,
            "permit(principal in Role::\"support\", action == Action::\"{}\", resource) when {{ context has amount && \
             context.amount <= 50 && context.region == \"eu\" && principal.kind == \"agent\" }};",
            action(n)
        );
    }
    let entities = json!([
        {"uid": {"type": "Subject", "id": "support-7"}, "attrs": {"kind": "agent"}, "parents": [{"type": "Role", "id": "support"}]},
        {"uid": {"type": "Role", "id": "support"}, "attrs": {}, "parents": []},
    ]);
    Box::new(Cedar {
        authorizer: Authorizer::new(),
        policies: PolicySet::from_str(&text).expect("valid policies"),
        entities: Entities::from_json_value(entities, None).expect("valid entities"),
        rules,
        request: request("none"),
    })
}

fn request(action: &str) -> Request {
    let uid = |text: &str| EntityUid::from_str(text).expect("a valid name");
    let context = Context::from_json_value(json!({"amount": 20, "region": "eu"}), None).expect("a valid context");
    let action = uid(&format!("Action::\"{action}\""));
    Request::new(uid("Subject::\"support-7\""), action, uid("Order::\"eu/4711\""), context, None).expect("a request")
}

impl Engine for Cedar {
    fn prepare(&mut self, ask: Ask) {
        self.request = request(&ask.action(self.rules));
    }

    fn decide(&mut self) -> bool {
        let answer = self.authorizer.is_authorized(std::hint::black_box(&self.request), &self.policies, &self.entities);
        answer.decision() == Decision::Allow
    }
}
