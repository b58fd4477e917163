//! `lictor audit tail`: the newest records, one a line.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use serde_json::Value;

use super::{Output, StateArgs};
use crate::cli::documents::CommandError;
use crate::cli::exit;
use crate::cli::style::{DIM, GREEN, RED, RESET, YELLOW};
use crate::diag::did_you_mean;
use crate::event::{EventError, EventType, JournalTail};
use crate::model::sanitise_reason;

/// How often a followed journal is looked at.
const POLL: Duration = Duration::from_millis(100);

/// What a decision is told a second time by, each under a type of its own.
const FOLLOW_UPS: [&str; 4] =
    ["policy.denied", "policy.approval_required", "policy.warning_triggered", "policy.audit_required"];

/// Arguments of `lictor audit tail`.
#[derive(Debug, clap::Args)]
pub struct TailArgs {
    #[command(flatten)]
    state: StateArgs,
    /// Go on with records as they are written, until interrupted.
    #[arg(short, long)]
    follow: bool,
    /// How many records to begin with.
    #[arg(short = 'n', long = "lines", value_name = "N", default_value_t = 20)]
    lines: usize,
    /// Only records of these types, for example `policy.denied` or `policy.*`. Without it, records that tell of a
    /// decision once more (denied, approval_required, warning_triggered, audit_required) are left out for people.
    #[arg(long = "type", value_name = "GLOB")]
    types: Vec<String>,
    /// Only records of this tenant.
    #[arg(long)]
    tenant: Option<String>,
    /// Only records of this subject: its id, or `TYPE/ID`.
    #[arg(long, value_name = "[TYPE/]ID")]
    subject: Option<String>,
    /// Only records of decisions for this action.
    #[arg(long, value_name = "GLOB")]
    action: Option<String>,
    /// How records are shown: a line for people, or the journal's own JSON lines.
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

/// Shows the newest records, and goes on if asked to.
pub(super) fn run(args: &TailArgs) -> Result<ExitCode, CommandError> {
    let failed = |error: EventError| CommandError::environment(error.to_string());
    args.check_types()?;
    let journal = args.state.journal()?;
    let mut tail = JournalTail::open(&journal, args.lines, |line| args.wants(line)).map_err(failed)?;
    let mut out = anstream::stdout().lock();
    // Whoever closed the pipe has seen enough.
    let done = Ok(ExitCode::from(exit::OK));
    for line in tail.take_newest() {
        if show(&mut out, &line, args.output).is_err() {
            return done;
        }
    }
    if !args.follow {
        return done;
    }
    loop {
        let batch = tail.following().map_err(failed)?;
        for (_, line) in batch.lines(0) {
            let line = line.trim_ascii_end();
            if args.wants(line) && show(&mut out, line, args.output).is_err() {
                return done;
            }
        }
        if out.flush().is_err() {
            return done;
        }
        if batch.is_empty() {
            std::thread::sleep(POLL);
        }
    }
}

impl TailArgs {
    /// That every `--type` can match something.
    fn check_types(&self) -> Result<(), CommandError> {
        let known = EventType::ALL.map(EventType::as_str);
        let Some(glob) = self.types.iter().find(|glob| !known.iter().any(|kind| matches(glob, kind))) else {
            return Ok(());
        };
        let types = known.join(", ");
        Err(CommandError::environment(match did_you_mean(glob, known) {
            Some(meant) => format!("no event is of a type `{glob}`; did you mean `{meant}`? The types are {types}"),
            None => format!("no event is of a type `{glob}`; the types are {types}"),
        }))
    }

    fn wants(&self, line: &[u8]) -> bool {
        let Ok(event) = serde_json::from_slice::<Value>(line) else { return false };
        let kind = text(&event, "/type");
        let of_type = if self.types.is_empty() {
            self.output == Output::Json || !FOLLOW_UPS.contains(&kind)
        } else {
            self.types.iter().any(|glob| matches(glob, kind))
        };
        of_type
            && self.tenant.as_deref().is_none_or(|tenant| text(&event, "/meta/tenant_id") == tenant)
            && self.subject.as_deref().is_none_or(|subject| is_subject(&event, subject))
            && self.action.as_deref().is_none_or(|action| matches(action, text(&event, "/payload/action")))
    }
}

/// Whether the event tells of `wanted`, an id or `TYPE/ID`. Ids may hold slashes themselves. What tells of a decision once
/// more holds the id only.
fn is_subject(event: &Value, wanted: &str) -> bool {
    let (kind, id) = (subject_type(event), text(event, "/payload/agent_id"));
    if FOLLOW_UPS.contains(&text(event, "/type")) && wanted.split_once('/').is_some_and(|(_, wanted)| wanted == id) {
        return !id.is_empty();
    }
    let rest = wanted.strip_prefix(kind).and_then(|rest| rest.strip_prefix('/'));
    !id.is_empty() && (id == wanted || (!kind.is_empty() && rest == Some(id)))
}

fn subject_type(event: &Value) -> &str {
    text(event, "/payload/inputs/subject/type")
}

/// Whether `text` matches `glob`, in which `*` stands for any run of characters.
fn matches(glob: &str, text: &str) -> bool {
    let Some((start, rest)) = glob.split_once('*') else { return glob == text };
    let Some(text) = text.strip_prefix(start) else { return false };
    (0..=text.len()).filter_map(|at| text.get(at..)).any(|tail| matches(rest, tail))
}

fn text<'e>(event: &'e Value, pointer: &str) -> &'e str {
    event.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn show(out: &mut impl Write, line: &[u8], output: Output) -> io::Result<()> {
    if output == Output::Json {
        out.write_all(line)?;
        return out.write_all(b"\n");
    }
    match serde_json::from_slice::<Value>(line) {
        Ok(event) => writeln!(out, "{}", human(&event)),
        Err(error) => writeln!(out, "{RED}unreadable record{RESET}: {error}"),
    }
}

/// Time, tenant, what became of it, who, what, on what, by which rule, why.
fn human(event: &Value) -> String {
    let time = shown(event, "/timestamp");
    let tenant = shown(event, "/meta/tenant_id");
    let payload = &event["payload"];
    let (word, colour) = word(event);
    let head = format!("{DIM}{time}{RESET} {tenant} {colour}{word}{RESET}");
    if payload.get("agent_id").is_none() {
        return format!("{head} {}", summary(event));
    }
    let who = match (subject_type(event), text(event, "/payload/agent_id")) {
        (_, "") => "-".to_owned(),
        ("", id) => clean(id),
        (kind, id) => clean(&format!("{kind}/{id}")),
    };
    let action = shown(event, "/payload/action");
    let kind = text(event, "/payload/inputs/resource/type");
    let resource = match (kind, text(event, "/payload/resource")) {
        ("", "") => "-".to_owned(),
        ("", id) => clean(id),
        (kind, "") => clean(kind),
        (kind, id) => clean(&format!("{kind}/{id}")),
    };
    let of = if payload.get("result").is_some() { "/payload/result" } else { "/payload" };
    let rule = match (text(event, &format!("{of}/matched_policy")), text(event, &format!("{of}/matched_rule"))) {
        ("", _) => "(default)".to_owned(),
        (policy, rule) => clean(&format!("{policy}/{rule}")),
    };
    format!("{head} {who} {action} {resource} {rule} {DIM}{}{RESET}", shown(event, &format!("{of}/reason")))
}

/// The word for what happened, and its colour.
fn word(event: &Value) -> (String, &'static str) {
    let kind = text(event, "/type");
    if kind != "policy.evaluated" {
        let colour = match text(event, "/meta/severity") {
            "error" => RED,
            "warning" => YELLOW,
            _ => GREEN,
        };
        return (clean(kind), colour);
    }
    match text(event, "/payload/result/decision") {
        "allow" => ("ALLOW".to_owned(), GREEN),
        "deny" => ("DENY".to_owned(), RED),
        other => (clean(&other.to_uppercase()), YELLOW),
    }
}

/// The one thing to know of an event that is no decision's.
fn summary(event: &Value) -> String {
    let payload = &event["payload"];
    let number = |name: &str| payload.get(name).map_or("?".to_owned(), Value::to_string);
    match text(event, "/type") {
        "events.gap" => {
            let boot = shown(event, "/payload/boot");
            let tickets = match (payload["first"].as_u64(), payload["last"].as_u64()) {
                (Some(first), Some(last)) => format!(", tickets {boot}/{}/{first} to {last}", number("worker")),
                (Some(first), None) => format!(", tickets {boot}/{}/{first} and any after it", number("worker")),
                (None, _) => String::new(),
            };
            let at_least = if payload["exact"].as_bool() == Some(true) { "" } else { "at least " };
            let detail = match text(event, "/payload/detail") {
                "" => String::new(),
                detail => format!(", {}", clean(detail)),
            };
            format!("{}: {at_least}{} missing{tickets}{detail}", shown(event, "/payload/reason"), number("count"))
        }
        "policy.snapshot_published" => format!(
            "revision {} {} from {} ({} rules)",
            payload.pointer("/snapshot/revision").map_or("?".to_owned(), Value::to_string),
            shown(event, "/payload/snapshot/digest"),
            shown(event, "/payload/source"),
            number("rules"),
        ),
        "policy.reload_failed" => {
            format!("{} ({} findings)", shown(event, "/payload/reason"), number("findings_total"))
        }
        kind if kind.starts_with("ir.validated_") => {
            let first = match text(event, "/payload/violations/0/message") {
                "" => String::new(),
                message => format!(": {}", clean(message)),
            };
            let (steps, tier) = (number("step_count"), number("risk_tier"));
            format!("{steps} steps, tier {tier}, {}{first}", shown(event, "/payload/ir_hash"))
        }
        kind if kind.starts_with("ir.dag_diff_") => format!(
            "{} steps, {} nodes, {} calls, bound to {}",
            number("step_count"),
            number("dag_node_count"),
            number("execution_count"),
            shown(event, "/payload/bound_to"),
        ),
        kind if kind.starts_with("ir.approval_") => approval(event),
        _ => clean(&payload.to_string()),
    }
}

/// What became of an approval: which, of what, by whom, and why.
fn approval(event: &Value) -> String {
    let of = |name: &str| match event["payload"].get(name) {
        Some(Value::String(text)) if !text.is_empty() => clean(text),
        Some(Value::Array(items)) if !items.is_empty() => {
            clean(&items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "))
        }
        Some(number @ Value::Number(_)) => number.to_string(),
        _ => "-".to_owned(),
    };
    let change = match (of("from_status").as_str(), of("status").as_str()) {
        (_, "-") => String::new(),
        ("-", status) => format!(" {status}"),
        (from, status) if from == status => format!(" {status}"),
        (from, status) => format!(" {from} -> {status}"),
    };
    let step = match of("step_id").as_str() {
        "-" => String::new(),
        step => format!(" step {step}"),
    };
    let hash = of("ir_hash");
    format!(
        "{}{change}{step} by {} {hash} {DIM}{}{RESET}",
        of("approval_id"),
        shown(event, "/meta/actor"),
        of("reason")
    )
}

fn shown(event: &Value, pointer: &str) -> String {
    match text(event, pointer) {
        "" => "-".to_owned(),
        text => clean(text),
    }
}

/// A journal that was tampered with must not reach the terminal's controls.
fn clean(text: &str) -> String {
    sanitise_reason(text).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs() {
        for (glob, text, expected) in [
            ("policy.*", "policy.denied", true),
            ("*", "", true),
            ("*.denied", "policy.denied", true),
            ("p*y.d*d", "policy.denied", true),
            ("policy.denied", "policy.denied", true),
            ("policy.*", "policies.denied", false),
            ("*.denied", "policy.denied2", false),
            ("", "policy.denied", false),
        ] {
            assert_eq!(matches(glob, text), expected, "{glob} {text}");
        }
    }

    #[test]
    fn a_decision_is_one_line() {
        let event: Value =
            serde_json::from_str(include_str!("../../../tests/cases/events/policy.evaluated.json")).unwrap();
        let line = anstream::adapter::strip_str(&human(&event)).to_string();
        for (wanted, expected) in [
            ("support-7", true),
            ("agent/support-7", true),
            ("agent", false),
            ("user/support-7", false),
            ("agent/", false),
            ("/support-7", false),
        ] {
            assert_eq!(is_subject(&event, wanted), expected, "{wanted}");
        }
        insta::assert_snapshot!(line, @"2026-01-02T03:04:05.000003Z acme REQUIRE_APPROVAL agent/support-7 payment.refund order/eu/4711 payments/big-refunds a human looks at big refunds");
        let event: Value = serde_json::from_str(include_str!("../../../tests/cases/events/events.gap.json")).unwrap();
        let line = anstream::adapter::strip_str(&human(&event)).to_string();
        insta::assert_snapshot!(line, @"2026-01-02T03:04:06.000001Z - events.gap ring_full: 7 missing, tickets 1234567/3/15 to 23");
        let event: Value =
            serde_json::from_str(include_str!("../../../tests/cases/events/ir.validated_escalate.json")).unwrap();
        let line = anstream::adapter::strip_str(&human(&event)).to_string();
        for (event, expected) in [
            (
                include_str!("../../../tests/cases/events/ir.approval_created.json"),
                "acme ir.approval_created a1 PENDING by cn:runtime sha256:aa tier 2 needs approval",
            ),
            (include_str!("../../../tests/cases/events/ir.approval_invalid.json"), "ir.approval_invalid"),
        ] {
            let line = anstream::adapter::strip_str(&human(&serde_json::from_str(event).unwrap())).to_string();
            assert!(line.contains(expected) && !line.contains('{') && !line.contains('\n'), "{line}");
        }
        let expected = "acme ir.validated_escalate 2 steps, tier 2, sha256:aaaa";
        assert!(line.contains(expected) && line.ends_with("who is paid"), "{line}");
        let event: Value =
            serde_json::from_str(include_str!("../../../tests/cases/events/ir.dag_diff_failed.json")).unwrap();
        let line = anstream::adapter::strip_str(&human(&event)).to_string();
        assert!(line.ends_with("ir.dag_diff_failed 2 steps, 2 nodes, 2 calls, bound to RECEIPT"), "{line}");
    }
}
