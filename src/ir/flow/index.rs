//! Texts that many others are looked for in: every word with its places.

use std::cell::{Cell, OnceCell};
use std::hash::BuildHasher as _;

use foldhash::fast::FixedState;

use super::text::{Within, first_word, is_whole};
use crate::model::Text;

/// How much comparing one plan may cost. A plan of the largest size that means no harm needs a fraction; what is beyond
/// counts as not found, which never makes a plan more acceptable.
pub(crate) const FULL_WORK: u64 = 8_000_000;

/// What is left of the work that one plan may cost.
#[derive(Debug)]
pub(super) struct Work(Cell<u64>);

impl Work {
    /// Of this many units.
    pub(super) fn of(units: u64) -> Self {
        Self(Cell::new(units))
    }

    /// Whether all of it is used up.
    pub(super) fn ran_out(&self) -> bool {
        self.0.get() == 0
    }

    /// Takes `units` (about one comparison, or 16 bytes compared); false once it is used up.
    pub(super) fn take(&self, units: impl TryInto<u64>) -> bool {
        let left = units.try_into().ok().and_then(|units| self.0.get().checked_sub(units));
        self.0.set(left.unwrap_or(0));
        left.is_some()
    }

    /// The units that are left.
    pub(super) fn left(&self) -> u64 {
        self.0.get()
    }
}

/// Where a word stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    /// Hash of the word.
    word: u64,
    /// Number of the text.
    text: u32,
    /// Offset in it, in bytes.
    offset: u32,
}

/// Normalised texts with an index of their words.
#[derive(Debug, Default)]
pub(super) struct TextIndex {
    texts: Vec<Text>,
    /// The places of all words, sorted; built when first asked.
    places: OnceCell<Vec<Place>>,
}

impl TextIndex {
    /// Of texts that are normal already.
    pub(super) fn new(texts: Vec<Text>) -> Self {
        Self { texts, places: OnceCell::new() }
    }

    /// The texts.
    pub(super) fn texts(&self) -> &[Text] {
        &self.texts
    }

    /// Whether the normal text `part` occurs in a text as whole words.
    pub(super) fn holds(&self, part: &str, work: &Work) -> bool {
        let mut found = false;
        self.each(part, work, |_| {
            found = true;
            false
        });
        found
    }

    /// Calls `found` with each text in which the normal text `part` occurs as whole words, until it answers false. A text
    /// may come more than once.
    pub(super) fn each(&self, part: &str, work: &Work, mut found: impl FnMut(usize) -> bool) {
        let places = self.places.get_or_init(|| index(&self.texts));
        let mut rarest: Option<(usize, &[Place])> = None;
        for (offset, word) in words(part) {
            let here = places_of(places, hash(word));
            if here.is_empty() {
                return;
            }
            if rarest.is_none_or(|(_, fewest)| here.len() < fewest.len()) {
                rarest = Some((offset, here));
            }
        }
        let Some((offset, candidates)) = rarest else { return self.each_without_words(part, work, found) };
        for place in candidates {
            if !work.take(1 + part.len() / 16) {
                return;
            }
            let number = place.text as usize;
            let Some(text) = self.texts.get(number) else { continue };
            let Some(start) = (place.offset as usize).checked_sub(offset) else { continue };
            let end = start.saturating_add(part.len());
            if text.get(start..end) == Some(part) && is_whole(text, start, end, Within::Prose) && !found(number) {
                return;
            }
        }
    }

    /// For what holds no letter and no digit, such as a symbol.
    fn each_without_words(&self, part: &str, work: &Work, mut found: impl FnMut(usize) -> bool) {
        for (number, text) in self.texts.iter().enumerate() {
            if part.is_empty() || !work.take(1 + text.len() / 16) {
                return;
            }
            if super::text::occurs(part, text, Within::Prose) && !found(number) {
                return;
            }
        }
    }
}

fn index(texts: &[Text]) -> Vec<Place> {
    let mut places = Vec::with_capacity(texts.iter().map(Text::len).sum::<usize>() / 6);
    for (number, text) in texts.iter().enumerate() {
        for (offset, word) in words(text) {
            let (Ok(text), Ok(offset)) = (u32::try_from(number), u32::try_from(offset)) else { break };
            places.push(Place { word: hash(word), text, offset });
        }
    }
    places.sort_unstable();
    places
}

/// Those of one word, in the order of the texts.
fn places_of(places: &[Place], word: u64) -> &[Place] {
    let start = places.partition_point(|place| place.word < word);
    let rest = places.get(start..).unwrap_or_default();
    let end = rest.partition_point(|place| place.word == word);
    rest.get(..end).unwrap_or_default()
}

/// The words of `text` with their offsets: the runs of letters and digits, and what those fall into.
pub(super) fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let (mut at, mut end) = (0, 0);
    std::iter::from_fn(move || {
        if at == end {
            at = position(text, at, true)?;
            end = position(text, at, false).unwrap_or(text.len());
        }
        let (start, run) = (at, text.get(at..end)?);
        at += first_word(run);
        Some((start, text.get(start..at)?))
    })
}

/// Offset of the first character from `at` on that is a letter or digit, or is none.
fn position(text: &str, mut at: usize, is_wanted: bool) -> Option<usize> {
    loop {
        let rest = text.as_bytes().get(at..)?;
        at += rest.iter().position(|byte| !byte.is_ascii() || byte.is_ascii_alphanumeric() == is_wanted)?;
        let c = text.get(at..)?.chars().next()?;
        if c.is_alphanumeric() == is_wanted {
            return Some(at);
        }
        at += c.len_utf8();
    }
}

fn hash(word: &str) -> u64 {
    FixedState::default().hash_one(word)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::text::{normal, occurs};
    use super::*;

    #[test]
    fn work_runs_out() {
        let many = "a b ".repeat(100_000);
        let index = TextIndex::new(vec![normal(&many)]);
        let work = Work::of(FULL_WORK);
        assert!(index.holds("a b", &work));
        for _ in 0..200 {
            assert!(!index.holds("a b b a", &work), "not there");
        }
        assert!(!index.holds("a b", &work), "what cannot be looked for any more is not found");
    }

    proptest! {
        #[test]
        fn finds_what_a_search_finds(text in "([ab .@1,é中の]|eur){0,30}", part in "([ab .@1,é中の]|eur){0,6}") {
            let (text, part) = (normal(&text), normal(&part));
            let index = TextIndex::new(vec![text.clone()]);
            // A search from the left may step over an occurrence that overlaps another; the index does not.
            if occurs(&part, &text, Within::Prose) {
                prop_assert!(index.holds(&part, &Work::of(FULL_WORK)));
            } else if index.holds(&part, &Work::of(FULL_WORK)) {
                prop_assert!(text.contains(part.as_str()));
            }
        }
    }
}
