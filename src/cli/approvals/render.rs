//! Approvals for people: what would run, why it needs approval, what is open, and what nobody has checked.
//!
//! Whoever asks wrote most of what is shown. The genuine record is the first thing and the last; texts of others stand in
//! quotes or behind a bar.

use std::fmt::{Result, Write};

use super::quoted::{Length, block, value, values};
use super::{content, json};
use crate::api::proto::v1::{self, ApprovalStatus, approval_view::What};
use crate::cli::style::{BOLD, DIM, GREEN, RED, RESET, YELLOW};

/// Width of the column of names.
const NAMES: usize = 14;

/// One line.
pub fn row(approval: &v1::Approval) -> String {
    let level = match approval.required_level {
        0 => String::new(),
        level => format!("level {level}  "),
    };
    let who = match approval.subject_id.as_str() {
        "" => String::new(),
        id => format!("{}: ", value(id)),
    };
    format!(
        "{}  {}  tier {}  {level}{who}{}  {DIM}until {}{RESET}\n",
        value(&approval.id),
        status(approval.status()),
        approval.tier,
        values(&approval.actions),
        json::time(&approval.expires_at).unwrap_or_default()
    )
}

fn status(status: ApprovalStatus) -> String {
    let color = match status {
        ApprovalStatus::Approved | ApprovalStatus::AutoApproved | ApprovalStatus::Consumed => GREEN,
        ApprovalStatus::Pending | ApprovalStatus::Escalated => YELLOW,
        _ => RED,
    };
    format!("{BOLD}{color}{}{RESET}", json::status_word(status))
}

/// Everything that an approver needs. `history` is oldest first; none where it was not asked for.
pub fn approval(approval: &v1::Approval, history: &[v1::ApprovalHistoryEntry], length: Length) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = whole(&mut out, approval, history, length);
    out
}

fn whole(out: &mut String, approval: &v1::Approval, history: &[v1::ApprovalHistoryEntry], length: Length) -> Result {
    head(out, approval)?;
    if let Some(view) = &approval.view {
        unverified(out, approval, view.unverified.as_ref(), length)?;
        match &view.what {
            Some(What::Plan(plan)) => content::plan(out, plan, length)?,
            Some(What::Action(action)) => content::action(out, action)?,
            None => {}
        }
    }
    if !history.is_empty() {
        writeln!(out, "\n{BOLD}what became of it{RESET}")?;
        history.iter().try_for_each(|entry| change(out, entry, false, length))?;
    } else if !approval.resolved_by.is_empty() {
        writeln!(out, "\n{BOLD}resolved by{RESET} {}", value(&approval.resolved_by))?;
        if !approval.resolution.is_empty() {
            block(out, 2, &approval.resolution, length)?;
        }
    }
    let (id, hash) = (value(&approval.id), value(&approval.target_hash));
    if is_open(approval) && approval.view.is_some() {
        writeln!(out, "\n{DIM}lictor approvals approve {id} --hash {hash}{RESET}")?;
    }
    writeln!(out, "\n{}  {id}  {hash}", status(approval.status()))
}

/// Whether it waits for approvers.
pub fn is_open(approval: &v1::Approval) -> bool {
    matches!(approval.status(), ApprovalStatus::Pending | ApprovalStatus::Escalated)
}

fn head(out: &mut String, approval: &v1::Approval) -> Result {
    writeln!(out, "{}  {}, tier {BOLD}{}{RESET}", status(approval.status()), value(&approval.id), approval.tier)?;
    let mut line = |name: &str, text: &str| writeln!(out, "  {DIM}{name:<NAMES$}{RESET}{text}");
    for (name, text) in [
        ("hash", &approval.target_hash),
        ("tenant", &approval.tenant_id),
        ("subject", &approval.subject_id),
        ("on behalf of", &approval.on_behalf_of),
        ("created by", &approval.created_by),
        ("requested by", &approval.requested_by),
    ] {
        if !text.is_empty() {
            line(name, &value(text))?;
        }
    }
    if let Some(cents) = approval.cost_cents {
        line("cost", &format!("{cents} cents"))?;
    }
    for (number, stage) in approval.stages.iter().enumerate() {
        line(&format!("stage {}", number + 1), &self::stage(stage))?;
    }
    for (name, time) in [
        ("created", &approval.created_at),
        ("escalates", &approval.escalates_at),
        ("expires", &approval.expires_at),
        ("resolved", &approval.resolved_at),
        ("consumed", &approval.consumed_at),
    ] {
        if let Some(time) = json::time(time) {
            line(name, &time)?;
        }
    }
    for (name, text) in [("consumed by", &approval.consumed_by), ("snapshot", &approval.snapshot)] {
        if !text.is_empty() {
            line(name, &value(text))?;
        }
    }
    if approval.policies.is_empty() { Ok(()) } else { line("policies", &values(&approval.policies)) }
}

fn stage(stage: &v1::ApprovalStage) -> String {
    let vote = |v: &v1::StageApproval| {
        let counts = if v.level < stage.level { ", which does not count" } else { "" };
        format!("{} (level {}{counts})", value(&v.principal), v.level)
    };
    let votes: Vec<_> = stage.approvals.iter().map(vote).collect();
    let mark = if stage.complete { "complete" } else { "open" };
    let by = if votes.is_empty() { String::new() } else { format!("; approved by {}", votes.join(", ")) };
    format!("{} of level {}, {mark}{by}", stage.quorum, stage.level)
}

/// What the caller wrote, and nobody has checked.
fn unverified(
    out: &mut String,
    approval: &v1::Approval,
    texts: Option<&v1::UnverifiedTexts>,
    length: Length,
) -> Result {
    let texts = texts.cloned().unwrap_or_default();
    let mut labels: Vec<String> = texts.labels.iter().map(|(key, value)| format!("{key}: {value}")).collect();
    labels.sort();
    let named = [("intent", &texts.intent_summary), ("justification", &approval.justification)];
    let lists = [("user wrote", &texts.user_messages), ("label", &labels)];
    let lists = lists.into_iter().flat_map(|(name, list)| list.iter().map(move |text| (name, text)));
    let all: Vec<_> = named.into_iter().chain(lists).filter(|(_, text)| !text.is_empty()).collect();
    if all.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{BOLD}not verified{RESET} {DIM}(in the words of who asks; not part of what is approved){RESET}")?;
    for (name, text) in all {
        writeln!(out, "  {DIM}{name}{RESET}")?;
        block(out, 4, text, length)?;
    }
    Ok(())
}

/// One row of history; with the approval's id where it is not of one approval.
pub fn change(out: &mut String, entry: &v1::ApprovalHistoryEntry, with_id: bool, length: Length) -> Result {
    let id = if with_id { format!("{}  ", value(&entry.approval_id)) } else { String::new() };
    let from = match entry.from_status() {
        ApprovalStatus::Unspecified => String::new(),
        from => format!("{} → ", json::status_word(from)),
    };
    let at = json::time(&entry.at).unwrap_or_default();
    writeln!(out, "  {at}  {id}{from}{}  by {}", status(entry.to_status()), value(&entry.actor))?;
    if entry.reason.is_empty() { Ok(()) } else { block(out, 4, &entry.reason, length) }
}

/// The token, and what to do with it.
pub fn token(token: &str) -> String {
    let token = value(token);
    format!("\n{BOLD}token{RESET}  {token}\n{DIM}it redeems the approval once, and is shown only now{RESET}\n")
}

/// What was redeemed.
pub fn redeemed(answer: &v1::ConsumeResponse) -> String {
    let again = if answer.replayed { " (as answered before)" } else { "" };
    let what = match (answer.mode(), answer.redeemed_steps.last()) {
        (v1::RedemptionMode::Stepwise, Some(_)) => format!("the step may run now, once, with these arguments{again}"),
        _ => format!("it may run now, once{again}"),
    };
    let mut text = format!("{BOLD}{GREEN}granted{RESET}  {what}\n");
    let mut line = |name: &str, of: &str| {
        if !of.is_empty() {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "  {DIM}{name:<NAMES$}{RESET}{}", value(of));
        }
    };
    line("step hash", &answer.step_hash);
    line("grant", &answer.grant);
    text
}

/// Who ended it or let it run, and what they said, for a row; empty before.
pub fn resolution(approval: &v1::Approval) -> String {
    let mut text = String::new();
    if !approval.resolved_by.is_empty() {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  by {}", value(&approval.resolved_by));
        if !approval.resolution.is_empty() {
            let _ = block(&mut text, 4, &approval.resolution, Length::Short);
        }
    }
    text
}
