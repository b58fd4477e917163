//! Text to pattern.

use std::ops::Range;

use crate::model::has_forbidden_character;

use super::{Chunk, Pattern, Separators, Star};

/// Longest pattern, in bytes: the longest id of any kind.
pub const MAX_PATTERN_BYTES: usize = 1024;

/// Most `*` and `**` in a pattern.
pub const MAX_WILDCARDS: usize = 16;

/// Why a text is not a pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadPattern {
    /// Nothing would match.
    #[error("a pattern must not be empty")]
    Empty,
    /// Longer than any id.
    #[error("the pattern has {0} bytes, more than the {MAX_PATTERN_BYTES} that an id may have")]
    TooLong(usize),
    /// No id holds such a character.
    #[error("the pattern holds a control, text-direction or invisible character, which no id may hold")]
    ForbiddenCharacter,
    /// Three or more stars in a row.
    #[error("`***` is not a wildcard")]
    Stars,
    /// Too costly to match.
    #[error("the pattern has {0} wildcards, more than the {MAX_WILDCARDS} that are allowed")]
    TooManyWildcards(usize),
    /// `?`, `[`, `{` and their like.
    #[error("`{0}` is not a wildcard in patterns")]
    Unsupported(char),
}

impl BadPattern {
    /// What to write instead.
    #[must_use]
    pub const fn help(&self) -> &'static str {
        match self {
            Self::Empty => "leave the list out to match everything, or write an id",
            Self::TooLong(_) => "shorten it with `*` or `**`",
            Self::ForbiddenCharacter => "remove the character",
            Self::Stars => "write `*` for one segment, or `**` for any number of segments",
            Self::TooManyWildcards(_) => "split it into several patterns",
            Self::Unsupported('?') => {
                "write `*` for a segment or a part of one; compare an id that holds `?` in `when`, for example \
                 `resource.id == \"/search?q=1\"`"
            }
            Self::Unsupported('\\') => "a `*` cannot be escaped; compare such an id in `when` instead",
            Self::Unsupported(_) => {
                "write each alternative as an entry of the list; compare an id that holds brackets in `when`"
            }
        }
    }
}

pub(super) fn parse(text: &str) -> Result<Pattern, BadPattern> {
    check(text)?;
    let separators = Separators::of(text);
    let mut chunks = Vec::new();
    let mut literals: Vec<Range<usize>> = Vec::new();
    let mut start = 0;
    let mut at = 0;
    let bytes = text.as_bytes();
    while let Some(byte) = bytes.get(at) {
        if *byte != b'*' {
            at += 1;
            continue;
        }
        literals.push(start..at);
        let double = bytes.get(at + 1) == Some(&b'*');
        if double {
            chunks.push(chunk(text, separators, &literals));
            literals.clear();
        }
        at += 1 + usize::from(double);
        start = at;
    }
    if start > 0 {
        literals.push(start..at);
        chunks.push(chunk(text, separators, &literals));
    }
    Ok(Pattern { text: text.into(), separators, chunks: chunks.into_boxed_slice() })
}

fn check(text: &str) -> Result<(), BadPattern> {
    if text.is_empty() {
        return Err(BadPattern::Empty);
    }
    if text.len() > MAX_PATTERN_BYTES {
        return Err(BadPattern::TooLong(text.len()));
    }
    if has_forbidden_character(text) {
        return Err(BadPattern::ForbiddenCharacter);
    }
    if let Some(c) = text.chars().find(|c| matches!(c, '?' | '[' | ']' | '{' | '}')) {
        return Err(BadPattern::Unsupported(c));
    }
    if text.contains("\\*") {
        return Err(BadPattern::Unsupported('\\'));
    }
    if text.contains("***") {
        return Err(BadPattern::Stars);
    }
    let wildcards = text.replace("**", "*").matches('*').count();
    if wildcards > MAX_WILDCARDS {
        return Err(BadPattern::TooManyWildcards(wildcards));
    }
    Ok(())
}

/// The chunk whose literals, with a `*` between each two, are `literals`.
fn chunk(text: &str, separators: Separators, literals: &[Range<usize>]) -> Chunk {
    let mut literals = literals.iter();
    let first = literals.next().cloned().unwrap_or(0..0);
    let rest = literals.map(|literal| {
        // The star stands right before the literal.
        let star = literal.start.saturating_sub(1);
        let at_segment_start = star == 0 || is_separator(text, separators, star - 1);
        let at_segment_end = literal.start == text.len() || is_separator(text, separators, literal.start);
        (Star { min: usize::from(at_segment_start && at_segment_end) }, literal.clone())
    });
    Chunk { rest: rest.collect(), first }
}

fn is_separator(text: &str, separators: Separators, at: usize) -> bool {
    text.as_bytes().get(at).is_some_and(|byte| separators.contains(*byte))
}
