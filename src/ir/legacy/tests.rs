use serde_json::json;

use super::*;

fn staging() -> Value {
    json!({
        "action": "deploy.website",
        "provider": "deploy.provider_v1",
        "resource": "site:staging",
        "params": {"repo": "https://example.com/repo.git"},
        "idempotency_key": "deploy-staging-001",
    })
}

#[test]
fn the_published_vectors() {
    assert_eq!(
        step_hash(&staging()).as_deref(),
        Ok("69720b931cad591196656159b1c3bd1dee14aa526fd60cee4fd5985832dc74d9")
    );
    let nodes = json!([{"ir_step_id": "10", "ir_step_hash": "b"}, {"ir_step_id": "2", "ir_step_hash": "a"}]);
    assert_eq!(dag_hash(&nodes).as_deref(), Ok("c150c3c680f5e34c214ef0d0de1ee388fb8ea086c1c7b8bc91abe99388bcc09d"));
}

/// Hashes computed with Python: `sha256(json.dumps(step, sort_keys=True, separators=(",", ":"), ensure_ascii=False))`.
#[test]
fn every_kind_of_value_as_python_writes_it() {
    let step = json!({
        "action": "odoo.update_record",
        "provider": "odoo.v17",
        "resource": " erp:é ",
        "params": {"model": "account.move", "ids": [3, 1], "flag": true, "none": null, "q": "a\"b\\c\nd",
            "\u{ffff}": 1, "\u{10000}": -2, "big": 9_223_372_036_854_775_807_i64, "del": "\u{7f}"},
        "idempotency_key": "k1",
        "budget_cents": 500,
        "step_id": "s1",
        "constraints": {"environment": "prod"},
        "description": "d",
        "risk_tier": 3,
        "requires_approval": true,
    });
    assert_eq!(step_hash(&step).as_deref(), Ok("39dfc659907e7b5ded6e0076697ae39150de2fd501c72e7931c5f7ee5deb36a4"));
    let plan = json!({
        "tenant_id": "t1",
        "request_id": "req-1",
        "created_at": "2025-01-01T12:00:00.5",
        "labels": {"b": "2", "a": "1"},
        "steps": [staging(), step],
    });
    let hashes = plan_hashes(&plan).expect("hashes");
    assert_eq!(hashes.ir_hash, "c85efcf3e7ecf02053f95abf563415c3213ce8e6266e1b662c11733020388608");
    assert_eq!(hashes.step_hashes, [step_hash(&staging()).expect("a hash"), step_hash(&step).expect("a hash")]);
}

#[test]
fn times_are_those_of_python() {
    let plan = |created_at: &str| {
        plan_hashes(&json!({"tenant_id": "t1", "request_id": "r", "created_at": created_at, "steps": [staging()]}))
    };
    let whole = plan("2025-01-01T12:00:00");
    assert!(whole.is_ok());
    for same in ["2025-01-01T12:00:00Z", "2025-01-01T12:00:00+00:00", "2025-01-01T12:00:00.000000"] {
        assert_eq!(plan(same), whole, "{same}");
    }
    for refused in ["2025-01-01T12:00:00+02:00", "2025-01-01T12:00:00.0000001", "yesterday", ""] {
        let refusals = plan(refused).expect_err(refused);
        assert_eq!(refusals[0].path, "created_at");
    }
}

#[test]
fn refusals_name_their_place() {
    let mut step = staging();
    step["params"] = json!({"amount": 1.0, "a/b": ["\u{1}"], "fine": "\r\n\t"});
    step["risk_tier"] = json!(4);
    step["colour"] = json!("red");
    step["budget_cents"] = json!("500");
    step.as_object_mut().expect("a map").remove("resource");
    let plan = json!({"tenant_id": "t", "created_at": "2025-01-01T12:00:00", "steps": [staging(), step]});
    let refusals = plan_hashes(&plan).expect_err("refused");
    let paths: Vec<&str> = refusals.iter().map(|refusal| refusal.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "request_id",
            "steps[1].colour",
            "steps[1].budget_cents",
            "steps[1].resource",
            "steps[1].risk_tier",
            "steps[1].params/a~1b/0",
            "steps[1].params/amount",
        ]
    );
    assert!(step_hash(&json!([])).is_err());
    assert!(dag_hash(&json!([{"ir_step_id": "1"}])).is_err());
    assert!(dag_hash(&json!({})).is_err());
}
