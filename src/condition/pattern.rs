//! Regular expressions: the syntax of RE2, linear time, compiled when a condition is loaded.

use regex::{Regex, RegexBuilder};
use regex_automata::dfa::{StartKind, dense};
use regex_automata::nfa::thompson::{self, NFA, WhichCaptures};
use regex_automata::util::syntax;

/// Most memory that one compiled pattern may take, in bytes.
const MAX_COMPILED_BYTES: usize = 256 * 1024;
/// Longest pattern, in bytes.
const MAX_PATTERN_BYTES: usize = 2 * 1024;

/// Most memory of the automaton that is built while matching, in bytes. More than [`MAX_AUTOMATON_BYTES`], so that one
/// that fits those is never thrown away to be built again.
const MAX_CACHE_BYTES: usize = 4 * 1024 * 1024;
/// Largest deterministic automaton, in bytes, of a pattern that counts as quick.
const MAX_AUTOMATON_BYTES: usize = 1024 * 1024;

/// A compiled pattern and what matching it costs.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    regex: Regex,
    /// Cost units for four bytes of text.
    price: usize,
}

impl Pattern {
    /// Whether it matches a part of `text`.
    pub(super) fn is_match(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }

    /// What matching it against `text` costs, in units.
    pub(super) fn cost(&self, text: &str) -> usize {
        2 + (text.len() / 4).saturating_mul(self.price)
    }
}

/// What a pattern costs that others compile: those of JSON Schemas, which are larger than those of conditions may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PatternCost {
    /// Cost units for four bytes of text.
    pub price: usize,
    /// Bytes that its compiled form takes, about.
    pub bytes: usize,
}

/// Most memory of a compiled pattern that others compile, in bytes.
const MAX_FOREIGN_BYTES: usize = 10 * 1024 * 1024;

/// Most states of an automaton that is worth trying whether it can be made deterministic.
const MAX_TRIED_STATES: usize = 10_000;

/// What matching against `pattern` costs, in which `\d`, `\w` and `\s` are about ASCII. One that is no pattern here, or too
/// big, costs as much as the biggest.
pub fn pattern_cost(pattern: &str) -> PatternCost {
    let pattern = to_ascii_classes(pattern);
    let of = |reverse| automaton(&pattern, reverse, MAX_FOREIGN_BYTES);
    let (Some(forward), Some(reverse)) = (of(false), of(true)) else {
        return PatternCost { price: MAX_COMPILED_BYTES, bytes: MAX_COMPILED_BYTES };
    };
    let states = forward.states().len().max(reverse.states().len());
    let is_quick = states <= MAX_TRIED_STATES
        && is_small(&forward, StartKind::Unanchored)
        && is_small(&reverse, StartKind::Anchored);
    // Of many states, few are followed together in patterns that are not made to explode.
    let price = if is_quick { 1 } else { 1 + states / 4 };
    PatternCost { price, bytes: forward.memory_usage().saturating_add(reverse.memory_usage()) }
}

/// The price of four bytes. Matching walks a deterministic automaton that it builds on the way, some nanoseconds a byte.
/// Where that automaton would have too many states, it falls back to following all states of the nondeterministic one
/// together, for each byte.
fn price(pattern: &str) -> usize {
    let of = |reverse| automaton(pattern, reverse, 2 * MAX_COMPILED_BYTES);
    let (Some(forward), Some(reverse)) = (of(false), of(true)) else {
        return MAX_COMPILED_BYTES;
    };
    if is_small(&forward, StartKind::Unanchored) && is_small(&reverse, StartKind::Anchored) {
        return 1;
    }
    3 * forward.states().len().max(reverse.states().len())
}

fn automaton(pattern: &str, reverse: bool, bytes: usize) -> Option<NFA> {
    let config =
        thompson::Config::new().reverse(reverse).which_captures(WhichCaptures::None).nfa_size_limit(Some(bytes));
    thompson::Compiler::new()
        .syntax(syntax::Config::new().nest_limit(MAX_NESTING))
        .configure(config)
        .build(pattern)
        .ok()
}

fn is_small(automaton: &NFA, start: StartKind) -> bool {
    let config = dense::Config::new()
        .start_kind(start)
        .accelerate(false)
        .dfa_size_limit(Some(MAX_AUTOMATON_BYTES))
        .determinize_size_limit(Some(MAX_AUTOMATON_BYTES));
    dense::Builder::new().configure(config).build_from_nfa(automaton).is_ok()
}

/// Deepest nesting of groups.
const MAX_NESTING: u32 = 64;

/// Compiles `pattern`; the error is a message for the author.
pub(super) fn compile(pattern: &str) -> Result<Pattern, String> {
    if pattern.len() > MAX_PATTERN_BYTES {
        return Err(format!("the pattern is longer than {MAX_PATTERN_BYTES} bytes"));
    }
    let pattern = to_ascii_classes(pattern);
    let compiled = RegexBuilder::new(&pattern)
        .size_limit(MAX_COMPILED_BYTES)
        .dfa_size_limit(MAX_CACHE_BYTES)
        .nest_limit(MAX_NESTING)
        .build();
    compiled.map(|regex| Pattern { regex, price: price(&pattern) }).map_err(|error| match error {
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

#[cfg(test)]
mod tests {
    use super::compile;

    /// Ordinary patterns cost a unit for four bytes; those whose automaton explodes cost what following its states does.
    #[test]
    fn a_pattern_is_priced_by_its_automaton() {
        let text = "ab".repeat(200);
        let cost = |pattern: &str| compile(pattern).unwrap().cost(&text);
        for pattern in
            ["^abc[0-9]+$", "y$", "[a-z0-9._-]+@[a-z0-9-]+\\.[a-z]{2,8}", "(?i)select|drop|delete", "\\pL+", ".*"]
        {
            assert_eq!(cost(pattern), 102, "{pattern}");
        }
        for (pattern, at_least) in
            [("[ab]*a[ab]{20}c", 5_000), ("[ab]*a[ab]{1000}c", 200_000), ("c[ab]{30}a[ab]*$", 5_000)]
        {
            assert!(cost(pattern) >= at_least, "{pattern}: {}", cost(pattern));
        }
    }
}
