//! Approvals, as the wire has them.

use prost::Message;

use crate::api::proto::v1;
use crate::approval::is_complete;
use crate::model::{Approval, ApprovalStatus, HistoryRow, RedemptionMode, Stage, TargetKind, Text, Timestamp};

/// Whether the view of what will run is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum View {
    Shown,
    Hidden,
}

pub(super) fn approval(approval: &Approval, view: View) -> v1::Approval {
    let progress = &approval.progress;
    let settled = &progress.settled;
    let redemption = progress.redemption.as_ref();
    let shown = (view == View::Shown).then(|| {
        // What the codec wrote can be read.
        v1::ApprovalView::decode(approval.view.as_slice()).unwrap_or_default()
    });
    v1::Approval {
        id: approval.id.to_string(),
        tenant_id: approval.tenant_id.to_string(),
        status: status(approval.status).into(),
        target_kind: kind(approval.target_kind).into(),
        target_hash: approval.target_hash.to_string(),
        tier: approval.tier.into(),
        required_level: approval.required_level.into(),
        stages: progress.stages.iter().map(stage).collect(),
        snapshot: approval.snapshot.to_string(),
        requested_by: approval.requested_by.to_string(),
        on_behalf_of: approval.on_behalf_of.to_string(),
        created_by: approval.created_by.to_string(),
        justification: approval.justification.clone(),
        cost_cents: approval.cost_cents,
        correlation_id: approval.correlation_id.to_string(),
        created_at: Some(time(approval.created_at)),
        escalates_at: approval.escalates_at.map(time),
        expires_at: Some(time(approval.expires_at)),
        resolved_at: approval.resolved_at.map(time),
        consumed_at: approval.consumed_at.map(time),
        etag: etag(approval.version),
        view: shown,
        subject_id: settled.subject_id.to_string(),
        actions: texts(&settled.actions),
        policies: texts(&settled.policies),
        redemption_mode: redemption.map_or(v1::RedemptionMode::Unspecified, |all| mode(all.mode)).into(),
        redeemed_steps: redeemed_steps(approval),
        consumed_by: redemption
            .and_then(|all| all.redeemed.last())
            .map_or_else(String::new, |r| r.principal.to_string()),
        run_id: settled.run_id.to_string(),
        webhook_endpoints: texts(&settled.webhooks),
        resolved_by: progress.resolved_by.to_string(),
        resolution: progress.resolution.clone(),
    }
}

fn stage(stage: &Stage) -> v1::ApprovalStage {
    let approvals = stage.approvals.iter().map(|vote| v1::StageApproval {
        principal: vote.principal.to_string(),
        level: vote.level.into(),
        notes: vote.notes.clone(),
        at: Some(time(vote.at)),
    });
    v1::ApprovalStage {
        level: stage.level.into(),
        quorum: stage.quorum,
        approvals: approvals.collect(),
        complete: is_complete(stage),
    }
}

pub(super) fn history_entry(row: &HistoryRow) -> v1::ApprovalHistoryEntry {
    v1::ApprovalHistoryEntry {
        approval_id: row.approval_id.to_string(),
        from_status: row.from_status.map_or(v1::ApprovalStatus::Unspecified, status).into(),
        to_status: status(row.to_status).into(),
        actor: row.actor.to_string(),
        reason: row.reason.clone(),
        at: Some(time(row.at)),
    }
}

/// The steps redeemed so far; none of what is redeemed as a whole.
pub(super) fn redeemed_steps(approval: &Approval) -> Vec<String> {
    let redeemed = approval.progress.redemption.iter().flat_map(|redemption| &redemption.redeemed);
    redeemed.filter(|redeemed| !redeemed.step_id.is_empty()).map(|redeemed| redeemed.step_id.to_string()).collect()
}

pub(super) fn status(status: ApprovalStatus) -> v1::ApprovalStatus {
    match status {
        ApprovalStatus::Pending => v1::ApprovalStatus::Pending,
        ApprovalStatus::Escalated => v1::ApprovalStatus::Escalated,
        ApprovalStatus::Approved => v1::ApprovalStatus::Approved,
        ApprovalStatus::AutoApproved => v1::ApprovalStatus::AutoApproved,
        ApprovalStatus::Rejected => v1::ApprovalStatus::Rejected,
        ApprovalStatus::Expired => v1::ApprovalStatus::Expired,
        ApprovalStatus::Cancelled => v1::ApprovalStatus::Cancelled,
        ApprovalStatus::Consumed => v1::ApprovalStatus::Consumed,
    }
}

/// The status of the wire's; `None` for the unspecified one.
pub(super) fn status_of(wanted: v1::ApprovalStatus) -> Option<ApprovalStatus> {
    ApprovalStatus::ALL.into_iter().find(|known| status(*known) == wanted)
}

fn kind(kind: TargetKind) -> v1::TargetKind {
    match kind {
        TargetKind::Plan => v1::TargetKind::Plan,
        TargetKind::Action => v1::TargetKind::Action,
    }
}

pub(super) fn mode(mode: RedemptionMode) -> v1::RedemptionMode {
    match mode {
        RedemptionMode::Whole => v1::RedemptionMode::Whole,
        RedemptionMode::Stepwise => v1::RedemptionMode::Stepwise,
    }
}

pub(super) fn time(at: Timestamp) -> prost_types::Timestamp {
    let micros = at.as_micros();
    let nanos = i32::try_from(micros.rem_euclid(1_000_000) * 1_000).unwrap_or_default();
    prost_types::Timestamp { seconds: micros.div_euclid(1_000_000), nanos }
}

fn texts(texts: &[Text]) -> Vec<String> {
    texts.iter().map(Text::to_string).collect()
}

fn etag(version: u64) -> String {
    format!("v{version}")
}

/// The version that an etag names.
pub(super) fn version_of(etag: &str) -> Option<u64> {
    etag.strip_prefix('v')?.parse().ok()
}
