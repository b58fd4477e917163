//! How far a store has come, and whether the one that is found is the one that was there before.

use crate::model::{Text, Timestamp};

/// How far a store has come. Noted beside it, it tells an older copy or another database that was put in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mark {
    /// The epoch, from 1.
    pub epoch: u64,
    /// A random number that begins with the database, and anew with each epoch; `None` where it is not known.
    pub lineage: Option<u64>,
    /// The latest time that is committed in this epoch; `None` where it is not known, as of PostgreSQL.
    pub committed: Option<Timestamp>,
}

/// What a store is expected to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// What was noted of it.
    pub mark: Mark,
    /// Who opens it: the instance whose journal may hold its events.
    pub owner: Text,
}

impl Mark {
    /// Why a store with the mark `found` is not the one of which `self` was noted, or a later state of it.
    #[must_use]
    pub fn gainsays(&self, found: &Self) -> Option<String> {
        if found.epoch < self.epoch {
            return Some(format!(
                "it is of epoch {}, and this state directory has seen epoch {}",
                found.epoch, self.epoch
            ));
        }
        if found.epoch > self.epoch {
            return None;
        }
        if let (Some(noted), Some(lineage)) = (self.lineage, found.lineage)
            && noted != lineage
        {
            return Some(format!(
                "it is another database, also of epoch {} (its number is {lineage}, and this state directory has seen \
                 {noted})",
                self.epoch
            ));
        }
        match (self.committed, found.committed) {
            (Some(noted), Some(committed)) if is_earlier(committed, noted) => Some(format!(
                "its last change is of {committed}, and this state directory has seen one of {noted} (both of epoch {})",
                self.epoch
            )),
            _ => None,
        }
    }
}

/// Of changes that are made at once the later one may be committed first, so that a last time means its minute.
fn is_earlier(time: Timestamp, noted: Timestamp) -> bool {
    noted.as_micros().saturating_sub(time.as_micros()) > 60_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(epoch: u64, lineage: Option<u64>, micros: Option<i64>) -> Mark {
        Mark { epoch, lineage, committed: micros.map(Timestamp::from_micros) }
    }

    #[test]
    fn older_and_other_stores_are_told() {
        let noted = mark(2, Some(7), Some(70_000_000));
        for (found, why) in [
            (mark(2, Some(7), Some(70_000_000)), None),
            (mark(2, Some(7), Some(70_000_001)), None),
            (mark(2, Some(7), Some(10_000_000)), None),
            (mark(2, None, None), None),
            (mark(3, Some(8), Some(1)), None),
            (mark(1, Some(7), Some(70_000_001)), Some("of epoch 1, and this state directory has seen epoch 2")),
            (mark(2, Some(8), Some(70_000_001)), Some("another database, also of epoch 2")),
            (mark(2, Some(7), Some(9_999_999)), Some("last change")),
        ] {
            let said = noted.gainsays(&found);
            assert_eq!(said.is_some(), why.is_some(), "{found:?}: {said:?}");
            assert!(why.is_none_or(|why| said.as_ref().is_some_and(|said| said.contains(why))), "{found:?}: {said:?}");
        }
        assert_eq!(mark(2, None, None).gainsays(&mark(2, Some(7), Some(1))), None, "what is not known is no reason");
    }
}
