//! casbin: attributes of the subject in the matcher (ABAC), action and role in the policy's lines.

use casbin::{CoreApi as _, DefaultModel, Enforcer, MemoryAdapter, MgmtApi as _};
use serde::Serialize;

use super::Engine;
use crate::work::{Ask, action};

const MODEL: &str = r#"
[request_definition]
r = sub, act
[policy_definition]
p = role, act
[policy_effect]
e = some(where (p.eft == allow))
[matchers]
m = r.act == p.act && r.sub.role == p.role && r.sub.amount <= 50 && r.sub.region == "eu" && r.sub.kind == "agent"
"#;

#[derive(Serialize, Hash, Clone)]
struct Subject {
    role: &'static str,
    amount: i64,
    region: &'static str,
    kind: &'static str,
}

struct Casbin {
    enforcer: Enforcer,
    rules: usize,
    action: String,
}

pub fn load(rules: usize) -> Box<dyn Engine> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let enforcer = runtime.block_on(async {
        let model = DefaultModel::from_str(MODEL).await.expect("a valid model");
        let mut enforcer = Enforcer::new(model, MemoryAdapter::default()).await.expect("an enforcer");
        let lines = (0..rules).map(|n| vec!["support".to_owned(), action(n)]).collect();
        enforcer.add_policies(lines).await.expect("valid lines");
        enforcer
    });
    Box::new(Casbin { enforcer, rules, action: String::new() })
}

impl Engine for Casbin {
    fn prepare(&mut self, ask: Ask) {
        self.action = ask.action(self.rules);
    }

    fn decide(&mut self) -> bool {
        let subject = Subject { role: "support", amount: 20, region: "eu", kind: "agent" };
        self.enforcer.enforce((subject, self.action.as_str())).expect("an answer")
    }
}
