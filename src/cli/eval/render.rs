//! The answer for people.

use std::fmt::Write;

use serde_json::Value;

use super::json;
use crate::api::proto::v1::{Decision, EvaluateResponse, Explanation, RuleExplanation, RuleOutcome};
use crate::cli::style::{BOLD, DIM, GREEN, RED, RESET, YELLOW};
use crate::model::Request;

/// Width of the column of names.
const NAMES: usize = 12;

/// How many elements of a list, and entries of a map, are shown.
const SHOWN: usize = 10;

/// The verdict, what goes with it, and the explanation as a tree.
pub fn text(request: &Request, answer: &EvaluateResponse) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = verdict(&mut out, request, answer);
    if let Some(explanation) = &answer.explanation {
        let _ = tree(&mut out, explanation);
    }
    out
}

fn verdict(out: &mut String, request: &Request, answer: &EvaluateResponse) -> std::fmt::Result {
    let (color, word) = match answer.decision() {
        Decision::Allow => (GREEN, "ALLOW"),
        Decision::RequireApproval => (YELLOW, "REQUIRE APPROVAL"),
        // A client treats what it does not know as a denial.
        _ => (RED, "DENY"),
    };
    let subject = joined(&request.subject.kind, &request.subject.id);
    let resource = joined(&request.resource.kind, &request.resource.id);
    write!(out, "{BOLD}{color}{word}{RESET}  {subject} {BOLD}{}{RESET}", request.action.name)?;
    if !resource.is_empty() {
        write!(out, " on {resource}")?;
    }
    writeln!(out)?;
    line(out, "reason", &answer.reason)?;
    if answer.matched_rule.is_empty() {
        line(out, "rule", &format!("{DIM}none{RESET}"))?;
    } else {
        line(out, "rule", &format!("{}/{}", answer.matched_policy, answer.matched_rule))?;
    }
    let effect = json::effect_word(answer.effect()).to_ascii_lowercase();
    line(out, "effect", &format!("{effect} {DIM}({}){RESET}", json::reason_word(answer.reason_code())))?;
    if let Some(level) = answer.required_level {
        line(out, "approver", &format!("level {level} or above"))?;
    }
    for warning in &answer.warnings {
        let by = joined(&warning.policy, &warning.rule);
        line(out, "warning", &format!("{YELLOW}{}{RESET} {DIM}{by}{RESET}", warning.message))?;
    }
    if answer.requires_audit {
        line(out, "audit", "the action must be audited")?;
    }
    for obligation in &answer.obligations {
        let by = joined(&obligation.policy, &obligation.rule);
        let properties = obligation.properties.as_ref().map(|map| format!(" {}", json::attributes(map)));
        let properties = properties.unwrap_or_default();
        line(out, "obligation", &format!("{}{properties} {DIM}{by}{RESET}", obligation.id))?;
    }
    if !answer.action_hash.is_empty() {
        line(out, "action hash", &answer.action_hash)?;
    }
    if let Some(snapshot) = &answer.snapshot {
        let revision = match snapshot.revision {
            0 => String::new(),
            revision => format!(" {DIM}(revision {revision}){RESET}"),
        };
        line(out, "snapshot", &format!("{}{revision}", snapshot.digest))?;
    }
    if !answer.decision_id.is_empty() {
        line(out, "decision", &answer.decision_id)?;
    }
    let micros = answer.evaluation_nanos as f64 / 1_000.0;
    line(out, "took", &format!("{micros:.1} µs"))
}

fn line(out: &mut String, name: &str, content: &str) -> std::fmt::Result {
    writeln!(out, "  {DIM}{name:<NAMES$}{RESET}{content}")
}

fn joined(first: &str, second: &str) -> String {
    match (first, second) {
        ("", "") => String::new(),
        ("", only) | (only, "") => only.to_owned(),
        (first, second) => format!("{first}/{second}"),
    }
}

fn tree(out: &mut String, explanation: &Explanation) -> std::fmt::Result {
    writeln!(out, "\n{BOLD}explanation{RESET}")?;
    if explanation.rules.is_empty() {
        writeln!(out, "{DIM}└─ no rule was looked at{RESET}")?;
    }
    let last = explanation.rules.len().saturating_sub(1);
    for (index, rule) in explanation.rules.iter().enumerate() {
        let is_last = index == last && !explanation.truncated;
        branch(out, rule, is_last)?;
    }
    if explanation.truncated {
        writeln!(out, "{DIM}└─ … more rules that did not match{RESET}")?;
    }
    Ok(())
}

fn branch(out: &mut String, rule: &RuleExplanation, is_last: bool) -> std::fmt::Result {
    let (fork, trunk) = if is_last { ("└─", "  ") } else { ("├─", "│ ") };
    let (color, mark, word) = match rule.outcome() {
        RuleOutcome::Matched => (GREEN, "✓", "matched"),
        RuleOutcome::Error => (RED, "!", "error"),
        _ => (DIM, "✗", "not matched"),
    };
    let effect = json::effect_word(rule.effect()).to_ascii_lowercase();
    writeln!(
        out,
        "{DIM}{fork}{RESET} {color}{mark} {}/{}{RESET}  {effect}, {word} {DIM}(priority {}, {} layer){RESET}",
        rule.policy, rule.rule, rule.priority, rule.layer
    )?;
    let mut leaves = Vec::new();
    if !rule.clause.is_empty() {
        leaves.push(one_line(&rule.clause));
    }
    for read in &rule.values {
        let value = match &read.value {
            Some(value) => shortened(&json::value(value)),
            None => format!("{DIM}missing{RESET}"),
        };
        leaves.push(format!("{} = {value}", read.path));
    }
    if !rule.error.is_empty() {
        leaves.push(format!("{RED}{}{RESET}", rule.error));
    }
    let last = leaves.len().saturating_sub(1);
    for (index, leaf) in leaves.iter().enumerate() {
        let fork = if index == last { "└─" } else { "├─" };
        writeln!(out, "{DIM}{trunk} {fork}{RESET} {leaf}")?;
    }
    Ok(())
}

/// A clause that was written on several lines, on one.
fn one_line(clause: &str) -> String {
    clause.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

/// The value as JSON, with the beginning of long lists and maps only.
fn shortened(value: &Value) -> String {
    let more = |count: usize| (count > SHOWN).then(|| format!("… {} more", count - SHOWN));
    match value {
        Value::Array(items) => {
            let shown = items.iter().take(SHOWN).map(shortened).chain(more(items.len()));
            format!("[{}]", shown.collect::<Vec<_>>().join(","))
        }
        Value::Object(map) => {
            let entry = |(key, value): (&String, &Value)| format!("{}:{}", Value::from(key.as_str()), shortened(value));
            let shown = map.iter().take(SHOWN).map(entry).chain(more(map.len()));
            format!("{{{}}}", shown.collect::<Vec<_>>().join(","))
        }
        scalar => scalar.to_string(),
    }
}
