//! What a receipt says.

use serde::{Deserialize, Serialize};

use crate::model::{Timestamp, ValidationStatus};

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

/// What the redemption of an approval has to say to a grant, which is a receipt that authorises what people approved.
#[derive(Debug, Clone, Copy)]
pub struct GrantContent<'a> {
    /// Id of the redemption; unique.
    pub id: &'a str,
    /// The approval.
    pub approval_id: &'a str,
    /// The step that was redeemed; empty for the whole.
    pub step_id: &'a str,
    /// Hash of the step with the resolved arguments that it was redeemed with; empty for the whole.
    pub step_hash: &'a str,
    /// Tenant.
    pub tenant: &'a str,
    /// Run that the target belongs to, empty if none.
    pub run_id: &'a str,
    /// Tier of the target, 0–3.
    pub tier: u8,
    /// Hash of the target: of a plan or of an action.
    pub target_hash: &'a str,
    /// Digest of the snapshot with which it was validated last.
    pub snapshot: &'a str,
    /// When it was redeemed.
    pub issued_at: Timestamp,
    /// When the approval expires; the grant is not valid any longer.
    pub expires_at: Timestamp,
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
    /// Hash of the plan, for a grant of the plan or action; empty if it has none.
    pub ir_hash: String,
    /// Digest of the snapshot that answered.
    pub snapshot: String,
    /// The approval that was redeemed, for a grant; empty otherwise.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub approval_id: String,
    /// The step that was redeemed, for a grant over one; empty otherwise.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub step_id: String,
    /// Hash of that step with the resolved arguments that it may be called with, and with no others; empty otherwise.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub step_hash: String,
    /// Epoch of the issuer's state, raised when it is restored from a backup.
    pub epoch: u64,
}

impl Receipt {
    /// What it says of the plan as a whole: a grant over the whole says PASS, one over a step authorises that step alone.
    #[must_use]
    pub fn status(&self) -> ValidationStatus {
        match self.status {
            Status::Pass => ValidationStatus::Pass,
            Status::Granted if self.step_id.is_empty() => ValidationStatus::Pass,
            Status::Granted | Status::Escalate => ValidationStatus::Escalate,
            Status::Reject => ValidationStatus::Reject,
        }
    }

    /// Whether what its `ir_hash` names may run on its strength, as a whole: only what passed, or was approved and redeemed,
    /// and has a hash.
    #[must_use]
    pub fn authorises(&self) -> bool {
        matches!(self.status, Status::Pass | Status::Granted) && !self.ir_hash.is_empty() && self.step_id.is_empty()
    }

    /// Whether the step `step_id` of its plan may run on its strength.
    #[must_use]
    pub fn authorises_step(&self, step_id: &str) -> bool {
        self.authorises() || (self.status == Status::Granted && !self.ir_hash.is_empty() && self.step_id == step_id)
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
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) approval_id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) step_id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) step_hash: &'a str,
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
    /// People approved it, and the approval was redeemed for it.
    Granted,
}
