//! Decisions by tenant: the id as a hash, and never more series than the limit.

use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest, Sha256};

/// Places of the table.
const PLACES: usize = 2_048;
/// Tenants that get a series of their own; the rest count as `other`.
const MAX_TENANTS: u64 = 900;

/// Where a tenant's decisions are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tenant {
    /// Place in the table, `None` for `other`.
    place: Option<u16>,
}

/// Counts of decisions by tenant, shared by all workers without a lock.
#[derive(Debug)]
pub struct Tenants {
    places: Box<[Place]>,
    taken: AtomicU64,
    other: AtomicU64,
}

#[derive(Debug, Default)]
struct Place {
    /// The hash's 32 bits with a bit above them, or 0 while the place is free.
    key: AtomicU64,
    count: AtomicU64,
}

impl Default for Tenants {
    fn default() -> Self {
        Self {
            places: std::iter::repeat_with(Place::default).take(PLACES).collect(),
            taken: AtomicU64::new(0),
            other: AtomicU64::new(0),
        }
    }
}

impl Tenants {
    /// The place of the tenant `id`, taken now if it is new and the limit is not reached.
    pub fn place(&self, id: &str) -> Tenant {
        let hash = hash(id);
        let key = u64::from(hash) | 1 << 32;
        let start = hash as usize;
        for step in 0..PLACES {
            let index = start.wrapping_add(step) % PLACES;
            let Some(place) = self.places.get(index) else { break };
            let mut found = place.key.load(Ordering::Relaxed);
            if found == 0 {
                if self.taken.fetch_add(1, Ordering::Relaxed) >= MAX_TENANTS {
                    self.taken.fetch_sub(1, Ordering::Relaxed);
                    break;
                }
                match place.key.compare_exchange(0, key, Ordering::Relaxed, Ordering::Relaxed) {
                    Ok(_) => found = key,
                    Err(other) => {
                        self.taken.fetch_sub(1, Ordering::Relaxed);
                        found = other;
                    }
                }
            }
            if found == key {
                return Tenant { place: u16::try_from(index).ok() };
            }
        }
        Tenant { place: None }
    }

    /// Counts a decision.
    pub fn count(&self, tenant: Tenant) {
        let place = tenant.place.and_then(|place| self.places.get(usize::from(place)));
        place.map_or(&self.other, |place| &place.count).fetch_add(1, Ordering::Relaxed);
    }

    /// The label and count of each tenant that has any, `other` last.
    pub fn counts(&self) -> Vec<(String, u64)> {
        let known = self.places.iter().filter_map(|place| {
            let key = place.key.load(Ordering::Relaxed);
            (key != 0).then(|| (format!("{:08x}", key as u32), place.count.load(Ordering::Relaxed)))
        });
        let other = self.other.load(Ordering::Relaxed);
        known.chain((other > 0).then(|| (String::from("other"), other))).collect()
    }
}

/// The first 32 bits of the SHA-256 of the id, so that an operator can compute the label.
fn hash(id: &str) -> u32 {
    let digest = Sha256::digest(id.as_bytes());
    digest.iter().take(4).fold(0, |bits, byte| bits << 8 | u32::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_thousand_tenants_make_fewer_than_a_thousand_series() {
        let tenants = Tenants::default();
        for number in 0..10_000 {
            let place = tenants.place(&format!("tenant-{number}"));
            tenants.count(place);
        }
        let counts = tenants.counts();
        assert_eq!(counts.len() as u64, MAX_TENANTS + 1);
        assert_eq!(counts.iter().map(|(_, count)| count).sum::<u64>(), 10_000);
        assert_eq!(counts.last().unwrap().0, "other");
    }

    #[test]
    fn a_tenant_keeps_its_place_and_shows_as_its_hash() {
        let tenants = Tenants::default();
        let place = tenants.place("acme");
        tenants.count(place);
        assert_eq!(tenants.place("acme"), place);
        // printf acme | sha256sum
        assert_eq!(tenants.counts(), [(String::from("822b33ad"), 1)]);
    }
}
