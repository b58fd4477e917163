//! The `cel` crate: one compiled program a rule, found by a hash of the action; the question's variables are ready.

use std::collections::HashMap;

use cel::{Context, Program, Value};

use super::Engine;
use crate::work::{Ask, action};

struct Cel {
    programs: HashMap<String, Program>,
    context: Context<'static, 'static>,
    action: String,
}

pub fn load(rules: usize) -> Box<dyn Engine> {
    let program = |n| {
        let text = "'support' in subject.roles && has(context.amount) && context.amount <= 50.0 && context.region == \
                    'eu' && subject.type == 'agent'";
        (action(n), Program::compile(text).expect("a valid program"))
    };
    let mut context = Context::default();
    let text = |text: &str| Value::from(text.to_owned());
    let subject = HashMap::from([("type", text("agent")), ("roles", Value::from(vec![text("support")]))]);
    context.add_variable_from_value("subject", subject);
    context.add_variable_from_value("context", HashMap::from([("amount", Value::Float(20.0)), ("region", text("eu"))]));
    Box::new(Cel { programs: (0..rules).map(program).collect(), context, action: String::new() })
}

impl Engine for Cel {
    fn prepare(&mut self, ask: Ask) {
        self.action = ask.action(self.programs.len());
    }

    fn decide(&mut self) -> bool {
        let program = self.programs.get(std::hint::black_box(&self.action));
        program.is_some_and(|program| program.execute(&self.context) == Ok(Value::Bool(true)))
    }
}
