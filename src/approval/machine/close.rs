//! Cancelling, escalating, expiring, and giving a new token.

use super::approve::is_complete;
use super::refused::{Refused, Verb};
use super::{Happening, Transition, history, is_over, later, next, resolve};
use crate::model::{Approval, ApprovalStatus, Sha256Digest, Stage, Text, Timestamp};

/// Takes `approval` back.
///
/// # Errors
/// It is final, or its time is over.
pub fn cancel(
    approval: &Approval,
    actor: &Text,
    reason: &str,
    now: Timestamp,
    epoch: u64,
) -> Result<Transition, Refused> {
    if approval.status.is_final() {
        return Err(Refused::WrongState { status: approval.status, verb: Verb::Cancel });
    }
    if is_over(approval, now, epoch) {
        return Err(Refused::Over { verb: Verb::Cancel });
    }
    let mut after = next(approval, now);
    resolve(&mut after, ApprovalStatus::Cancelled, actor, reason);
    let words = if reason.is_empty() { "cancelled".to_owned() } else { format!("cancelled: {reason}") };
    Ok(Transition {
        history: Some(history(approval, &after, actor, words)),
        approval: after,
        voter: None,
        happening: Some(Happening::Cancelled),
        verb: Verb::Cancel,
    })
}

/// Lets a higher level decide: the stages that are open get at least the level of the escalation. Only `escalates_at`
/// moves, to when the new approvers should have answered; `expires_at` stays.
///
/// # Errors
/// It does not wait for its first approvers, has no escalation, or its time has not come or is over.
pub fn escalate(approval: &Approval, actor: &str, now: Timestamp, epoch: u64) -> Result<Transition, Refused> {
    let wrong_state = Refused::WrongState { status: approval.status, verb: Verb::Escalate };
    let (ApprovalStatus::Pending, Some(rule)) = (approval.status, approval.progress.settled.escalation) else {
        return Err(wrong_state);
    };
    if is_over(approval, now, epoch) {
        return Err(Refused::Over { verb: Verb::Escalate });
    }
    if approval.escalates_at.is_none_or(|at| now < at) {
        return Err(Refused::TooEarly { verb: Verb::Escalate });
    }
    let mut after = next(approval, now);
    after.status = ApprovalStatus::Escalated;
    after.progress.escalations += 1;
    for stage in after.progress.stages.iter_mut().filter(|stage| !is_complete(stage)) {
        stage.level = stage.level.max(rule.level);
    }
    after.required_level = required_level(&after.progress.stages);
    after.escalates_at = Some(later(now, rule.after_seconds).min(after.expires_at));
    let reason = format!("nobody decided within {} s; level {} decides now", rule.after_seconds, after.required_level);
    Ok(Transition {
        history: Some(history(approval, &after, actor, reason)),
        approval: after,
        voter: None,
        happening: Some(Happening::Escalated),
        verb: Verb::Escalate,
    })
}

/// Ends `approval` as too late.
///
/// # Errors
/// It is final, or its time is not over.
pub fn expire(approval: &Approval, actor: &str, now: Timestamp, epoch: u64) -> Result<Transition, Refused> {
    if approval.status.is_final() {
        return Err(Refused::WrongState { status: approval.status, verb: Verb::Expire });
    }
    if !is_over(approval, now, epoch) {
        return Err(Refused::TooEarly { verb: Verb::Expire });
    }
    let reason = match approval.status {
        _ if approval.epoch != epoch => "the store was restored from a backup since",
        ApprovalStatus::Approved | ApprovalStatus::AutoApproved => "not redeemed in time",
        _ => "not decided in time",
    };
    let mut after = next(approval, now);
    resolve(&mut after, ApprovalStatus::Expired, actor, reason);
    Ok(Transition {
        history: Some(history(approval, &after, actor, reason.to_owned())),
        approval: after,
        voter: None,
        happening: Some(Happening::Expired),
        verb: Verb::Expire,
    })
}

/// Gives `approval` a new token; the old one is void.
///
/// # Errors
/// It is final, its time is over, or a part of it was redeemed.
pub fn reissue(
    approval: &Approval,
    token_hash: Sha256Digest,
    now: Timestamp,
    epoch: u64,
) -> Result<Transition, Refused> {
    if approval.status.is_final() {
        return Err(Refused::WrongState { status: approval.status, verb: Verb::Reissue });
    }
    if is_over(approval, now, epoch) {
        return Err(Refused::Over { verb: Verb::Reissue });
    }
    if approval.progress.redemption.is_some() {
        return Err(Refused::UsedUp);
    }
    let after = Approval { token_hash, ..next(approval, now) };
    Ok(Transition { approval: after, history: None, voter: None, happening: None, verb: Verb::Reissue })
}

/// The greatest level that stages still ask for; that of all of them where none is open.
pub(crate) fn required_level(stages: &[Stage]) -> u8 {
    let open = stages.iter().filter(|stage| !is_complete(stage)).map(|stage| stage.level).max();
    open.or_else(|| stages.iter().map(|stage| stage.level).max()).unwrap_or(0)
}
