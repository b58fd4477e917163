//! Several sorted lists of rule numbers, walked as one.

use smallvec::SmallVec;

/// Lists of rule numbers, each ascending and not empty.
pub type Lists<'a> = SmallVec<[&'a [u32]; 12]>;

/// Walks lists of rule numbers in ascending order, each number once. Allocates nothing for up to a dozen lists.
#[derive(Debug)]
pub struct Candidates<'a> {
    lists: Lists<'a>,
}

impl<'a> Candidates<'a> {
    /// Walks `lists` as one.
    pub fn merge(lists: Lists<'a>) -> Self {
        Self { lists }
    }
}

impl Iterator for Candidates<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        if let [only] = self.lists.as_mut_slice() {
            let (first, rest) = only.split_first()?;
            *only = rest;
            return Some(*first);
        }
        let least = self.lists.iter().filter_map(|list| list.first()).min().copied()?;
        self.lists.retain(|list| {
            if let Some((first, rest)) = list.split_first()
                && *first == least
            {
                *list = rest;
            }
            !list.is_empty()
        });
        Some(least)
    }
}
