//! Redeeming and auditing from the command line, at a real server.

use crate::served::Backend;
use crate::system::Lictor;

const PLAN: &str = "
ordering: SEQUENTIAL
subject: {type: agent, id: agent-7}
steps:
  - {stepId: look, action: bank.look, provider: bank, resource: account/7, idempotencyKey: l}
  - stepId: pay
    action: bank.transfer
    provider: bank
    resource: account/7
    idempotencyKey: p
    params: {amount: 12}
    inputs: [{path: /recipient, step: {stepId: look, outputPath: /iban}}]
";

/// What was called: as planned but for `params` of the payment.
fn calls(params: &str) -> String {
    format!(
        "executions:\n  - {{seq: 1, stepId: look, action: bank.look, resource: account/7, outcome: DONE}}\n  \
         - {{seq: 2, stepId: pay, action: bank.transfer, resource: account/7, params: {params}, outcome: DONE}}\n"
    )
}

/// A server, and an approval that was given at it.
struct Desk {
    lictor: Lictor,
    id: String,
    hash: String,
}

impl Desk {
    fn with_an_approval() -> Self {
        let lictor = Backend::Sqlite.server();
        for (name, text) in [
            ("plan.yaml", PLAN.to_owned()),
            ("whole.json", r#"{"amount": 12, "recipient": "bob"}"#.to_owned()),
            ("lacking.yaml", "amount: 12\n".to_owned()),
            ("list.yaml", "[1, 2]\n".to_owned()),
            ("calls.yaml", calls("{amount: 12, recipient: bob}")),
            ("lacking-calls.yaml", calls("{amount: 12}")),
            ("other-calls.yaml", calls("{amount: 12, recipient: mallory}")),
        ] {
            std::fs::write(lictor.path(name), text).expect("a file");
        }
        let mut desk = Self { lictor, id: String::new(), hash: String::new() };
        let create = ["create", "-f", "plan.yaml", "--key", "k", "--token-to", "token", "--output", "json"];
        let (code, printed) = desk.approvals("runtime", &create);
        assert_eq!(code, 0, "{printed}");
        let made: serde_json::Value = serde_json::from_str(&printed).expect("JSON");
        let text = |name: &str| made["approval"][name].as_str().expect("text").to_owned();
        (desk.id, desk.hash) = (text("id"), text("target_hash"));
        desk
    }

    fn approved(self) -> Self {
        let (id, hash) = (self.id.clone(), self.hash.clone());
        let (code, printed) = self.approvals("ann", &["approve", &id, "--hash", &hash, "--dev-level", "4"]);
        assert_eq!(code, 0, "{printed}");
        self
    }

    fn at_server(&self, principal: &str, arguments: &[&str]) -> (i32, String) {
        let address = self.lictor.tcp.to_string();
        let asks = ["--server", &address, "--dev-as", principal, "--timeout-ms", "30000"];
        self.lictor.command(&[arguments, &asks].concat())
    }

    fn approvals(&self, principal: &str, arguments: &[&str]) -> (i32, String) {
        self.at_server(principal, &[&["approvals"], arguments].concat())
    }

    /// Redeems with the token of the file.
    fn consume(&self, key: &str, arguments: &[&str]) -> (i32, String) {
        let of_token = ["consume", "--hash", &self.hash, "--token-from", "token", "--key", key];
        self.approvals("runtime", &[&of_token, arguments].concat())
    }

    /// Compares calls with what was approved and redeemed.
    fn verify(&self, executions: &str) -> (i32, String) {
        let asks = ["verify-dag", "-f", "plan.yaml", "--executions", executions, "--approval", &self.id];
        self.at_server("runtime", &asks)
    }
}

fn has(outcome: &(i32, String), code: i32, words: &str) {
    assert!(outcome.0 == code && outcome.1.contains(words), "{code} and {words:?} expected: {outcome:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_is_redeemed_as_a_whole_and_audited() {
    let desk = Desk::with_an_approval();
    has(&desk.verify("calls.yaml"), 2, "PENDING");
    has(&desk.consume("1", &[]), 2, "waits for approvers");
    let desk = desk.approved();
    has(&desk.verify("calls.yaml"), 1, "NOT_AUTHORISED");
    has(&desk.consume("1", &[]), 0, "it may run now, once\n");
    has(&desk.consume("1", &[]), 0, "it may run now, once (as answered before)");
    has(&desk.consume("2", &[]), 2, "there is nothing that this token redeems");
    has(&desk.verify("calls.yaml"), 0, "the same");
    has(&desk.verify("other-calls.yaml"), 0, "the same");
    has(&desk.verify("lacking-calls.yaml"), 1, "/recipient is filled from another step's output, and was not given");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_is_redeemed_step_by_step_and_audited() {
    let desk = Desk::with_an_approval().approved();
    let pay = ["--step", "pay", "--params"];
    has(&desk.consume("p", &[&pay[..], &["whole.json"]].concat()), 2, "look");
    has(&desk.consume("l", &["--step", "nothing"]), 2, "the plan has no step \"nothing\"");
    has(&desk.consume("l", &["--step", "look"]), 0, "the step may run now, once, with these arguments\n");
    has(&desk.consume("w", &[]), 2, "cannot be redeemed");
    has(&desk.consume("p", &["--step", "pay"]), 2, "params/amount");
    has(&desk.consume("p", &[&pay[..], &["lacking.yaml"]].concat()), 2, "params/recipient");
    has(&desk.verify("calls.yaml"), 1, "NOT_AUTHORISED pay");
    has(&desk.consume("p", &[&pay[..], &["whole.json"]].concat()), 0, "step hash");
    has(&desk.consume("p", &[&pay[..], &["whole.json"]].concat()), 0, "(as answered before)");
    has(&desk.consume("q", &[&pay[..], &["whole.json"]].concat()), 2, "there is nothing that this token redeems");
    has(&desk.verify("calls.yaml"), 0, "the same");
    for executions in ["other-calls.yaml", "lacking-calls.yaml"] {
        has(&desk.verify(executions), 1, "CHANGED_PARAMS pay");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_read_is_said_before_the_server_is_asked() {
    let desk = Desk::with_an_approval();
    has(&desk.consume("k", &["--params", "whole.json"]), 2, "--step");
    has(&desk.consume("k", &["--step", "pay", "--params", "none.json"]), 2, "cannot read `none.json`");
    has(&desk.consume("k", &["--step", "pay", "--params", "list.yaml"]), 2, "the file holds one map");
    let both = ["consume", "--hash", &desk.hash, "--step", "pay", "--params", "-"];
    has(&desk.approvals("runtime", &both), 2, "cannot both come from standard input");
}
