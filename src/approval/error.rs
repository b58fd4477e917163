//! Why a call about approvals could not be answered.

use super::assess::NotApprovable;
use super::machine::Refused;
use crate::model::Text;
use crate::store::StoreError;

/// Why a call could not be answered. Nothing has changed, unless the store says that it is uncertain.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ApprovalError {
    /// The tenant has no such approval.
    #[error("the tenant has no such approval")]
    NotFound,
    /// The token redeems nothing. Which of its reasons it is, only the audit event says.
    #[error("there is nothing that this token redeems for this target")]
    NotRedeemable,
    /// The state machine refuses.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The target cannot wait for approval, or must not run any more.
    #[error("{}", describe(.0))]
    NotApprovable(NotApprovable),
    /// The target is not valid under the snapshot that it asks for.
    #[error("an approval is made with the live snapshot, and the target pins another; leave `snapshot` empty")]
    Pinned,
    /// The target is of another tenant than the request.
    #[error("the target names the tenant {target:?}, and the request {request:?}")]
    TenantsDiffer {
        /// The target's.
        target: Text,
        /// The request's.
        request: Text,
    },
    /// The time to live is out of bounds.
    #[error("an approval of this kind is valid for {min} to {max} seconds, and {asked} were asked for")]
    Ttl {
        /// What was asked for.
        asked: i64,
        /// At least.
        min: u32,
        /// At most.
        max: u32,
    },
    /// No document defines the endpoint for the tenant.
    #[error("no WebhookEndpoint document of the tenant is named {name:?}")]
    UnknownEndpoint {
        /// Position in the request.
        index: usize,
        /// The name.
        name: Text,
    },
    /// The key was used for something else.
    #[error("the idempotency key was used for another request; use a new one")]
    KeyReused,
    /// The key was used for an approval that is final or redeemed.
    #[error("the idempotency key was used for an approval that is final or being redeemed; use a new one")]
    KeyUsedUp,
    /// Too many of the creator's approvals wait.
    #[error(
        "{open} approvals of this {whose} wait for approvers already, and {most} may; let some be decided first, or let an \
         ApprovalPolicy say more (`pending.{}`)", if *.whose == "tenant" { "perTenant" } else { "perCreator" }
    )]
    TooManyOpen {
        /// How many wait.
        open: u64,
        /// `creator` or `tenant`.
        whose: &'static str,
        /// How many may.
        most: u32,
    },
    /// The caller may take back only what it has created.
    #[error("the caller may cancel only approvals that it has created; approvers and operators may cancel others'")]
    NotTheCreator,
    /// It changes too often to be changed.
    #[error("the approval is being changed by many at once; try again")]
    Contended,
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The system gives no random bytes, or what is stored cannot be read.
    #[error("the server failed: {0}")]
    Internal(String),
}

fn describe(why: &NotApprovable) -> String {
    match why {
        NotApprovable::NoPolicies => {
            "no policies are live, so that nothing can be approved or redeemed; the server's log \
                                      says why, and `lictor check` on the documents finds the place"
                .to_owned()
        }
        NotApprovable::Rejected(validation) => {
            let first = validation.violations.first();
            let first =
                first.map_or_else(String::new, |found| format!(": {} ({})", found.message, found.code.as_str()));
            let more = match validation.violations.len() {
                0 | 1 => String::new(),
                count => format!(" and {} more", count - 1),
            };
            format!("the plan is rejected, and what is rejected cannot be approved{first}{more}")
        }
        NotApprovable::Denied(decision) => {
            format!("the action is denied ({}), and what is denied cannot be approved", decision.reason())
        }
        NotApprovable::NotNeeded => "the action is allowed as it is and needs no approval".to_owned(),
    }
}
