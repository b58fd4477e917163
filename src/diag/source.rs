//! Named texts and byte ranges in them.

use std::sync::{Arc, OnceLock};

/// Number of a source in a [`Sources`] table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(u32);

/// A byte range in a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The source.
    pub source: SourceId,
    /// First byte.
    pub start: u32,
    /// One past the last byte; equal to `start` for a point.
    pub end: u32,
}

impl Span {
    /// The range `start..end` of `source`.
    #[must_use]
    pub fn new(source: SourceId, start: usize, end: usize) -> Self {
        let clamp = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
        Self { source, start: clamp(start), end: clamp(end.max(start)) }
    }
}

/// A line and a column, both counted from 1; columns count characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

/// A named text.
#[derive(Debug, Clone)]
pub struct Source {
    /// Path or other name, as shown to people.
    pub name: Arc<str>,
    /// The text.
    pub text: Arc<str>,
}

/// The texts that findings point into.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    sources: Vec<Source>,
    /// Where the lines of each begin, found out when a place is asked for first.
    lines: Vec<OnceLock<Box<[u32]>>>,
}

impl Sources {
    /// Adds a text under a name.
    pub fn add(&mut self, name: impl Into<Arc<str>>, text: impl Into<Arc<str>>) -> SourceId {
        let id = SourceId(u32::try_from(self.sources.len()).unwrap_or(u32::MAX));
        self.sources.push(Source { name: name.into(), text: text.into() });
        self.lines.push(OnceLock::new());
        id
    }

    /// The text `id`.
    #[must_use]
    pub fn get(&self, id: SourceId) -> Option<&Source> {
        self.sources.get(id.0 as usize)
    }

    /// All texts, in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = (SourceId, &Source)> {
        (0..).map(SourceId).zip(&self.sources)
    }

    /// The line and column at which `span` starts.
    #[must_use]
    pub fn position(&self, span: Span) -> Option<Position> {
        let text = &self.get(span.source)?.text;
        let offset = text.floor_char_boundary(span.start as usize);
        let starts = self.lines.get(span.source.0 as usize)?.get_or_init(|| line_starts(text));
        let line = starts.partition_point(|start| *start as usize <= offset);
        let line_start = *starts.get(line.checked_sub(1)?)? as usize;
        let column = text.get(line_start..offset)?.chars().count() + 1;
        Some(Position { line, column })
    }

    /// The text of `span`.
    #[must_use]
    pub fn excerpt(&self, span: Span) -> Option<&str> {
        self.get(span.source)?.text.get(span.start as usize..span.end as usize)
    }
}

fn line_starts(text: &str) -> Box<[u32]> {
    let newlines = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
    // What is longer than a span can say has no places behind that.
    std::iter::once(0).chain(newlines.map_while(|(at, _)| u32::try_from(at + 1).ok())).collect()
}
