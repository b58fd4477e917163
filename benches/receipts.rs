//! Receipts of the plans that are measured.

use lictor::model::{Plan, Timestamp, Validation};
use lictor::receipt::{Issuer, IssuerOptions, ReceiptContent};

/// An issuer with a new key.
pub fn issuer(now: Timestamp) -> Issuer {
    let directory = tempfile::tempdir().expect("a temporary folder");
    let options = IssuerOptions {
        issuer: "lictor".to_owned(),
        audience: "executor".to_owned(),
        ttl_seconds: 300,
        grace_seconds: 3_600,
        epoch: 1,
        key: None,
        previous_keys: Vec::new(),
        directory: directory.path().to_owned(),
        noted: None,
    };
    Issuer::new(options, now).expect("a new key")
}

/// The receipt of what was answered to `plan`.
pub fn sign(issuer: &Issuer, plan: &Plan, answer: &Validation, now: Timestamp) -> String {
    let content = ReceiptContent {
        id: "01890a5d-ac96-774b-bcce-b302099a8057",
        audience: &plan.audience,
        tenant: plan.tenant(),
        run_id: &plan.run_id,
        status: answer.status,
        tier: answer.risk_tier,
        ir_hash: &answer.ir_hash,
        snapshot: &answer.snapshot.digest,
    };
    issuer.sign(&content, now)
}
