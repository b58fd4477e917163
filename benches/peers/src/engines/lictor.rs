//! Lictor, embedded.

use std::fmt::Write as _;

use lictor::model::{Action, Attributes, Layer, Request, Resource, Subject, Timestamp, Value};
use lictor::policy::SourceText;

use super::Engine;
use crate::work::{Ask, action};

struct Lictor {
    engine: lictor::Engine,
    rules: usize,
    request: Request,
}

pub fn load(rules: usize) -> Box<dyn Engine> {
    let mut text = String::from("apiVersion: lictor.dev/v1\nkind: Policy\nmetadata: {name: p}\nspec:\n  rules:\n");
    for n in 0..rules {
        let _ = writeln!(
            text,
            "    - {{name: r{n}, effect: allow, actions: [{}], subjects: {{roles: [support]}}, when: \"has(context.amount) \
             && context.amount <= 50.0 && context.region == 'eu' && subject.type == 'agent'\"}}",
            action(n)
        );
    }
    let source = SourceText { name: "work.yaml".into(), layer: Layer::Organisation, text: text.into() };
    let engine = lictor::Engine::from_documents(&[source]).expect("valid documents");
    let context = vec![("amount".into(), Value::Number(20.0)), ("region".into(), Value::String("eu".into()))];
    let request = Request {
        subject: Subject {
            kind: "agent".into(),
            id: "support-7".into(),
            roles: vec!["support".into()],
            ..Subject::default()
        },
        resource: Resource { kind: "order".into(), id: "eu/4711".into(), ..Resource::default() },
        context: Attributes::from_entries(context).expect("unique keys"),
        ..Request::default()
    };
    Box::new(Lictor { engine, rules, request })
}

impl Engine for Lictor {
    fn prepare(&mut self, ask: Ask) {
        self.request.action = Action { name: ask.action(self.rules).into(), ..Action::default() };
    }

    fn decide(&mut self) -> bool {
        self.engine.evaluate(&self.request, Timestamp::from_micros(1_800_000_000_000_000)).allowed()
    }
}
