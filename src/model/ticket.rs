//! The number that every decision gets, whether or not its record gets through.

use std::fmt;

use super::Timestamp;

/// Identifies one start of a server: 26 random bits, different from every start whose records the journal still holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BootId(u32);

impl BootId {
    /// Number of bits that a boot id has.
    pub const BITS: u32 = 26;

    /// The boot id made of the low 26 bits of `bits`.
    #[must_use]
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits & ((1 << Self::BITS) - 1))
    }

    /// Its 26 bits.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }
}

impl fmt::Display for BootId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:07x}", self.0)
    }
}

/// Stamped on every decision: start of the server, worker, and a number that counts the worker's decisions from 1
/// without a gap. A number that is missing from the journal is a record that was lost, and is named by a gap record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket {
    /// The start of the server.
    pub boot: BootId,
    /// The data-plane worker, 0–63.
    pub worker: u8,
    /// The worker's count, from 1; at most 2^42 − 1.
    pub number: u64,
}

impl Ticket {
    /// The decision's id: a UUIDv7 whose time is `now` and whose other 74 bits are the ticket (26 bits boot, 6 bits
    /// worker, 42 bits number), so that the id of an answer leads to its ticket even where the record was lost.
    #[must_use]
    pub fn decision_id(self, now: Timestamp) -> uuid::Uuid {
        let millis = u128::try_from(now.as_micros() / 1_000).unwrap_or(0) & 0xffff_ffff_ffff;
        let payload = (u128::from(self.boot.bits()) << 48)
            | (u128::from(self.worker & 0x3f) << 42)
            | (u128::from(self.number) & ((1 << 42) - 1));
        let high = payload >> 62;
        let low = payload & ((1 << 62) - 1);
        uuid::Uuid::from_u128((millis << 80) | (0x7 << 76) | (high << 64) | (0b10 << 62) | low)
    }

    /// The ticket inside a decision id.
    ///
    /// ```
    /// use lictor::model::{BootId, Ticket, Timestamp};
    /// let ticket = Ticket { boot: BootId::from_bits(77), worker: 3, number: 12_345 };
    /// let id = ticket.decision_id(Timestamp::from_micros(1_700_000_000_000_000));
    /// assert_eq!(id.get_version_num(), 7);
    /// assert_eq!(Ticket::of_decision_id(id), ticket);
    /// ```
    #[must_use]
    pub fn of_decision_id(id: uuid::Uuid) -> Self {
        let bits = id.as_u128();
        let payload = (((bits >> 64) & 0xfff) << 62) | (bits & ((1 << 62) - 1));
        Self {
            boot: BootId::from_bits((payload >> 48) as u32),
            worker: ((payload >> 42) & 0x3f) as u8,
            number: (payload & ((1 << 42) - 1)) as u64,
        }
    }
}

impl fmt::Display for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.boot, self.worker, self.number)
    }
}
