//! Texts, each with a list of rule numbers: the one kind of table that the index is made of.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;
use hashbrown::HashTable;

use crate::model::same_bytes;

/// Lists of rule numbers by text. All texts lie in one block and all numbers in another.
///
/// The seed is fixed: texts come from policies, and what a request asks for is looked up, never inserted, so that no
/// caller can make a table slow.
#[derive(Debug, Default)]
pub struct Postings {
    table: HashTable<Posting>,
    texts: Box<[u8]>,
    numbers: Box<[u32]>,
    hasher: FixedState,
}

/// Where a text and its list stand.
#[derive(Debug, Clone, Copy)]
struct Posting {
    text: (u32, u32),
    list: (u32, u32),
}

impl Postings {
    /// The table of `entries`, in any order.
    pub fn build(mut entries: Vec<(&[u8], u32)>) -> Self {
        entries.sort_unstable();
        entries.dedup();
        let hasher = FixedState::default();
        let mut texts = Vec::new();
        let numbers = entries.iter().map(|(_, number)| *number).collect();
        let mut postings = Vec::new();
        let mut first = 0_usize;
        for group in entries.chunk_by(|(one, _), (other, _)| one == other) {
            if let Some((text, _)) = group.first() {
                postings.push(Posting { text: range(texts.len(), text.len()), list: range(first, group.len()) });
                texts.extend_from_slice(text);
            }
            first += group.len();
        }
        let hash = |posting: &Posting| hasher.hash_one(part(&texts, posting.text));
        let mut table = HashTable::with_capacity(postings.len());
        for posting in postings {
            table.insert_unique(hash(&posting), posting, hash);
        }
        Self { table, texts: texts.into(), numbers, hasher }
    }

    /// Whether there is no text.
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// The rules filed under `text`, ascending.
    #[inline]
    pub fn get(&self, text: &[u8]) -> Option<&[u32]> {
        let hash = self.hasher.hash_one(text);
        let posting = self.table.find(hash, |posting| same_bytes(part(&self.texts, posting.text), text))?;
        Some(part(&self.numbers, posting.list))
    }
}

/// Policies are far smaller than what 32 bits count.
fn range(start: usize, length: usize) -> (u32, u32) {
    let bounded = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
    (bounded(start), bounded(start + length))
}

#[inline]
fn part<T>(all: &[T], (start, end): (u32, u32)) -> &[T] {
    all.get(start as usize..end as usize).unwrap_or_default()
}
