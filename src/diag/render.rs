//! Findings as text for people and as JSON for machines.

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use serde_json::json;

use super::{Finding, Severity, Source, Sources, Span};

/// Longest excerpt that is shown, in bytes; a finding over a longer range points at its first line.
const MAX_EXCERPT: usize = 2_000;

/// `finding` as text: code and message, place, the excerpt with a caret, help. Coloured for a terminal where `color`.
#[must_use]
pub fn render_text(sources: &Sources, finding: &Finding, color: bool) -> String {
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut group = level
        .primary_title(finding.message.as_str())
        .id(finding.code)
        .elements(finding.span.and_then(|span| snippet(sources, span, &finding.label, AnnotationKind::Primary)));
    for label in &finding.related {
        if let Some(context) = snippet(sources, label.span, &label.text, AnnotationKind::Context) {
            group = group.element(context);
        }
    }
    if let Some(help) = &finding.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    renderer.decor_style(DecorStyle::Ascii).render(&[group])
}

/// The lines that `span` touches, with the caret below. Only those lines are handed to the renderer, so that the cost of
/// a finding does not grow with its file.
fn snippet<'a>(
    sources: &'a Sources,
    span: Span,
    label: &'a str,
    kind: AnnotationKind,
) -> Option<Snippet<'a, annotate_snippets::Annotation<'a>>> {
    let Source { name, text } = sources.get(span.source)?;
    let position = sources.position(span)?;
    let start = text.floor_char_boundary(span.start as usize);
    let line_start = text.get(..start)?.rfind('\n').map_or(0, |newline| newline + 1);
    let first_line_end = text.get(start..)?.find('\n').map_or(text.len(), |length| start + length);
    let wanted_end = text.floor_char_boundary(span.end as usize).max(start);
    let end = if wanted_end - start > MAX_EXCERPT { first_line_end } else { wanted_end };
    let window_end = text.get(end..)?.find('\n').map_or(text.len(), |length| end + length);
    let window = text.get(line_start..window_end)?;
    let annotation = kind.span(start - line_start..end - line_start);
    let annotation = if label.is_empty() { annotation } else { annotation.label(label) };
    Some(Snippet::source(window).line_start(position.line).path(&**name).annotation(annotation))
}

/// `finding` as one JSON object: `code`, `severity`, `message`, `file`, `line`, `column`, `help`, `related`.
#[must_use]
pub fn render_json(sources: &Sources, finding: &Finding) -> serde_json::Value {
    let place = |span: Span| {
        let name = sources.get(span.source).map(|source| source.name.to_string());
        let position = sources.position(span);
        json!({
            "file": name,
            "line": position.map(|at| at.line),
            "column": position.map(|at| at.column),
            "byte_start": span.start,
            "byte_end": span.end,
        })
    };
    let mut object = json!({
        "code": finding.code,
        "severity": finding.severity.as_str(),
        "message": finding.message,
    });
    if let Some(fields) = object.as_object_mut() {
        if let Some(span) = finding.span
            && let serde_json::Value::Object(at) = place(span)
        {
            fields.extend(at);
        }
        if !finding.label.is_empty() {
            fields.insert("label".to_owned(), json!(finding.label));
        }
        fields.insert("help".to_owned(), json!(finding.help));
        if !finding.related.is_empty() {
            let related = finding.related.iter().map(|label| json!({"text": label.text, "place": place(label.span)}));
            fields.insert("related".to_owned(), related.collect());
        }
    }
    object
}
