//! Regular expressions: the syntax of RE2, linear time, compiled when a condition is loaded.

use regex::{Regex, RegexBuilder};

/// Most memory that one compiled pattern may take, in bytes.
const MAX_COMPILED_BYTES: usize = 256 * 1024;
/// Longest pattern, in bytes.
const MAX_PATTERN_BYTES: usize = 2 * 1024;

/// Compiles `pattern`; the error is a message for the author.
pub(super) fn compile(pattern: &str) -> Result<Regex, String> {
    if pattern.len() > MAX_PATTERN_BYTES {
        return Err(format!("the pattern is longer than {MAX_PATTERN_BYTES} bytes"));
    }
    let compiled = RegexBuilder::new(&to_ascii_classes(pattern))
        .size_limit(MAX_COMPILED_BYTES)
        .dfa_size_limit(MAX_COMPILED_BYTES)
        .nest_limit(64)
        .build();
    compiled.map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => "the pattern is too big; shorten its repetitions".to_owned(),
        other => {
            // The last line of the parser's report says what is wrong; the lines before draw the pattern.
            let report = other.to_string();
            let last = report.lines().last().unwrap_or("").trim();
            format!("bad pattern: {}", last.strip_prefix("error: ").unwrap_or(last))
        }
    })
}

/// In RE2 `\d`, `\w`, `\s` and `\b` are about ASCII and `\Q…\E` quotes; here they would be about Unicode and unknown.
fn to_ascii_classes(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() + 8);
    let mut rest = pattern;
    let mut in_class = false;
    while let Some(c) = rest.chars().next() {
        let (head, tail) = rest.split_at(c.len_utf8());
        rest = tail;
        if c != '\\' {
            match c {
                '[' if !in_class => in_class = true,
                ']' if in_class && !out.ends_with('[') && !out.ends_with("[^") => in_class = false,
                _ => {}
            }
            out.push_str(head);
            continue;
        }
        let Some(escaped) = rest.chars().next() else {
            out.push('\\');
            break;
        };
        rest = rest.get(escaped.len_utf8()..).unwrap_or("");
        let replacement = match (escaped, in_class) {
            ('d', false) => "[0-9]",
            ('d', true) => "0-9",
            ('D', _) => "[^0-9]",
            ('w', false) => "[0-9A-Za-z_]",
            ('w', true) => "0-9A-Za-z_",
            ('W', _) => "[^0-9A-Za-z_]",
            ('s', false) => "[\\t\\n\\x0C\\r ]",
            ('s', true) => "\\t\\n\\x0C\\r ",
            ('S', _) => "[^\\t\\n\\x0C\\r ]",
            ('b', false) => "(?-u:\\b)",
            ('Q', false) => {
                let (literal, after) = rest.split_once("\\E").unwrap_or((rest, ""));
                out.push_str(&regex::escape(literal));
                rest = after;
                continue;
            }
            _ => {
                out.push('\\');
                out.push(escaped);
                continue;
            }
        };
        out.push_str(replacement);
    }
    out
}

/// Whether every alternative of `pattern` is bound to the start and the end of the text.
pub(super) fn is_anchored(pattern: &str) -> bool {
    alternatives(pattern).into_iter().all(|alternative| {
        let body = alternative.strip_prefix("(?i)").or_else(|| alternative.strip_prefix("(?s)")).unwrap_or(alternative);
        let starts = body.starts_with('^') || body.starts_with("\\A");
        let ends = (body.ends_with('$') && !ends_in_escape(body)) || body.ends_with("\\z");
        starts && ends
    })
}

/// Whether the last character is escaped.
fn ends_in_escape(pattern: &str) -> bool {
    let before = pattern.get(..pattern.len().saturating_sub(1)).unwrap_or("");
    before.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1
}

/// The parts between the `|` outside groups and classes.
fn alternatives(pattern: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut depth, mut in_class, mut escaped, mut start) = (0_usize, false, false, 0);
    for (at, byte) in pattern.bytes().enumerate() {
        if escaped {
            escaped = false;
            continue;
        }
        match byte {
            b'\\' => escaped = true,
            b'[' if !in_class => in_class = true,
            b']' if in_class => in_class = false,
            b'(' if !in_class => depth += 1,
            b')' if !in_class => depth = depth.saturating_sub(1),
            b'|' if !in_class && depth == 0 => {
                parts.push(pattern.get(start..at).unwrap_or(""));
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(pattern.get(start..).unwrap_or(""));
    parts
}

/// `pattern`, bound to the start and the end of the text.
pub(super) fn anchored(pattern: &str) -> String {
    if alternatives(pattern).len() > 1 {
        return format!("^(?:{pattern})$");
    }
    let start = if pattern.starts_with('^') { "" } else { "^" };
    let end = if pattern.ends_with('$') && !ends_in_escape(pattern) { "" } else { "$" };
    format!("{start}{pattern}{end}")
}
