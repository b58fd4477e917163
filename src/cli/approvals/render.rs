//! Approvals for people: what would run, why it needs approval, what is open, and what nobody has checked.

use std::fmt::{Result, Write};

use super::json;
use crate::api::proto::v1::{self, ApprovalStatus, approval_view::What};
use crate::cli::output::printable;
use crate::cli::style::{BOLD, DIM, GREEN, RED, RESET, YELLOW};
use crate::cli::validate_ir::code_word;

/// Width of the column of names.
const NAMES: usize = 14;

/// One line.
pub fn row(approval: &v1::Approval) -> String {
    let level = match approval.required_level {
        0 => String::new(),
        level => format!("level {level}  "),
    };
    let until = json::time(&approval.expires_at).unwrap_or_default();
    let actions = printable(&approval.actions.join(", "));
    let who = printable(&approval.subject_id);
    format!(
        "{}  {}  tier {}  {level}{who}: {actions}  {DIM}until {until}{RESET}\n",
        printable(&approval.id),
        status(approval.status()),
        approval.tier
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

/// Everything that an approver needs.
pub fn approval(approval: &v1::Approval) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = head(&mut out, approval);
    if let Some(view) = &approval.view {
        let _ = match &view.what {
            Some(What::Plan(plan)) => self::plan(&mut out, plan),
            Some(What::Action(action)) => self::action(&mut out, action),
            None => Ok(()),
        };
        let _ = unverified(&mut out, approval, view.unverified.as_ref());
    }
    if matches!(approval.status(), ApprovalStatus::Pending | ApprovalStatus::Escalated) && approval.view.is_some() {
        let _ = writeln!(
            out,
            "\n{DIM}lictor approvals approve {} --hash {}{RESET}",
            printable(&approval.id),
            printable(&approval.target_hash)
        );
    }
    out
}

fn head(out: &mut String, approval: &v1::Approval) -> Result {
    writeln!(out, "{}  {}, tier {BOLD}{}{RESET}", status(approval.status()), printable(&approval.id), approval.tier)?;
    let mut line = |name: &str, text: &str| {
        if text.is_empty() { Ok(()) } else { writeln!(out, "  {DIM}{name:<NAMES$}{RESET}{}", printable(text)) }
    };
    line("hash", &approval.target_hash)?;
    line("tenant", &approval.tenant_id)?;
    line("subject", &approval.subject_id)?;
    line("on behalf of", &approval.on_behalf_of)?;
    line("created by", &approval.created_by)?;
    line("requested by", &approval.requested_by)?;
    if let Some(cents) = approval.cost_cents {
        line("cost", &format!("{cents} cents"))?;
    }
    for (number, stage) in approval.stages.iter().enumerate() {
        let vote = |v: &v1::StageApproval| {
            let counts = if v.level < stage.level { ", which does not count" } else { "" };
            format!("{} (level {}{counts})", v.principal, v.level)
        };
        let votes: Vec<_> = stage.approvals.iter().map(vote).collect();
        let mark = if stage.complete { "complete" } else { "open" };
        let by = if votes.is_empty() { String::new() } else { format!("; approved by {}", votes.join(", ")) };
        line(&format!("stage {}", number + 1), &format!("{} of level {}, {mark}{by}", stage.quorum, stage.level))?;
    }
    for (name, time) in [
        ("created", &approval.created_at),
        ("escalates", &approval.escalates_at),
        ("expires", &approval.expires_at),
        ("resolved", &approval.resolved_at),
        ("consumed", &approval.consumed_at),
    ] {
        line(name, &json::time(time).unwrap_or_default())?;
    }
    line("consumed by", &approval.consumed_by)?;
    line("policies", &approval.policies.join(", "))?;
    line("snapshot", &approval.snapshot)
}

fn plan(out: &mut String, plan: &v1::PlanView) -> Result {
    writeln!(out, "\n{BOLD}what will run{RESET}")?;
    for (index, entry) in plan.steps.iter().enumerate() {
        let step = entry.step.clone().unwrap_or_default();
        let validation = entry.validation.clone().unwrap_or_default();
        let color = if validation.tier >= 2 { YELLOW } else { DIM };
        let name = if step.step_id.is_empty() { index.to_string() } else { printable(&step.step_id) };
        let on = if step.resource.is_empty() { String::new() } else { format!(" on {}", printable(&step.resource)) };
        let by = if step.provider.is_empty() { String::new() } else { format!(" by {}", printable(&step.provider)) };
        writeln!(
            out,
            "  {BOLD}{name}{RESET}  {}{on}{by}  {color}tier {}{RESET}",
            printable(&step.action),
            validation.tier
        )?;
        let params = json::structure(&step.params);
        if params.as_object().is_some_and(|members| !members.is_empty()) {
            writeln!(out, "     {}", printable(&params.to_string()))?;
        }
        let constraints = json::structure(&step.constraints);
        if constraints.as_object().is_some_and(|members| !members.is_empty()) {
            writeln!(out, "     {DIM}constraints{RESET} {}", printable(&constraints.to_string()))?;
        }
        if !step.depends_on.is_empty() {
            writeln!(out, "     {DIM}after{RESET} {}", printable(&step.depends_on.join(", ")))?;
        }
        for open in &entry.open_paths {
            writeln!(
                out,
                "     {YELLOW}open{RESET} {}: filled from the output of {}{}",
                printable(&open.path),
                printable(&open.step_id),
                printable(&open.output_path)
            )?;
        }
        for reason in validation.tier_reasons.iter().filter(|reason| reason.tier >= 2) {
            writeln!(out, "     {DIM}tier {}: {}{RESET}", reason.tier, printable(&reason.message))?;
        }
    }
    if !plan.violations.is_empty() {
        writeln!(out, "\n{BOLD}why it needs approval{RESET}")?;
        for violation in &plan.violations {
            let code = code_word(violation.code());
            writeln!(out, "  {YELLOW}!{RESET} {code}  {}", printable(&violation.message))?;
            let way: Vec<_> =
                violation.flow.iter().map(|hop| format!("{}{} [{}]", hop.step_id, hop.path, hop.label)).collect();
            if !way.is_empty() {
                writeln!(out, "    {DIM}{}{RESET}", printable(&way.join(" → ")))?;
            }
        }
    }
    Ok(())
}

fn action(out: &mut String, action: &v1::ActionView) -> Result {
    writeln!(out, "\n{BOLD}what will run{RESET}")?;
    let name = action.action.as_ref().map(|action| action.name.as_str()).unwrap_or_default();
    let resource = action.resource.as_ref().map(|resource| resource.id.as_str()).unwrap_or_default();
    let on = if resource.is_empty() { String::new() } else { format!(" on {}", printable(resource)) };
    writeln!(out, "  {BOLD}{}{RESET}{on}", printable(name))?;
    writeln!(out, "     {}", printable(&json::structure(&action.context).to_string()))?;
    if let Some(decision) = &action.decision {
        writeln!(out, "\n{BOLD}why it needs approval{RESET}\n  {YELLOW}!{RESET} {}", printable(&decision.reason))?;
    }
    Ok(())
}

/// What the caller wrote, and nobody has checked.
fn unverified(out: &mut String, approval: &v1::Approval, texts: Option<&v1::UnverifiedTexts>) -> Result {
    let texts = texts.cloned().unwrap_or_default();
    let mut lines = Vec::new();
    let mut add = |name: &str, text: &str| {
        if !text.is_empty() {
            lines.push(format!("  {DIM}{name:<NAMES$}{RESET}{}", printable(text)));
        }
    };
    add("intent", &texts.intent_summary);
    add("justification", &approval.justification);
    for message in &texts.user_messages {
        add("user wrote", message);
    }
    let mut labels: Vec<_> = texts.labels.iter().collect();
    labels.sort();
    for (key, value) in labels {
        add("label", &format!("{key}: {value}"));
    }
    if lines.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{BOLD}not verified{RESET} {DIM}(in the words of who asks; not part of what is approved){RESET}")?;
    writeln!(out, "{}", lines.join("\n"))
}

/// The token, and what to do with it.
pub fn token(token: &str) -> String {
    format!(
        "\n{BOLD}token{RESET}  {}\n{DIM}it redeems the approval once, and is shown only now{RESET}\n",
        printable(token)
    )
}

/// What was redeemed.
pub fn redeemed(answer: &v1::ConsumeResponse) -> String {
    let again = if answer.replayed { " (as answered before)" } else { "" };
    let grant = if answer.grant.is_empty() {
        String::new()
    } else {
        format!("  {DIM}{:<NAMES$}{RESET}{}\n", "grant", printable(&answer.grant))
    };
    format!("{BOLD}{GREEN}granted{RESET}  it may run now, once{again}\n{grant}")
}
