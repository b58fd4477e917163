//! SHA-256 of a text together with those of its parts, block by block where the text stands.
//!
//! One computation of SHA-256 leaves half of the processor waiting for its own last result. A text and its parts are
//! hashed in turn, a block each, so that two computations run side by side; and nothing is copied but the last block.

use std::ops::Range;

use sha2::block_api::compress256;

/// Bytes that are hashed at a time.
const BLOCK: usize = 64;

/// The state that every computation begins with (FIPS 180-4, 5.3.3).
const INITIAL: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// The hash of `text`. Calls `part` with the hash of each of its `parts`, in their order.
pub(super) fn whole_and_parts(
    text: &[u8],
    parts: impl IntoIterator<Item = Range<usize>>,
    mut part: impl FnMut([u8; 32]),
) -> [u8; 32] {
    let mut whole = Computation::of(text);
    for range in parts {
        let mut own = Computation::of(text.get(range).unwrap_or_default());
        while own.advance() {
            whole.advance();
        }
        part(own.state());
    }
    while whole.advance() {}
    whole.state()
}

/// A computation of SHA-256 over a text that is there as a whole.
struct Computation<'a> {
    state: [u32; 8],
    /// The whole blocks that are still to come.
    blocks: &'a [[u8; BLOCK]],
    /// What follows them: the rest of the text, and the padding.
    end: [[u8; BLOCK]; 2],
    /// How many of these blocks are done, and how many there are.
    ended: usize,
    ends: usize,
}

impl<'a> Computation<'a> {
    #[inline]
    fn of(text: &'a [u8]) -> Self {
        let (blocks, rest) = text.as_chunks::<BLOCK>();
        let mut end = [[0; BLOCK]; 2];
        let bytes = end.as_flattened_mut();
        // The rest is shorter than a block: both places exist.
        if let Some((place, padding)) = bytes.split_at_mut_checked(rest.len()) {
            place.copy_from_slice(rest);
            padding[0] = 0x80;
        }
        let ends = if rest.len() < BLOCK - 8 { 1 } else { 2 };
        if let Some(place) = end.get_mut(ends - 1).and_then(|block| block.last_chunk_mut::<8>()) {
            *place = (text.len() as u64 * 8).to_be_bytes();
        }
        Self { state: INITIAL, blocks, end, ended: 0, ends }
    }

    /// Does one more block; false where none was left.
    #[inline]
    fn advance(&mut self) -> bool {
        if let Some((block, rest)) = self.blocks.split_first() {
            self.blocks = rest;
            compress256(&mut self.state, std::slice::from_ref(block));
            return true;
        }
        let Some(block) = self.end.get(self.ended).filter(|_| self.ended < self.ends) else { return false };
        self.ended += 1;
        compress256(&mut self.state, std::slice::from_ref(block));
        true
    }

    /// The hash, once no block is left.
    fn state(&self) -> [u8; 32] {
        let mut hash = [0; 32];
        for (place, word) in hash.as_chunks_mut().0.iter_mut().zip(self.state) {
            *place = word.to_be_bytes();
        }
        hash
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sha2::{Digest, Sha256};

    use super::*;

    proptest! {
        #[test]
        fn all_hashes_are_those_of_the_standard(
            text in prop::collection::vec(any::<u8>(), 0..400),
            cuts in prop::collection::vec(0_usize..400, 0..12),
        ) {
            let parts: Vec<Range<usize>> = cuts
                .chunks_exact(2)
                .map(|cut| cut[0].min(cut[1]).min(text.len())..cut[0].max(cut[1]).min(text.len()))
                .collect();
            let mut hashes = Vec::new();
            let whole = whole_and_parts(&text, parts.iter().cloned(), |hash| hashes.push(hash));
            prop_assert_eq!(whole, <[u8; 32]>::from(Sha256::digest(&text)));
            let expected: Vec<[u8; 32]> =
                parts.into_iter().map(|part| Sha256::digest(&text[part]).into()).collect();
            prop_assert_eq!(hashes, expected);
        }
    }
}
