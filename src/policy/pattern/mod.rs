//! Patterns over ids: exact text, or globs with segments.

mod cover;
mod matching;
mod parse;

#[cfg(test)]
mod tests;

use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Range;

use crate::model::{Text, same_text};

pub use parse::{BadPattern, MAX_PATTERN_BYTES, MAX_WILDCARDS};

/// One pattern: exact text, or a glob. Matches the whole id, byte for byte, never a part of it.
///
/// A glob's separators are those of `. / :` that occur literally in it. `*` is one segment (at least one character) or a
/// part of one (any number of characters), never a separator; in a glob without separators it is anything. `**` is any
/// number of characters, separators included. Nothing else is special.
///
/// ```
/// use lictor::policy::Pattern;
/// let matches = |pattern: &str, id: &str| Pattern::parse(pattern).is_ok_and(|pattern| pattern.matches(id));
/// assert!(matches("payment.*", "payment.refund") && !matches("payment.*", "payment.refund.batch"));
/// assert!(matches("payment.**", "payment.refund.batch") && !matches("payment.*", "payment."));
/// assert!(matches("support-*", "support-7.eu") && !matches("*.read", "thread"));
/// ```
#[derive(Clone)]
pub struct Pattern {
    text: Text,
    separators: Separators,
    /// The pieces between the `**`: one for a glob without, none for exact text.
    chunks: Box<[Chunk]>,
}

/// A piece of a pattern without `**`: a literal, then stars each followed by a literal.
#[derive(Debug, Clone)]
struct Chunk {
    first: Range<usize>,
    rest: Box<[(Star, Range<usize>)]>,
}

/// A `*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Star {
    /// Fewest bytes that it stands for: 1 where it is a whole segment, else 0.
    min: usize,
}

/// Which of `. / :` are separators.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Separators {
    dot: bool,
    slash: bool,
    colon: bool,
}

impl Separators {
    fn of(text: &str) -> Self {
        Self { dot: text.contains('.'), slash: text.contains('/'), colon: text.contains(':') }
    }

    const fn contains(self, byte: u8) -> bool {
        match byte {
            b'.' => self.dot,
            b'/' => self.slash,
            b':' => self.colon,
            _ => false,
        }
    }

    /// Whether every separator of `other` is one of these.
    const fn includes(self, other: Self) -> bool {
        (self.dot || !other.dot) && (self.slash || !other.slash) && (self.colon || !other.colon)
    }
}

impl Pattern {
    /// The pattern that `text` writes.
    ///
    /// # Errors
    /// Where `text` is empty, too long, holds a control character, has too many wildcards, or uses glob syntax that
    /// patterns do not have.
    pub fn parse(text: &str) -> Result<Self, BadPattern> {
        parse::parse(text)
    }

    /// The pattern as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it matches exactly one id, which is its text.
    #[inline]
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Whether `id` matches. Does not allocate; the time grows with the product of both lengths at worst.
    #[inline]
    #[must_use]
    pub fn matches(&self, id: &str) -> bool {
        self.matches_counting(id, &mut 0)
    }

    /// Whether `id` matches. Adds to `work` what it took: one for the pattern, and for a glob the places of the id that
    /// were tried.
    #[inline]
    #[must_use]
    pub fn matches_counting(&self, id: &str, work: &mut usize) -> bool {
        *work += 1;
        if self.is_exact() {
            return same_text(&self.text, id);
        }
        matching::matches(self, id.as_bytes(), work)
    }

    /// Whether every id that `other` matches is matched by this pattern too. Sound, but not complete: `false` may also
    /// mean that it cannot be told.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        cover::covers(self, other)
    }

    /// The literal text before the first `*`: every id that matches starts with it.
    #[must_use]
    pub fn literal_prefix(&self) -> &str {
        self.text.split('*').next().unwrap_or_default()
    }

    /// The literal text after the last `*`: every id that matches ends with it.
    #[must_use]
    pub fn literal_suffix(&self) -> &str {
        self.text.rsplit('*').next().unwrap_or_default()
    }

    /// Length in bytes of the shortest id that can match.
    #[must_use]
    pub fn shortest_match(&self) -> usize {
        if self.is_exact() {
            return self.text.len();
        }
        let lengths = self.chunks.iter().map(|chunk| {
            chunk.first.len() + chunk.rest.iter().map(|(star, literal)| star.min + literal.len()).sum::<usize>()
        });
        lengths.sum()
    }

    fn literal(&self, range: &Range<usize>) -> &[u8] {
        self.text.as_bytes().get(range.clone()).unwrap_or_default()
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}

impl Hash for Pattern {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pattern({:?})", self.text)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
