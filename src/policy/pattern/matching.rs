//! Matching without backtracking over choices that cannot matter.
//!
//! Between two `**` the earliest place of a chunk is as good as any later one, because the `**` after it takes up the
//! slack; likewise the earliest place of a literal after a `*`, as long as no separator lies between.

use std::cell::Cell;

use super::{Chunk, Pattern, Separators, Star};

/// Whether `id` matches. Adds to `work` the places of `id` that were tried.
pub(super) fn matches(pattern: &Pattern, id: &[u8], work: &mut usize) -> bool {
    let matcher = Matcher { pattern, id, tried: Cell::new(0) };
    let matched = matcher.matches();
    *work += matcher.tried.get();
    matched
}

struct Matcher<'m> {
    pattern: &'m Pattern,
    id: &'m [u8],
    tried: Cell<usize>,
}

/// A chunk does not match where it was tried.
struct Blocked;

impl Matcher<'_> {
    fn matches(&self) -> bool {
        let Some((last, others)) = self.pattern.chunks.split_last() else { return false };
        let Some((first, middle)) = others.split_first() else { return self.whole(last) };
        let Ok(mut from) = self.forward(first, 0) else { return false };
        for chunk in middle {
            match self.earliest(chunk, from) {
                Some(end) => from = end,
                None => return false,
            }
        }
        self.ends_with(last, from)
    }

    /// Counts `places` that were, or are about to be, tried.
    fn count(&self, places: usize) {
        self.tried.set(self.tried.get() + places);
    }

    const fn separators(&self) -> Separators {
        self.pattern.separators
    }

    /// Where the first literal of `chunk` ends if it stands at `from`.
    fn first(&self, chunk: &Chunk, from: usize) -> Option<usize> {
        let literal = self.pattern.literal(&chunk.first);
        self.id.get(from..)?.starts_with(literal).then_some(from + literal.len())
    }

    /// The earliest end of `chunk` if it starts at `from`.
    fn forward(&self, chunk: &Chunk, from: usize) -> Result<usize, Blocked> {
        let end = self.first(chunk, from).ok_or(Blocked)?;
        self.stars(&chunk.rest, end)
    }

    /// The earliest end of stars and literals that start at `at`.
    fn stars(&self, rest: &[(Star, std::ops::Range<usize>)], mut at: usize) -> Result<usize, Blocked> {
        for (star, range) in rest {
            let literal = self.pattern.literal(range);
            at = self.next_literal(at, *star, literal).ok_or(Blocked)?;
        }
        Ok(at)
    }

    /// The end of the earliest `literal` that a star which starts at `at` reaches.
    fn next_literal(&self, at: usize, star: Star, literal: &[u8]) -> Option<usize> {
        let stop = self.next_separator(at).unwrap_or(self.id.len());
        let found =
            (at + star.min..=stop).find(|start| self.id.get(*start..).is_some_and(|rest| rest.starts_with(literal)));
        self.count(1 + found.unwrap_or(stop).saturating_sub(at));
        found.map(|start| start + literal.len())
    }

    fn next_separator(&self, from: usize) -> Option<usize> {
        let separators = self.separators();
        self.id.get(from..)?.iter().position(|byte| separators.contains(*byte)).map(|offset| from + offset)
    }

    /// The earliest end of `chunk` wherever it starts from `from` on.
    fn earliest(&self, chunk: &Chunk, mut from: usize) -> Option<usize> {
        loop {
            let end = (from..=self.id.len()).find_map(|start| self.first(chunk, start));
            self.count(1 + end.unwrap_or(self.id.len()).saturating_sub(from));
            let end = end?;
            if let Ok(end) = self.stars(&chunk.rest, end) {
                return Some(end);
            }
            // A first star that starts later in the same segment reaches less, so that the chunk can only match where
            // its first literal ends in a later segment.
            let separator = self.next_separator(end)?;
            from = (separator + 1).saturating_sub(chunk.first.len());
        }
    }

    /// Whether `chunk` is all of the id.
    fn whole(&self, chunk: &Chunk) -> bool {
        let Some(at) = self.first(chunk, 0) else { return false };
        let Some(((star, last), others)) = chunk.rest.split_last() else { return at == self.id.len() };
        let Ok(at) = self.stars(others, at) else { return false };
        let literal = self.pattern.literal(last);
        let Some(start) = self.id.len().checked_sub(literal.len()) else { return false };
        self.id.ends_with(literal) && self.star_spans(*star, at, start)
    }

    /// Whether a star can stand for the bytes from `from` to `to`.
    fn star_spans(&self, star: Star, from: usize, to: usize) -> bool {
        let separators = self.separators();
        to >= from + star.min
            && self.id.get(from..to).is_some_and(|bytes| !bytes.iter().any(|byte| separators.contains(*byte)))
    }

    /// Whether the id ends with `chunk`, which starts at `from` at the earliest: the mirror image of [`forward`], from the
    /// end to the latest start.
    ///
    /// [`forward`]: Self::forward
    fn ends_with(&self, chunk: &Chunk, from: usize) -> bool {
        self.latest_start(chunk).is_some_and(|start| start >= from)
    }

    fn latest_start(&self, chunk: &Chunk) -> Option<usize> {
        let mut start = self.id.len();
        let mut star = None;
        for (before, range) in chunk.rest.iter().rev() {
            start = self.literal_before(start, star, self.pattern.literal(range))?;
            star = Some(*before);
        }
        self.literal_before(start, star, self.pattern.literal(&chunk.first))
    }

    /// The start of the latest `literal` that ends at `to`, or that a star which ends at `to` reaches.
    fn literal_before(&self, to: usize, star: Option<Star>, literal: &[u8]) -> Option<usize> {
        let earliest_end = match star {
            Some(_) => self.segment_start(to),
            None => to,
        };
        let latest_end = to.checked_sub(star.map_or(0, |star| star.min))?;
        self.count(1 + latest_end.saturating_sub(earliest_end));
        (earliest_end..=latest_end)
            .rev()
            .find(|end| self.id.get(..*end).is_some_and(|before| before.ends_with(literal)))
            .and_then(|end| end.checked_sub(literal.len()))
    }

    /// The first byte of the segment that ends at `to`.
    fn segment_start(&self, to: usize) -> usize {
        let separators = self.separators();
        let before = self.id.get(..to).unwrap_or_default();
        before.iter().rposition(|byte| separators.contains(*byte)).map_or(0, |at| at + 1)
    }
}
