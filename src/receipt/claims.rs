//! What a receipt says.

use serde::{Deserialize, Serialize};

use crate::model::ValidationStatus;

/// What a validation has to say to a receipt.
#[derive(Debug, Clone, Copy)]
pub struct ReceiptContent<'a> {
    /// Id of the validation; unique.
    pub id: &'a str,
    /// Who the receipt is for; empty for the configured audience.
    pub audience: &'a str,
    /// Tenant that the plan belongs to, the default filled in.
    pub tenant: &'a str,
    /// Run that the plan belongs to, empty if none.
    pub run_id: &'a str,
    /// What was answered.
    pub status: ValidationStatus,
    /// Greatest tier of the plan's steps, 0–3.
    pub tier: u8,
    /// Hash of the plan; empty if it has none.
    pub ir_hash: &'a str,
    /// Digest of the snapshot that answered.
    pub snapshot: &'a str,
}

/// The claims of a receipt whose signature holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Who issued it.
    pub iss: String,
    /// Who it is for.
    pub aud: String,
    /// Id of the validation; unique.
    pub jti: String,
    /// When it was issued, in seconds since 1970.
    pub iat: i64,
    /// Before when it is not valid, in seconds since 1970, if it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nbf: Option<i64>,
    /// When it expires, in seconds since 1970.
    pub exp: i64,
    /// Tenant that the plan belongs to.
    pub tenant: String,
    /// Run that the plan belongs to, empty if none.
    #[serde(default)]
    pub run_id: String,
    /// What was answered.
    pub status: Status,
    /// Greatest tier of the plan's steps, 0–3.
    pub tier: u8,
    /// Hash of the plan; empty if it has none.
    pub ir_hash: String,
    /// Digest of the snapshot that answered.
    pub snapshot: String,
    /// Epoch of the issuer's state, raised when it is restored from a backup.
    pub epoch: u64,
}

impl Receipt {
    /// What was answered.
    #[must_use]
    pub fn status(&self) -> ValidationStatus {
        match self.status {
            Status::Pass => ValidationStatus::Pass,
            Status::Escalate => ValidationStatus::Escalate,
            Status::Reject => ValidationStatus::Reject,
        }
    }

    /// Whether the plan with its `ir_hash` may run on its strength: only what passed, and has a hash.
    #[must_use]
    pub fn authorises(&self) -> bool {
        self.status == Status::Pass && !self.ir_hash.is_empty()
    }
}

/// The claims as they are written, borrowed. The same fields as [`Receipt`].
#[derive(Serialize)]
pub(super) struct Claims<'a> {
    pub(super) iss: &'a str,
    pub(super) aud: &'a str,
    pub(super) jti: &'a str,
    pub(super) iat: i64,
    pub(super) exp: i64,
    pub(super) tenant: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) run_id: &'a str,
    pub(super) status: &'static str,
    pub(super) tier: u8,
    pub(super) ir_hash: &'a str,
    pub(super) snapshot: &'a str,
    pub(super) epoch: u64,
}

/// What was answered, as claims say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Status {
    /// It may run.
    Pass,
    /// It may run only after a human's approval.
    Escalate,
    /// It must not run.
    Reject,
}
