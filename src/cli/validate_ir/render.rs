//! The answer for people.

use std::fmt::{Result, Write};

use super::json;
use crate::api::proto::v1::{
    ReasonCode, StepValidation, ValidateIrResponse, ValidationStatus, Violation, ViolationCode, ViolationSeverity,
};
use crate::cli::eval::{decision_word, reason_word};
use crate::cli::output::printable;
use crate::cli::style::{BOLD, DIM, GREEN, RED, RESET, YELLOW};
use crate::model::Plan;

/// Width of the column of names.
const NAMES: usize = 12;
/// Most steps that are shown; the rest is in the JSON.
const SHOWN: usize = 200;

/// The verdict, everything that is wrong, and what became of each step.
pub fn text(plan: &Plan, answer: &ValidateIrResponse) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = verdict(&mut out, plan, answer);
    let _ = violations(&mut out, &answer.violations);
    let _ = steps(&mut out, plan, &answer.steps);
    out
}

fn verdict(out: &mut String, plan: &Plan, answer: &ValidateIrResponse) -> Result {
    let color = match answer.status() {
        ValidationStatus::Pass => GREEN,
        ValidationStatus::Escalate => YELLOW,
        // A client treats what it does not know as a rejection.
        _ => RED,
    };
    let word = json::status_word(answer.status());
    let count = plan.steps.len();
    let noun = if count == 1 { "step" } else { "steps" };
    writeln!(out, "{BOLD}{color}{word}{RESET}  {count} {noun}, tier {BOLD}{}{RESET}", answer.risk_tier)?;
    line(out, "tenant", plan.tenant())?;
    if answer.requires_approval {
        match answer.required_level {
            Some(level) => line(out, "approver", &format!("level {level} or above"))?,
            None => line(out, "approver", "needed")?,
        }
    }
    if answer.total_budget_cents != 0 {
        line(out, "budget", &format!("{} cents", answer.total_budget_cents))?;
    }
    if answer.ir_hash.is_empty() {
        let is_too_long = answer.violations.iter().any(|found| found.code() == ViolationCode::TooManySteps);
        let why = if is_too_long { "nothing but the number of steps was looked at" } else { "no canonical form" };
        line(out, "plan hash", &format!("{DIM}none: {why}{RESET}"))?;
    } else {
        line(out, "plan hash", &answer.ir_hash)?;
    }
    if let Some(snapshot) = &answer.snapshot {
        let revision = match snapshot.revision {
            0 => String::new(),
            revision => format!(" {DIM}(revision {revision}){RESET}"),
        };
        line(out, "snapshot", &format!("{}{revision}", snapshot.digest))?;
    }
    if !answer.validation_id.is_empty() {
        line(out, "validation", &answer.validation_id)?;
    }
    if !answer.receipt.is_empty() {
        line(out, "receipt", &answer.receipt)?;
    }
    let micros = answer.validation_nanos as f64 / 1_000.0;
    line(out, "took", &format!("{micros:.1} µs"))
}

fn line(out: &mut String, name: &str, content: &str) -> Result {
    writeln!(out, "  {DIM}{name:<NAMES$}{RESET}{content}")
}

fn violations(out: &mut String, violations: &[Violation]) -> Result {
    if violations.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{BOLD}violations{RESET}")?;
    let last = violations.len().saturating_sub(1);
    for (index, violation) in violations.iter().enumerate() {
        let (fork, trunk) = if index == last { ("└─", "  ") } else { ("├─", "│ ") };
        let (color, mark) = match violation.severity() {
            ViolationSeverity::Warning => (YELLOW, "!"),
            _ => (RED, "✗"),
        };
        let code = json::code_word(violation.code());
        let path = if violation.path.is_empty() { "the plan" } else { &violation.path };
        writeln!(
            out,
            "{DIM}{fork}{RESET} {color}{mark} {code}{RESET}  {}: {}",
            printable(path),
            printable(&violation.message)
        )?;
        let mut leaves: Vec<String> = Vec::new();
        for (number, hop) in violation.flow.iter().enumerate() {
            let way = match number {
                0 => "from",
                _ if number + 1 == violation.flow.len() => "to",
                _ => "by",
            };
            let whole = if hop.path.is_empty() { "(whole)" } else { &hop.path };
            leaves.push(format!(
                "{DIM}{way:<4}{RESET} {} {} {DIM}{}{RESET}",
                printable(&hop.step_id),
                printable(whole),
                printable(&hop.label)
            ));
        }
        if !violation.rule.is_empty() {
            leaves.push(format!("{DIM}rule{RESET} {}", printable(&violation.rule)));
        }
        if !violation.help.is_empty() {
            leaves.push(format!("{DIM}help{RESET} {}", printable(&violation.help)));
        }
        let end = leaves.len().saturating_sub(1);
        for (number, leaf) in leaves.iter().enumerate() {
            let fork = if number == end { "└─" } else { "├─" };
            writeln!(out, "{DIM}{trunk} {fork}{RESET} {leaf}")?;
        }
    }
    Ok(())
}

/// One row of the table.
struct Row {
    number: String,
    step_id: String,
    action: String,
    provider: String,
    tier: String,
    decision: String,
}

fn steps(out: &mut String, plan: &Plan, validations: &[StepValidation]) -> Result {
    if validations.is_empty() {
        return Ok(());
    }
    let rows: Vec<Row> = validations.iter().take(SHOWN).map(|validation| row(plan, validation)).collect();
    let width = |name: &str, of: fn(&Row) -> &String| {
        rows.iter().map(|row| of(row).chars().count()).chain([name.len()]).max().unwrap_or_default()
    };
    let number = width("#", |row| &row.number);
    let id = width("step", |row| &row.step_id);
    let action = width("action", |row| &row.action);
    let provider = width("provider", |row| &row.provider);
    writeln!(out, "\n{BOLD}steps{RESET}")?;
    writeln!(
        out,
        "{DIM}{:>number$}  {:<id$}  {:<action$}  {:<provider$}  tier  action/scope/impact  policies{RESET}",
        "#", "step", "action", "provider"
    )?;
    for (row, validation) in rows.iter().zip(validations) {
        let color = match validation.tier {
            0 | 1 => GREEN,
            2 => YELLOW,
            _ => RED,
        };
        let parts = format!("{}/{}/{}", validation.action_tier, validation.scope_tier, validation.impact_tier);
        writeln!(
            out,
            "{:>number$}  {:<id$}  {:<action$}  {:<provider$}  {color}{:>4}{RESET}  {parts:<19}  {}",
            row.number, row.step_id, row.action, row.provider, row.tier, row.decision
        )?;
        for reason in &validation.tier_reasons {
            let by = match (reason.document.as_str(), reason.rule.as_str()) {
                ("", _) => String::from("built in"),
                (document, "") => document.to_owned(),
                (document, rule) => format!("{document}/{rule}"),
            };
            let kind = json::kind_word(reason.kind()).to_ascii_lowercase();
            let (indent, tier) = (number + 2, reason.tier);
            writeln!(out, "{:indent$}{DIM}{kind} {tier}:{RESET} {} {DIM}{by}{RESET}", "", printable(&reason.message))?;
        }
    }
    if validations.len() > SHOWN {
        writeln!(out, "{DIM}… {} more, see `--output json`{RESET}", validations.len() - SHOWN)?;
    }
    Ok(())
}

fn row(plan: &Plan, validation: &StepValidation) -> Row {
    let step = usize::try_from(validation.index).ok().and_then(|index| plan.steps.get(index));
    let decision = decision_word(validation.decision()).to_ascii_lowercase().replace('_', " ");
    let decision = match validation.reason_code() {
        // The default never counts against a plan.
        ReasonCode::Default | ReasonCode::NoPolicy => String::from("no rule"),
        _ if validation.matched_rule.is_empty() => {
            format!("{decision} ({})", reason_word(validation.reason_code()))
        }
        _ => format!("{decision} ({}/{})", validation.matched_policy, validation.matched_rule),
    };
    Row {
        number: validation.index.to_string(),
        step_id: printable(&validation.step_id),
        action: step.map(|step| printable(&step.action)).unwrap_or_default(),
        provider: step.map(|step| printable(&step.provider)).unwrap_or_default(),
        tier: validation.tier.to_string(),
        decision,
    }
}
