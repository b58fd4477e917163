//! Sequence numbers as files state them.

use serde::de::{Deserialize, Deserializer, Error};

/// The greatest: what every JSON reader keeps exact. A file that states a greater one was not written by us, and counting
/// on from it would end.
pub(super) const MAX: u64 = (1 << 53) - 1;

/// Reads one, refusing what is greater than [`MAX`].
pub(super) fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let number = u64::deserialize(deserializer)?;
    if number > MAX {
        return Err(Error::custom(format_args!("{number} is no sequence number")));
    }
    Ok(number)
}
