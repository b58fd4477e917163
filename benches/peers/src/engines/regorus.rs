//! regorus: the policy compiled for its virtual machine, the rules as data that the policy indexes by action, the machine
//! kept between questions.

use regorus::Value;
use regorus::languages::rego::compiler::Compiler;
use regorus::rvm::vm::RegoVM;
use serde_json::json;

use super::Engine;
use crate::work::{Ask, action};

const POLICY: &str = "
package work
default allow := false
allow if {
    rule := data.rules[input.action]
    some role in input.subject.roles
    role == rule.role
    input.context.amount <= rule.most
    input.context.region == rule.region
    input.subject.type == rule.type
}
";
const ENTRY: &str = "data.work.allow";

struct Regorus {
    machine: RegoVM,
    rules: usize,
    input: Value,
}

pub fn load(rules: usize) -> Box<dyn Engine> {
    let rule = json!({"role": "support", "most": 50, "region": "eu", "type": "agent"});
    let table: serde_json::Map<_, _> = (0..rules).map(|n| (action(n), rule.clone())).collect();
    let data = value(&json!({"rules": table}));
    let mut engine = regorus::Engine::new();
    engine.add_policy("work.rego".to_owned(), POLICY.to_owned()).expect("a valid policy");
    engine.add_data(data.clone()).expect("data");
    let compiled = engine.compile_with_entrypoint(&ENTRY.into()).expect("compiles");
    let program = Compiler::compile_from_policy(&compiled, &[ENTRY]).expect("compiles for the machine");
    let mut machine = RegoVM::new();
    machine.load_program(program);
    machine.set_data(data).expect("data");
    Box::new(Regorus { machine, rules, input: Value::Undefined })
}

fn value(json: &serde_json::Value) -> Value {
    Value::from_json_str(&json.to_string()).expect("a value")
}

impl Engine for Regorus {
    fn prepare(&mut self, ask: Ask) {
        self.input = value(&json!({
            "action": ask.action(self.rules),
            "subject": {"id": "support-7", "type": "agent", "roles": ["support"]},
            "context": {"amount": 20, "region": "eu"},
        }));
    }

    fn decide(&mut self) -> bool {
        self.machine.set_input(self.input.clone());
        self.machine.execute().expect("an answer") == Value::Bool(true)
    }
}
