//! Approving and rejecting.

use super::refused::{Refused, Verb};
use super::{Happening, Transition, history, is_over, next, resolve};
use crate::approval::people::askers;
use crate::model::{self, Approval, ApprovalStatus, Stage, Text, Timestamp};

/// Who approves or rejects, as known from the channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Voter {
    /// The principal.
    pub principal: Text,
    /// The level that it holds, 1–5; `None` for callers that can hold none.
    pub level: Option<u8>,
    /// Other names of the same person among those in the approval.
    pub also: Vec<Text>,
}

/// What an approver says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Vote {
    /// The hash that they saw.
    pub target_hash: Text,
    /// Level to use, 1–5, at most their own; their own if not given.
    pub level: Option<u8>,
    /// For the record.
    pub notes: String,
    /// The version that they saw, if it matters to them.
    pub version: Option<u64>,
}

/// What `voter`'s approval makes of `approval`.
///
/// # Errors
/// It may not approve, or not this, or not now.
pub fn approve(
    approval: &Approval,
    voter: &Voter,
    vote: &Vote,
    now: Timestamp,
    epoch: u64,
) -> Result<Transition, Refused> {
    let level = entitled(approval, voter, vote, Verb::Approve, now, epoch)?;
    let mut after = next(approval, now);
    let counted =
        |stage: &Stage| stage.approvals.iter().any(|v| v.principal == voter.principal && v.level >= stage.level);
    if after.progress.stages.iter().any(counted) {
        return Err(Refused::ApprovedAlready);
    }
    let entry = model::Vote { principal: voter.principal.clone(), level, notes: vote.notes.clone(), at: now };
    let Some(open) = after.progress.stages.iter().position(|stage| !is_complete(stage)) else {
        // Stages that are all complete would have resolved it.
        return Err(Refused::WrongState { status: approval.status, verb: Verb::Approve });
    };
    let stages = &mut after.progress.stages;
    let stage = &mut stages[open];
    // One that did not count is replaced by one with another level.
    stage.approvals.retain(|earlier| earlier.principal != voter.principal);
    let needed = stage.level;
    stage.approvals.push(entry);
    let done = is_complete(stage) && open + 1 == stages.len();
    let said = |what: &str| format!("{what} with level {level}{}", noted(&vote.notes));
    let (reason, happening) = if done {
        let reason = said("approved");
        resolve(&mut after, ApprovalStatus::Approved, &voter.principal, &vote.notes);
        (reason, Happening::Approved)
    } else if level < needed {
        (said(&format!("approval that does not count, as stage {} needs level {needed},", open + 1)), Happening::Added)
    } else {
        (said(&format!("approval added in stage {}", open + 1)), Happening::Added)
    };
    let history = history(approval, &after, &voter.principal, reason);
    Ok(Transition {
        approval: after,
        history: Some(history),
        voter: Some(voter.principal.clone()),
        happening: Some(happening),
        verb: Verb::Approve,
    })
}

/// What `voter`'s reject makes of `approval`. One is enough.
///
/// # Errors
/// It may not reject, or not this, or not now.
pub fn reject(
    approval: &Approval,
    voter: &Voter,
    vote: &Vote,
    now: Timestamp,
    epoch: u64,
) -> Result<Transition, Refused> {
    let level = entitled(approval, voter, vote, Verb::Reject, now, epoch)?;
    let open = approval.progress.stages.iter().find(|stage| !is_complete(stage));
    if let Some(stage) = open.filter(|stage| level < stage.level) {
        return Err(Refused::LevelTooLow { level, needed: stage.level });
    }
    let mut after = next(approval, now);
    resolve(&mut after, ApprovalStatus::Rejected, &voter.principal, &vote.notes);
    let history =
        history(approval, &after, &voter.principal, format!("rejected with level {level}{}", noted(&vote.notes)));
    Ok(Transition {
        approval: after,
        history: Some(history),
        voter: Some(voter.principal.clone()),
        happening: Some(Happening::Rejected),
        verb: Verb::Reject,
    })
}

/// Whether a stage has its quorum.
#[must_use]
pub fn is_complete(stage: &Stage) -> bool {
    let counting = stage.approvals.iter().filter(|vote| vote.level >= stage.level).count();
    counting >= usize::try_from(stage.quorum).unwrap_or(usize::MAX)
}

/// The level that `voter` uses, if it may vote at all.
fn entitled(
    approval: &Approval,
    voter: &Voter,
    vote: &Vote,
    verb: Verb,
    now: Timestamp,
    epoch: u64,
) -> Result<u8, Refused> {
    let own = voter.level.ok_or(Refused::NoLevel)?;
    let level = vote.level.unwrap_or(own);
    if level > own {
        return Err(Refused::LevelTooHigh { own, asked: level });
    }
    let is_own = |name: &Text| !name.is_empty() && (*name == voter.principal || voter.also.contains(name));
    if let Some((_, role)) = askers(approval).into_iter().find(|(name, _)| is_own(name)) {
        return Err(Refused::OwnRequest { role });
    }
    if !approval.status.is_open() {
        return Err(Refused::WrongState { status: approval.status, verb });
    }
    if is_over(approval, now, epoch) {
        return Err(Refused::Over { verb });
    }
    if approval.target_hash != vote.target_hash {
        return Err(Refused::OtherTarget);
    }
    if vote.version.is_some_and(|version| version != approval.version) {
        return Err(Refused::Changed);
    }
    Ok(level)
}

fn noted(notes: &str) -> String {
    if notes.is_empty() { String::new() } else { format!(": {notes}") }
}
