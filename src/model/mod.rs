//! The words of the domain, as plain data: what is asked, what is answered, and the limits on both.
//!
//! Nothing here reads a clock, a file or a socket, and nothing here knows how a policy is written or how a message
//! travels. Every other room may use these types; they use none.

mod actor;
mod approval;
mod approval_query;
mod attributes;
mod bound;
mod characters;
mod dag_verification;
mod decision;
mod explanation;
mod id;
mod level;
mod limits;
mod plan;
mod reach;
mod request;
mod rule_label;
mod text;
mod ticket;
mod timestamp;
mod validation;
mod webhook_event;

pub use actor::{ANONYMOUS, DEV_PREFIX, is_asserted};
pub use approval::{
    Approval, ApprovalStatus, Escalation, Progress, Redeemed, Redemption, RedemptionMode, Settled, Sha256Digest, Stage,
    TargetKind, Vote,
};
pub use approval_query::{ApprovalCursor, ApprovalQuery, HistoryCursor, HistoryQuery, HistoryRow, Page};
pub use attributes::{Attributes, NotAnAttribute, Value};
pub use bound::{BoundPaths, bound_paths, without_previews};
pub use characters::{
    changes_the_display, control_character, forbidden_character, has_forbidden_character, without_control_characters,
};
pub use dag_verification::{BoundTo, Compared, DagVerification, Deviation, DeviationKind, HashMismatch, MalformedNode};
pub use decision::{Decision, Effect, Outcome, ReasonCode, Warning};
pub use explanation::{ExplainedValue, Explanation, RuleExplanation, RuleOutcome};
pub use id::new_id;
pub use level::{LEVEL_NAMES, level_of};
pub use limits::Limits;
pub use plan::{DagNode, Execution, ExecutionOutcome, Input, Observation, Ordering, Origin, Plan, Step};
pub use reach::Reach;
pub use request::{Action, Request, Resource, Subject, default_tenant};
pub use rule_label::{DefaultLabel, Layer, Obligation, RuleLabel, SnapshotLabel};
pub use text::{Text, is_plain_json, not_plain_json, same_bytes, same_text, sanitise_reason};
pub use ticket::{BootId, Ticket};
pub use timestamp::Timestamp;
pub use validation::{
    FlowHop, StepValidation, TierKind, TierReason, Validation, ValidationStatus, Violation, ViolationCode,
    ViolationSeverity,
};
pub use webhook_event::WebhookEvent;

/// Version of the engine's meaning of documents. Raised whenever the same documents and the same request could give
/// another answer than before, so that a replay knows what it can reproduce.
pub const SEMANTICS: u32 = 1;
