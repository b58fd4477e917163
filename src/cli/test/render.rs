//! A report as a tree for people, as JSON, and as JUnit XML for continuous integration.

use std::fmt::Write as _;

use serde_json::json;

use super::run::Report;
use crate::cli::style::{BOLD, DIM, GREEN, RED, RESET, YELLOW};
use crate::diag::Sources;

/// The report as a tree: suites, cases, and under a failed case what was expected and what came.
pub fn tree(report: &Report, sources: &Sources) -> String {
    let mut out = String::new();
    for suite in &report.suites {
        line(&mut out, format_args!("{BOLD}{}{RESET}", suite.name));
        for case in &suite.cases {
            if case.mismatches.is_empty() {
                line(&mut out, format_args!("  {GREEN}✓{RESET} {} {DIM}{}{RESET}", case.name, case.answer));
                continue;
            }
            let place = place(sources, case.span);
            line(&mut out, format_args!("  {RED}✗ {}{RESET} {DIM}{place}{RESET}", case.name));
            line(&mut out, format_args!("    {DIM}answer:{RESET} {}", case.answer));
            for mismatch in &case.mismatches {
                line(
                    &mut out,
                    format_args!("    {}: expected {}, got {}", mismatch.field, mismatch.expected, mismatch.actual),
                );
            }
        }
    }
    let (hit, missed) = (report.coverage.hit.len(), report.coverage.missed.len());
    line(
        &mut out,
        format_args!("\n{BOLD}rule coverage{RESET} {hit} of {} ({:.0} %)", hit + missed, report.coverage.percent()),
    );
    for rule in &report.coverage.missed {
        line(&mut out, format_args!("  {YELLOW}never hit{RESET} {rule}"));
    }
    let failed = report.failed();
    let passed = report.cases().count() - failed;
    let color = if failed == 0 { GREEN } else { RED };
    line(&mut out, format_args!("{color}{passed} passed, {failed} failed{RESET}"));
    out
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = writeln!(out, "{text}");
}

fn place(sources: &Sources, span: crate::diag::Span) -> String {
    let name = sources.get(span.source).map(|source| source.name.to_string()).unwrap_or_default();
    let line = sources.position(span).map_or(0, |position| position.line);
    format!("{name}:{line}")
}

/// The report as one JSON object; `ok` says what the exit code says.
pub fn json(report: &Report, sources: &Sources, good: bool) -> serde_json::Value {
    let suites: Vec<_> = report
        .suites
        .iter()
        .map(|suite| {
            let cases: Vec<_> = suite
                .cases
                .iter()
                .map(|case| {
                    let mismatches = case
                        .mismatches
                        .iter()
                        .map(|one| json!({"field": one.field, "expected": one.expected, "actual": one.actual}));
                    json!({
                        "name": case.name,
                        "place": place(sources, case.span),
                        "passed": case.mismatches.is_empty(),
                        "answer": case.answer,
                        "mismatches": mismatches.collect::<Vec<_>>(),
                    })
                })
                .collect();
            json!({"name": suite.name, "cases": cases})
        })
        .collect();
    let failed = report.failed();
    json!({
        "ok": good,
        "passed": report.cases().count() - failed,
        "failed": failed,
        "suites": suites,
        "coverage": {
            "percent": report.coverage.percent(),
            "hit": report.coverage.hit,
            "missed": report.coverage.missed,
        },
    })
}

/// The report as JUnit XML.
pub fn junit(report: &Report, sources: &Sources) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    line(
        &mut out,
        format_args!(
            "<testsuites name=\"lictor\" tests=\"{}\" failures=\"{}\">",
            report.cases().count(),
            report.failed()
        ),
    );
    for suite in &report.suites {
        let failures = suite.cases.iter().filter(|case| !case.mismatches.is_empty()).count();
        let name = escape(&suite.name);
        line(
            &mut out,
            format_args!("  <testsuite name=\"{name}\" tests=\"{}\" failures=\"{failures}\">", suite.cases.len()),
        );
        for case in &suite.cases {
            let head = format!("<testcase classname=\"{name}\" name=\"{}\"", escape(&case.name));
            if case.mismatches.is_empty() {
                line(&mut out, format_args!("    {head}/>"));
                continue;
            }
            let texts = case
                .mismatches
                .iter()
                .map(|one| format!("{}: expected {}, got {}", one.field, one.expected, one.actual));
            let text = texts.collect::<Vec<_>>().join("; ");
            line(&mut out, format_args!("    {head}>"));
            line(
                &mut out,
                format_args!(
                    "      <failure message=\"{}\">{}</failure>",
                    escape(&text),
                    escape(&format!("{}: {}", place(sources, case.span), case.answer))
                ),
            );
            line(&mut out, format_args!("    </testcase>"));
        }
        line(&mut out, format_args!("  </testsuite>"));
    }
    out.push_str("</testsuites>\n");
    out
}

/// Text fit for XML 1.0: markup escaped, characters that XML does not know replaced.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(' '),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
