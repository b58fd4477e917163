//! The report where documents are refused, so that no case could be run.

use std::fmt::Write as _;

use serde_json::Value;

use super::render::escape;
use crate::cli::documents::{findings_json, first};
use crate::diag::{Finding, Findings, Severity, Sources, render_text};

/// The findings as one JSON object, as those of `lictor check --output json`.
pub fn json(sources: &Sources, findings: &Findings) -> Value {
    let mut report = findings_json(sources, findings);
    report.insert("ok".to_owned(), false.into());
    Value::Object(report)
}

/// JUnit XML with a failing case for each error.
pub fn junit(sources: &Sources, findings: &Findings) -> String {
    let shown = first(findings);
    let errors: Vec<&Finding> = shown.iter().filter(|finding| finding.severity == Severity::Error).collect();
    let count = errors.len();
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    // Writing to a string cannot fail.
    let _ = writeln!(out, "<testsuites name=\"lictor\" tests=\"{count}\" failures=\"{count}\">");
    let _ = writeln!(out, "  <testsuite name=\"documents\" tests=\"{count}\" failures=\"{count}\">");
    for finding in errors {
        let name = escape(&format!("{} {}", place(sources, finding), finding.code));
        let message = escape(&finding.message);
        let text = render_text(sources, finding, false);
        let text = text.lines().map(escape).collect::<Vec<_>>().join("\n");
        let _ = writeln!(out, "    <testcase classname=\"documents\" name=\"{}\">", name.trim_start());
        let _ = writeln!(out, "      <failure message=\"{message}\">{text}</failure>\n    </testcase>");
    }
    out.push_str("  </testsuite>\n</testsuites>\n");
    out
}

/// For example `policies/a.yaml:3:5`; nothing where the finding has no place.
fn place(sources: &Sources, finding: &Finding) -> String {
    let Some(span) = finding.span else { return String::new() };
    match (sources.get(span.source), sources.position(span)) {
        (Some(source), Some(at)) => format!("{}:{}:{}", source.name, at.line, at.column),
        _ => String::new(),
    }
}
