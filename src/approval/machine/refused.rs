//! Why a verb does nothing.

use crate::model::{ApprovalStatus, Text};

/// What may be done with an approval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verb {
    /// Approve.
    Approve,
    /// Reject.
    Reject,
    /// Take back.
    Cancel,
    /// Redeem.
    Consume,
    /// Let a higher level decide.
    Escalate,
    /// End as too late.
    Expire,
    /// Give a new token.
    Reissue,
}

impl Verb {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Approve, Self::Reject, Self::Cancel, Self::Consume, Self::Escalate, Self::Expire, Self::Reissue];

    /// What was not done, for a message.
    #[must_use]
    pub const fn participle(self) -> &'static str {
        match self {
            Self::Approve => "approved",
            Self::Reject => "rejected",
            Self::Cancel => "cancelled",
            Self::Consume => "consumed",
            Self::Escalate => "escalated",
            Self::Expire => "expired",
            Self::Reissue => "given a new token",
        }
    }
}

/// Why a verb does nothing. Nothing has changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The state does not let it.
    #[error("the approval is {} and cannot be {}", .status.as_str(), .verb.participle())]
    WrongState {
        /// The state.
        status: ApprovalStatus,
        /// The verb.
        verb: Verb,
    },
    /// Its time is over.
    #[error("the approval has expired and cannot be {}", .verb.participle())]
    Over {
        /// The verb.
        verb: Verb,
    },
    /// The time for it has not come.
    #[error("it is too early for the approval to be {}", .verb.participle())]
    TooEarly {
        /// The verb.
        verb: Verb,
    },
    /// The caller saw another target.
    #[error(
        "the approval is for another target than the hash that was given; look at it again (`GetApproval`, `lictor approvals show`)"
    )]
    OtherTarget,
    /// Somebody changed it in between.
    #[error("the approval has changed since it was read; look at it again (`GetApproval`, `lictor approvals show`)")]
    Changed,
    /// The caller has no level.
    #[error(
        "the caller holds no level of approver, which only a certificate or a token gives (a Unix socket's peer may be the \
         agent's own tools); an operator can give one by `level` in `identity.principals` of lictor.yaml"
    )]
    NoLevel,
    /// The caller would use a higher level than its own.
    #[error("the caller's level is {own}, and level {asked} was asked for")]
    LevelTooHigh {
        /// The caller's.
        own: u8,
        /// The one asked for.
        asked: u8,
    },
    /// The level is lower than the stage's.
    #[error("the stage that is open needs level {needed}, and the caller uses level {level}")]
    LevelTooLow {
        /// The level used.
        level: u8,
        /// The level needed.
        needed: u8,
    },
    /// The caller is somebody for whom it is.
    #[error("the approver must be another person than the one who asks: the caller is the approval's {role}")]
    OwnRequest {
        /// `creator`, `requested_by`, `on_behalf_of` or `subject`.
        role: &'static str,
    },
    /// The caller's approval counts already.
    #[error("the caller has approved it already; the others must be other people")]
    ApprovedAlready,
    /// It is of another tenant.
    #[error("the approval is of another tenant")]
    OtherTenant,
    /// It is used up.
    #[error("the approval was redeemed already")]
    UsedUp,
    /// It waits for approvers.
    #[error("the approval waits for approvers: it is {}", .status.as_str())]
    NotApproved {
        /// The state.
        status: ApprovalStatus,
    },
    /// It ended before anything of it was redeemed.
    #[error("the approval is {}, and nothing of it was redeemed: it authorises nothing", .status.as_str())]
    Void {
        /// The state.
        status: ApprovalStatus,
    },
    /// It is for a single action.
    #[error("the approval is for a single action, and there is no plan to compare with")]
    NoPlan,
    /// It is redeemed in the other way.
    #[error("the approval is being redeemed {begun}; it cannot be redeemed {asked}")]
    OtherMode {
        /// How it is being redeemed.
        begun: &'static str,
        /// How it should have been.
        asked: &'static str,
    },
    /// A single action has no steps.
    #[error("the approval is for a single action, which has no steps; leave `step` out")]
    NoSteps,
    /// The plan has no such step.
    #[error("the plan has no step {step_id:?}; a step without an id is named by its position, from 0")]
    UnknownStep {
        /// The step.
        step_id: Text,
    },
    /// The step was redeemed.
    #[error("the step {step_id:?} was redeemed already")]
    StepUsedUp {
        /// The step.
        step_id: Text,
    },
    /// Another step comes first.
    #[error("the step {step_id:?} comes after {first:?}, which was not redeemed yet")]
    OutOfOrder {
        /// The step.
        step_id: Text,
        /// The one that comes first.
        first: Text,
    },
    /// The arguments are not those that were approved.
    #[error("the arguments of the step {step_id:?} are not what was approved: {what}")]
    OtherArguments {
        /// The step.
        step_id: Text,
        /// What differs.
        what: String,
    },
    /// The key was used for another redemption.
    #[error("the redemption key was used for another redemption of this approval; use a new one")]
    KeyUsed,
}
