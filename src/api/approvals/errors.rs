//! Why a call about approvals is not answered, as clients see it.

use tonic::Code;

use crate::api::decode::{Fault, Violation};
use crate::api::refusal::Refusal;
use crate::approval::{ApprovalError, NotApprovable, Refused};
use crate::model::ViolationSeverity;
use crate::store::StoreError;

/// Most violations of a plan that one answer lists; details travel in a header, which clients bound.
const MAX_VIOLATIONS: usize = 12;

impl Refusal {
    /// A flat message that is not protobuf.
    pub(super) fn undecodable(error: &prost::DecodeError) -> Self {
        Self::new(Code::InvalidArgument, "MALFORMED_MESSAGE", format!("the request is not valid protobuf: {error}"))
    }

    /// A delivery that the tenant does not have.
    pub(super) fn no_such_delivery() -> Self {
        Self::new(Code::NotFound, "DELIVERY_NOT_FOUND", "the tenant has no such webhook delivery")
    }

    /// Why a call about approvals is not answered.
    pub fn approval(error: ApprovalError) -> Self {
        let message = error.to_string();
        let plain = |code, reason| Self::new(code, reason, message.clone());
        let field = |name: &str| {
            let violation =
                Violation { field: name.to_owned(), fault: Fault::OutOfRange, description: message.clone() };
            Self::invalid(vec![violation])
        };
        match error {
            ApprovalError::NotFound => plain(Code::NotFound, "APPROVAL_NOT_FOUND"),
            ApprovalError::NotRedeemable => plain(Code::NotFound, "NOT_REDEEMABLE"),
            ApprovalError::Refused(refused) => of_refused(&refused, message),
            ApprovalError::NotApprovable(why) => Self::not_approvable(&why, message),
            ApprovalError::Pinned => field("snapshot"),
            ApprovalError::TenantsDiffer { .. } => field("tenant_id"),
            ApprovalError::Ttl { .. } => field("ttl_seconds"),
            ApprovalError::UnknownEndpoint { index, .. } => field(&format!("webhook_endpoints[{index}]")),
            ApprovalError::KeyReused => plain(Code::AlreadyExists, "IDEMPOTENCY_KEY_REUSED"),
            ApprovalError::KeyUsedUp => plain(Code::AlreadyExists, "IDEMPOTENCY_KEY_USED_UP"),
            ApprovalError::TooManyOpen { .. } => plain(Code::ResourceExhausted, "TOO_MANY_PENDING"),
            ApprovalError::NotTheCreator => plain(Code::PermissionDenied, "NOT_THE_CREATOR"),
            ApprovalError::Contended => plain(Code::Aborted, "CONTENDED"),
            ApprovalError::Store(error) => of_store(&error),
            ApprovalError::Internal(_) => Self::internal(),
        }
    }

    fn not_approvable(why: &NotApprovable, message: String) -> Self {
        let (reason, violations) = match why {
            NotApprovable::Rejected(validation) => {
                let errors = validation.violations.iter().filter(|found| found.severity == ViolationSeverity::Error);
                let listed = errors.take(MAX_VIOLATIONS).map(|found| Violation {
                    field: format!("plan.{}", found.path),
                    fault: Fault::OutOfRange,
                    description: format!("{}: {}", found.code.as_str(), found.message),
                });
                ("PLAN_REJECTED", listed.collect())
            }
            NotApprovable::NoPolicies => ("NO_POLICY", Vec::new()),
            NotApprovable::Denied(_) => ("ACTION_DENIED", Vec::new()),
            NotApprovable::NotNeeded => ("APPROVAL_NOT_NEEDED", Vec::new()),
        };
        Self::new(Code::FailedPrecondition, reason, message).with_violations(violations)
    }
}

fn of_refused(refused: &Refused, message: String) -> Refusal {
    let (code, reason) = match refused {
        Refused::WrongState { .. } => (Code::FailedPrecondition, "WRONG_STATE"),
        Refused::Over { .. } => (Code::FailedPrecondition, "APPROVAL_EXPIRED"),
        Refused::TooEarly { .. } => (Code::FailedPrecondition, "TOO_EARLY"),
        Refused::OtherTarget => (Code::FailedPrecondition, "TARGET_HASH_MISMATCH"),
        Refused::Changed => (Code::Aborted, "ETAG_MISMATCH"),
        Refused::NoLevel => (Code::PermissionDenied, "NO_APPROVER_LEVEL"),
        Refused::LevelTooHigh { .. } => (Code::PermissionDenied, "LEVEL_ABOVE_OWN"),
        Refused::LevelTooLow { .. } => (Code::PermissionDenied, "LEVEL_TOO_LOW"),
        Refused::OwnRequest { .. } => (Code::PermissionDenied, "SEPARATION_OF_DUTIES"),
        Refused::ApprovedAlready => (Code::FailedPrecondition, "APPROVED_ALREADY"),
        Refused::OtherTenant | Refused::UsedUp => (Code::NotFound, "NOT_REDEEMABLE"),
        Refused::NotApproved { .. } | Refused::Void { .. } | Refused::NoPlan => {
            (Code::FailedPrecondition, "NOT_APPROVED")
        }
        Refused::OtherMode { .. } => (Code::FailedPrecondition, "REDEMPTION_MODE_MISMATCH"),
        Refused::NoSteps | Refused::UnknownStep { .. } => (Code::InvalidArgument, "UNKNOWN_STEP"),
        Refused::StepUsedUp { .. } => (Code::FailedPrecondition, "STEP_USED_UP"),
        Refused::OutOfOrder { .. } => (Code::FailedPrecondition, "STEP_OUT_OF_ORDER"),
        Refused::OtherArguments { .. } => (Code::FailedPrecondition, "ARGUMENTS_MISMATCH"),
        Refused::KeyUsed => (Code::AlreadyExists, "REDEMPTION_KEY_REUSED"),
    };
    Refusal::new(code, reason, message)
}

fn of_store(error: &StoreError) -> Refusal {
    let (code, reason, message) = match error {
        StoreError::Busy { .. } => {
            (Code::ResourceExhausted, "STORE_BUSY", "the store has too much to do; try again with back-off")
        }
        StoreError::Full { .. } => (
            Code::Unavailable,
            "STORE_FULL",
            "the store is full, and nothing has changed; an operator must make room on its disk or raise `store.maxBytes` (the \
             server's log names the file)",
        ),
        StoreError::Uncertain { .. } => (
            Code::Unavailable,
            "STORE_UNCERTAIN",
            "the store did not answer in time, and the change may have happened or not; ask again with the same key",
        ),
        StoreError::Invalid { .. } | StoreError::Corrupt { .. } => {
            tracing::error!(%error, "the store failed");
            return Refusal::internal();
        }
        _ => (Code::Unavailable, "STORE_UNAVAILABLE", "the store is not available; nothing has changed"),
    };
    tracing::warn!(%error, "an approval could not be read or changed");
    Refusal::new(code, reason, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_of_the_store_has_its_status_and_reason() {
        let reason = || "SECRET-DETAIL".to_owned();
        let path = || std::path::PathBuf::from("/SECRET-DETAIL/lictor.db");
        let nothing = "nothing has changed";
        for (error, code, expected, says) in [
            (StoreError::Unavailable { reason: reason() }, Code::Unavailable, "STORE_UNAVAILABLE", nothing),
            (StoreError::Busy { reason: reason() }, Code::ResourceExhausted, "STORE_BUSY", "try again"),
            (StoreError::Full { reason: reason() }, Code::Unavailable, "STORE_FULL", "`store.maxBytes`"),
            (StoreError::Uncertain { reason: reason() }, Code::Unavailable, "STORE_UNCERTAIN", "the same key"),
            (
                StoreError::NewerSchema { place: reason(), found: 9, known: 1 },
                Code::Unavailable,
                "STORE_UNAVAILABLE",
                nothing,
            ),
            (StoreError::Exposed { path: path(), why: reason() }, Code::Unavailable, "STORE_UNAVAILABLE", nothing),
            (StoreError::Replaced { place: reason(), why: reason() }, Code::Unavailable, "STORE_UNAVAILABLE", nothing),
            (StoreError::Url { reason: reason() }, Code::Unavailable, "STORE_UNAVAILABLE", nothing),
            (StoreError::Corrupt { path: path(), reason: reason() }, Code::Internal, "INTERNAL", "log"),
            (StoreError::Invalid { reason: reason() }, Code::Internal, "INTERNAL", "log"),
        ] {
            let refusal = Refusal::approval(ApprovalError::Store(error.clone()));
            assert_eq!((refusal.code(), refusal.reason()), (code, expected), "{error:?}");
            let status = refusal.to_status();
            let said = status.message();
            assert!(said.contains(says) && !said.contains("SECRET-DETAIL"), "{error:?}: {said}");
        }
    }
}
