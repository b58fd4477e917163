//! New ids.

use std::sync::Mutex;

use uuid::{ContextV7, Uuid};

use super::Timestamp;

/// What makes ids of one millisecond different, and later ones greater.
static CONTEXT: Mutex<ContextV7> = Mutex::new(ContextV7::new());

/// A new UUIDv7 of the time `now`, greater than all that this process has made. Where the clock was set back it holds the
/// time of the one before, and one of before 1970 the first millisecond of it, which is as early as such an id can be.
///
/// ```
/// use lictor::model::{Timestamp, new_id};
/// let id = new_id(Timestamp::from_micros(1_700_000_000_000_000));
/// assert_eq!(id.get_version_num(), 7);
/// ```
#[must_use]
pub fn new_id(now: Timestamp) -> Uuid {
    after(&CONTEXT, now)
}

fn after(context: &Mutex<ContextV7>, now: Timestamp) -> Uuid {
    // At zero the counter would not begin at random.
    let micros = u64::try_from(now.as_micros()).unwrap_or_default().max(1_000);
    let nanos = u32::try_from(micros % 1_000_000 * 1_000).unwrap_or_default();
    Uuid::new_v7(uuid::Timestamp::from_unix(context, micros / 1_000_000, nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_of_any_time_makes_ids_that_grow() {
        let context = Mutex::new(ContextV7::new());
        let now = 1_700_000_000_000_000;
        let times = [i64::MIN, -1, 0, 1, 999, 1_000, now, -86_400_000_000, now, now + 1_000];
        let ids: Vec<Uuid> = times.into_iter().map(|micros| after(&context, Timestamp::from_micros(micros))).collect();
        assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
        let millis = |id: &Uuid| id.as_u128() >> 80;
        assert_eq!(
            ids.iter().map(millis).collect::<Vec<_>>(),
            [vec![1; 6], vec![1_700_000_000_000; 3], vec![1_700_000_000_001]].concat()
        );
        // The latest time that can be said is beyond those of such ids, and is cut.
        assert_eq!(after(&context, Timestamp::from_micros(i64::MAX)).get_version_num(), 7);
    }
}
