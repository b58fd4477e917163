//! Several sorted lists of rule numbers, walked as one.

use smallvec::SmallVec;

/// Lists of rule numbers, each ascending and not empty.
pub type Lists<'a> = SmallVec<[&'a [u32]; 8]>;

/// Most lists that are searched for the least number at each step; more are sorted at once.
const FEW: usize = 8;

/// Walks lists of rule numbers in ascending order, each number once. Allocates nothing for up to eight lists.
#[derive(Debug)]
pub struct Candidates<'a> {
    /// The list that is walked by itself; what is left of it comes before `others`.
    only: &'a [u32],
    others: Others<'a>,
}

#[derive(Debug)]
enum Others<'a> {
    None,
    Few(Lists<'a>),
    Sorted(std::vec::IntoIter<u32>),
}

impl<'a> Candidates<'a> {
    /// Walks `lists` as one.
    #[inline]
    pub fn merge(lists: Lists<'a>) -> Self {
        match lists.as_slice() {
            [] => Self { only: &[], others: Others::None },
            [only] => Self { only, others: Others::None },
            many if many.len() <= FEW => Self { only: &[], others: Others::Few(lists) },
            many => {
                let mut numbers = many.concat();
                numbers.sort_unstable();
                numbers.dedup();
                Self { only: &[], others: Others::Sorted(numbers.into_iter()) }
            }
        }
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
        match &mut self.others {
            Others::None => None,
            Others::Few(lists) => {
                let (least, only) = step(lists)?;
                if let Some(only) = only {
                    self.only = only;
                    self.others = Others::None;
                }
                Some(least)
            }
            Others::Sorted(numbers) => numbers.next(),
        }
    }
}

/// Takes the least number out of `lists`; gives also the only list that is left, if only one is.
fn step<'a>(lists: &mut Lists<'a>) -> Option<(u32, Option<&'a [u32]>)> {
    let least = lists.iter().filter_map(|list| list.first()).min().copied()?;
    lists.retain(|list| {
        if let Some((first, rest)) = list.split_first()
            && *first == least
        {
            *list = rest;
        }
        !list.is_empty()
    });
    let only = match lists.as_slice() {
        [only] => Some(*only),
        _ => None,
    };
    Some((least, only))
}
