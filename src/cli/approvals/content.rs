//! What will run: all of the view that the approved hash covers or that counts for the decision.

use std::fmt::{Result, Write};

use super::json;
use super::quoted::{Length, block, sentence, value, values};
use crate::api::proto::v1::{self, step_input::Origin};
use crate::cli::style::{BOLD, DIM, RESET, YELLOW};
use crate::cli::validate_ir::code_word;

/// On whose behalf, with what rules may look at.
fn subject(out: &mut String, subject: Option<&v1::Subject>) -> Result {
    let Some(subject) = subject else { return Ok(()) };
    let kind = if subject.r#type.is_empty() { String::new() } else { format!("{} ", value(&subject.r#type)) };
    let roles = if subject.roles.is_empty() { String::new() } else { format!(", roles {}", values(&subject.roles)) };
    writeln!(out, "  {DIM}for{RESET} {kind}{}{roles}", value(&subject.id))?;
    members(out, "subject", &subject.properties)
}

/// A structure to its end, if there is anything in it.
fn members(out: &mut String, name: &str, members: &Option<prost_types::Struct>) -> Result {
    let members = json::structure(members);
    if members.as_object().is_some_and(|members| !members.is_empty()) {
        writeln!(out, "     {DIM}{name}{RESET}")?;
        block(out, 7, &members.to_string(), Length::Full)?;
    }
    Ok(())
}

/// Where an argument is said to come from. Those from steps are shown as open.
fn origin(out: &mut String, input: &v1::StepInput) -> Result {
    let said = match &input.origin {
        Some(Origin::User(user)) if user.quote.is_empty() => "the user's own words".to_owned(),
        Some(Origin::User(user)) => format!("the user's words {}", in_quotes(&user.quote)),
        Some(Origin::Constant(_)) => "the planner, before anything was read".to_owned(),
        Some(Origin::Step(_)) | None => return Ok(()),
    };
    writeln!(out, "     {DIM}claimed{RESET} {}: from {said}", value(&input.path))
}

/// A quotation, in quotes whether it needs them or not.
fn in_quotes(text: &str) -> String {
    let shown = value(text);
    if shown.starts_with('"') { shown.into_owned() } else { format!("\"{shown}\"") }
}

/// A plan: on whose behalf, its steps, and why it needs approval.
pub(super) fn plan(out: &mut String, plan: &v1::PlanView, length: Length) -> Result {
    writeln!(out, "\n{BOLD}what will run{RESET}")?;
    subject(out, plan.subject.as_ref())?;
    if plan.steps.len() > 1 {
        let order = match plan.ordering() {
            v1::Ordering::Dag => "each step when those that it waits for have run",
            _ => "one step after the other, as listed",
        };
        writeln!(out, "  {DIM}order{RESET} {order}")?;
    }
    for (index, entry) in plan.steps.iter().enumerate() {
        step(out, index, entry, length)?;
    }
    if plan.violations.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{BOLD}why it needs approval{RESET}")?;
    for violation in &plan.violations {
        let code = code_word(violation.code());
        writeln!(out, "  {YELLOW}!{RESET} {code}  {}", sentence(&violation.message))?;
        let hop = |hop: &v1::FlowHop| format!("{}{} [{}]", hop.step_id, hop.path, hop.label);
        let way: Vec<_> = violation.flow.iter().map(hop).collect();
        if !way.is_empty() {
            writeln!(out, "    {DIM}{}{RESET}", sentence(&way.join(" → ")))?;
        }
    }
    Ok(())
}

fn step(out: &mut String, index: usize, entry: &v1::ApprovalStep, length: Length) -> Result {
    let step = entry.step.clone().unwrap_or_default();
    let validation = entry.validation.clone().unwrap_or_default();
    let color = if validation.tier >= 2 { YELLOW } else { DIM };
    let name = if step.step_id.is_empty() { index.to_string().into() } else { value(&step.step_id) };
    let on = if step.resource.is_empty() { String::new() } else { format!(" on {}", value(&step.resource)) };
    let by = if step.provider.is_empty() { String::new() } else { format!(" by {}", value(&step.provider)) };
    let (action, tier) = (value(&step.action), validation.tier);
    writeln!(out, "  {BOLD}{name}{RESET}  {action}{on}{by}  {color}tier {tier}{RESET}")?;
    for (name, members) in [("params", &step.params), ("constraints", &step.constraints)] {
        self::members(out, name, members)?;
    }
    if !step.description.is_empty() {
        writeln!(out, "     {DIM}description{RESET}")?;
        block(out, 7, &step.description, length)?;
    }
    if let Some(cents) = step.budget_cents {
        writeln!(out, "     {DIM}budget{RESET} {cents} cents")?;
    }
    if !step.depends_on.is_empty() {
        writeln!(out, "     {DIM}after{RESET} {}", values(&step.depends_on))?;
    }
    if !step.idempotency_key.is_empty() {
        writeln!(out, "     {DIM}key{RESET} {}", value(&step.idempotency_key))?;
    }
    for input in &step.inputs {
        origin(out, input)?;
    }
    for open in &entry.open_paths {
        let output =
            if open.output_path.is_empty() { String::new() } else { format!(" at {}", value(&open.output_path)) };
        let (path, from) = (value(&open.path), value(&open.step_id));
        writeln!(out, "     {YELLOW}open{RESET} {path}: filled from the output of {from}{output}")?;
    }
    for reason in validation.tier_reasons.iter().filter(|reason| reason.tier >= 2) {
        writeln!(out, "     {DIM}tier {}: {}{RESET}", reason.tier, sentence(&reason.message))?;
    }
    Ok(())
}

/// A single action: on whose behalf, what it is done to and with, and why it needs approval.
pub(super) fn action(out: &mut String, action: &v1::ActionView) -> Result {
    writeln!(out, "\n{BOLD}what will run{RESET}")?;
    subject(out, action.subject.as_ref())?;
    let name = action.action.as_ref().map(|action| action.name.as_str()).unwrap_or_default();
    let resource = action.resource.clone().unwrap_or_default();
    let on = match (resource.r#type.as_str(), resource.id.as_str()) {
        ("", "") => String::new(),
        (kind, "") => format!(" on {}", value(kind)),
        ("", id) => format!(" on {}", value(id)),
        (kind, id) => format!(" on {} {}", value(kind), value(id)),
    };
    writeln!(out, "  {BOLD}{}{RESET}{on}", value(name))?;
    let properties = action.action.as_ref().and_then(|action| action.properties.clone());
    for (name, members) in [("action", &properties), ("resource", &resource.properties), ("context", &action.context)] {
        self::members(out, name, members)?;
    }
    if let Some(decision) = &action.decision {
        writeln!(out, "\n{BOLD}why it needs approval{RESET}\n  {YELLOW}!{RESET} {}", sentence(&decision.reason))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
