//! From a place inside a string to its place in the file, whatever quotes, escapes, folds and indentation lie between.

use std::ops::Range;

use crate::diag::Span;

use super::{Kind, Node, ScalarStyle};

/// The place in the file of the bytes `range` of the string `node`, whose file is `text`. The whole string where the
/// place cannot be told.
#[must_use]
pub fn place_in_scalar(text: &str, node: &Node, range: &Range<usize>) -> Span {
    find(text, node, range).unwrap_or(node.span)
}

fn find(text: &str, node: &Node, range: &Range<usize>) -> Option<Span> {
    let Kind::String(value, style) = &node.kind else { return None };
    let begin = node.span.start as usize;
    let raw = text.get(begin..node.span.end as usize)?;
    let starts = match style {
        ScalarStyle::DoubleQuoted => double_quoted(value, raw),
        _ => other(value, raw, *style),
    }?;
    // Past the last character lies the end of the last one.
    let start = starts.iter().find(|place| place.value >= range.start).map(|place| place.raw.start);
    let end = starts.iter().rev().find(|place| place.value < range.end).map(|place| place.raw.end);
    let last = starts.last().map_or(0, |place| place.raw.end);
    let start = start.unwrap_or(last);
    let end = if range.is_empty() { start } else { end.unwrap_or(start).max(start) };
    Some(Span::new(node.span.source, begin + start, begin + end))
}

/// Where one character of a value stands.
struct Place {
    /// Its offset in the value.
    value: usize,
    /// Its bytes in the raw text.
    raw: Range<usize>,
}

/// Plain, single-quoted and block strings: every character but blanks and line breaks stands for itself.
fn other(value: &str, raw: &str, style: ScalarStyle) -> Option<Vec<Place>> {
    let mut places = Vec::with_capacity(value.len());
    let mut at = usize::from(style == ScalarStyle::SingleQuoted);
    for (offset, c) in value.char_indices() {
        if c.is_ascii_whitespace() {
            let same = raw.get(at..)?.starts_with(c);
            places.push(Place { value: offset, raw: at..at + usize::from(same) });
            at += usize::from(same);
            continue;
        }
        let skipped = raw.get(at..)?.find(|next: char| !next.is_ascii_whitespace() && next != '\u{feff}')?;
        at += skipped;
        if !raw.get(at..)?.starts_with(c) {
            return None;
        }
        let doubled = style == ScalarStyle::SingleQuoted && c == '\'';
        let end = at + c.len_utf8() + usize::from(doubled);
        places.push(Place { value: offset, raw: at..end });
        at = end;
    }
    Some(places)
}

/// Double-quoted strings: escapes, and line breaks that fold.
fn double_quoted(value: &str, raw: &str) -> Option<Vec<Place>> {
    let mut places = Vec::with_capacity(value.len());
    let mut at = 1;
    for (offset, c) in value.char_indices() {
        // An escaped line break stands for nothing.
        while raw.get(at..)?.starts_with("\\\n") || raw.get(at..)?.starts_with("\\\r") {
            let rest = raw.get(at + 1..)?;
            at += 1 + rest.len() - rest.trim_start().len();
        }
        let rest = raw.get(at..)?;
        if rest.starts_with('\\') {
            let end = at + escape_len(rest)?;
            places.push(Place { value: offset, raw: at..end });
            at = end;
        } else if rest.starts_with(c) {
            places.push(Place { value: offset, raw: at..at + c.len_utf8() });
            at += c.len_utf8();
        } else if c.is_ascii_whitespace() {
            places.push(Place { value: offset, raw: at..at });
        } else {
            at += rest.len() - rest.trim_start().len();
            let rest = raw.get(at..)?;
            let length = if rest.starts_with('\\') { escape_len(rest)? } else { c.len_utf8() };
            places.push(Place { value: offset, raw: at..at + length });
            at += length;
        }
    }
    Some(places)
}

/// Length of the escape that `rest` starts with.
fn escape_len(rest: &str) -> Option<usize> {
    let escaped = rest.chars().nth(1)?;
    let digits = match escaped {
        'x' => 2,
        'u' => 4,
        'U' => 8,
        _ => 0,
    };
    Some(1 + escaped.len_utf8() + digits)
}
