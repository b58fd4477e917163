//! What the work costs without an engine: a hash of the action, then comparisons in Rust.

use std::collections::HashMap;

use super::Engine;
use crate::work::{Ask, action};

struct Rule {
    role: String,
    most: f64,
    region: String,
    kind: String,
}

struct Question {
    action: String,
    roles: Vec<String>,
    amount: Option<f64>,
    region: String,
    kind: String,
}

struct Index {
    rules: HashMap<String, Rule>,
    question: Question,
}

pub fn load(rules: usize) -> Box<dyn Engine> {
    let rule = || Rule { role: "support".to_owned(), most: 50.0, region: "eu".to_owned(), kind: "agent".to_owned() };
    let question = Question {
        action: String::new(),
        roles: vec!["support".to_owned()],
        amount: Some(20.0),
        region: "eu".to_owned(),
        kind: "agent".to_owned(),
    };
    Box::new(Index { rules: (0..rules).map(|n| (action(n), rule())).collect(), question })
}

impl Engine for Index {
    fn prepare(&mut self, ask: Ask) {
        self.question.action = ask.action(self.rules.len());
    }

    fn decide(&mut self) -> bool {
        let question = std::hint::black_box(&self.question);
        self.rules.get(&question.action).is_some_and(|rule| {
            question.roles.contains(&rule.role)
                && question.amount.is_some_and(|amount| amount <= rule.most)
                && question.region == rule.region
                && question.kind == rule.kind
        })
    }
}
