//! `lictor hash`, `lictor verify-dag` and `lictor receipt`.

use std::fs;

use serde_json::{Value, json};

use super::{folder_with, lictor};

const PLAN: &str = "ordering: DAG\nsteps:\n  - {stepId: read, action: mail.search, idempotencyKey: r1}\n  - {stepId: send, \
                    action: mail.send, idempotencyKey: s1, dependsOn: [read], params: {to: ann}}\n";
const LEGACY: &str = r#"{"tenant_id": "t1", "request_id": "req-1", "created_at": "2025-01-01T12:00:00", "steps": [
    {"action": "deploy.website", "provider": "deploy.provider_v1", "resource": "site:staging",
     "params": {"repo": "https://example.com/repo.git"}, "idempotency_key": "deploy-staging-001"}]}"#;

#[test]
fn a_plan_is_hashed() {
    let folder = folder_with(&[
        ("plan.yaml", PLAN),
        ("bad.yaml", "steps: [{action: \"a\\u0007\"}]\n"),
        ("no.yaml", "step: 1\n"),
    ]);
    let (code, hash, error) = lictor(folder.path(), &["hash", "-f", "plan.yaml"]);
    assert_eq!(code, 0, "{error}");
    assert!(hash.starts_with("sha256:") && hash.trim().len() == 71, "{hash}");
    let (_, text, _) = lictor(folder.path(), &["hash", "-f", "plan.yaml", "--canonical"]);
    assert!(text.starts_with(r#"{"ordering":"DAG","steps":[{"action":"mail.search""#) && text.ends_with('}'), "{text}");
    let (_, out, _) = lictor(folder.path(), &["hash", "-f", "plan.yaml", "--output", "json"]);
    let json: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(json["ir_hash"], hash.trim());
    assert_eq!(json["steps"][1]["step_id"], "send");
    let (_, out, _) = lictor(folder.path(), &["hash", "-f", "plan.yaml", "--steps"]);
    assert_eq!(out.lines().count(), 3, "{out}");
    let (code, _, error) = lictor(folder.path(), &["hash", "-f", "bad.yaml"]);
    assert_eq!(code, 1);
    assert!(error.contains("no canonical form: steps[0].action: "), "{error}");
    let (code, _, error) = lictor(folder.path(), &["hash", "-f", "no.yaml"]);
    assert_eq!(code, 2);
    assert!(error.contains("no.yaml:1:1"), "{error}");
    assert_eq!(lictor(folder.path(), &["hash", "-f", "missing.yaml"]).0, 2);
}

#[test]
fn a_plan_of_the_predecessor_is_hashed_as_it_was() {
    let fraction = LEGACY.replace("\"idem", "\"budget_cents\": 5.0, \"idem");
    let folder = folder_with(&[("old.json", LEGACY), ("fraction.json", &fraction)]);
    let (code, out, error) = lictor(folder.path(), &["hash", "--legacy", "--steps", "-f", "old.json"]);
    assert_eq!(code, 0, "{error}");
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines[1], "69720b931cad591196656159b1c3bd1dee14aa526fd60cee4fd5985832dc74d9  0");
    assert_eq!(lines[0].len(), 64);
    let (code, _, error) = lictor(folder.path(), &["hash", "--legacy", "-f", "fraction.json"]);
    assert_eq!(code, 1);
    assert!(error.contains("steps[0].budget_cents: a whole number"), "{error}");
}

#[test]
fn a_dag_and_calls_are_compared_with_the_plan() {
    let folder = folder_with(&[("plan.yaml", PLAN)]);
    let (_, out, _) = lictor(folder.path(), &["hash", "-f", "plan.yaml", "--output", "json"]);
    let hashes: Value = serde_json::from_str(&out).unwrap();
    let hash = |i: usize| hashes["steps"][i]["step_hash"].clone();
    let mut nodes = json!({"nodes": [
        {"ir_step_id": "send", "ir_step_hash": hash(1), "depends_on": ["read"],
         "content": {"action": "mail.send", "idempotency_key": "s1", "params": {"to": "ann"}}},
        {"ir_step_id": "read", "ir_step_hash": hash(0)},
    ]});
    let calls = "executions:\n  - {seq: 0, stepId: read, action: mail.search, outcome: DONE}\n  - {seq: 1, action: mail.send, \
                 params: {to: ann}, outcome: DONE}\n";
    fs::write(folder.path().join("nodes.json"), nodes.to_string()).unwrap();
    fs::write(folder.path().join("calls.yaml"), calls).unwrap();
    let verify = |more: &[&str]| {
        let all =
            [&["verify-dag", "-f", "plan.yaml", "--nodes", "nodes.json", "--executions", "calls.yaml"], more].concat();
        lictor(folder.path(), &all)
    };
    let (code, out, error) = verify(&[]);
    assert_eq!(code, 0, "{out}{error}");
    assert!(
        out.contains("the same") && out.contains("bound to nothing") && out.contains("of some nodes only"),
        "{out}"
    );

    nodes["nodes"][0]["content"]["params"]["to"] = json!("mallory");
    fs::write(folder.path().join("nodes.json"), nodes.to_string()).unwrap();
    fs::write(folder.path().join("calls.yaml"), calls.replace("to: ann", "to: mallory")).unwrap();
    let (code, out, _) = verify(&[]);
    assert_eq!(code, 1);
    assert!(out.contains("send: /params/to") && out.contains("UNPLANNED_CALL"), "{out}");
    let (_, out, _) = verify(&["--output", "json"]);
    let json: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(json["hash_mismatches"][0]["changed_paths"], json!(["/params/to"]));
    assert_eq!((&json["not_run"], &json["compared"]), (&json!(["send"]), &json!("MIXED")));

    let (code, _, error) = lictor(folder.path(), &["verify-dag", "-f", "plan.yaml"]);
    assert_eq!(code, 2);
    assert!(error.contains("--nodes"), "{error}");
    fs::write(folder.path().join("calls.yaml"), "executions: [{seq: 0, step: read}]\n").unwrap();
    let (code, _, error) = verify(&[]);
    assert_eq!(code, 2);
    assert!(error.contains("outcome") && error.contains("calls.yaml:1"), "{error}");
}

#[test]
fn open_arguments_are_held_against_the_schemas_of_the_policies() {
    let catalogue = "apiVersion: lictor.dev/v1\nkind: ActionCatalog\nmetadata: {name: c}\nspec:\n  actions:\n    - \
                     {name: find, tier: 0}\n    - {name: pay, tier: 0, paramsSchema: {properties: {amount: {type: \
                     number}}}}\n";
    let plan = "steps:\n  - {stepId: f, action: find, idempotencyKey: k1}\n  - {stepId: p, action: pay, idempotencyKey: \
                k2, inputs: [{path: /amount, step: {stepId: f}}]}\n";
    let calls = "executions:\n  - {seq: 0, stepId: f, action: find, outcome: DONE}\n  - {seq: 1, stepId: p, action: pay, \
                 params: {amount: all of it}, outcome: DONE}\n";
    let folder = folder_with(&[("c.yaml", catalogue), ("plan.yaml", plan), ("calls.yaml", calls)]);
    let verify = |more: &[&str]| {
        let all = [&["verify-dag", "-f", "plan.yaml", "--executions", "calls.yaml"], more].concat();
        lictor(folder.path(), &all)
    };
    let (code, out, error) = verify(&[]);
    assert_eq!(code, 0, "{error}");
    assert!(out.contains("held against no schema; give --policies. Steps: p"), "{out}");
    fs::write(folder.path().join("none.yaml"), catalogue.replace("name: pay", "name: give")).unwrap();
    let (code, out, _) = verify(&["--policies", "none.yaml"]);
    assert!(code == 0 && out.contains("no catalogue has a `paramsSchema` for their actions. Steps: p"), "{code} {out}");
    let (code, out, _) = verify(&["--policies", "c.yaml"]);
    assert_eq!(code, 1);
    assert!(out.contains("INVALID_PARAMS p") && !out.contains("no schema"), "{out}");
    let (_, out, _) = verify(&["-p", "c.yaml", "--output", "json"]);
    let json: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(json["unchecked_params"], json!([]));
    assert!(json["params_snapshot"].as_str().unwrap().starts_with("sha256:"), "{out}");
}

#[test]
fn a_plan_that_is_too_large_or_no_json_is_refused_for_what_it_is() {
    let large = format!("{{\"steps\": [], \"intentSummary\": \"{}\"}}", "x".repeat(5 << 20));
    let folder = folder_with(&[("large.json", &large), ("nan", "{\"steps\": [{\"params\": {\"a\": NaN}}]}\n")]);
    for command in [&["hash"][..], &["validate-ir", "--policies", "."], &["verify-dag", "--nodes", "nan"]] {
        let (code, _, error) = lictor(folder.path(), &[command, &["-f", "large.json"]].concat());
        let size = format!("has {} bytes, and at most 4194304 are read", large.len());
        assert!(code == 2 && error.contains(&size) && error.contains("send fewer steps"), "{error}");
        let (code, _, error) = lictor(folder.path(), &[command, &["-f", "nan"]].concat());
        assert!(code == 2 && error.contains("begins like JSON") && error.contains("NaN"), "{error}");
    }
}

#[test]
fn an_audit_is_held_to_the_limits_of_a_validation() {
    let step =
        |number: usize| json!({"stepId": format!("s{number}"), "action": "a", "idempotencyKey": format!("k{number}")});
    let plan = json!({"steps": (0..1_001).map(step).collect::<Vec<_>>()}).to_string();
    let catalogue =
        "apiVersion: lictor.dev/v1\nkind: ActionCatalog\nmetadata: {name: c}\nspec: {actions: [{name: a, tier: 0}]}\n";
    let node = json!({"nodes": [{"irStepId": "s0", "irStepHash": "h"}]}).to_string();
    let folder = folder_with(&[("plan.json", &plan), ("nodes.json", &node), ("p.yaml", catalogue)]);
    let said = "the plan has 1001 steps, and this server allows 1000";
    let (code, out, error) = lictor(folder.path(), &["verify-dag", "-f", "plan.json", "--nodes", "nodes.json"]);
    assert!(code == 2 && error.contains(said) && error.contains("split it into several plans"), "{code} {out} {error}");
    let (code, out, _) = lictor(folder.path(), &["validate-ir", "-f", "plan.json", "--policies", "p.yaml"]);
    assert!(code == 1 && out.contains(said) && out.contains("split it into several plans"), "{code} {out}");
}

#[test]
fn a_mistake_in_json_is_shown_where_it_is() {
    let folder = folder_with(&[("plan.json", "{\"steps\": [\n  {\"action\": \"a\", \"params\": {\"n\": 05}}\n]}\n")]);
    for command in [&["hash"][..], &["validate-ir", "--policies", "."]] {
        let (code, _, error) = lictor(folder.path(), &[command, &["-f", "plan.json"]].concat());
        assert_eq!(code, 2);
        for part in [
            "error[json-syntax]: this is not JSON: invalid number",
            "plan.json:2:",
            "{\"n\": 05}",
            "help: write a number",
        ] {
            assert!(error.contains(part), "{part}: {error}");
        }
    }
}

#[test]
fn keys_succeed_each_other_and_what_is_no_receipt_is_refused() {
    let folder = folder_with(&[("lictor-data/keys/other", "")]);
    let (code, _, error) = lictor(folder.path(), &["receipt", "keys"]);
    assert_eq!(code, 2);
    assert!(error.contains("there are no keys in `lictor-data/keys`"), "{error}");
    for _ in 0..2 {
        let (code, out, error) = lictor(folder.path(), &["receipt", "rotate"]);
        assert_eq!(code, 0, "{error}");
        assert!(out.starts_with("made "), "{out}");
    }
    let (code, jwks, error) = lictor(folder.path(), &["receipt", "keys"]);
    assert_eq!(code, 0, "{error}");
    let keys: Value = serde_json::from_str(&jwks).unwrap();
    assert_eq!(keys["keys"].as_array().unwrap().len(), 2);
    assert_eq!(keys["keys"][0]["crv"], "Ed25519");
    fs::write(folder.path().join("jwks.json"), jwks).unwrap();
    let (code, out, _) = lictor(folder.path(), &["receipt", "verify", "--jwks", "jwks.json", "no.receipt.here"]);
    assert_eq!(code, 1);
    assert!(out.contains("not accepted") && out.contains("authorises nothing"), "{out}");
    let (code, _, error) = lictor(folder.path(), &["receipt", "verify", "--jwks", "missing.json", "a.b.c"]);
    assert_eq!(code, 2);
    assert!(error.contains("cannot read"), "{error}");
}
