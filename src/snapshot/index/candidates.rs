//! Several sorted lists of rule numbers, walked as one.

use smallvec::SmallVec;

/// Most lists that are searched for the least number at each step; more are sorted at once.
const FEW: usize = 8;

/// Walks lists of rule numbers in ascending order, each number once. Allocates nothing for up to eight lists.
#[derive(Debug, Default)]
pub struct Candidates<'a> {
    /// The list that is walked by itself, before the others.
    only: &'a [u32],
    /// Lists to be walked side by side, none of them empty.
    side_by_side: SmallVec<[&'a [u32]; FEW]>,
    /// What too many lists were sorted into.
    sorted: std::vec::IntoIter<u32>,
}

impl<'a> Candidates<'a> {
    /// Adds a list, which is ascending.
    #[inline]
    pub(super) fn add(&mut self, list: &'a [u32]) {
        if list.is_empty() {
            return;
        }
        if self.only.is_empty() && self.side_by_side.is_empty() {
            self.only = list;
            return;
        }
        if self.side_by_side.is_empty() {
            self.side_by_side.push(std::mem::take(&mut self.only));
        }
        self.side_by_side.push(list);
    }

    /// Ends adding.
    #[inline]
    pub(super) fn finish(&mut self) {
        if self.side_by_side.len() > FEW {
            let mut numbers = self.side_by_side.concat();
            numbers.sort_unstable();
            numbers.dedup();
            self.side_by_side.clear();
            self.sorted = numbers.into_iter();
        }
    }

    /// Takes the least number out of the lists that are walked side by side.
    fn step(&mut self) -> Option<u32> {
        let least = self.side_by_side.iter().filter_map(|list| list.first()).min().copied()?;
        self.side_by_side.retain(|list| {
            if let Some((first, rest)) = list.split_first()
                && *first == least
            {
                *list = rest;
            }
            !list.is_empty()
        });
        if let [last] = self.side_by_side.as_slice() {
            self.only = last;
            self.side_by_side.clear();
        }
        Some(least)
    }
}

impl Iterator for Candidates<'_> {
    type Item = u32;

    #[inline]
    fn next(&mut self) -> Option<u32> {
        if let Some((first, rest)) = self.only.split_first() {
            self.only = rest;
            return Some(*first);
        }
        if !self.side_by_side.is_empty() {
            return self.step();
        }
        self.sorted.next()
    }
}
